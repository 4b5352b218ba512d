import assert from 'node:assert/strict';
import { vtdSecondStage, vtdSecondStageIo } from '../../../../src/engine/formats/vtdSecondStage';
import { entryPermission } from '../../../../src/engine/pageTable/entry';
import { isAccessed, isDirty } from '../../../../src/engine/pageTable/marks';
import {
  ABSENT,
  LEAF,
  MALFORMED,
  READ,
  READ_WRITE,
  WRITE,
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
} from './intelEntries';

const RW = 3n;
const TARGET = 0x12_4000_0000n;

describe('VT-d second-stage tables', () => {
  it('have a field for every bit of a second-stage entry, once', () => {
    assertLayouts(vtdSecondStage);
    assertLayouts(vtdSecondStageIo);
  });

  it('give back the addresses that second-stage entries hold', () => {
    const leaf = (address: bigint, depth: number) => address | RW | (depth > 1 ? PAGE_SIZE : 0n);
    assertRoundTrip(new Tables(vtdSecondStage), (address) => address | RW, leaf);
  });

  it('fault for each reserved bit of a second-stage entry, and for no other bit', () => {
    // VT-d 4.1 9.8, of a unit without snoop control and device TLB: bits 11 and 62 of leaves are reserved.
    const hardware = { features: { snoopControl: false, deviceTlb: false } };
    const table = { shape: 'table' as const, word: TARGET | RW };
    const leaf = { shape: 'leaf' as const, word: TARGET | RW | PAGE_SIZE, own: [7] };
    assertReserved(new Tables(vtdSecondStage, hardware), [
      ...[4, 5].map((depth) => ({ ...table, depth, reserved: [7, 11, 62], own: [] })),
      ...[2, 3].map((depth) => ({ ...table, depth, reserved: [11, 62], own: [7] })),
      { ...leaf, depth: 3, reserved: [11, ...range(12, 29), 62] },
      { ...leaf, depth: 2, reserved: [11, ...range(12, 20), 62] },
      { ...leaf, depth: 1, word: TARGET | RW, reserved: [11, 62], own: [] },
    ]);
    const snooping = new Tables(vtdSecondStage, { features: { snoopControl: true, deviceTlb: true } });
    assert.equal(snooping.classOf(1, TARGET | RW | bit(11) | bit(62)), LEAF);
    assert.equal(snooping.classOf(2, TARGET | RW | bit(11)), MALFORMED);
  });

  it('reserve no bit for I/O permissions, and read and write by them where they are on', () => {
    const ioRead = bit(61);
    const ioWrite = bit(62);
    const tables = new Tables(vtdSecondStageIo, { features: { snoopControl: false, deviceTlb: false } });
    const table = { depth: 4, shape: 'table' as const, word: TARGET | ioRead | ioWrite };
    const leaf = { depth: 1, shape: 'leaf' as const, word: TARGET | ioRead | ioWrite };
    assertReserved(tables, [
      { ...table, reserved: [7, 11], own: [] },
      { ...leaf, reserved: [11], own: [] },
    ]);
    const permission = (word: bigint) => entryPermission(tables.format, LEAF, ...halves(word));
    assert.deepEqual([ioRead, ioWrite, ioRead | ioWrite | RW].map(permission), [READ, WRITE, READ_WRITE]);
    assert.equal(tables.classOf(1, TARGET | RW), ABSENT);
  });

  it('read by R and write by W, and tell A and D', () => {
    const { format } = new Tables(vtdSecondStage);
    const permission = (word: bigint) => entryPermission(format, LEAF, ...halves(TARGET | word));
    assert.deepEqual([3n, 1n, 2n].map(permission), [READ_WRITE, READ, WRITE]);
    assert.deepEqual(
      [0n, bit(8), bit(9)].map((word) => [
        isAccessed(format, ...halves(word)),
        isDirty(format, ...halves(word)),
      ]),
      [
        [false, false],
        [true, false],
        [false, true],
      ],
    );
  });
});
