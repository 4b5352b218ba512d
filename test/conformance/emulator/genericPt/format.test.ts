/**
 * The format tests of Linux (drivers/iommu/generic_pt/kunit_generic_pt.h), each by its name there, for each configuration.
 * Left out is bitops: there are no such functions here, shifts and alignment are JavaScript's own operators.
 */
import assert from 'node:assert/strict';
import { halvesOf } from '../../../../src/engine/driver/pageTable/leafEncoder';
import { likeLeaf } from '../../../../src/engine/driver/pageTable/inherit';
import { bestSize, usableShifts } from '../../../../src/engine/driver/pageTable/pageSizePolicy';
import { surveyed } from '../../../../src/engine/driver/pageTable/survey';
import { indexOf, runOf, type FoundEntry } from '../../../../src/engine/driver/pageTable/tableTree';
import { compileFormat, levelOf } from '../../../../src/engine/formats/compile';
import { joinHalves, type EntryHalves } from '../../../../src/engine/memory/words';
import {
  classify,
  entryFrame,
  entryPermission,
  indexAt,
  leafFrame,
} from '../../../../src/engine/pageTable/entry';
import { ABSENT, LEAF, READ, READ_WRITE, TABLE, WRITE } from '../../../../src/engine/pageTable/entryClass';
import { cleanedHalves, isDirty, markedHalves } from '../../../../src/engine/pageTable/marks';
import { DIRTY } from '../../../../src/engine/pageTable/runColumns';
import { SeededRandom } from '../../../../src/engine/random';
import { frameNumber } from '../../../../src/engine/values';
import { KINDS, makeTables } from '../../../unit/engine/driver/pageTable/domains';
import { CLEAN } from '../../../unit/engine/driver/pageTable/leaves';

/** The output address that the tests of Linux use. */
const TEST_OA = 0x74a71445deadbeefn;

for (const kind of KINDS) {
  describe(`generic_pt fmt_test, ${kind.title}`, () => {
    const { tables, frames } = makeTables(kind, { marks: CLEAN });
    const { format: pageTableFormat, hardware = {}, rootIndexBits } = kind.options;
    const growable = pageTableFormat.nextLevel !== undefined;
    const mostDepth = growable ? pageTableFormat.levels.length : kind.options.rootDepth;
    const format = compileFormat(pageTableFormat, mostDepth, hardware, rootIndexBits);
    const depths = Array.from({ length: mostDepth }, (_, index) => index + 1);
    const scratch = frames.allocate(16);
    assert.ok(scratch !== undefined);
    const { high, low, to, extra } = pageTableFormat.address;
    const outputBits = 1 + (extra ? extra.to + extra.high - extra.low : to + high - low);
    const outputEnd = 2 ** (outputBits - 12);
    const outputs = (shift: number): number[] => {
      const length = 2 ** (shift - 12);
      const test = Number((TEST_OA & ((1n << BigInt(outputBits)) - 1n)) >> 12n);
      return [test - (test % length), 0, outputEnd - length];
    };
    const read = (depth: number, index: number): FoundEntry => {
      const halves: EntryHalves = { lo: 0, hi: 0 };
      tables.words.peek(scratch, index, halves);
      const found = classify(format, levelOf(format, depth), halves.lo, halves.hi);
      return { depth, table: scratch, index, class: found, ...halves };
    };
    const clear = (count: number): void => {
      for (let index = 0; index < count; index++) tables.words.fill(scratch, index, 0, 0);
    };
    /** Writes a leaf at index 0; its entries. */
    const install = (depth: number, shift: number, frame: number, permission: number): number | undefined => {
      const template = tables.encoder.template(format, depth, shift, permission, CLEAN, true);
      if (!template) return undefined;
      const halves: EntryHalves = { lo: 0, hi: 0 };
      for (let index = 0; index < template.entries; index++) {
        tables.encoder.write(format, template, frame, index, halves);
        tables.words.fill(scratch, index, halves.lo, halves.hi);
      }
      return template.entries;
    };
    const everyLeaf = (visit: (depth: number, shift: number) => void): void => {
      for (const depth of depths) for (const shift of usableShifts(format, depth)) visit(depth, shift);
    };

    it('init: there are page sizes', () => {
      assert.ok(tables.sizes.length > 0);
    });

    it('best_pgsize: the best size is what trying all sizes finds', () => {
      const random = new SeededRandom(1);
      const word = (): number => random.below(2 ** 26) * 2 ** 26 + random.below(2 ** 26);
      const end = 2 ** Math.min(52, outputBits - 12);
      for (const prefix of [word(), 0, end - 1]) {
        for (const suffix of [...range(1, 10), ...range(32, 42)]) {
          for (let round = 0; round < 4; round++) {
            const pages = Math.max(0, suffix - 12 + round);
            const page = (Math.floor(prefix / 2 ** pages) * 2 ** pages) % end;
            const frame = (page + (round % 2) * 2 ** pages) % end;
            const length = 1 + (word() % 2 ** (pages + 2));
            const slow = tables.sizes
              .map(({ shift }) => shift)
              .filter((shift) => {
                const size = 2 ** (shift - 12);
                return page % size === 0 && frame % size === 0 && size <= length;
              })
              .reduce((best, shift) => Math.max(best, shift), 0);
            assert.equal(bestSize(tables.sizes, page, frame, length)?.shift ?? 0, slow);
          }
        }
      }
      assert.equal(bestSize([], 0, 0, 1), undefined);
    });

    it('table_ptr: a pointer is read as it was installed, at each level', () => {
      for (const depth of depths.slice(1)) {
        const table = frameNumber(2 ** 20 + 64);
        const pointer = tables.encoder.pointer(format, depth, table, tables.marks);
        const empty = { lo: 0, hi: 0 };
        const { lo, hi } = pointer;
        assert.ok(tables.words.compareExchange('install', scratch, 0, empty, lo, hi).done);
        const found = read(depth, 0);
        assert.equal(found.class, TABLE);
        assert.equal(entryFrame(format, found.lo, found.hi), table);
        assert.equal(entryPermission(format, TABLE, found.lo, found.hi), READ_WRITE);
        assert.ok(tables.words.compareExchange('install', scratch, 0, pointer, lo, hi).done, 'again');
        assert.ok(!tables.words.compareExchange('install', scratch, 0, empty, lo, hi).done, 'taken');
        clear(1);
        assert.equal(read(depth, 0).class, ABSENT);
      }
    });

    it('max_va: the last address has the last index at each level', () => {
      const last = 2 ** (format.addressBits - 12) - 1;
      for (const depth of depths)
        assert.equal(indexOf(format, depth, last), levelOf(format, depth).indexMask);
    });

    it('table_radix: the levels decode slices that lie side by side and are the whole address', () => {
      let next = levelOf(format, 1).shift;
      for (const depth of depths) {
        const { shift, indexMask } = levelOf(format, depth);
        assert.equal(shift, next);
        for (let bit = shift; bit < shift + Math.log2(indexMask + 1); bit++) {
          const address = 1n << BigInt(bit);
          const { lo, hi } = halvesOf(address);
          const indices = depths.map((each) => indexAt(levelOf(format, each), lo, hi));
          assert.deepEqual(
            indices,
            depths.map((each) => (each === depth ? 2 ** (bit - shift) : 0)),
          );
        }
        next = shift + Math.log2(indexMask + 1);
      }
      assert.equal(next, format.addressBits);
    });

    it('entry_possible_sizes: sizes lie between that of an entry and that of the table', () => {
      for (const depth of depths) {
        const { shift, indexMask, rule } = levelOf(format, depth);
        const sizes = tables.sizes.filter((size) => size.depth === depth).map((size) => size.shift);
        for (const size of sizes) {
          assert.ok(size >= shift && size < shift + Math.log2(indexMask + 1) + (indexMask === 0 ? 1 : 0));
        }
        if (rule.leaf === 'never') assert.deepEqual(sizes, []);
        const isAmdLevel3 = growable && depth === 4;
        if (sizes.length > 0 && !isAmdLevel3) assert.ok(sizes.includes(shift));
        if (isAmdLevel3 && sizes.length > 0)
          assert.equal(
            sizes.reduce((all, size) => all | (1n << BigInt(size)), 0n),
            0xff0000000000n,
          );
      }
    });

    it('entry_oa: each entry of a page says its output, its own part and its size', () => {
      everyLeaf((depth, shift) => {
        for (const frame of outputs(shift)) {
          const count = install(depth, shift, frame, READ);
          assert.ok(count !== undefined);
          const level = levelOf(format, depth);
          for (let index = 0; index < count; index++) {
            const found = read(depth, index);
            assert.equal(found.class, LEAF);
            assert.deepEqual(runOf(format, found), { first: 0, count, shift });
            const own = surveyed(format, found, 0);
            assert.equal(own.frame, frame + index * level.pagesPerEntry);
            if (format.runKind !== 'own-address')
              assert.equal(leafFrame(format, level, found.lo, found.hi), frame);
          }
          clear(count);
          for (let index = 0; index < count; index++) assert.equal(read(depth, index).class, ABSENT);
        }
      });
    });

    it('attr_from_entry: what a leaf allows and is, taken out and put in again, makes the same word', () => {
      everyLeaf((depth, shift) => {
        for (const permission of [READ, WRITE, READ_WRITE]) {
          const count = install(depth, shift, 0, permission);
          if (permission === READ_WRITE) assert.ok(count !== undefined, 'reads and writes must be possible');
          if (count === undefined) continue;
          const found = read(depth, 0);
          const again = likeLeaf(format, depth, found, depth, shift, 0);
          const { lo, hi } = markedHalves(format, { lo: again.words[0] ?? 0, hi: again.words[1] ?? 0 }, 1);
          assert.equal(joinHalves(lo, hi), joinHalves(found.lo, found.hi));
          clear(count);
        }
      });
    });

    it('dirty: any entry of a page makes it dirty, and a leaf made clean reads clean', () => {
      everyLeaf((depth, shift) => {
        const count = install(depth, shift, 0, READ_WRITE) ?? 0;
        for (let index = 0; index < count; index++) {
          const { lo, hi } = read(depth, index);
          assert.ok(!isDirty(format, lo, hi), 'made clean');
          const dirty = markedHalves(format, { lo, hi }, DIRTY);
          assert.ok(isDirty(format, dirty.lo, dirty.hi));
          const clean = cleanedHalves(format, dirty);
          assert.ok(!isDirty(format, clean.lo, clean.hi));
          assert.equal(joinHalves(clean.lo, clean.hi), joinHalves(lo, hi));
        }
        clear(count);
      });
    });
  });
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at);
