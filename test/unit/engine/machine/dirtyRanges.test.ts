import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DirtyRanges } from '../../../../src/engine/machine/dirtyRanges';

describe('ranges of bitmaps', () => {
  it('are the runs of set bits, whatever bytes they begin and end in', () => {
    const byte = fc.constantFrom(0, 0xff, 0x01, 0x80, 0x5a, 0xf0);
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 12 }), fc.nat(7), (bytes, surplus) => {
        const bits = Math.max(0, bytes.length * 8 - surplus);
        const heard: bigint[] = [];
        const dirty = new DirtyRanges((start, end) => {
          for (let at = start; at < end; at += 4096n) heard.push(at);
        });
        dirty.add(Uint8Array.from(bytes), bits, 0x7000n, 4096n);
        dirty.finish();
        const set = Array.from({ length: bits }, (_, bit) => bit).filter(
          (bit) => (((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1) !== 0,
        );
        assert.deepEqual(
          heard,
          set.map((bit) => 0x7000n + BigInt(bit) * 4096n),
        );
        assert.equal(dirty.pages, set.length);
        const begins = set.filter((bit) => !set.includes(bit - 1)).length;
        assert.equal(dirty.told.ranges.length, begins);
      }),
    );
  });

  it('go on from one bitmap into the next', () => {
    const dirty = new DirtyRanges(() => undefined);
    dirty.add(Uint8Array.of(0x80), 8, 0n, 4096n);
    dirty.add(Uint8Array.of(0x01), 8, 0x8000n, 4096n);
    dirty.finish();
    assert.deepEqual(dirty.told, { ranges: [{ start: '0x7000', end: '0x9000' }], pages: 2, more: false });
  });
});
