import assert from 'node:assert/strict';
import fc from 'fast-check';
import { bytesSource } from '../../../../src/bytes/byteSource';
import { COLUMNS, RowBuilder } from '../../../../src/trace/model/columns';
import { traceNames } from '../../../../src/trace/model/dictionary';
import { type Position } from '../../../../src/trace/model/reader';
import { csv } from '../../../../src/trace/readers/csv';
import { dmesg } from '../../../../src/trace/readers/dmesg';
import { ftrace } from '../../../../src/trace/readers/ftrace';
import { jsonLines } from '../../../../src/trace/readers/jsonLines';
import { perfScript } from '../../../../src/trace/readers/perfScript';
import { qemuLog } from '../../../../src/trace/readers/qemuLog';
import { traceCmd } from '../../../../src/trace/readers/traceCmd';
import { type LineFormat } from '../../../../src/trace/text/lineFormat';
import { textReader } from '../../../../src/trace/text/textTrace';
import { guestTrace } from '../../../builders/traceRows';

const TABLE = `time,cpu,pid,operation,iova,size,paddr,domain,pasid,count
1.5,0,401,map,0xffe10000,4096,0x152adb000,1,2,3
2.5,1,402,unmap,0xffe10000,4096,,1,2,3
`;
const OBJECTS = `{"time":1.5,"cpu":0,"pid":401,"operation":"map","iova":"0xffe10000","size":4096}
{"time":2.5,"cpu":0,"pid":401,"operation":"map","iova":4292935680,"size":4096,"count":3}
`;
const OLD_MAP = `              dd-402     [000] .....    1.000000: map: IOMMU: iova=0x00000000ffe10000 paddr=0x0000000152adb000 size=4096
`;
const TIMED = `401@1750000000.123456:vtd_inv_desc_iotlb_pages iotlb invalidate domain 0x1 addr 0xffe10000 mask 0x0\n`;
const sample = (guest: string, file: string): string => guestTrace(guest, file).slice(0, 6000);
const SAMPLES: readonly (readonly [LineFormat, string])[] = [
  [ftrace, sample('vtd-sm-fl', 'ftrace_sample_alldma.txt')],
  [ftrace, sample('vtd-sm-fl', 'ftrace_sample_tgid_mono.txt')],
  [ftrace, sample('vtd-sm-fl', 'ftrace_sample_latfmt.txt')],
  [ftrace, OLD_MAP.repeat(3)],
  [traceCmd, sample('vtd-sm-fl', 'trace-cmd-report.txt')],
  [perfScript, sample('vtd-sm-fl', 'perf-script.txt')],
  [qemuLog, sample('vtd-legacy', 'qemu-trace.sample.log')],
  [qemuLog, TIMED.repeat(3)],
  [qemuLog, sample('riscv', 'qemu-trace.sample.log')],
  [dmesg, sample('amd', 'dmesg_iommu.txt')],
  [csv, TABLE],
  [jsonLines, OBJECTS],
];

function check(format: LineFormat, text: string): void {
  const opened = textReader(format).open(
    bytesSource('long', new Uint8Array(Buffer.from(text))),
    traceNames(),
  );
  assert.ok(opened.ok);
  const { value: trace } = opened;
  const out = new RowBuilder(1000);
  for (let at: Position | undefined = trace.start; at;) {
    out.clear();
    const { next } = trace.fill(at, out);
    for (const name of COLUMNS) {
      for (const value of out[name].subarray(0, out.rows)) {
        assert.ok(Number.isFinite(value) || Number.isNaN(value), `${name} is ${value}`);
      }
    }
    at = next;
  }
}

describe('numbers of all formats', () => {
  const long = fc.constantFrom('9'.repeat(20), '9'.repeat(21), '1'.repeat(306), '9'.repeat(400));

  it('are finite or absent, however long a row of digits in the file is', () => {
    for (const [format, text] of SAMPLES) {
      const numbers = [...text.matchAll(/\d+/g)];
      fc.assert(
        fc.property(fc.nat({ max: numbers.length - 1 }), long, (number, digits) => {
          const { index = 0, 0: old = '' } = numbers[number] ?? {};
          check(format, text.slice(0, index) + digits + text.slice(index + old.length));
        }),
        { numRuns: 150 },
      );
    }
  });

  it('of the clock may be too long everywhere, also in the first line', () => {
    for (const [format, text] of SAMPLES) {
      for (const digits of ['9'.repeat(20), '1'.repeat(310)]) {
        check(format, text.replace(/\d+(?=\.\d{3,9}:)/g, digits));
        check(format, text.replace(/\d+(?=us)/g, digits));
        check(format, text.replace(/\d{3,}/g, digits));
      }
    }
  });
});
