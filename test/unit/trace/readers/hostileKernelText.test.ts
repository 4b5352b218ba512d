import assert from 'node:assert/strict';
import fc from 'fast-check';
import { bytesSource } from '../../../../src/bytes/byteSource';
import { RowBuilder } from '../../../../src/trace/model/columns';
import { traceNames } from '../../../../src/trace/model/dictionary';
import { type Position } from '../../../../src/trace/model/reader';
import { dmesg } from '../../../../src/trace/readers/dmesg';
import { perfScript } from '../../../../src/trace/readers/perfScript';
import { traceCmd } from '../../../../src/trace/readers/traceCmd';
import { type LineFormat } from '../../../../src/trace/text/lineFormat';
import { textReader } from '../../../../src/trace/text/textTrace';
import { guestTrace, type ReadRow, readRow } from '../../../builders/traceRows';

const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 3);
const SEED = process.env['FUZZ_SEED'];
const BUDGET = {
  numRuns: Infinity,
  interruptAfterTimeLimit: (1000 * SECONDS) / 3,
  markInterruptAsFailure: false,
  ...(SEED !== undefined && { seed: Number(SEED) }),
};

/** All rows of the bytes, and where each stands; chunks of so many rows. */
function readAs(
  format: LineFormat,
  bytes: Uint8Array,
  chunkRows: number,
): { rows: ReadRow[]; places: number[][] } {
  const names = traceNames();
  const opened = textReader(format).open(bytesSource('hostile', bytes), names);
  assert(opened.ok);
  const rows: ReadRow[] = [];
  const places: number[][] = [];
  const out = new RowBuilder(chunkRows);
  for (let at: Position | undefined = opened.value.start; at;) {
    const { next } = opened.value.fill(at, out);
    for (let row = 0; row < out.rows; row++) {
      rows.push(readRow(out, row, names));
      places.push([out.offset[row] ?? Number.NaN, out.length[row] ?? Number.NaN]);
    }
    out.clear();
    assert(!next || next.offset > at.offset);
    at = next;
  }
  return { rows, places };
}

const VALUES = [
  '0x',
  '-1',
  '18446744073709551616',
  '99999999999999999999999',
  '\0',
  '\t',
  ']',
  '[',
  ': ',
  '\r',
  'é',
  '=',
];

/** A part of a text of a guest, with bytes changed, pieces put in, and lines cut. */
const hostile = (text: string): fc.Arbitrary<Uint8Array> =>
  fc
    .record({
      from: fc.nat({ max: Math.max(0, text.length - 1) }),
      length: fc.nat({ max: 1500 }),
      flips: fc.array(fc.tuple(fc.nat({ max: 1500 }), fc.nat({ max: 255 })), { maxLength: 6 }),
      pieces: fc.array(fc.tuple(fc.nat({ max: 1500 }), fc.constantFrom(...VALUES)), { maxLength: 4 }),
      front: fc.boolean(),
    })
    .map(({ from, length, flips, pieces, front }) => {
      let part = (front ? text.slice(0, text.indexOf('\n') + 1) : '') + text.slice(from, from + length);
      for (const [at, piece] of pieces) part = part.slice(0, at) + piece + part.slice(at + (at % 3));
      const bytes = new Uint8Array(Buffer.from(part, 'latin1'));
      for (const [at, value] of flips) if (at < bytes.length) bytes[at] = value;
      return bytes;
    });

/** Properties of all text, whatever it is. */
function check(format: LineFormat, bytes: Uint8Array): void {
  const { rows, places } = readAs(format, bytes, 1000);
  let end = -1;
  for (const [index, [offset = Number.NaN, length = Number.NaN]] of places.entries()) {
    assert(offset > end && offset + length <= bytes.length, 'rows stand one behind the other in the file');
    end = offset + length - 1;
    const { iova, paddr, size, flags } = rows[index] ?? {};
    for (const address of [iova, paddr])
      assert(address === undefined || (address >= 0n && address < 2n ** 64n));
    assert(size === undefined || size >= 0);
    assert(flags === undefined || flags.length > 0);
  }
  const seams = readAs(format, bytes, 2);
  assert.deepEqual(seams.rows, rows, 'where chunks end does not matter');
  assert.deepEqual(seams.places, places);
}

describe('hostile text of kernel tools', () => {
  const cases = [
    [traceCmd, 'trace-cmd-report.txt', ['vtd-sm-fl', 'smmuv3-16k', 'riscv-sv39']],
    [perfScript, 'perf-script.txt', ['amd', 'vtd-sm-fl']],
    [dmesg, 'dmesg_iommu.txt', ['vtd-sm-fl', 'smmuv3-4k', 'amd', 'riscv']],
  ] as const;
  for (const [format, file, guests] of cases) {
    it(`${format.title}: whatever is changed, rows are in the file and chunks do not matter`, () => {
      const texts = guests.map((guest) => hostile(guestTrace(guest, file)));
      fc.assert(
        fc.property(fc.oneof(...texts), (bytes) => {
          check(format, bytes);
        }),
        BUDGET,
      );
    });
  }

  it('any text, any bytes: nothing throws, and recognising stays between 0 and 1', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.array(fc.string(), { maxLength: 8 }),
        (bytes, lines) => {
          for (const [format] of cases) {
            check(format, bytes);
            const sure = format.recognise({ lines, name: 'x' });
            assert(sure >= 0 && sure <= 1);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('a line of brackets and words as long as lines may be takes no longer than others', () => {
    for (const piece of [
      '[',
      'a ',
      'DMA Read] Request device [',
      ' 1',
      '1.000000: ',
      'DMAR: [DMA Read',
      '-1 [0] ',
    ]) {
      const bytes = new Uint8Array(
        Buffer.from(`${piece.repeat(Math.floor(65_000 / piece.length))}\n`.repeat(3)),
      );
      for (const [format] of cases) assert(readAs(format, bytes, 10).rows.length <= 3);
    }
  }).timeout(5000);
});
