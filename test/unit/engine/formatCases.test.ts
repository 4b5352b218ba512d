/**
 * The format tests of Linux's generic_pt (kunit_generic_pt.h), made again for every format here: init, bitops, best_pgsize,
 * table_ptr, max_va, table_radix, entry_possible_sizes, entry_oa, attr_from_entry, dirty. Entries are written by the engine's
 * encoder and read back by its decoder; that the decoder is right is shown by the images of the independent builders.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { amdV1 } from '../../../src/engine/formats/amdV1';
import { armFormats } from '../../../src/engine/formats/arm';
import { compileFormat, levelOf, type CompiledFormat } from '../../../src/engine/formats/compile';
import { ept } from '../../../src/engine/formats/ept';
import { type FormatHardware, type PageTableFormat } from '../../../src/engine/formats/pageTableFormat';
import { sv39, sv39x4, sv48, sv48x4, sv57, sv57x4 } from '../../../src/engine/formats/riscv';
import { vtdSecondStage } from '../../../src/engine/formats/vtdSecondStage';
import { amdV2, vtdFirstStage } from '../../../src/engine/formats/x8664';
import { leafWords, tableWord, type LeafContents } from '../../../src/engine/pageTable/encode';
import {
  classify,
  entryFrame,
  entryPermission,
  indexAt,
  nextDepth,
  pageShift,
} from '../../../src/engine/pageTable/entry';
import { isAccessed, isDirty } from '../../../src/engine/pageTable/marks';
import { ABSENT, LEAF, READ, READ_WRITE, TABLE, WRITE } from '../../../src/engine/pageTable/entryClass';
import { entryProblems } from '../../../src/engine/pageTable/entryProblems';
import { pageAt } from '../../../src/engine/pageTable/pageAt';
import { allPageShifts, bestPageShift, pageShifts } from '../../../src/engine/pageTable/pageSizes';
import { ACCESSED, DIRTY } from '../../../src/engine/pageTable/runColumns';

/** The output address of the kernel's tests. */
const TEST_OA = 0x74a71445deadbeefn;

const HARDWARE: FormatHardware = {
  largePages: new Set([2 ** 21, 2 ** 30]),
  features: { executeOnly: true },
};
const NO_LIMITS: FormatHardware = {};

interface Case {
  readonly name: string;
  readonly format: CompiledFormat;
  /** Bits of output address. */
  readonly outputBits: number;
}

function* cases(): Generator<Case> {
  const of = (format: PageTableFormat, levels: number, outputBits: number, hardware = NO_LIMITS): Case => ({
    name: `${format.title}, ${levels} levels`,
    format: compileFormat(format, levels, hardware),
    outputBits,
  });
  for (const levels of [3, 4, 5]) yield of(vtdSecondStage, levels, 52, HARDWARE);
  for (const levels of [4, 5])
    for (const format of [vtdFirstStage, amdV2]) yield of(format, levels, 52, HARDWARE);
  for (const levels of [4, 5]) yield of(ept, levels, 52, HARDWARE);
  for (const levels of [1, 2, 3, 4, 5, 6]) yield of(amdV1, levels, 52);
  for (const format of armFormats()) {
    yield of(format, format.levels.length, /-(ds|lpa)$/.test(format.id) ? 52 : 48);
  }
  for (const format of [sv39, sv48, sv57, sv39x4, sv48x4, sv57x4]) yield of(format, format.levels.length, 56);
}

const depthsOf = ({ levels }: CompiledFormat): number[] =>
  levels.flatMap((_, depth) => (depth === 0 ? [] : [depth]));

const lo = (word: bigint): number => Number(word & 0xffffffffn);
const hi = (word: bigint): number => Number(word >> 32n);

/** The highest frame below the output's end, at a multiple of a page. */
function framesFor({ outputBits }: Case, shift: number): number[] {
  const align = (address: bigint): number => Number((address >> BigInt(shift)) << BigInt(shift - 12));
  const all = (1n << BigInt(outputBits)) - 1n;
  return [align(TEST_OA & all), 0, align(all)];
}

const contents = (frame: number, shift: number, rest: Partial<LeafContents> = {}): LeafContents => ({
  frame,
  pageShift: shift,
  permission: READ_WRITE,
  accessed: true,
  dirty: false,
  ...rest,
});

/** The words of a page where they stand in a frame, at its first entry. */
function frameOf(words: readonly bigint[]): Uint32Array {
  const frame = new Uint32Array(1024);
  words.forEach((word, index) => {
    frame[2 * index] = lo(word);
    frame[2 * index + 1] = hi(word);
  });
  return frame;
}

/** Every level, page size and output address of a case. */
function* pages(each: Case): Generator<{ depth: number; shift: number; frame: number }> {
  for (const depth of depthsOf(each.format)) {
    for (const shift of pageShifts(each.format, depth)) {
      for (const frame of framesFor(each, shift)) yield { depth, shift, frame };
    }
  }
}

for (const each of cases()) {
  const { format, name } = each;
  describe(`format tests: ${name}`, () => {
    it('init: there are page sizes, the smallest is that of the leaf-most level', () => {
      assert.equal(allPageShifts(format)[0], levelOf(format, 1).shift);
    });

    it('bitops: indices at the limits and at random addresses', () => {
      const address = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
      fc.assert(
        fc.property(address, (iova) => {
          for (const depth of depthsOf(format)) {
            const level = levelOf(format, depth);
            const expected = (iova >> BigInt(level.shift)) & BigInt(level.indexMask);
            assert.equal(indexAt(level, lo(iova), hi(iova)), Number(expected));
          }
        }),
        { examples: [[0n], [(1n << 64n) - 1n], [1n << 32n], [(1n << 32n) - 1n]], numRuns: 32 },
      );
    });

    it('best_pgsize: the largest page that is aligned and fits, as by trying all', () => {
      const shifts = allPageShifts(format);
      const aligned = fc
        .tuple(fc.bigInt({ min: 0n, max: (1n << 44n) - 1n }), fc.integer({ min: 12, max: 41 }))
        .map(([value, shift]) => (value >> BigInt(shift)) << BigInt(shift));
      fc.assert(
        fc.property(aligned, aligned, fc.integer({ min: 0, max: 45 }), (iova, paddr, log2Length) => {
          const end = iova + (1n << BigInt(log2Length));
          let expected: number | undefined;
          for (const shift of shifts) {
            const size = 1n << BigInt(shift);
            if (iova % size === 0n && paddr % size === 0n && iova + size <= end) expected = shift;
          }
          assert.equal(bestPageShift(shifts, iova, paddr, end), expected);
        }),
      );
      assert.equal(bestPageShift([], 0n, 0n, 1n << 40n), undefined);
    });

    it('table_ptr: a pointer reads back as a table with its address, cleared it is empty', () => {
      for (const depth of depthsOf(format).slice(1)) {
        const level = levelOf(format, depth);
        for (const frame of framesFor(each, levelOf(format, 1).shift)) {
          const word = tableWord(format, depth, frame);
          assert.equal(classify(format, level, lo(word), hi(word)), TABLE);
          assert.equal(entryFrame(format, lo(word), hi(word)), frame);
          assert.equal(nextDepth(format, level, lo(word)), depth - 1);
          assert.equal(entryPermission(format, TABLE, lo(word), hi(word)), READ_WRITE);
          assert.equal(tableWord(format, depth, frame), word);
        }
        assert.equal(classify(format, level, 0, 0), ABSENT);
      }
    });

    it('max_va, table_radix: the levels decode neighbouring slices of the address, all of it together', () => {
      let next = levelOf(format, 1).shift;
      for (const depth of depthsOf(format)) {
        const { shift, indexMask } = levelOf(format, depth);
        assert.equal(shift, next);
        next = shift + Math.log2(indexMask + 1);
      }
      assert.equal(next, format.addressBits);
    });

    it('entry_possible_sizes: from the size of an entry up to less than a table', () => {
      for (const depth of depthsOf(format)) {
        const level = levelOf(format, depth);
        const shifts = pageShifts(format, depth);
        if (level.rule.leaf === 'never') assert.deepEqual(shifts, []);
        if (shifts.length > 0) assert.equal(shifts[0], level.shift);
        assert.ok(
          shifts.every((shift) => shift < level.shift + level.rule.indexBits || shift === level.shift),
        );
      }
    });

    it('entry_oa: every entry of a page reads back its address, its own part and the size', () => {
      for (const { depth, shift, frame } of pages(each)) {
        const level = levelOf(format, depth);
        const words = leafWords(format, depth, contents(frame, shift));
        assert.equal(words.length, 2 ** (shift - level.shift));
        const table = frameOf(words);
        words.forEach((word, index) => {
          assert.equal(
            classify(format, level, lo(word), hi(word)),
            LEAF,
            `${word.toString(16)} at depth ${depth}`,
          );
          assert.equal(pageShift(format, level, lo(word), hi(word)), shift);
          const page = pageAt(format, level, table, index);
          assert.deepEqual(
            { first: page.first, end: page.end, shift: page.shift, frame: page.frame, whole: page.whole },
            { first: 0, end: words.length, shift, frame, whole: true },
          );
          const problems = entryProblems(format, depth, lo(word), hi(word));
          assert.deepEqual(
            problems.filter(({ severity }) => severity === 'error'),
            [],
          );
        });
      }
    });

    it('attr_from_entry: permission and marks read back, and written again give the same word', () => {
      for (const { depth, shift, frame } of pages(each)) {
        for (const permission of [READ, WRITE, READ_WRITE]) {
          for (const accessed of [false, true]) {
            const asked = contents(frame, shift, { permission, accessed });
            const [word = 0n] = leafWords(format, depth, asked);
            const found = classify(format, levelOf(format, depth), lo(word), hi(word));
            // Write without read is no encoding of x86-64, EPT and RISC-V.
            const known = entryPermission(format, LEAF, lo(word), hi(word)) === permission && found === LEAF;
            assert.ok(known || permission === WRITE, `${word.toString(16)} at depth ${depth}`);
            if (!known) continue;
            const marked = isAccessed(format, lo(word), hi(word));
            assert.equal(marked, accessed && format.format.accessed !== 0n);
            const again = leafWords(format, depth, {
              ...asked,
              accessed: marked,
              dirty: isDirty(format, lo(word), hi(word)),
            });
            assert.equal(again[0], word);
          }
        }
      }
    });

    it('dirty: clean reads clean; any one entry of a page dirtied makes the page dirty', () => {
      for (const { depth, shift, frame } of pages(each)) {
        const level = levelOf(format, depth);
        const clean = leafWords(format, depth, contents(frame, shift, { accessed: false }));
        const dirty = leafWords(format, depth, contents(frame, shift, { accessed: false, dirty: true }));
        // Where another bit says that hardware may mark an entry, all entries have it.
        const trackable = clean.map((word, index) => word | ((dirty[index] ?? 0n) & trackingBits(format)));
        const marks = (words: readonly bigint[]): number => pageAt(format, level, frameOf(words), 0).marks;
        assert.equal(marks(trackable.map((word) => cleaned(format, word))) & DIRTY, 0);
        for (let slot = 0; slot < clean.length; slot++) {
          const words = trackable.map((word, index) =>
            index === slot ? (dirty[index] ?? 0n) : cleaned(format, word),
          );
          assert.equal(marks(words), DIRTY, `slot ${slot} of ${clean.length} at depth ${depth}`);
        }
        const accessed = leafWords(format, depth, contents(frame, shift));
        assert.equal(marks(accessed) & ACCESSED, format.format.accessed === 0n ? 0 : ACCESSED);
      }
    });
  });
}

/** Bits that allow hardware to mark an entry dirty (Arm DBM). */
function trackingBits({ format }: CompiledFormat): bigint {
  return format.dirty.value & format.dirty.mask & ~(format.dirtyMark ?? format.dirty.mask);
}

/** As software clears the dirty mark. */
function cleaned({ format }: CompiledFormat, word: bigint): bigint {
  const marks = format.dirtyMark ?? format.dirty.mask;
  return (word & ~marks) | (~format.dirty.value & marks);
}
