import assert from 'node:assert/strict';
import { decodeFields } from '../../../../src/engine/bits/bitFields';
import { levelOf } from '../../../../src/engine/formats/compile';
import { type FormatHardware, type PageTableFormat } from '../../../../src/engine/formats/pageTableFormat';
import { amdV2, vtdFirstStage } from '../../../../src/engine/formats/x8664';
import { entryPermission } from '../../../../src/engine/pageTable/entry';
import { isAccessed, isDirty } from '../../../../src/engine/pageTable/marks';
import {
  ABSENT,
  LEAF,
  MALFORMED,
  READ,
  READ_WRITE,
  TABLE,
} from '../../../../src/engine/pageTable/entryClass';
import {
  assertLayouts,
  assertReserved,
  assertRoundTrip,
  bit,
  halves,
  PAGE_SIZE,
  range,
  Tables,
  type ReservedCase,
} from './intelEntries';

const FORMATS = [vtdFirstStage, amdV2];
const RWU = 7n;
const TARGET = 0x12_4000_0000n;

/** Intel SDM 3A 5.5.4, AMD APM 2 5.3: what both reserve. `root`: reserved in entries of levels 4 and 5. */
const casesOf = (root: readonly number[]): ReservedCase[] => [
  ...[4, 5].map((depth) => ({
    depth,
    shape: 'table' as const,
    word: TARGET | RWU,
    reserved: root,
    own: [0],
  })),
  ...[2, 3].map((depth) => ({
    depth,
    shape: 'table' as const,
    word: TARGET | RWU,
    reserved: [],
    own: [0, 7],
  })),
  { depth: 3, shape: 'leaf', word: TARGET | RWU | PAGE_SIZE, reserved: range(13, 29), own: [0, 7] },
  { depth: 2, shape: 'leaf', word: TARGET | RWU | PAGE_SIZE, reserved: range(13, 20), own: [0, 7] },
  { depth: 1, shape: 'leaf', word: TARGET | RWU, reserved: [], own: [0] },
];

const permissionOf = (format: PageTableFormat, hardware: FormatHardware, word: bigint): number =>
  entryPermission(new Tables(format, hardware).format, LEAF, ...halves(word));

describe('x86-64 page tables', () => {
  for (const format of FORMATS) {
    it(`have a field for every bit of a ${format.title} entry, once`, () => {
      assertLayouts(format);
    });

    it(`give back the addresses that ${format.title} entries hold`, () => {
      const leaf = (address: bigint, depth: number) => address | RWU | (depth > 1 ? PAGE_SIZE : 0n);
      assertRoundTrip(new Tables(format), (address) => address | RWU, leaf);
    });

    it(`read and write by R/W and U/S of ${format.title}, and need no U/S when privileged`, () => {
      assert.equal(permissionOf(format, {}, 7n), READ_WRITE);
      assert.equal(permissionOf(format, {}, 5n), READ);
      assert.equal(permissionOf(format, {}, 3n), 0);
      assert.equal(permissionOf(format, { privileged: true }, 3n), READ_WRITE);
      assert.equal(permissionOf(format, { privileged: true }, 1n), READ);
      const unprotected = { privileged: true, features: { writeProtect: false } };
      assert.equal(permissionOf(format, unprotected, 1n), READ_WRITE);
    });

    it(`reserve the address bits of ${format.title} that the hardware has not`, () => {
      const tables = new Tables(format, { outputBits: 46 });
      for (const [depth, word] of [
        [4, TARGET | RWU],
        [3, TARGET | RWU | PAGE_SIZE],
        [1, TARGET | RWU],
      ] as const) {
        assert.notEqual(tables.classOf(depth, word | bit(45)), MALFORMED);
        for (const high of range(46, 51)) assert.equal(tables.classOf(depth, word | bit(high)), MALFORMED);
      }
    });

    it(`reserve PS of ${format.title} where a size is not supported`, () => {
      const tables = new Tables(format, { largePages: new Set([2 ** 21]) });
      assert.equal(tables.classOf(2, TARGET | RWU | PAGE_SIZE), LEAF);
      assert.equal(tables.classOf(3, TARGET | RWU | PAGE_SIZE), MALFORMED);
      assert.deepEqual(tables.problemsOf(3, TARGET | RWU | PAGE_SIZE), [
        { code: 'entry/not-supported', high: 7, low: 7 },
      ]);
    });

    it(`name a ${format.title} leaf that is not aligned to its size`, () => {
      const misaligned = { code: 'entry/misaligned-leaf', high: 20, low: 13 };
      assert.deepEqual(new Tables(format).problemsOf(2, 0x20_4000n | RWU | PAGE_SIZE), [misaligned]);
    });
  }

  it('fault for each reserved bit of a VT-d first-stage entry, and for no other bit', () => {
    assertReserved(new Tables(vtdFirstStage), casesOf([7]));
  });

  it('fault for each reserved bit of an AMD v2 entry, and for no other bit', () => {
    assertReserved(new Tables(amdV2), casesOf([7, 8]));
  });

  it('reserve NX where AMD hardware has it not, and never where VT-d ignores it', () => {
    const without = { features: { executeDisable: false } };
    assert.equal(new Tables(amdV2, without).classOf(1, TARGET | RWU | bit(63)), MALFORMED);
    assert.equal(new Tables(amdV2, without).classOf(4, TARGET | RWU | bit(63)), MALFORMED);
    assert.equal(new Tables(amdV2).classOf(1, TARGET | RWU | bit(63)), LEAF);
    assert.equal(new Tables(vtdFirstStage, without).classOf(1, TARGET | RWU | bit(63)), LEAF);
  });

  it('decode the words of real first-stage tables', () => {
    // Linux 6.12 and 6.1: a 4K leaf, a pointer, a read-only leaf, a 2M leaf with XD.
    const tables = new Tables(vtdFirstStage);
    const { format } = tables;
    const leaf = 0x150660067n;
    assert.equal(tables.classOf(1, leaf), LEAF);
    assert.ok(isAccessed(format, ...halves(leaf)) && isDirty(format, ...halves(leaf)));
    const told = decodeFields(leaf, vtdFirstStage.layout('leaf', levelOf(format, 1).rule));
    assert.deepEqual(
      told.filter(({ value }) => value !== 0n).map(({ name, meaning }) => `${name}: ${meaning}`),
      [
        'ADDR: page at 0x150660000',
        'D: dirty',
        'A: accessed',
        'U/S: user and supervisor requests',
        'R/W: writes allowed',
        'P: present',
      ],
    );
    assert.equal(tables.classOf(2, 0x148dd6027n), TABLE);
    assert.equal(entryPermission(format, LEAF, ...halves(0x150660025n)), READ);
    assert.equal(tables.classOf(2, 0x80000001524000e7n), LEAF);
    assert.equal(tables.classOf(1, 0x150660066n), ABSENT);
  });
});
