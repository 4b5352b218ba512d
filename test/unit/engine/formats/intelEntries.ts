/** What the tests of formats of nine-bit levels share. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { mask, type BitField } from '../../../../src/engine/bits/bitFields';
import { compileFormat, levelOf, type CompiledFormat } from '../../../../src/engine/formats/compile';
import {
  type EntryShape,
  type FormatHardware,
  type PageTableFormat,
} from '../../../../src/engine/formats/pageTableFormat';
import { classify, entryFrame, leafFrame } from '../../../../src/engine/pageTable/entry';
import { LEAF, MALFORMED, TABLE } from '../../../../src/engine/pageTable/entryClass';
import { entryProblems } from '../../../../src/engine/pageTable/entryProblems';

export const bit = (place: number): bigint => 1n << BigInt(place);
export const PAGE_SIZE = bit(7);

export const halves = (word: bigint): [lo: number, hi: number] => [
  Number(word & 0xffffffffn) | 0,
  Number(word >> 32n) | 0,
];

/** A format of five levels on some hardware. */
export class Tables {
  readonly format: CompiledFormat;

  constructor(format: PageTableFormat, hardware: FormatHardware = {}) {
    this.format = compileFormat(format, 5, hardware);
  }

  classOf(depth: number, word: bigint): number {
    return classify(this.format, levelOf(this.format, depth), ...halves(word));
  }

  problemsOf(depth: number, word: bigint): { code: string; high: number; low: number }[] {
    return entryProblems(this.format, depth, ...halves(word)).map(({ code, high, low }) => ({
      code,
      high,
      low,
    }));
  }
}

/** Every bit of both shapes at every level in exactly one field. */
export function assertLayouts({ levels, layout }: PageTableFormat): void {
  for (const level of levels) {
    for (const shape of ['table', 'leaf'] satisfies EntryShape[])
      assertCovers(layout(shape, level), `${level.entryName} ${shape}`);
  }
}

function assertCovers(layout: readonly BitField[], what: string): void {
  let seen = 0n;
  for (const { name, high, low } of layout) {
    assert.equal(seen & mask(high, low), 0n, `${what}: ${name} overlaps another field`);
    seen |= mask(high, low);
  }
  assert.equal(seen, mask(63, 0), `${what}: bits without a field`);
}

/** A good entry, and its reserved bits as the specification lists them. */
export interface ReservedCase {
  readonly depth: number;
  readonly shape: EntryShape;
  readonly word: bigint;
  readonly reserved: readonly number[];
  /** Bits that change what the entry is. */
  readonly own: readonly number[];
}

/** Each reserved bit alone faults and is told; no other bit is. */
export function assertReserved(tables: Tables, cases: readonly ReservedCase[]): void {
  for (const { depth, shape, word, reserved, own } of cases) {
    for (let flip = 0; flip < 64; flip++) {
      if (own.includes(flip)) continue;
      const what = `bit ${flip} of a ${shape} entry of level ${depth}`;
      const flipped = word ^ bit(flip);
      const good = shape === 'leaf' ? LEAF : TABLE;
      const wrong = reserved.includes(flip);
      assert.equal(tables.classOf(depth, flipped), wrong ? MALFORMED : good, what);
      assert.equal(tables.problemsOf(depth, flipped).length, wrong ? 1 : 0, what);
    }
  }
}

/** Addresses that were put into entries come out again: of tables, and of leaves of each size. */
export function assertRoundTrip(
  tables: Tables,
  table: (address: bigint) => bigint,
  leaf: (address: bigint, depth: number) => bigint,
): void {
  fc.assert(
    fc.property(
      fc.bigInt(0n, mask(39, 0)),
      fc.integer({ min: 2, max: 5 }),
      fc.integer({ min: 1, max: 3 }),
      (frame, depth, leafDepth) => {
        const word = table(frame << 12n);
        assert.equal(tables.classOf(depth, word), TABLE);
        assert.equal(BigInt(entryFrame(tables.format, ...halves(word))), frame);
        const aligned = frame & ~mask(9 * leafDepth, 0) & mask(39, 0);
        const page = leaf(aligned << 12n, leafDepth);
        assert.equal(tables.classOf(leafDepth, page), LEAF);
        const level = levelOf(tables.format, leafDepth);
        assert.equal(BigInt(leafFrame(tables.format, level, ...halves(page))), aligned);
      },
    ),
  );
}

/** Numbers from `low` to `high`, both included. */
export const range = (low: number, high: number): number[] =>
  Array.from({ length: high - low + 1 }, (_, index) => low + index);
