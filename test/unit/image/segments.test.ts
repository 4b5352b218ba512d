import assert from 'node:assert/strict';
import fc from 'fast-check';
import { SegmentList, SegmentMap, ZEROS } from '../../../src/image/segments';
import { sortedOrder } from '../../../src/image/sortedOrder';
import { CANCELLED } from '../../../src/bytes/task';
import { refusal, task, value } from './support';

const SPACE = 64;

const segment = fc
  .record({
    paddr: fc.nat(SPACE - 1),
    length: fc.integer({ min: 1, max: 20 }),
    offset: fc.oneof(fc.nat(1000), fc.constant(ZEROS)),
  })
  .map(({ paddr, length, offset }) => ({ paddr, offset, length: Math.min(length, SPACE - paddr) }));

/** The rule, byte by byte: the segment that starts lower wins, of two that start together the first. */
function model(
  segments: readonly { paddr: number; offset: number; length: number }[],
): (number | undefined)[] {
  const order = segments.map((each, index) => ({ ...each, index }));
  order.sort((a, b) => a.paddr - b.paddr || a.index - b.index);
  const place: (number | undefined)[] = Array.from({ length: SPACE }, () => undefined);
  for (const { paddr, offset, length } of order) {
    for (let i = 0; i < length; i++) place[paddr + i] ??= offset === ZEROS ? ZEROS : offset + i;
  }
  return place;
}

describe('segments', () => {
  it('map every byte where the rule of overlaps says', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(segment, { maxLength: 12 }), async (segments) => {
        const list = new SegmentList();
        for (const { paddr, offset, length } of segments) list.push(paddr, offset, length);
        const { map } = value(await SegmentMap.build(list, task));
        const found = Array.from({ length: SPACE }, (_, address) => {
          const index = map.find(address);
          if (index < 0) return undefined;
          const { paddr, offset } = map.segment(index);
          return offset === ZEROS ? ZEROS : offset + address - paddr;
        });
        assert.deepEqual(found, model(segments));
        assert.equal(map.bytesHeld, found.filter((place) => place !== undefined).length);
      }),
    );
  });

  it('do not let neighbours that are alike win as one', async () => {
    const segments = [
      { paddr: 0, offset: ZEROS, length: 1 },
      { paddr: 1, offset: ZEROS, length: 1 },
      { paddr: 0, offset: 0, length: 2 },
    ];
    const list = new SegmentList();
    for (const { paddr, offset, length } of segments) list.push(paddr, offset, length);
    const { map } = value(await SegmentMap.build(list, task));
    assert.deepEqual([map.segment(map.find(0)).offset, map.segment(map.find(1)).offset], [ZEROS, 1]);
  });

  it('report an overlap exactly when the two place a byte differently', async () => {
    await fc.assert(
      fc.asyncProperty(segment, segment, async (a, b) => {
        const list = new SegmentList();
        for (const { paddr, offset, length } of [a, b]) list.push(paddr, offset, length);
        const { overlapCount } = value(await SegmentMap.build(list, task));
        const overlap = Math.min(a.paddr + a.length, b.paddr + b.length) > Math.max(a.paddr, b.paddr);
        const same =
          a.offset === ZEROS || b.offset === ZEROS
            ? a.offset === b.offset
            : a.offset - a.paddr === b.offset - b.paddr;
        assert.equal(overlapCount > 0, overlap && !same);
      }),
    );
  });

  it('join neighbours that continue each other in the file', async () => {
    const list = new SegmentList();
    for (let i = 99; i >= 0; i--) list.push(i * 4096, 500 + i * 4096, 4096);
    const { map } = value(await SegmentMap.build(list, task));
    assert.deepEqual([map.count, map.segment(0)], [1, { paddr: 0, offset: 500, length: 100 * 4096 }]);
  });

  it('are sorted in slices, stably, when there are many', async () => {
    let pauses = 0;
    const keys = Float64Array.from({ length: 100_000 }, (_, i) => (i * 7919) % 1009);
    const pause = (): Promise<void> => {
      pauses++;
      return Promise.resolve();
    };
    const order = (await sortedOrder(keys, { pause })) ?? assert.fail('cancelled');
    for (let i = 1; i < order.length; i++) {
      const [a, b] = [order[i - 1] ?? 0, order[i] ?? 0];
      const [ka, kb] = [keys[a] ?? 0, keys[b] ?? 0];
      assert.ok(ka < kb || (ka === kb && a < b), `place ${i}`);
    }
    assert.ok(pauses > 6, `${pauses} pauses`);
  });

  it('are given up at the first pause after a cancel, wherever that comes', async () => {
    const list = new SegmentList();
    for (let i = 0; i < 150_000; i++) list.push(((i * 7919) % 150_000) * 8192, i * 8192, 4096);
    let needed = 0;
    const count = (): Promise<void> => {
      needed++;
      return Promise.resolve();
    };
    value(await SegmentMap.build(list, { pause: count }));
    assert.ok(needed > 12, `${needed} pauses`);
    for (let cancelAt = 1; cancelAt <= needed; cancelAt++) {
      let pauses = 0;
      const signal = {
        aborted: false,
        addEventListener: () => undefined,
        removeEventListener: () => undefined,
      };
      const pause = (): Promise<void> => {
        if (++pauses === cancelAt) signal.aborted = true;
        return Promise.resolve();
      };
      const result = await SegmentMap.build(list, { pause, signal });
      assert.equal(refusal(result).code, CANCELLED);
      assert.equal(pauses, cancelAt);
    }
  });
});
