/**
 * The IOMMU operation tests of Linux (drivers/iommu/generic_pt/kunit_iommu_pt.h), each by its name there, for each
 * configuration. Fills take at most 2,048 entries here, and random ranges fewer for most configurations: a step is a word.
 */
import assert from 'node:assert/strict';
import { type DomainTables } from '../../../../src/engine/driver/pageTable/domainTables';
import { type PageSize } from '../../../../src/engine/driver/pageTable/pageSizePolicy';
import { levelOf } from '../../../../src/engine/formats/compile';
import { type RangeAllocator } from '../../../../src/engine/memory/frameAllocator';
import { ALL_PAGES } from '../../../../src/engine/pageTable/addressSpace';
import { READ_WRITE } from '../../../../src/engine/pageTable/entryClass';
import { SeededRandom } from '../../../../src/engine/random';
import { runSteps } from '../../../../src/engine/steps';
import { errnoOf, KINDS, makeTables, valueOf, walked } from '../../../unit/engine/driver/pageTable/domains';
import { leavesOf } from '../../../unit/engine/driver/pageTable/leaves';

const MOST_ENTRIES = 2 ** 11;
const GIB = 2 ** 18;
/** 0x74a71445deadbeef, in pages, within the output of every format. */
const TEST_FRAME = 0x445deadb;

const map = (tables: DomainTables, page: number, frame: number, pages: number) =>
  runSteps(tables.map(page, frame, pages, READ_WRITE));
const unmap = (tables: DomainTables, page: number, pages: number): number =>
  valueOf(runSteps(tables.unmap(page, pages)));

/** How many pages of each size map a range. */
function counts(tables: DomainTables, page: number, pages: number): Map<number, number> {
  const all = new Map<number, number>();
  for (const leaf of leavesOf(tables, page, pages))
    if (leaf.place === 0) all.set(leaf.shift, (all.get(leaf.shift) ?? 0) + 1);
  return all;
}

/** Some pages of a range, its ends and one in each of its ten parts, lead where they should. */
function check(tables: DomainTables, page: number, frame: number, pages: number): void {
  const step = Math.max(1, Math.floor(pages / 10));
  for (let offset = 0; offset < pages; offset += step) {
    assert.equal(runSteps(tables.iovaToPhys(page + offset)), frame + offset);
    assert.equal(walked(tables, page + offset, true), frame + offset);
  }
  assert.equal(runSteps(tables.iovaToPhys(page + pages - 1)), frame + pages - 1);
}

for (const kind of KINDS) {
  describe(`generic_pt iommu_test, ${kind.title}`, () => {
    let tables: DomainTables;
    let frames: RangeAllocator;

    beforeEach(() => {
      ({ tables, frames } = makeTables(kind));
    });

    afterEach('exit check: all memory of tables is given back', () => {
      runSteps(tables.dispose());
      assert.equal(frames.allocated, 0);
    });

    const shifts = (): number[] => tables.sizes.map(({ shift }) => shift).reverse();
    const fits = (page: number, pages: number): boolean =>
      kind.options.format.nextLevel === undefined
        ? tables.takes(page, pages)
        : page + pages <= 2 ** ((kind.options.mostAddressBits ?? 64) - 12);

    if (kind.options.format.nextLevel !== undefined) {
      it('increase_level: a page just beyond the end adds a level, up to the last', () => {
        const most = kind.options.mostAddressBits ?? 64;
        for (;;) {
          const { rootDepth, addressBits } = tables.format;
          if (addressBits >= most) break;
          const end = 2 ** (addressBits - 12);
          valueOf(map(tables, end, 7, 1));
          assert.equal(tables.format.rootDepth, rootDepth + 1);
          assert.equal(walked(tables, end), 7);
          assert.equal(unmap(tables, end, 1), 1);
        }
        assert.equal(errnoOf(map(tables, 2 ** (most - 12), 7, 1)), 'ERANGE');
      });
    }

    it('map_simple: one page of each size', () => {
      const all = shifts().filter((shift) => shift <= 48);
      const smallest = 2 ** ((all[0] ?? 12) - 12);
      let page = smallest * 256;
      const mapped: { page: number; frame: number; pages: number }[] = [];
      for (const shift of all) {
        const pages = 2 ** (shift - 12);
        page = Math.ceil(page / pages) * pages;
        const frame = TEST_FRAME - (TEST_FRAME % pages);
        if (!fits(page, pages) || frame + pages > 2 ** 36) continue;
        // Its neighbours are others' pages: one page is to be one leaf.
        valueOf(map(tables, page, frame, pages));
        mapped.push({ page, frame, pages });
        page += pages;
      }
      for (const each of mapped) check(tables, each.page, each.frame, each.pages);
      for (const { page: start, pages } of mapped)
        assert.deepEqual([...counts(tables, start, pages)], [[12 + Math.log2(pages), 1]]);
      for (const { page: start, pages } of mapped) assert.equal(unmap(tables, start, pages), pages);
      for (const { page: start, pages } of mapped) assert.equal(leavesOf(tables, start, pages).length, 0);
    });

    it('map_table_to_oa: larger pages map over tables that smaller ones left empty', () => {
      const all = shifts();
      const most = all.filter((shift) => shift < 34 && fits(0, 2 ** (shift - 11))).at(-1) ?? 12;
      valueOf(map(tables, 2 ** (most - 12), 0, 2 ** (most - 12)));
      unmap(tables, 2 ** (most - 12), 2 ** (most - 12));
      const frame = TEST_FRAME - (TEST_FRAME % 2 ** (most - 12));
      const pages = 2 ** (most - 12);
      const page = pages;
      const entriesFit = ({ shift, depth }: PageSize): boolean =>
        shift <= most && 2 ** (most - levelOf(tables.format, depth).shift) <= MOST_ENTRIES;
      for (const { shift } of tables.sizes.filter(entriesFit).reverse()) {
        const piece = 2 ** (shift - 12);
        for (let offset = 0; offset < pages; offset += piece)
          valueOf(map(tables, page + offset, frame + offset, piece));
        check(tables, page, frame, pages);
        assert.deepEqual([...counts(tables, page, pages)], [[shift, pages / piece]]);
        const half = pages === piece ? pages : pages / 2;
        assert.equal(unmap(tables, page, half), half);
        for (let offset = half; offset < pages; offset += piece)
          assert.equal(unmap(tables, page + offset, piece), piece);
        assert.equal(leavesOf(tables, page, pages).length, 0);
      }
    });

    it('unmap_split: the smallest part of a page takes all of it, and nothing of its neighbour', () => {
      const all = shifts().filter((shift) => shift < 48);
      for (const large of all) {
        for (const small of all.filter((shift) => shift < large)) {
          const pages = 2 ** (large - 12);
          const piece = 2 ** (small - 12);
          if (!fits(0, pages + piece)) continue;
          valueOf(map(tables, 0, 0, pages));
          valueOf(map(tables, pages, piece, piece));
          assert.equal(unmap(tables, 0, piece), pages);
          assert.equal(runSteps(tables.iovaToPhys(pages)), piece);
          assert.equal(unmap(tables, pages, piece), piece);
        }
      }
    });

    it('random_map: ranges that overlap are refused, and taken once what they collide with is gone', () => {
      const random = new SeededRandom(7);
      const unit = 2 ** ((shifts()[0] ?? 12) - 12);
      const { highStart } = tables.space;
      const windows = highStart === ALL_PAGES ? [GIB] : [GIB, highStart + GIB];
      for (const start of windows) {
        let mapped: { page: number; pages: number; frame: number }[] = [];
        const rounds = kind.title === 'AMD v1' ? 1000 : 12;
        for (let round = 0; round < rounds; round++) {
          const units = Math.max(1, Math.floor(2 ** (random.below(1200) / 100)));
          const pages = Math.min(units * unit, GIB);
          const page = start + random.below((GIB - pages) / unit + 1) * unit;
          const frame = random.below(2 ** 20) * unit;
          const apart = (each: { page: number; pages: number }): boolean =>
            each.page + each.pages <= page || page + pages <= each.page;
          const colliding = mapped.filter((each) => !apart(each));
          if (colliding.length > 0) {
            assert.equal(errnoOf(map(tables, page, frame, pages)), 'EADDRINUSE');
            for (const each of colliding) {
              check(tables, each.page, each.frame, each.pages);
              assert.equal(unmap(tables, each.page, each.pages), each.pages);
            }
            mapped = mapped.filter(apart);
          }
          valueOf(map(tables, page, frame, pages));
          check(tables, page, frame, pages);
          mapped.push({ page, pages, frame });
        }
        for (const each of mapped) {
          check(tables, each.page, each.frame, each.pages);
          assert.equal(unmap(tables, each.page, each.pages), each.pages);
        }
      }
    });

    const known = makeTables(kind).tables.sizes.map(({ shift }) => shift);
    const is4K = known.includes(12);
    if (!is4K) return;

    it('pgsize_boundary: 0xfef80000 to 0xfef9ffff at 0x208b95d000', () => {
      valueOf(map(tables, 0xfef80, 0x208b95d, 0x20));
      for (let offset = 0; offset < 0x20; offset++)
        assert.equal(walked(tables, 0xfef80 + offset), 0x208b95d + offset);
      assert.equal(unmap(tables, 0xfef80, 0x20), 0x20);
    });

    if (kind.options.mostAddressBits === 32) return;

    it('mixed: 0x3fe400000 to 0x4c0600000 takes exactly 20 leaves of 4K, 2M and 1G', () => {
      const allowed = [12, 21, 30];
      const other = makeTables(kind, { pageShifts: allowed });
      const [start, end] = [0x3fe400, 0x4c0600];
      valueOf(map(other.tables, start, start, end - start));
      check(other.tables, start, start, end - start);
      assert.deepEqual([...counts(other.tables, start, end - start)].sort(), [
        [21, 17],
        [30, 3],
      ]);
      assert.equal(unmap(other.tables, start, end - start), end - start);
      runSteps(other.tables.dispose());
      assert.equal(other.frames.allocated, 0);
    });
  });
}
