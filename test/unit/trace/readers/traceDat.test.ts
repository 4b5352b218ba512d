/**
 * Files of trace-cmd. What real ones hold is told by the text that trace-cmd itself made of them (`trace-cmd-report.txt`); what
 * these do not show (other byte orders, losses, long times) is built after trace-cmd.dat.v6(5) and the kernel's ring buffer.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { bytesSource } from '../../../../src/bytes/byteSource';
import { RowBuilder } from '../../../../src/trace/model/columns';
import { type TraceNames, traceNames } from '../../../../src/trace/model/dictionary';
import { OPERATIONS } from '../../../../src/trace/model/operation';
import { type OpenTrace, type Position, type TraceProblem } from '../../../../src/trace/model/reader';
import { openTrace } from '../../../../src/trace/readers/index';
import { Bytes, format, type DatEvent, type DatParts, traceDat } from '../../../builders/traceDat';

const fixtures = path.join(__dirname, '../../../fixtures/traces');
const fixture = (guest: string, name: string): Uint8Array =>
  new Uint8Array(gunzipSync(readFileSync(path.join(fixtures, guest, `${name}.gz`))));

interface Row {
  readonly operation: string;
  readonly event: string;
  readonly time: bigint;
  readonly cpu: number;
  readonly task: string;
  readonly device: string | undefined;
  readonly iova: bigint | undefined;
  readonly size: number;
  readonly paddr: bigint | undefined;
  readonly count: number;
  readonly line: string;
}

interface ReadDat {
  readonly trace: OpenTrace;
  readonly rows: readonly Row[];
  readonly problems: readonly TraceProblem[];
}

/** Reads a whole file, `capacity` rows at a time. */
function read(bytes: Uint8Array, capacity?: number): ReadDat {
  const names = traceNames();
  const opened = openTrace(bytesSource('trace.dat', bytes), names);
  assert.ok(opened.ok, opened.ok ? '' : opened.failure.message);
  const trace = opened.value;
  const rows: Row[] = [];
  const problems = [...trace.problems];
  const builder = new RowBuilder(capacity);
  for (let position: Position | undefined = trace.start; position;) {
    builder.clear();
    const filled = trace.fill(position, builder);
    for (let row = 0; row < builder.rows; row++) rows.push(rowAt(builder, row, trace, names));
    problems.push(...filled.problems);
    assert.ok(!filled.next || filled.next.offset > position.offset, 'a place that is not further on');
    // Places come back from an index as JSON.
    position = filled.next && (JSON.parse(JSON.stringify(filled.next)) as Position);
  }
  return { trace, rows, problems };
}

function rowAt(builder: RowBuilder, row: number, trace: OpenTrace, names: TraceNames): Row {
  const at = (column: Float64Array): number => column[row] ?? Number.NaN;
  const address = (page: number, offset: number): bigint | undefined =>
    Number.isNaN(page) ? undefined : BigInt(page) * 4096n + BigInt(offset);
  const task = names.tasks.task(at(builder.task));
  return {
    operation: OPERATIONS[at(builder.operation)] ?? '',
    event: names.events.text(at(builder.event)),
    time: trace.origin + BigInt(at(builder.time)),
    cpu: at(builder.cpu),
    task: task ? `${task.name}-${task.pid ?? ''}` : '',
    device: Number.isNaN(at(builder.device)) ? undefined : names.devices.text(at(builder.device)),
    iova: address(at(builder.iovaPage), at(builder.iovaOffset)),
    size: at(builder.size),
    paddr: address(at(builder.paddrPage), at(builder.paddrOffset)),
    count: at(builder.count),
    line: trace.line(at(builder.offset), at(builder.length), 8192),
  };
}

const report = (guest: string): string[] =>
  Buffer.from(fixture(guest, 'trace-cmd-report.txt'))
    .toString()
    .split('\n')
    .slice(1)
    .filter((line) => line !== '');

const GUESTS = ['vtd-legacy-share', 'vtd-sm-fl-share', 'smmuv3-16k-share', 'amd-share'] as const;

describe('files of trace-cmd', () => {
  for (const guest of GUESTS) {
    for (const version of ['v6', 'v7']) {
      it(`${guest} ${version}: every event is the line that trace-cmd report prints`, () => {
        const { rows, problems } = read(fixture(guest, `trace.${version}.dat`));
        const lines = report(guest);
        assert.deepEqual(problems, []);
        assert.equal(rows.length, lines.length);
        for (const [index, line] of lines.entries()) {
          if (!line.includes('[FAILED TO PARSE]')) assert.equal(rows[index]?.line, line);
        }
      });
    }
  }

  it('what trace-cmd gives up on has the values that it lists instead', () => {
    for (const guest of ['vtd-sm-fl-share', 'smmuv3-16k-share']) {
      const { rows } = read(fixture(guest, 'trace.v7.dat'));
      let compared = 0;
      for (const [index, line] of report(guest).entries()) {
        if (!line.includes('[FAILED TO PARSE]')) continue;
        const row = rows[index];
        assert.equal(row?.device, /device=(\S+)/.exec(line)?.[1]);
        const addresses = /dma_addrs=ARRAY\[([^\]]*)\]/.exec(line)?.[1]?.split(', ');
        if (!addresses) continue;
        assert.equal(row?.iova, BigInt(`0x${addresses.slice(0, 8).reverse().join('')}`));
        compared++;
      }
      assert.ok(compared >= 40, `${guest}: ${compared}`);
    }
  });

  it('columns have what the report says, field by field', () => {
    for (const guest of GUESTS) {
      const { rows } = read(fixture(guest, 'trace.v7.dat'));
      for (const [index, line] of report(guest).entries()) {
        const row = rows[index];
        const [, task, pid, cpu, seconds, event] =
          /^\s*(.*)-(\d+)\s+\[(\d+)\]\s+([\d.]+): (\w+):/.exec(line) ?? [];
        assert.deepEqual([row?.task, row?.cpu, row?.event], [`${task}-${pid}`, Number(cpu), event]);
        const micros = ((row?.time ?? 0n) + 500n) / 1000n;
        assert.equal(micros, BigInt(seconds?.replace('.', '') ?? 0));
        const [, iova, , paddr, size] =
          /iova=(0x\w+) - (0x\w+) (?:paddr=(0x\w+) )?size=(\d+)/.exec(line) ?? [];
        if (iova === undefined) continue;
        assert.deepEqual(
          [row?.operation, row?.iova, row?.paddr, row?.size],
          [event, BigInt(iova), paddr === undefined ? undefined : BigInt(paddr), Number(size)],
        );
      }
    }
  });

  it('the report of a guest with flags is the same without them', () => {
    const { rows } = read(fixture('riscv-share', 'trace.v7.dat'));
    const lines = report('riscv-share').map((line) => line.replace(/(\[\d+\]) \S+ /, '$1 ').trimEnd());
    const first = rows.findIndex(({ line }) => line === lines[0]);
    assert.ok(first >= 0);
    // The text is the head of the recording, and its last line is cut.
    const compared = lines.slice(0, -1);
    assert.deepEqual(
      rows.slice(first, first + compared.length).map(({ line }) => line),
      compared,
    );
  });

  it('chunks of any size have the same rows', () => {
    const bytes = fixture('vtd-sm-fl-share', 'trace.v7.dat');
    const { rows } = read(bytes);
    for (const capacity of [2, 3, 17, 500]) assert.deepEqual(read(bytes, capacity).rows, rows);
  });
});

const MAP_FIELDS = [
  'u64 iova;\toffset:8;\tsize:8;\tsigned:0;',
  'u64 paddr;\toffset:16;\tsize:8;\tsigned:0;',
  'size_t size;\toffset:24;\tsize:8;\tsigned:0;',
];
const MAP_PRINT =
  '"IOMMU: iova=0x%016llx - 0x%016llx paddr=0x%016llx size=%zu", REC->iova, REC->iova + REC->size, REC->paddr, REC->size';
const FORMATS = { iommu: [format('map', 500, MAP_FIELDS, MAP_PRINT)] };

const map = (big: boolean, time: bigint, iova: bigint, more: Partial<DatEvent> = {}): DatEvent => ({
  ...{ time, type: 500, pid: 7 },
  data: new Bytes(big).number(iova, 8).number(0x1234_5000n, 8).number(8192, 8).done(),
  ...more,
});

/** Where frames of zstd begin (RFC 8878 §3.1.1). */
function zstdFrames(bytes: Uint8Array): readonly number[] {
  const file = Buffer.from(bytes);
  const found: number[] = [];
  for (let at = file.indexOf('28b52ffd', 0, 'hex'); at >= 0; at = file.indexOf('28b52ffd', at + 4, 'hex'))
    found.push(at);
  return found;
}

const word = (bits: number) => fc.bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n });

describe('files of trace-cmd that were built', () => {
  const parts = (big: boolean, long: 4 | 8): DatParts => ({
    ...{ bigEndian: big, long, formats: FORMATS, commands: '7 dd\n' },
    cpus: [
      [
        { time: 1000n, events: [map(big, 1000n, 0x1000n), map(big, 3000n, 0x3000n)] },
        { time: 9_000_000_000n, lost: 12, discarded: 8, events: [map(big, 9_000_000_001n, 0x5000n)] },
      ],
      [
        { time: 2000n, discarded: 16, events: [map(big, 2001n, 0xffff_ffff_ffff_e000n)] },
        {
          time: 4000n,
          events: [
            map(big, 4000n + 2n ** 33n, 0x8000n, { stamp: 'extend' }),
            map(big, 30_000_000_000n, 0x9000n, { stamp: 'absolute' }),
          ],
        },
        { time: 40_000_000_000n, lost: true, events: [map(big, 40_000_000_000n, 0xa000n)] },
      ],
    ],
  });

  for (const [big, long] of [
    [false, 8],
    [true, 8],
    [false, 4],
    [true, 4],
  ] as const) {
    it(`${big ? 'big' : 'little'}-endian, long of ${long} bytes: CPUs in the order of time, losses where they are`, () => {
      const { rows, problems } = read(traceDat(parts(big, long)));
      assert.deepEqual(problems, []);
      assert.deepEqual(
        rows.flatMap(({ operation, event }) => (operation === 'lost' ? [event] : [])),
        ['', ''],
      );
      assert.deepEqual(
        rows.map(({ operation, time, cpu, iova, count }) => [operation, time, cpu, iova, count]),
        [
          ['map', 1000n, 0, 0x1000n, Number.NaN],
          ['map', 2001n, 1, 0xffff_ffff_ffff_e000n, Number.NaN],
          ['map', 3000n, 0, 0x3000n, Number.NaN],
          ['map', 4000n + 2n ** 33n, 1, 0x8000n, Number.NaN],
          ['lost', 9_000_000_001n, 0, undefined, 12],
          ['map', 9_000_000_001n, 0, 0x5000n, Number.NaN],
          ['map', 30_000_000_000n, 1, 0x9000n, Number.NaN],
          ['lost', 40_000_000_000n, 1, undefined, Number.NaN],
          ['map', 40_000_000_000n, 1, 0xa000n, Number.NaN],
        ],
      );
      assert.deepEqual(
        rows.flatMap(({ operation, line }) => (operation === 'lost' ? [line] : [])),
        ['CPU:0 [LOST 12 EVENTS]', 'CPU:1 [LOST EVENTS]'],
      );
      assert.deepEqual(
        [...new Set(rows.filter(({ operation }) => operation === 'map').map(({ task }) => task))],
        ['dd-7'],
      );
    });
  }

  it('events of any CPUs come in the order of time, of equal times those of the first CPU first', () => {
    const times = fc.array(fc.array(fc.nat(20), { minLength: 1, maxLength: 6 }), {
      minLength: 1,
      maxLength: 9,
    });
    fc.assert(
      fc.property(times, fc.integer({ min: 2, max: 9 }), (all, capacity) => {
        const sorted = all.map((each) => each.sort((a, b) => a - b));
        const cpus = sorted.map((each) => [
          { time: 0n, events: each.map((time) => map(false, BigInt(time), 0x1000n)) },
        ]);
        const { rows } = read(traceDat({ formats: FORMATS, cpus }), capacity);
        assert.deepEqual(
          rows.map(({ time, cpu }) => [Number(time), cpu]),
          sorted.flatMap((each, cpu) => each.map((time) => [time, cpu])).sort(([a = 0], [b = 0]) => a - b),
        );
      }),
      { numRuns: 50 },
    );
  });

  it('chunks of any size tell losses once', () => {
    const bytes = traceDat(parts(false, 8));
    const whole = read(bytes).rows;
    assert.deepEqual(read(bytes, 2).rows, whole);
    assert.deepEqual(read(bytes, 3).rows, whole);
  });

  it('absolute stamps are exact to the nanosecond, of clocks that count since 1970 too', () => {
    const base = 1_700_000_000_123_456_001n;
    const events = [1n, 2n, 1003n].map((more) => map(false, base + more, 0x1000n, { stamp: 'absolute' }));
    const { rows } = read(traceDat({ formats: FORMATS, cpus: [[{ time: base, events }]] }));
    assert.deepEqual(
      rows.map(({ time }) => time),
      [base + 1n, base + 2n, base + 1003n],
    );
  });

  it('pages of 2 MiB are read to the last of their events', () => {
    const events = [0x1000n, 0x3000n, 0x5000n].map((iova) => {
      const { data, ...event } = map(false, 10n, iova);
      return { ...event, data: Uint8Array.from([...data, ...new Uint8Array(600_000)]) };
    });
    const parts = { formats: FORMATS, cpus: [[{ time: 10n, events }]], pageBytes: 2 ** 21 };
    const { rows, problems } = read(traceDat(parts));
    assert.deepEqual(problems, []);
    assert.deepEqual(
      rows.map(({ iova }) => iova),
      [0x1000n, 0x3000n, 0x5000n],
    );
  });

  it('names that every object of JavaScript has are no helpers and no algorithms', () => {
    for (const name of ['toString', 'constructor', '__proto__', 'hasOwnProperty']) {
      const formats = { iommu: [format('map', 500, MAP_FIELDS, `"%d", ${name}()`)] };
      const [row] = read(traceDat({ ...parts(false, 8), formats })).rows;
      assert.match(row?.line ?? '', /map: +iova=0x1000 /, name);
    }
    const seven = fixture('amd-share', 'trace.v7.dat');
    const start = Buffer.from(seven).indexOf('zstd');
    const named = Buffer.concat([
      seven.subarray(0, start),
      Buffer.from('toString'),
      seven.subarray(start + 4),
    ]);
    const opened = openTrace(bytesSource('trace.dat', named), traceNames());
    assert.ok(!opened.ok);
    assert.match(opened.failure.message, /packed with toString, which is not known/);
  });

  it('the fast way for map and unmap gives what their printed text does', () => {
    fc.assert(
      fc.property(word(64), word(64), word(40), (iova, paddr, size) => {
        const data = new Bytes().number(iova, 8).number(paddr, 8).number(size, 8).done();
        const events = [{ time: 0n, type: 500, pid: 1, data }];
        const [row] = read(traceDat({ formats: FORMATS, cpus: [[{ time: 0n, events }]] })).rows;
        assert.deepEqual([row?.iova, row?.paddr, row?.size], [iova, paddr, Number(size)]);
        const hex = (value: bigint): string =>
          `0x${BigInt.asUintN(64, value).toString(16).padStart(16, '0')}`;
        const text = `IOMMU: iova=${hex(iova)} - ${hex(iova + size)} paddr=${hex(paddr)} size=${size}`;
        assert.ok(row?.line.endsWith(text), row?.line);
      }),
      { numRuns: 50 },
    );
  });

  it('a version, a packing or a file that is not known is refused with what is', () => {
    const bytes = traceDat(parts(false, 8));
    const version = Uint8Array.from(bytes);
    version[10] = 0x39;
    const opened = openTrace(bytesSource('trace.dat', version), traceNames());
    assert.ok(!opened.ok);
    assert.match(opened.failure.message, /version 9 is not known \(6 and 7 are\)/);
    const seven = fixture('amd-share', 'trace.v7.dat');
    const packing = Uint8Array.from(seven);
    packing.set(Buffer.from('lzma'), packing.indexOf(0x7a));
    const packed = openTrace(bytesSource('trace.dat', packing), traceNames());
    assert.ok(!packed.ok);
    assert.match(packed.failure.message, /packed with lzma, which is not known \(zstd or zlib are\)/);
  });

  it('a file that is cut in its pages has the whole pages before, and says so', () => {
    const bytes = traceDat(parts(false, 8));
    // CPU 1 has the last three pages.
    const whole = read(bytes).rows;
    for (const [missing, last] of [
      [1, 30_000_000_000n],
      [4097, 2001n],
      [3 * 4096, 0n],
    ] as const) {
      const { rows, problems } = read(bytes.subarray(0, bytes.length - missing));
      assert.deepEqual(
        rows,
        whole.filter(({ cpu, time }) => cpu === 0 || time <= last),
      );
      assert.deepEqual(
        problems.map(({ code, severity }) => [code, severity]),
        [['trace/dat-cut', 'error']],
      );
      assert.match(
        problems[0]?.message ?? '',
        /CPU 1: 12288 bytes of pages should be here, and the file ends after/,
      );
    }
  });

  it('a packed piece that is damaged takes its own rows along, and no others', () => {
    const bytes = fixture('vtd-sm-fl-share', 'trace.v7.dat');
    const whole = read(bytes).rows;
    const pieces = zstdFrames(bytes);
    let damaged = 0;
    for (const at of pieces) {
      const broken = Uint8Array.from(bytes);
      broken[at] = 0;
      const opened = openTrace(bytesSource('trace.dat', broken), traceNames());
      if (!opened.ok || opened.value.problems.length > 0) continue;
      const { rows, problems } = read(broken);
      // Sections that are not used may be damaged.
      if (rows.length === whole.length) continue;
      assert.deepEqual(
        problems.map(({ code }) => code),
        ['trace/dat-page'],
      );
      assert.match(problems[0]?.message ?? '', /CPU \d+: packed data are damaged/);
      const lines = new Set(rows.map(({ line }) => line));
      const lost = new Set(whole.flatMap(({ line, cpu }) => (lines.has(line) ? [] : [cpu])));
      assert.ok(rows.length < whole.length && rows.length > 0, `${rows.length}`);
      assert.equal(lost.size, 1);
      damaged++;
    }
    assert.ok(damaged > 1, `${damaged} of ${pieces.length}`);
  });

  it('packed pages whose list of pieces breaks off have those before', () => {
    const bytes = fixture('vtd-sm-fl-share', 'trace.v7.dat');
    const whole = read(bytes).rows.length;
    let broken = 0;
    for (const at of zstdFrames(bytes)) {
      const cut = Uint8Array.from(bytes);
      // The size that the piece says it will have.
      cut.fill(0xff, at - 4, at);
      const opened = openTrace(bytesSource('trace.dat', cut), traceNames());
      if (!opened.ok || opened.value.problems[0]?.code !== 'trace/dat-cut') continue;
      const { rows } = read(cut);
      assert.ok(rows.length > 0 && rows.length < whole, `${rows.length} of ${whole}`);
      broken++;
    }
    assert.ok(broken > 1, `${broken}`);
  });

  it('an instance whose table is behind the end is a problem, and the rest is read', () => {
    const option = Buffer.alloc(14);
    option.writeUInt32LE(2 ** 30);
    option.write('extra', 8);
    const bytes = traceDat({ ...parts(false, 8), options: [{ id: 3, data: option.toString('latin1') }] });
    const { rows, problems } = read(bytes);
    assert.equal(rows.length, 9);
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['trace/dat-section'],
    );
  });

  it('65,536 CPUs of which one has pages, and pages of 4 GiB, take no memory', () => {
    const pages = [{ time: 10n, events: [map(false, 10n, 0x1000n)] }];
    const cpus = Array.from({ length: 65_536 }, (_, cpu) => (cpu === 60_000 ? pages : []));
    const { rows, problems } = read(traceDat({ formats: FORMATS, cpus }));
    assert.deepEqual(problems, []);
    assert.deepEqual(
      rows.map(({ cpu, iova }) => [cpu, iova]),
      [[60_000, 0x1000n]],
    );
    const large = traceDat({ formats: FORMATS, cpus: [pages], pageBytes: 4000 });
    new DataView(large.buffer).setUint32(14, 0xffff_f000, true);
    const opened = openTrace(bytesSource('trace.dat', large), traceNames());
    assert.ok(!opened.ok);
    assert.match(opened.failure.message, /pages of 4294963200 bytes are impossible/);
  });

  it('of a large file no more is read to open it than describes it', () => {
    const bytes = traceDat(parts(false, 8));
    const source = bytesSource('trace.dat', bytes);
    let most = 0;
    const large = {
      ...source,
      size: 2 ** 32,
      read(offset: number, target: Uint8Array) {
        most = Math.max(most, target.length);
        source.read(Math.min(offset, bytes.length), target);
        return target.length;
      },
    };
    assert.ok(openTrace(large, traceNames()).ok);
    assert.ok(most <= 2 ** 20, `${most}`);
  });

  it('cut and damaged files give what can be read, and never fail otherwise', () => {
    const files = [traceDat(parts(false, 8)), traceDat(parts(true, 4)), fixture('amd-share', 'trace.v7.dat')];
    fc.assert(
      fc.property(
        fc.nat(files.length - 1),
        fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
        fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255)), { maxLength: 8 }),
        (which, cut, flips) => {
          const file = files[which] ?? new Uint8Array();
          const bytes = Uint8Array.from(
            cut === undefined ? file : file.subarray(0, Math.floor(cut * file.length)),
          );
          // The start of a file is where damage is worst; half of the flips are there.
          flips.forEach(([place, byte], index) => {
            bytes[Math.floor(place * (index % 2 === 0 ? bytes.length : Math.min(bytes.length, 6000)))] = byte;
          });
          const names = traceNames();
          const opened = openTrace(bytesSource('trace.dat', bytes), names);
          if (!opened.ok) return;
          const trace = opened.value;
          const builder = new RowBuilder();
          let position: Position | undefined = trace.start;
          for (let chunks = 0; position && chunks < 100; chunks++) {
            builder.clear();
            position = trace.fill(position, builder).next;
            for (let row = 0; row < Math.min(builder.rows, 20); row++) {
              trace.line(builder.offset[row] ?? 0, builder.length[row] ?? 0, 500);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
