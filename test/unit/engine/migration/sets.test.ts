import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { LeafMap } from '../../../../src/engine/migration/leafMap';
import { PageBatch } from '../../../../src/engine/migration/pageBatch';
import { BLOCK_PAGES, CHUNK_BLOCKS, CHUNK_PAGES, PageSet } from '../../../../src/engine/migration/pageSet';

const END = 3 * CHUNK_PAGES;
const range = fc
  .tuple(fc.integer({ min: 0, max: END - 1 }), fc.constantFrom(1, 2, 31, 32, 33, 512, 4000, CHUNK_PAGES))
  .map(([start, length]) => ({ start, end: Math.min(END, start + length) }));

function pagesOf(set: PageSet): number[] {
  const pages: number[] = [];
  for (const chunk of set.chunks)
    for (let block = chunk * CHUNK_BLOCKS; block < (chunk + 1) * CHUNK_BLOCKS; block++)
      set.eachOfBlock(block, (page) => pages.push(page));
  return pages;
}

describe('sets of pages', () => {
  it('have the pages that were added, each once, and count them, also in chunks and blocks', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 5 }), fc.array(range, { maxLength: 5 }), (ranges, others) => {
        const model = new Set<number>();
        const [set, other] = [new PageSet(END), new PageSet(END)];
        const batch = new PageBatch(set, END);
        for (const { start, end } of ranges) {
          for (let page = start; page < end; page++) model.add(page);
          if (end - start > 40) set.addRange(start, end);
          else for (let page = start; page < end; page++) batch.add(page);
        }
        batch.flush();
        for (const { start, end } of others) {
          for (let page = start; page < end; page++) model.add(page);
          other.addRange(start, end);
        }
        for (const chunk of other.chunks) set.addChunk(other, chunk);
        assert.equal(set.count, model.size);
        assert.deepEqual(
          pagesOf(set),
          [...model].sort((a, b) => a - b),
        );
        let counted = 0;
        for (let block = 0; block < END / BLOCK_PAGES; block++) counted += set.countInBlock(block);
        assert.equal(counted, model.size);
        set.clear();
        assert.deepEqual([set.count, pagesOf(set).length], [0, 0]);
        set.addRange(5, 6);
        assert.deepEqual(pagesOf(set), [5]);
      }),
      { numRuns: 30 },
    );
  });
});

describe('maps of leaves', () => {
  const shift = fc.constantFrom(12, 16, 21, 25, 30);
  it('know what maps a page, and how many leaves there are, after any splits and collapses', () => {
    const change = fc.record({ page: fc.integer({ min: 0, max: END - 1 }), to: shift });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
        const map = LeafMap.of([
          { startPage: 0, endPage: 2 * CHUNK_PAGES, shift: 30 },
          { startPage: 2 * CHUNK_PAGES, endPage: END, shift: 21, readOnly: true },
        ]);
        const model = new Uint8Array(END).fill(30, 0, 2 * CHUNK_PAGES);
        for (const { page, to } of changes) {
          const old = model[page] ?? 0;
          const pages = 2 ** (old - 12);
          const start = page - (page % pages);
          const made = map.split(page, page + 1, to);
          assert.equal(made.splits, old > to ? 1 : 0);
          assert.equal(made.entries, old > to ? 2 ** (old - to) : 0);
          if (old > to) model.fill(to, start, start + pages);
        }
        const counts = new Map<number, number>([[21, 512]]);
        for (let page = 0; page < END; page += 16) {
          const now = model[page] ?? 0;
          assert.equal(map.shiftOf(page), now);
          if (now > 0) counts.set(now, (counts.get(now) ?? 0) + 16 / 2 ** (now - 12));
        }
        const known = [...counts].map(([size, leaves]) => [String(2 ** size), leaves] as const);
        assert.deepEqual(map.bySize, Object.fromEntries(known));
        map.collapse({ startPage: 0, endPage: CHUNK_PAGES }, 30);
        assert.equal(map.shiftOf(77), 30);
        const others = [...model.subarray(CHUNK_PAGES, 2 * CHUNK_PAGES)].filter(
          (_, index) => index % 16 === 0,
        );
        const rest = others.reduce((all, size) => all + 16 / 2 ** (size - 12), 0);
        assert.ok(Math.abs(map.leaves - (1 + rest + 512)) < 1e-6);
      }),
      { numRuns: 30 },
    );
  });
});
