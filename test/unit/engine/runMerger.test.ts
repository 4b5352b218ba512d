import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compileFormat, levelOf } from '../../../src/engine/formats/compile';
import { vtdSecondStage } from '../../../src/engine/formats/vtdSecondStage';
import { classify, entryFrame, entryPermission } from '../../../src/engine/pageTable/entry';
import { LEAF } from '../../../src/engine/pageTable/entryClass';
import { ACCESSED, DIRTY } from '../../../src/engine/pageTable/runColumns';
import { RunMerger, type Page } from '../../../src/engine/pageTable/runMerger';

const format = compileFormat(vtdSecondStage, 3, {});
const level = levelOf(format, 1);

/** Stretches of neighbours that begin shortly below 4 GiB of physical address, or 16 TiB, with holes between. */
const entries = fc
  .array(
    fc.record({
      frame: fc.constantFrom(0xffffen, 0xfffffn, 0x100000n, 0xfffffffen, 5n),
      bits: fc.constantFrom(0n, 1n, 3n, 3n, 0x103n, 0x8000_0000_0000_0003n),
      length: fc.integer({ min: 1, max: 5 }),
    }),
    { maxLength: 12 },
  )
  .map((runs) =>
    runs.flatMap(({ frame, bits, length }) =>
      Array.from({ length }, (_, index) => (bits === 0n ? 0n : ((frame + BigInt(index)) << 12n) | bits)),
    ),
  );

interface Table {
  readonly words: Uint32Array;
  readonly count: number;
  /** What leads to the table allows. */
  readonly above: number;
}

const table: fc.Arbitrary<Table> = fc.tuple(entries, fc.constantFrom(3, 3, 3, 1)).map(([list, above]) => {
  const words = new Uint32Array(2 * list.length);
  list.forEach((entry, index) => {
    words[2 * index] = Number(entry & 0xffffffffn);
    words[2 * index + 1] = Number(entry >> 32n);
  });
  return { words, count: list.length, above };
});

/** Leaf by leaf: what a run is, in the plainest way. */
function oneByOne(tables: readonly Table[], limit: number): RunMerger {
  const merger = new RunMerger(format, limit);
  let page = 0;
  for (const { words, count, above } of tables) {
    for (let index = 0; index < count; index++, page++) {
      const lo = words[2 * index] ?? 0;
      const hi = words[2 * index + 1] ?? 0;
      if (classify(format, level, lo, hi) !== LEAF) merger.close();
      else {
        const leaf: Page = {
          level,
          page,
          shift: 12,
          lo,
          hi,
          marks: Number((lo & 0x100) !== 0) * ACCESSED + Number((lo & 0x200) !== 0) * DIRTY,
          permission: above & entryPermission(format, LEAF, lo, hi),
          entryAddress: 8 * page,
          frame: entryFrame(format, lo, hi),
        };
        if (!merger.add(leaf)) return merger;
      }
    }
  }
  merger.close();
  return merger;
}

/** In stretches, broken at odd places. */
function inStretches(tables: readonly Table[], limit: number, step: number): RunMerger {
  const merger = new RunMerger(format, limit);
  let page = 0;
  for (const { words, count, above } of tables) {
    for (let index = 0; index < count;) {
      const to = Math.min(count, index + step);
      const place = { page: page + index, address: 8 * (page + index), permission: above };
      const taken = merger.addLeaves(level, { words, from: index, to, ...place });
      if (merger.full) return merger;
      if (taken < to) merger.close();
      index = taken < to ? taken + 1 : taken;
    }
    page += count;
  }
  merger.close();
  return merger;
}

function rowsOf({ columns }: RunMerger): unknown[] {
  return Array.from({ length: columns.length }, (_, row) => [
    columns.page[row],
    columns.count[row],
    columns.frame[row],
    columns.entryAddress[row],
    columns.lo[row],
    columns.hi[row],
    columns.depthOf(row),
    columns.pageShiftOf(row),
    columns.marksOf(row),
    columns.permissionOf(row),
  ]);
}

describe('merged runs', () => {
  it('are the same in stretches as leaf by leaf', () => {
    const property = fc.property(
      fc.array(table, { maxLength: 4 }),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 20 }),
      (tables, limit, step) => {
        const plain = oneByOne(tables, limit);
        const merged = inStretches(tables, limit, step);
        assert.deepEqual(rowsOf(merged), rowsOf(plain));
        assert.equal(merged.full, plain.full);
      },
    );
    fc.assert(property, { numRuns: 2000 });
  });

  it('go on over 4 GiB of physical address and over the end of a table', () => {
    const words = new Uint32Array([0xffff_f003, 0, 0x0000_0003, 1, 0x0000_1003, 1]);
    const tables = [
      { words, count: 3, above: 3 },
      { words: new Uint32Array([0x2003, 1]), count: 1, above: 3 },
    ];
    assert.deepEqual(rowsOf(inStretches(tables, 9, 9)), [[0, 4, 0xfffff, 0, 0xffff_f003, 0, 1, 12, 0, 3]]);
    const less = inStretches(
      [
        { words, count: 3, above: 3 },
        { words: new Uint32Array([0x2003, 1]), count: 1, above: 1 },
      ],
      9,
      9,
    );
    assert.deepEqual(rowsOf(less).length, 2);
  });
});
