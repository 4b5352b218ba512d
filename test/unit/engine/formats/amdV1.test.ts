import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeFields, mask, type BitField } from '../../../../src/engine/bits/bitFields';
import { amdV1 } from '../../../../src/engine/formats/amdV1';
import { compileFormat, levelOf } from '../../../../src/engine/formats/compile';
import { type EntryShape } from '../../../../src/engine/formats/pageTableFormat';
import {
  classify,
  entryFrame,
  entryPermission,
  leafFrame,
  nextDepth,
  pageShift,
} from '../../../../src/engine/pageTable/entry';
import { isAccessed, isDirty } from '../../../../src/engine/pageTable/marks';
import { ABSENT, LEAF, MALFORMED, READ, TABLE, WRITE } from '../../../../src/engine/pageTable/entryClass';
import { entryProblems } from '../../../../src/engine/pageTable/entryProblems';

const bit = (place: number): bigint => 1n << BigInt(place);
const PR = bit(0);
const RW = bit(61) | bit(62);
const SIX = compileFormat(amdV1, 6, {});

const halves = (word: bigint): [lo: number, hi: number] => [
  Number(word & 0xffffffffn) | 0,
  Number(word >> 32n) | 0,
];
const classOf = (depth: number, word: bigint): number => classify(SIX, levelOf(SIX, depth), ...halves(word));
const nextLevel = (level: number): bigint => BigInt(level) << 9n;

/** A leaf with NextLevel 7: the address with ones from bit 12 up, so many that the lowest clear bit is log2 - 1. */
const sized = (address: bigint, log2: number): bigint =>
  address | (log2 > 13 ? mask(log2 - 2, 12) : 0n) | nextLevel(7) | RW | PR;

function assertCovers(layout: readonly BitField[], what: string): void {
  let seen = 0n;
  for (const { name, high, low } of layout) {
    assert.equal(seen & mask(high, low), 0n, `${what}: ${name} overlaps another field`);
    seen |= mask(high, low);
  }
  assert.equal(seen, mask(63, 0), `${what}: bits without a field`);
}

const SHAPES: readonly EntryShape[] = ['table', 'leaf'];

describe('AMD v1 host tables', () => {
  it('have a field for every bit of an AMD v1 entry, once', () => {
    for (const level of amdV1.levels)
      for (const shape of SHAPES) assertCovers(amdV1.layout(shape, level), `${level.entryName} ${shape}`);
  });

  it('fault for each reserved bit of an AMD v1 entry, and for no other bit', () => {
    // AMD 48882 3.10, page directory entry: 60:52 reserved; page translation entry: 56:52.
    const cases = [
      { shape: 'table', high: 60, word: nextLevel(1) | RW | PR, depth: 2, good: TABLE },
      { shape: 'leaf', high: 56, word: RW | PR, depth: 1, good: LEAF },
    ] as const;
    const own = new Set([0, 9, 10, 11]);
    for (const { shape, high, word, depth, good } of cases) {
      for (let flip = 0; flip < 64; flip++) {
        if (own.has(flip)) continue;
        const reserved = flip >= 52 && flip <= high;
        const what = `bit ${flip} of a ${shape} entry`;
        assert.equal(classOf(depth, word ^ bit(flip)), reserved ? MALFORMED : good, what);
        const problems = entryProblems(SIX, depth, ...halves(word ^ bit(flip)));
        assert.deepEqual(
          problems.map(({ code }) => code),
          reserved ? ['entry/reserved-bits'] : [],
          what,
        );
      }
    }
  });

  it('decode the words of a real AMD guest', () => {
    // From a Linux 6.1 guest: a pointer of level 3, a 4K leaf for writes, a 16K page and an 8M page.
    const pointer = 0x600000014fb96401n;
    assert.equal(classOf(3, pointer), TABLE);
    assert.equal(nextDepth(SIX, levelOf(SIX, 3), halves(pointer)[0]), 2);
    assert.equal(entryFrame(SIX, ...halves(pointer)), 0x14fb96);
    const leaf = 0x500000014d9a1001n;
    assert.equal(classOf(1, leaf), LEAF);
    assert.equal(entryPermission(SIX, LEAF, ...halves(leaf)), WRITE);
    assert.equal(leafFrame(SIX, levelOf(SIX, 1), ...halves(leaf)), 0x14d9a1);
    const small = 0x700000014dc05e01n;
    assert.equal(pageShift(SIX, levelOf(SIX, 1), ...halves(small)), 14);
    assert.equal(leafFrame(SIX, levelOf(SIX, 1), ...halves(small)), 0x14dc04);
    const large = 0x70000001523ffe01n;
    assert.equal(pageShift(SIX, levelOf(SIX, 2), ...halves(large)), 23);
    assert.equal(leafFrame(SIX, levelOf(SIX, 2), ...halves(large)), 0x152000);
    const names = decodeFields(leaf, amdV1.layout('leaf', levelOf(SIX, 1).rule))
      .filter(({ value }) => value !== 0n)
      .map(({ name, meaning }) => `${name}: ${meaning}`);
    assert.deepEqual(names, [
      'IW: writes allowed',
      'FC: always coherent',
      'Page Address: page (and, with NextLevel 7, its size) at 0x14d9a1000',
      'PR: present',
    ]);
  });

  it('take an AMD page of any size that its level allows, by NextLevel 7', () => {
    const largest = [0, 20, 29, 38, 47, 51];
    for (let depth = 1; depth <= 5; depth++) {
      const level = levelOf(SIX, depth);
      for (let log2 = 13; log2 <= 51; log2++) {
        const word = sized(log2 < 51 ? bit(51) : 0n, log2);
        const fits = log2 > level.shift && log2 <= (largest[depth] ?? 0);
        assert.equal(classOf(depth, word), fits ? LEAF : MALFORMED, `2^${log2} at level ${depth}`);
        if (!fits) continue;
        assert.equal(pageShift(SIX, level, ...halves(word)), log2);
        assert.equal(leafFrame(SIX, level, ...halves(word)), log2 < 51 ? 2 ** 39 : 0);
      }
    }
  });

  it('take a leaf with NextLevel 0 as a page of the size of its level, in no AMD level-6 table', () => {
    const word = bit(51) | RW | PR;
    for (let depth = 1; depth <= 5; depth++) {
      assert.equal(classOf(depth, word), LEAF);
      assert.equal(pageShift(SIX, levelOf(SIX, depth), ...halves(word)), 3 + 9 * depth);
    }
    assert.equal(classOf(6, word), MALFORMED);
    assert.equal(classOf(6, word | nextLevel(7)), MALFORMED);
  });

  it('need an AMD next level that is below their own', () => {
    for (let depth = 1; depth <= 6; depth++) {
      for (let next = 1; next <= 6; next++) {
        const word = RW | PR | nextLevel(next);
        assert.equal(classOf(depth, word), next < depth ? TABLE : MALFORMED, `${next} at level ${depth}`);
        const codes = entryProblems(SIX, depth, ...halves(word)).map(({ code }) => code);
        assert.deepEqual(codes, next < depth ? [] : ['entry/next-level']);
      }
    }
  });

  it('warn of AMD pages that hardware takes and software should not use', () => {
    const codes = (depth: number, word: bigint) =>
      entryProblems(SIX, depth, ...halves(word)).map(({ code, severity }) => ({ code, severity }));
    assert.deepEqual(codes(2, bit(30) | bit(12) | RW | PR), [
      { code: 'entry/misaligned-leaf', severity: 'warning' },
    ]);
    assert.deepEqual(codes(4, bit(40) | RW | PR), [{ code: 'entry/512g-page', severity: 'warning' }]);
    assert.deepEqual(codes(2, sized(bit(30), 21)), [{ code: 'entry/size-code', severity: 'error' }]);
    assert.deepEqual(codes(2, sized(bit(30), 13)), [{ code: 'entry/page-size', severity: 'error' }]);
    // A write-only page is as good as any other.
    assert.deepEqual(codes(1, bit(30) | bit(62) | PR), []);
  });

  it('give the fields that an AMD entry was made of', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.bigInt({ min: 0n, max: mask(39, 0) }),
        fc.nat(31),
        (depth, page, flags) => {
          const level = levelOf(SIX, depth);
          const frame = (page >> BigInt(9 * (depth - 1))) << BigInt(9 * (depth - 1));
          const has = (place: number): bigint => BigInt((flags >> place) & 1);
          const [read, write, accessed, dirty, present] = [has(0), has(1), has(2), has(3), has(4)];
          const word =
            (frame << 12n) | present | (accessed << 5n) | (dirty << 6n) | (read << 61n) | (write << 62n);
          const [lo, hi] = halves(word);
          assert.equal(classify(SIX, level, lo, hi), present === 1n ? LEAF : ABSENT);
          assert.equal(BigInt(leafFrame(SIX, level, lo, hi)), frame);
          assert.equal(entryPermission(SIX, LEAF, lo, hi), Number(read) * READ + Number(write) * WRITE);
          assert.equal(isAccessed(SIX, lo, hi), accessed === 1n);
          assert.equal(isDirty(SIX, lo, hi), dirty === 1n);
          const fields = decodeFields(word, amdV1.layout('leaf', level.rule));
          const put = fields.reduce((all, field) => all | (field.value << BigInt(field.low)), 0n);
          assert.equal(put, word);
        },
      ),
    );
  });

  it('leave an encryption bit out of an AMD address', () => {
    const encrypted = compileFormat(amdV1, 3, { notAddress: bit(47) });
    const word = bit(47) | 0x14d9a1000n | RW | PR;
    assert.equal(leafFrame(encrypted, levelOf(encrypted, 1), ...halves(word)), 0x14d9a1);
    const pointer = bit(47) | 0x14d9a1000n | nextLevel(1) | RW | PR;
    assert.equal(entryFrame(encrypted, ...halves(pointer)), 0x14d9a1);
    assert.equal(leafFrame(SIX, levelOf(SIX, 1), ...halves(word)), 2 ** 35 + 0x14d9a1);
  });
});
