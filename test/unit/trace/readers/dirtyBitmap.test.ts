import assert from 'node:assert/strict';
import fc from 'fast-check';
import { bytesSource } from '../../../../src/bytes/byteSource';
import { CHUNK_BYTES, RowBuilder } from '../../../../src/trace/model/columns';
import { traceNames } from '../../../../src/trace/model/dictionary';
import { type Position } from '../../../../src/trace/model/reader';
import { bitmapPlace, dirtyBitmap } from '../../../../src/trace/readers/dirtyBitmap';
import { readTrace, rowsOf, said } from '../../../builders/readTrace';

/** 64-bit words, little endian. */
const words = (...values: readonly bigint[]): Uint8Array =>
  new Uint8Array(BigUint64Array.from(values).buffer);
const hex = (value: bigint): string => `0x${value.toString(16)}`;

describe('dirty bitmap', () => {
  it('is a row for each run of set bits, of the pages that the name says', () => {
    const index = readTrace(words(0b0111_0001n, 0n, 1n << 63n, 1n), 'guest@0x100000000+2M.bitmap');
    const page = 2 ** 21;
    assert.equal(index.trace.format, 'bitmap');
    assert.deepEqual(index.problems, []);
    assert.deepEqual(
      rowsOf(index).map((row) => said(row)),
      [
        { operation: 'dirty', iova: hex(0x1_0000_0000n), size: page, count: 1 },
        { operation: 'dirty', iova: hex(0x1_0000_0000n + 4n * BigInt(page)), size: 3 * page, count: 3 },
        // The last bit of the third word and the first of the fourth.
        { operation: 'dirty', iova: hex(0x1_0000_0000n + 191n * BigInt(page)), size: 2 * page, count: 2 },
      ],
    );
    assert.equal(rowsOf(index)[0]?.line, '0x0000000000000071');
    assert.equal(rowsOf(index)[2]?.line, '0x8000000000000000 0x0000000000000001');
  });

  it('reads no more of zeros at once than a chunk has', () => {
    const bytes = new Uint8Array(2 * CHUNK_BYTES + 8);
    bytes[bytes.length - 8] = 1;
    const opened = dirtyBitmap.open(bytesSource('zeros.bitmap', bytes), traceNames());
    assert.ok(opened.ok);
    const out = new RowBuilder();
    const { next } = opened.value.fill(opened.value.start, out);
    assert.deepEqual([out.rows, next], [0, { offset: CHUNK_BYTES }]);
    const index = readTrace(bytes, 'zeros.bitmap');
    assert.deepEqual([index.rows, index.chunks.length, rowsOf(index)[0]?.count], [1, 1, 1]);
  });

  it('begins at 0 with 4 KiB a bit when its name does not say, and says so', () => {
    const index = readTrace(words(2n), 'epoch-3.dirty');
    assert.deepEqual(said(rowsOf(index)[0]), { operation: 'dirty', iova: '0x1000', size: 4096, count: 1 });
    assert.deepEqual(
      index.problems.map(({ code, severity }) => [code, severity]),
      [['trace/bitmap-place', 'info']],
    );
    assert.match(index.trace.title, /4K.*0x0/);
  });

  it('reads places off names', () => {
    const place = (name: string): unknown => {
      const { iova, pageSize } = bitmapPlace(name) ?? {};
      return iova === undefined ? undefined : [iova, pageSize];
    };
    assert.deepEqual(place('a@0xFFFF_.bitmap'), [0xffffn, 4096]);
    // More digits than 64 bits have.
    assert.deepEqual(place('a@0x11111111111111111.bitmap'), [0n, 4096]);
    assert.deepEqual(place('a@0xfffffffffffff000+64K.BITMAP'), [0xffff_ffff_ffff_f000n, 65_536]);
    assert.deepEqual(place('+1G@0x40000000.dirty'), [0x4000_0000n, 2 ** 30]);
    assert.deepEqual(place('a@0x1000.dirty.gz'), [0x1000n, 4096]);
    // Every page size is a power of two.
    assert.deepEqual(place('a+3K.bitmap'), [0n, 4096]);
    for (const other of ['a@0x1000+4K', 'bitmap', 'a.bitmap.txt', 'dirty.log'])
      assert.equal(place(other), undefined);
  });

  it('says when its place cannot be, and when it was cut', () => {
    const cut = readTrace(new Uint8Array([0xff, 0xff, 0xff]), 'a@0x1000+2M.bitmap');
    assert.deepEqual(
      cut.problems.map(({ code }) => code),
      ['trace/bitmap-unaligned', 'trace/bitmap-cut'],
    );
    assert.equal(rowsOf(cut)[0]?.count, 24);
    const long = readTrace(words(~0n & 0xffff_ffff_ffff_ffffn, 1n), 'a@0xfffffffffffff000+4K.bitmap');
    assert.deepEqual(
      long.problems.map(({ code }) => code),
      ['trace/bitmap-long'],
    );
    assert.deepEqual(
      rowsOf(long).map((row) => said(row)),
      [{ operation: 'dirty', iova: '0xfffffffffffff000', size: 4096, count: 1 }],
    );
    assert.equal(readTrace(new Uint8Array(64), 'a@0x0+4K.bitmap').rows, 0);
  });

  it('has the runs of its bits, whatever they are and however small the chunks', () => {
    const run = fc.tuple(
      fc.boolean(),
      fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 200 })),
    );
    fc.assert(
      fc.property(fc.array(run, { maxLength: 60 }), fc.integer({ min: 4, max: 40 }), (runs, capacity) => {
        const bits = runs.flatMap(([set, count]) => Array<boolean>(count).fill(set));
        const bytes = new Uint8Array(8 * Math.ceil(bits.length / 64));
        for (const [bit, set] of bits.entries())
          if (set) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (1 << (bit & 7));
        const wanted: [number, number][] = [];
        for (const [bit, set] of bits.entries()) {
          const last = wanted.at(-1);
          if (set && last && last[0] + last[1] === bit) last[1]++;
          else if (set) wanted.push([bit, 1]);
        }
        const opened = dirtyBitmap.open(bytesSource('a@0x0+4K.bitmap', bytes), traceNames());
        assert.ok(opened.ok);
        const out = new RowBuilder(capacity);
        const found: [number, number][] = [];
        for (let from: Position | undefined = opened.value.start; from;) {
          const { next } = opened.value.fill(from, out);
          for (let row = 0; row < out.rows; row++)
            found.push([out.iovaPage[row] ?? -1, out.count[row] ?? -1]);
          out.clear();
          // A position is data.
          from = next && (JSON.parse(JSON.stringify(next)) as Position);
        }
        assert.deepEqual(found, wanted);
      }),
      { numRuns: 200 },
    );
  });

  it('of 16 MB with a run over all of it, and one without any, is read at once', function () {
    this.timeout(5000);
    const all = readTrace(new Uint8Array(2 ** 24).fill(0xff), 'a@0x0+4K.bitmap');
    assert.deepEqual(
      rowsOf(all).map((row) => said(row)),
      [{ operation: 'dirty', iova: '0x0', size: 2 ** 39, count: 2 ** 27 }],
    );
    assert.ok((rowsOf(all)[0]?.line.length ?? 0) <= 4096);
    assert.equal(readTrace(new Uint8Array(2 ** 24), 'a@0x0+4K.bitmap').rows, 0);
  });
});
