/** Reading and clearing dirty marks: every format, every entry of a page, and what ranges that cut leaves report. */
import assert from 'node:assert/strict';
import { type FlushRange } from '../../../../../src/engine/driver/flusher';
import { NOTHING_CACHED } from '../../../../../src/engine/driver/pageTable/domainTables';
import { HARVESTS, type HarvestProtocol } from '../../../../../src/engine/driver/pageTable/protocols/harvest';
import {
  UNMAPS,
  type UnmapProtocol,
} from '../../../../../src/engine/driver/pageTable/protocols/unmapReporting';
import { levelOf } from '../../../../../src/engine/formats/compile';
import { READ_WRITE } from '../../../../../src/engine/pageTable/entryClass';
import { isDirty } from '../../../../../src/engine/pageTable/marks';
import { runSteps } from '../../../../../src/engine/steps';
import { errnoOf, KINDS, makeTables, valueOf, type DomainKind } from './domains';
import { CLEAN, leavesOf, makeDirty, reported } from './leaves';

/** A flusher that notes what it is asked to flush. */
function noting(): { flusher: typeof NOTHING_CACHED; flushed: FlushRange[] } {
  const flushed: FlushRange[] = [];
  const flusher: typeof NOTHING_CACHED = {
    ...NOTHING_CACHED,
    *flush(range) {
      flushed.push(range);
      return yield* NOTHING_CACHED.flush(range);
    },
  };
  return { flusher, flushed };
}

for (const kind of KINDS) {
  describe(`Dirty marks, ${kind.title}`, () => {
    it('are read from each entry of a page alone, and cleared from all', () => {
      for (const { shift, depth } of makeTables(kind).tables.sizes.filter((size) => size.shift < 38)) {
        const { tables } = makeTables(kind, { marks: CLEAN, pageShifts: [shift] });
        const pages = 2 ** (shift - 12);
        if (!tables.takes(pages, pages)) continue;
        valueOf(runSteps(tables.map(pages, pages, pages, READ_WRITE)));
        const count = 2 ** (shift - levelOf(tables.format, depth).shift);
        for (const place of new Set([0, 1 % count, count >> 1, count - 1])) {
          makeDirty(tables, pages + (place * pages) / count);
          assert.deepEqual(reported(tables, pages, pages, { clear: false }), [[pages, pages]]);
          assert.deepEqual(reported(tables, pages, pages), [[pages, pages]]);
          assert.deepEqual(reported(tables, pages, pages), []);
          assert.ok(leavesOf(tables, pages, pages).every(({ lo, hi }) => !isDirty(tables.format, lo, hi)));
        }
      }
    });

    it('are found by a table at once as by an entry at once', () => {
      const { tables } = makeTables(kind, { marks: CLEAN });
      const [unit] = tables.sizes.slice(-1);
      assert.ok(unit);
      const small = makeTables(kind, { marks: CLEAN, pageShifts: [unit.shift] }).tables;
      const step = 2 ** (unit.shift - 12);
      const entries = levelOf(small.format, 1).indexMask + 1;
      const pages = 2 * entries * step;
      valueOf(runSteps(small.map(pages, 0, pages, READ_WRITE)));
      for (const place of [0, 1, 31, 32, entries - 1, entries, entries + 77])
        makeDirty(small, pages + place * step);
      const each = reported(small, pages, pages, { clear: false });
      small.granularity = 'table';
      const merged = [
        [pages, 2 * step],
        [pages + 31 * step, 2 * step],
        [pages + (entries - 1) * step, step],
        [pages + entries * step, step],
        [pages + (entries + 77) * step, step],
      ];
      assert.equal(each.length, 7);
      assert.deepEqual(reported(small, pages, pages), merged);
      assert.deepEqual(reported(small, pages, pages), []);
      small.granularity = 'entry';
      assert.deepEqual(reported(small, pages, pages), []);
    });

    it('go in one flush, and in none without clear', () => {
      const { flusher, flushed } = noting();
      const { tables } = makeTables(kind, { marks: CLEAN, flusher });
      const step = 2 ** ((tables.sizes.at(-1)?.shift ?? 12) - 12);
      valueOf(runSteps(tables.map(step, 0, 12 * step, READ_WRITE)));
      flushed.length = 0;
      makeDirty(tables, 2 * step);
      makeDirty(tables, 11 * step);
      reported(tables, step, 12 * step, { clear: false });
      assert.equal(flushed.length, 0);
      reported(tables, step, 12 * step);
      assert.equal(flushed.length, 1);
      const [range] = flushed;
      assert.ok(range && range.startPage <= 2 * step && range.endPage >= 12 * step && !range.tables);
    });

    it('are reported once by every protocol that harvests or unmaps', () => {
      for (const protocol of Object.keys(HARVESTS) as HarvestProtocol[]) {
        const { tables, page, pages } = large(kind);
        makeDirty(tables, page);
        const copied: number[] = [];
        const request = {
          startPage: page,
          pages,
          copy: (start: number, count: number) => copied.push(start, count),
        };
        valueOf(runSteps(tables.harvest(request, protocol)));
        const all = copied.reduce((sum, count, at) => (at % 2 === 1 ? sum + count : sum), 0);
        assert.equal(all, pages, protocol);
        assert.deepEqual(reported(tables, page, pages), [], protocol);
      }
      for (const protocol of Object.keys(UNMAPS) as UnmapProtocol[]) {
        const { tables, page, pages } = large(kind);
        makeDirty(tables, page);
        const said: number[] = [];
        const sink = (start: number, count: number) => said.push(start, count);
        valueOf(runSteps(tables.unmapReporting({ startPage: page, pages, sink }, protocol)));
        assert.deepEqual(said, [page, pages], protocol);
        assert.equal(runSteps(tables.iovaToPhys(page)), null);
        assert.equal(errnoOf(runSteps(tables.unmapReporting({ startPage: page, pages, sink }))), 'ENOENT');
      }
    });
  });
}

/** Tables with one page of the second size. */
function large(kind: DomainKind) {
  const { tables } = makeTables(kind, { marks: CLEAN, bbml: 2 });
  const shifts = tables.sizes.map(({ shift }) => shift).reverse();
  const pages = 2 ** ((shifts[1] ?? 12) - 12);
  valueOf(runSteps(tables.map(pages, pages, pages, READ_WRITE)));
  return { tables, page: pages, pages };
}
