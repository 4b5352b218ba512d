/** The IOTLB: sizes, tags, what an invalidation must and what it need not remove. */
import assert from 'node:assert/strict';
import { heldPart, Iotlb } from '../../../../../src/engine/iommu/caches/iotlb';
import { SeededRandom } from '../../../../../src/engine/random';
import { cached, onePage } from './cachedEntries';

const iotlb = (sets = 16, ways = 4, seed = 1): Iotlb => new Iotlb({ sets, ways }, new SeededRandom(seed));

/** First pages of what is held, ascending. */
const pagesOf = (cache: Iotlb): number[] =>
  [...cache.entries()].map(({ page }) => page).sort((a, b) => a - b);

describe('IOTLB', () => {
  it('gives back what was put in, for every page of it', () => {
    const cache = iotlb();
    const entry = cached({
      vm: 7,
      space: 3,
      page: 0x200,
      shift: 21,
      outputPage: 0x80000,
      permission: 1,
      dirtyDone: false,
      stage1Shift: 30,
      stage2Shift: 21,
      guestPage: 0x40200,
      stage1Leaf: 0x1008,
      stage2Leaf: 0x2010,
    });
    cache.insert(entry);
    for (const page of [0x200, 0x201, 0x3ff]) {
      assert.deepEqual(cache.lookup({ vm: 7, space: 3 }, page), entry);
      const slot = cache.find(7, 3, page);
      assert.equal(cache.outputPage(slot, page), 0x80000 + page - 0x200);
      assert.deepEqual(
        [cache.permission(slot), cache.shift(slot), cache.isAccessedDone(slot), cache.isDirtyDone(slot)],
        [1, 21, true, false],
      );
      assert.equal(cache.isFault(slot), false);
    }
    for (const page of [0x1ff, 0x400]) assert.equal(cache.find(7, 3, page), -1);
    assert.equal(cache.find(6, 3, 0x200), -1);
    assert.equal(cache.find(7, 2, 0x200), -1);
  });

  it('holds pages of several sizes at once, up to the last of 64 bits of address', () => {
    const cache = iotlb(16, 8);
    const last = 2 ** 52;
    const pages = [12, 16, 21, 30, 39, 48].map((shift) => cached({ page: last - 2 ** (shift - 12), shift }));
    for (const entry of pages) {
      cache.clear();
      cache.insert(entry);
      assert.deepEqual(cache.lookup(entry.tag, last - 1), entry, `2^${entry.shift}`);
      assert.equal(cache.lookup(entry.tag, entry.page - 1), undefined);
    }
    for (const entry of pages) cache.insert(entry);
    assert.equal(cache.size, pages.length);
    assert.equal(cache.lookup({ vm: 1, space: -1 }, last - 1)?.shift, 12);
    assert.equal(cache.lookup({ vm: 1, space: -1 }, last - 2)?.shift, 16);
  });

  it('remembers a refusal', () => {
    const cache = iotlb();
    cache.insert(cached({ page: 5, permission: 0, fault: 'not-present' }));
    assert.equal(cache.isFault(cache.find(1, -1, 5)), true);
    assert.equal(cache.lookup({ vm: 1, space: -1 }, 5)?.fault, 'not-present');
  });

  it('finds what is global in every space of its vm, and in none of another', () => {
    const cache = iotlb();
    cache.insert(cached({ vm: 1, space: 4, page: 9, global: true }));
    assert.ok(cache.lookup({ vm: 1, space: 4 }, 9));
    assert.ok(cache.lookup({ vm: 1, space: 5 }, 9));
    assert.equal(cache.lookup({ vm: 2, space: 4 }, 9), undefined);
    assert.equal(cache.lookup({ vm: 1, space: -1 }, 9), undefined, 'a request without a stage 1');
    cache.insert(cached({ vm: 1, space: 5, page: 9, global: true, outputPage: 1 }));
    assert.equal(cache.size, 1, 'the same global page by another space');
  });

  it('has as many entries as its geometry says: a set more than full loses one of its own', () => {
    const cache = iotlb(4, 2);
    for (let page = 0; page < 8; page++) cache.insert(cached({ page }));
    assert.equal(cache.size, 8);
    cache.insert(cached({ page: 8 }));
    assert.equal(cache.size, 8);
    assert.ok(cache.lookup({ vm: 1, space: -1 }, 8));
    assert.deepEqual(
      pagesOf(cache).filter((page) => page % 4 !== 0),
      [1, 2, 3, 5, 6, 7],
      'pages of other sets stay',
    );
  });

  it('without sets holds nothing', () => {
    const cache = iotlb(0, 0);
    cache.insert(cached({ page: 1 }));
    assert.deepEqual([cache.size, cache.find(1, -1, 1), cache.evictOne()], [0, -1, false]);
    assert.equal(cache.invalidate({}, true), 0);
  });

  it('replaces and evicts by seed: the same seed gives the same, another one something else', () => {
    const run = (seed: number): string => {
      const cache = iotlb(2, 4, seed);
      for (let page = 0; page < 60; page++) {
        cache.insert(cached({ page }));
        if (page % 7 === 0) cache.evictOne();
      }
      return pagesOf(cache).join();
    };
    assert.equal(run(5), run(5));
    assert.equal(new Set(Array.from({ length: 10 }, (_, seed) => run(seed))).size > 5, true);
  });

  it('evicts one at a time until none is left', () => {
    const cache = iotlb();
    for (let page = 0; page < 10; page++) cache.insert(cached({ page }));
    for (let left = 9; left >= 0; left--) {
      assert.equal(cache.evictOne(), true);
      assert.equal(cache.size, left);
    }
    assert.equal(cache.evictOne(), false);
  });

  it('drops one entry and no other', () => {
    const cache = iotlb();
    const small = cached({ page: 0x200 });
    const large = cached({ page: 0x200, shift: 21 });
    cache.insert(small);
    cache.insert(large);
    cache.drop(large);
    assert.deepEqual([...cache.entries()], [small]);
    cache.drop(large);
    assert.equal(cache.size, 1);
  });

  describe('conflicts', () => {
    it('finds an entry of another size over the same bytes, larger or smaller', () => {
      const cache = iotlb();
      const large = cached({ page: 0x200, shift: 21 });
      const small = cached({ page: 0x3ff });
      assert.equal(cache.conflicting(large), undefined);
      cache.insert(small);
      assert.deepEqual(cache.conflicting(large), small);
      assert.equal(cache.conflicting(small), undefined, 'itself is none');
      assert.equal(cache.conflicting(cached({ vm: 2, page: 0x200, shift: 21 })), undefined);
      assert.equal(cache.conflicting(cached({ page: 0x400, shift: 21 })), undefined);
      cache.clear();
      cache.insert(large);
      assert.deepEqual(cache.conflicting(small), large);
    });

    it('finds it too where a page has more parts than the cache has entries', () => {
      const cache = iotlb(2, 2);
      const small = cached({ page: 0x3ffff });
      cache.insert(small);
      assert.deepEqual(cache.conflicting(cached({ page: 0, shift: 30 })), small);
      assert.equal(cache.conflicting(cached({ page: 0x40000, shift: 30 })), undefined);
    });
  });

  describe('invalidation', () => {
    it('by vm, by space, by stage', () => {
      const fill = (): Iotlb => {
        const cache = iotlb();
        cache.insert(cached({ vm: 1, page: 0 }));
        cache.insert(cached({ vm: 1, space: 3, page: 1 }));
        cache.insert(cached({ vm: 1, space: 4, page: 2 }));
        cache.insert(cached({ vm: 1, space: 4, page: 3, global: true }));
        cache.insert(cached({ vm: 2, space: 3, page: 4 }));
        return cache;
      };
      const left = (selection: Parameters<Iotlb['invalidate']>[0]): number[] => {
        const cache = fill();
        const before = cache.size;
        const dropped = cache.invalidate(selection, true);
        assert.equal(dropped, before - cache.size);
        return pagesOf(cache);
      };
      assert.deepEqual(left({}), []);
      assert.deepEqual(left({ vm: 1 }), [4]);
      assert.deepEqual(left({ vm: 1, stage1: true }), [0, 4]);
      assert.deepEqual(left({ vm: 1, stage1: false }), [1, 2, 3, 4]);
      assert.deepEqual(left({ vm: 1, space: 3 }), [0, 2, 4], 'what is global goes with any space');
      assert.deepEqual(left({ vm: 1, space: 3, keepsGlobal: true }), [0, 2, 3, 4]);
      assert.deepEqual(left({ vm: 1, space: 4, keepsGlobal: true }), [0, 1, 3, 4]);
      assert.deepEqual(left({ vm: 1, space: -1 }), [1, 2, 3, 4]);
      assert.deepEqual(left({ vm: 1, pages: { startPage: 1, endPage: 3 } }), [0, 3, 4]);
      assert.deepEqual(left({ pages: { startPage: 3, endPage: 3 } }), [0, 1, 2, 3, 4], 'an empty range');
    });

    it('of a first stage of 2M over a second stage of 4K, drops every 4K by an address anywhere in the 2M', () => {
      const cache = iotlb();
      const of2M = { vm: 1, space: 0, stage1Shift: 21, stage2Shift: 12 };
      cache.insert(cached({ ...of2M, page: 0x200, guestPage: 0x9200 }));
      cache.insert(cached({ ...of2M, page: 0x233, guestPage: 0x9233 }));
      cache.insert(cached({ ...of2M, page: 0x400, guestPage: 0x9400 }));
      cache.invalidate({ vm: 1, space: 0, pages: onePage(0x3ff) }, true);
      assert.deepEqual(pagesOf(cache), [0x400]);
    });

    it('by guest address reaches all of the second-stage leaf, and what went through a second stage only', () => {
      const cache = iotlb();
      const over2M = { vm: 1, space: 0, stage1Shift: 12, stage2Shift: 21 };
      cache.insert(cached({ ...over2M, page: 1, guestPage: 0x9200 }));
      cache.insert(cached({ ...over2M, page: 2, guestPage: 0x9400 }));
      cache.insert(cached({ vm: 1, space: 0, page: 3 }));
      cache.invalidate({ vm: 1, guestPages: onePage(0x93ff) }, true);
      assert.deepEqual(pagesOf(cache), [2, 3]);
    });

    it('without the duty to remove larger entries leaves those larger than the said leaf, and no others', () => {
      const left = (largestShift: number | undefined, removesLarger: boolean): number[] => {
        const cache = iotlb();
        cache.insert(cached({ page: 0x200 }));
        cache.insert(cached({ page: 0x200, shift: 21 }));
        cache.insert(cached({ page: 0, shift: 30 }));
        const pages = onePage(0x200);
        cache.invalidate(largestShift === undefined ? { pages } : { pages, largestShift }, removesLarger);
        return [...cache.entries()].map(({ shift }) => shift).sort();
      };
      assert.deepEqual(left(12, false), [21, 30]);
      assert.deepEqual(left(21, false), [30]);
      assert.deepEqual(left(30, false), []);
      assert.deepEqual(left(12, true), []);
      assert.deepEqual(left(undefined, false), []);
    });

    it('without that duty, a part of a larger leaf goes by its own address, and by those of the leaf when that size is said', () => {
      const part = cached({
        vm: 1,
        space: 0,
        page: 0x233,
        stage1Shift: 21,
        stage2Shift: 12,
        guestPage: 0x33,
      });
      const isLeft = (page: number, largestShift: number): boolean => {
        const cache = iotlb();
        cache.insert(part);
        return cache.invalidate({ pages: onePage(page), largestShift }, false) === 0;
      };
      assert.deepEqual([isLeft(0x233, 12), isLeft(0x234, 12), isLeft(0x234, 21)], [false, true, false]);
    });
  });
});

describe('Part of a translation that a cache holds', () => {
  const entry = cached({
    space: 0,
    page: 0x10000,
    shift: 28,
    outputPage: 0x90000,
    guestPage: 0x50000,
    stage2Shift: 30,
  });

  it('is the largest held size around the page', () => {
    const part = heldPart(entry, [12, 21, 30], 0x12345);
    assert.deepEqual(part, { ...entry, page: 0x12200, shift: 21, outputPage: 0x92200, guestPage: 0x52200 });
    assert.deepEqual(heldPart(entry, [12, 21, 28], 0x12345), entry);
    assert.deepEqual(heldPart(entry, undefined, 0x12345), entry);
  });

  it('keeps an entry without a stage 2 without one', () => {
    assert.equal(heldPart(cached({ space: 0, shift: 21 }), [12], 5)?.guestPage, -1);
  });

  it('is nothing when all held sizes are larger', () => {
    assert.equal(heldPart(cached({ page: 3 }), [21], 3), undefined);
  });
});
