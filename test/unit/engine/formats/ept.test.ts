import assert from 'node:assert/strict';
import { ept } from '../../../../src/engine/formats/ept';
import { entryPermission } from '../../../../src/engine/pageTable/entry';
import { ABSENT, LEAF, MALFORMED, READ, READ_WRITE } from '../../../../src/engine/pageTable/entryClass';
import {
  assertLayouts,
  assertReserved,
  assertRoundTrip,
  bit,
  halves,
  PAGE_SIZE,
  range,
  Tables,
} from './intelEntries';

const RWX = 7n;
const WRITE_BACK = 6n << 3n;
const TARGET = 0x12_4000_0000n;
const TABLES = new Tables(ept);

describe('EPT', () => {
  it('has a field for every bit of an EPT entry, once', () => {
    assertLayouts(ept);
  });

  it('gives back the addresses that EPT entries hold', () => {
    const leaf = (address: bigint, depth: number) =>
      address | RWX | WRITE_BACK | (depth > 1 ? PAGE_SIZE : 0n);
    assertRoundTrip(TABLES, (address) => address | RWX, leaf);
  });

  it('is misconfigured by each reserved bit of an EPT entry, and by no other bit', () => {
    // SDM 3C 29.3.2. Bit 0 makes W without R; the bits of the memory type have a test of their own.
    const leaf = { shape: 'leaf' as const, own: [0, 3, 4, 5, 7] };
    const table = { shape: 'table' as const, word: TARGET | RWX };
    assertReserved(TABLES, [
      ...[4, 5].map((depth) => ({ ...table, depth, reserved: range(3, 7), own: [0] })),
      ...[2, 3].map((depth) => ({ ...table, depth, reserved: range(3, 6), own: [0, 7] })),
      { ...leaf, depth: 3, word: TARGET | RWX | WRITE_BACK | PAGE_SIZE, reserved: range(12, 29) },
      { ...leaf, depth: 2, word: TARGET | RWX | WRITE_BACK | PAGE_SIZE, reserved: range(12, 20) },
      { ...leaf, depth: 1, word: TARGET | RWX | WRITE_BACK, reserved: [] },
    ]);
  });

  it('is misconfigured by W without R, by reserved memory types, and by X alone where that is not supported', () => {
    const problem = (code: string, high: number, low: number) => [{ code, high, low }];
    for (const depth of range(1, 5)) {
      for (const rights of [2n, 6n]) {
        const word = TARGET | rights;
        assert.equal(TABLES.classOf(depth, word), MALFORMED);
        assert.deepEqual(TABLES.problemsOf(depth, word), problem('entry/write-only', 1, 0));
      }
    }
    for (const type of range(0, 7)) {
      const word = TARGET | RWX | (BigInt(type) << 3n);
      const reserved = [2, 3, 7].includes(type);
      assert.equal(TABLES.classOf(1, word), reserved ? MALFORMED : LEAF, `memory type ${type}`);
      assert.deepEqual(TABLES.problemsOf(1, word), reserved ? problem('entry/memory-type', 5, 3) : []);
    }
    const executeOnly = TARGET | 4n | WRITE_BACK;
    assert.equal(TABLES.classOf(1, executeOnly), LEAF);
    const without = new Tables(ept, { features: { executeOnly: false } });
    assert.deepEqual(without.problemsOf(1, executeOnly), problem('entry/execute-only', 2, 0));
    assert.equal(without.classOf(1, TARGET | 5n | WRITE_BACK), LEAF);
  });

  it('reads and writes by R and W, and is not present without R, W and X', () => {
    const permission = (rights: bigint) =>
      entryPermission(TABLES.format, LEAF, ...halves(TARGET | WRITE_BACK | rights));
    assert.deepEqual([3n, 1n, 5n, 4n].map(permission), [READ_WRITE, READ, READ, 0]);
    assert.equal(TABLES.classOf(1, TARGET | WRITE_BACK), ABSENT);
  });

  it('reserves address bits and page sizes that the processor has not', () => {
    const tables = new Tables(ept, { outputBits: 46, largePages: new Set([2 ** 21]) });
    assert.equal(tables.classOf(4, TARGET | RWX | bit(46)), MALFORMED);
    assert.equal(tables.classOf(2, TARGET | RWX | WRITE_BACK | PAGE_SIZE | bit(51)), MALFORMED);
    assert.equal(tables.classOf(2, TARGET | RWX | WRITE_BACK | PAGE_SIZE | bit(45)), LEAF);
    assert.equal(tables.classOf(3, TARGET | RWX | WRITE_BACK | PAGE_SIZE), MALFORMED);
  });
});
