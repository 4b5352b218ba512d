/** Caches of device contexts and of processes. */
import assert from 'node:assert/strict';
import { type DirectoryLookup } from '../../../../../src/engine/directory/deviceDirectory';
import {
  StructureCache,
  StructureCaches,
  type CachedStructure,
  type StructureSelection,
} from '../../../../../src/engine/iommu/caches/structureCache';
import { SeededRandom } from '../../../../../src/engine/random';

const lookup: DirectoryLookup = { answer: { kind: 'pass-through', permission: 3 }, entries: [] };

const structure = (requester: number, pasid: number | null = null, vm = 1): CachedStructure => ({
  requester,
  pasid,
  vm,
  lookup,
});

const cacheOf = (capacity: number, seed = 1): StructureCache =>
  new StructureCache(capacity, new SeededRandom(seed));

const namesOf = (cache: StructureCache): string[] =>
  [...cache.entries()].map(({ requester, pasid }) => `${requester}:${pasid ?? '-'}`).sort();

describe('Structure cache', () => {
  it('finds by requester and PASID, up to 32 and 20 bits', () => {
    const cache = cacheOf(8);
    const all = [
      structure(1),
      structure(1, 0),
      structure(1, 0xfffff),
      structure(2),
      structure(0xffffffff, 5),
    ];
    for (const each of all) cache.insert(each);
    for (const each of all) assert.equal(cache.find(each.requester, each.pasid), each);
    assert.equal(cache.find(2, 0), undefined);
    assert.equal(cache.find(0, null), undefined);
  });

  it('replaces the same one, else one by seed when it is full', () => {
    const run = (seed: number): string => {
      const cache = cacheOf(4, seed);
      for (let requester = 0; requester < 20; requester++) {
        cache.insert(structure(requester));
        cache.insert(structure(requester, null, 2));
        assert.equal(cache.find(requester, null)?.vm, 2);
        assert.equal(cache.size, Math.min(requester + 1, 4));
      }
      return namesOf(cache).join();
    };
    assert.equal(run(9), run(9));
    assert.ok(new Set(Array.from({ length: 10 }, (_, seed) => run(seed))).size > 3);
  });

  it('holds nothing without room', () => {
    const cache = cacheOf(0);
    cache.insert(structure(1));
    assert.deepEqual([cache.size, cache.find(1, null), cache.evictOne()], [0, undefined, false]);
  });

  it('drops by requester, by bits of it that count, by PASID and by domain', () => {
    const left = (selection: StructureSelection): string[] => {
      const cache = cacheOf(8);
      for (const each of [structure(8), structure(9, 1), structure(9, 2, 5), structure(16, 1, 5)])
        cache.insert(each);
      const dropped = cache.invalidate(selection);
      assert.equal(dropped, 4 - cache.size);
      return namesOf(cache);
    };
    assert.deepEqual(left({}), []);
    assert.deepEqual(left({ requester: 9 }), ['16:1', '8:-']);
    assert.deepEqual(left({ requester: 8, mask: 7 }), ['16:1']);
    assert.deepEqual(left({ requester: 9, pasid: 1 }), ['16:1', '8:-', '9:2']);
    assert.deepEqual(left({ vm: 5 }), ['8:-', '9:1']);
    assert.deepEqual(left({ vm: 5, pasid: 1 }), ['8:-', '9:1', '9:2']);
  });

  it('evicts one at a time', () => {
    const cache = cacheOf(8);
    for (let requester = 0; requester < 5; requester++) cache.insert(structure(requester));
    for (let size = 4; size >= 0; size--) {
      assert.equal(cache.evictOne(), true);
      assert.equal(cache.size, size);
    }
    assert.equal(cache.evictOne(), false);
  });
});

describe('Contexts and their processes', () => {
  const filled = (keepsProcesses?: boolean): StructureCaches => {
    const caches = new StructureCaches(cacheOf(8), cacheOf(8), keepsProcesses);
    caches.contexts.insert(structure(1));
    caches.contexts.insert(structure(2));
    caches.processes.insert(structure(1, 7));
    caches.processes.insert(structure(2, 7));
    return caches;
  };
  const namesIn = ({ contexts, processes }: StructureCaches): string[] => [
    ...namesOf(contexts),
    ...namesOf(processes),
  ];

  it('with the context of a device go the entries of its processes', () => {
    const caches = filled();
    assert.equal(caches.invalidate({ contexts: { requester: 1 } }), 2);
    assert.deepEqual(namesIn(caches), ['2:-', '2:7']);
  });

  it('as riscv-iommu pull request 693 had it, they stay', () => {
    const caches = filled(true);
    assert.equal(caches.invalidate({ contexts: { requester: 1 } }), 1);
    assert.deepEqual(namesIn(caches), ['2:-', '1:7', '2:7']);
  });

  it('processes go alone by a command of their own', () => {
    const caches = filled();
    assert.equal(caches.invalidate({ processes: { requester: 2, pasid: 7 } }), 1);
    assert.deepEqual(namesIn(caches), ['1:-', '2:-', '1:7']);
    assert.equal(caches.invalidate({}), 0);
  });
});
