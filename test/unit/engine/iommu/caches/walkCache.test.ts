/** Walk caches: the deepest table known, each stage for itself, and what removes it. */
import assert from 'node:assert/strict';
import { type TableSelection } from '../../../../../src/engine/iommu/cacheOperation';
import { type CachedTable } from '../../../../../src/engine/iommu/caches/translationCache';
import { WalkCache } from '../../../../../src/engine/iommu/caches/walkCache';
import { SeededRandom } from '../../../../../src/engine/random';

const walkCache = (sets = 4, ways = 4): WalkCache => new WalkCache({ sets, ways }, new SeededRandom(3));

type TableText = Partial<Omit<CachedTable, 'tag'>> & { readonly vm?: number; readonly space?: number };

const table = ({ vm = 1, space = -1, ...given }: TableText): CachedTable => ({
  tag: { vm, space },
  stage: space === -1 ? 2 : 1,
  depth: 1,
  frame: 0x100,
  guestFrame: -1,
  guestShift: 0,
  page: 0,
  shift: 21,
  permission: 3,
  ...given,
});

const left = (tables: readonly CachedTable[], selection: TableSelection): number[] => {
  const cache = walkCache(16, 8);
  for (const each of tables) cache.insert(each);
  const dropped = cache.invalidate(selection);
  assert.equal(dropped, tables.length - cache.size);
  return [...cache.entries()].map(({ frame }) => frame).sort((a, b) => a - b);
};

describe('Walk cache', () => {
  it('gives the deepest table known for a page', () => {
    const cache = walkCache();
    const [deep, high] = [
      table({ page: 0x200, depth: 1 }),
      table({ page: 0, shift: 30, depth: 2, frame: 0x200 }),
    ];
    cache.insert(high);
    cache.insert(deep);
    assert.deepEqual(cache.lookup({ vm: 1, space: -1 }, 2, 0x3ff), deep);
    assert.deepEqual(cache.lookup({ vm: 1, space: -1 }, 2, 0x400), high);
    assert.equal(cache.lookup({ vm: 1, space: -1 }, 2, 0x40000), undefined);
    assert.equal(cache.lookup({ vm: 1, space: -1 }, 1, 0x200), undefined, 'the other stage');
    assert.equal(cache.lookup({ vm: 1, space: 0 }, 2, 0x200), undefined);
    const slot = cache.stage2.find(1, -1, 0x250);
    assert.deepEqual(
      [cache.stage2.depth(slot), cache.stage2.frame(slot), cache.stage2.permission(slot)],
      [1, 0x100, 3],
    );
  });

  it('keeps one pointer for the same part of the tables', () => {
    const cache = walkCache();
    cache.insert(table({ frame: 1 }));
    cache.insert(table({ frame: 2 }));
    assert.deepEqual([cache.size, cache.lookup({ vm: 1, space: -1 }, 2, 0)?.frame], [1, 2]);
  });

  it('drops by tag, by stage, and by input address', () => {
    const tables = [
      table({ vm: 1, space: 3, frame: 1 }),
      table({ vm: 1, space: 4, frame: 2, page: 0x200 }),
      table({ vm: 1, frame: 3 }),
      table({ vm: 1, frame: 4, page: 0x200 }),
      table({ vm: 2, space: 3, frame: 5 }),
    ];
    assert.deepEqual(left(tables, {}), []);
    assert.deepEqual(left(tables, { vm: 1 }), [5]);
    assert.deepEqual(left(tables, { vm: 1, stage: 1 }), [3, 4, 5]);
    assert.deepEqual(left(tables, { vm: 1, stage: 2 }), [1, 2, 5]);
    assert.deepEqual(left(tables, { vm: 1, stage1: true }), [3, 4, 5]);
    assert.deepEqual(left(tables, { vm: 1, space: 3 }), [2, 3, 4, 5]);
    assert.deepEqual(left(tables, { vm: 1, pages: { startPage: 0x3ff, endPage: 0x400 } }), [1, 3, 5]);
  });

  it('by guest address drops tables of stage 2 over it, and those of stage 1 that stand in it', () => {
    const tables = [
      table({ frame: 1, page: 0x200 }),
      table({ frame: 2, page: 0x400 }),
      table({ space: 3, frame: 3, page: 0x200, guestFrame: 0x7000, guestShift: 12 }),
      table({ space: 4, frame: 4, page: 0x7000, guestFrame: 0x33, guestShift: 12 }),
      table({ space: 5, frame: 5, guestFrame: 0x7100, guestShift: 21 }),
      table({ space: 6, frame: 6, page: 0x200 }),
    ];
    assert.deepEqual(left(tables, { guestPages: { startPage: 0x3ff, endPage: 0x400 } }), [2, 3, 4, 5, 6]);
    assert.deepEqual(left(tables, { guestPages: { startPage: 0x7000, endPage: 0x7001 } }), [1, 2, 4, 6]);
    assert.deepEqual(left(tables, { guestPages: { startPage: 0x71ff, endPage: 0x7200 } }), [1, 2, 3, 4, 6]);
  });

  it('evicts from both stages until none is left', () => {
    const cache = walkCache(16, 4);
    for (let page = 0; page < 8; page++) {
      cache.insert(table({ page: page * 0x200 }));
      cache.insert(table({ space: 1, page: page * 0x200 }));
    }
    const sizes: number[] = [];
    while (cache.evictOne()) sizes.push(cache.size);
    assert.deepEqual(sizes, [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
  });

  it('without sets holds nothing', () => {
    const cache = walkCache(0, 0);
    cache.insert(table({}));
    assert.deepEqual([cache.size, cache.lookup({ vm: 1, space: -1 }, 2, 0)], [0, undefined]);
  });
});
