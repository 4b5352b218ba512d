/** What a cached translation says that memory does not say any more. */
import assert from 'node:assert/strict';
import { amdV1 } from '../../../../../src/engine/formats/amdV1';
import { compileFormat } from '../../../../../src/engine/formats/compile';
import { vtdSecondStage } from '../../../../../src/engine/formats/vtdSecondStage';
import { vtdFirstStage } from '../../../../../src/engine/formats/x8664';
import {
  rewalkIn,
  stalenessOf,
  type FreshTranslation,
} from '../../../../../src/engine/iommu/caches/staleness';
import { type CachedTranslation } from '../../../../../src/engine/iommu/caches/translationCache';
import { zeroExtended, type AddressSpace } from '../../../../../src/engine/pageTable/addressSpace';
import { NestedMemory } from '../../../../../src/engine/pageTable/nestedMemory';
import { domainId, frameNumber } from '../../../../../src/engine/values';
import { at, FrameMemory } from '../../../../builders/tables';
import { cached } from './cachedEntries';

const MARKS = { setsAccessed: true, setsDirty: true };
/** VT-d second stage: R, W, A and D (VT-d 4.1 §9.8), and a leaf of 2M. */
const RW = 0x3n;
const A = 0x100n;
const D = 0x200n;
const LARGE = 0x80n;

const GOOD: FreshTranslation = {
  ok: true,
  outputPage: 0x77,
  permission: 3,
  stage1Shift: 0,
  stage2Shift: 12,
  clean: false,
};
const ENTRY = cached({ page: 5, outputPage: 0x77 });

const whatOf = (
  entry: CachedTranslation,
  fresh: Partial<FreshTranslation>,
  isDevices = false,
): string | undefined =>
  stalenessOf(entry, () => ({ ...GOOD, ...fresh }) as FreshTranslation, isDevices)?.what;

describe('Staleness of a cached translation', () => {
  it('is none as long as memory says the same', () => {
    assert.equal(whatOf(ENTRY, {}), undefined);
    assert.equal(whatOf({ ...ENTRY, dirtyDone: false }, { clean: true }), undefined);
    assert.equal(whatOf({ ...ENTRY, permission: 1 }, { permission: 1, clean: true }), undefined);
  });

  it('is the worst difference that there is', () => {
    assert.equal(stalenessOf(ENTRY, () => ({ ok: false, fault: 'not-present' }))?.what, 'gone');
    assert.equal(whatOf(ENTRY, { outputPage: 0x78, permission: 1, clean: true }), 'moved');
    assert.equal(whatOf(ENTRY, { permission: 1, clean: true }), 'permission');
    assert.equal(whatOf({ ...ENTRY, permission: 1 }, {}), 'permission', 'memory allows more by now');
    assert.equal(whatOf(ENTRY, { clean: true, stage2Shift: 21 }), 'clean');
    assert.equal(whatOf(ENTRY, { stage2Shift: 21 }), 'size');
  });

  it('of a remembered refusal is that memory translates by now', () => {
    const refusal = cached({ page: 5, permission: 0, fault: 'not-present' });
    assert.equal(whatOf(refusal, {}), 'permission');
    assert.equal(
      stalenessOf(refusal, () => ({ ok: false, fault: 'write-denied' })),
      undefined,
    );
  });

  it('of a device is nothing that the device was not told: leaves may be larger, and allow more', () => {
    const held = { ...ENTRY, permission: 1 };
    assert.equal(whatOf(held, { stage2Shift: 21 }, true), undefined);
    assert.equal(whatOf({ ...ENTRY, shift: 21 }, {}, true), 'size');
    assert.equal(whatOf(ENTRY, { permission: 1 }, true), 'permission');
  });
});

describe('Walking a cached translation again', () => {
  function secondStage(): { readonly memory: FrameMemory; readonly space: AddressSpace } {
    const memory = new FrameMemory();
    for (const frame of [1, 2, 3]) memory.frame(frame);
    memory.set(1, 0, at(2) | RW);
    memory.set(2, 0, at(3) | RW);
    memory.set(3, 5, at(0x77) | RW | A | D);
    memory.set(2, 1, at(0x400) | RW | LARGE | A | D);
    const format = compileFormat(vtdSecondStage, 3, MARKS);
    const space: AddressSpace = {
      stage: 2,
      domainId: domainId(1),
      root: frameNumber(1),
      rootEntry: 0,
      format,
      ...zeroExtended(format.addressBits),
      memory,
      stage2: undefined,
    };
    return { memory, space };
  }

  const large = cached({ page: 0x200, shift: 21, outputPage: 0x400 });

  it('finds nothing stale in fresh entries, and changes nothing', () => {
    const { memory, space } = secondStage();
    const before = JSON.stringify([...memory.frames.values()].map((words) => [...words]));
    assert.equal(stalenessOf(ENTRY, rewalkIn(space)), undefined);
    assert.equal(stalenessOf(large, rewalkIn(space)), undefined);
    assert.equal(JSON.stringify([...memory.frames.values()].map((words) => [...words])), before);
  });

  it('sees each change of the leaf', () => {
    const changed = (index: number, word: bigint): string | undefined => {
      const { memory, space } = secondStage();
      memory.set(3, index, word);
      return stalenessOf(ENTRY, rewalkIn(space))?.what;
    };
    assert.equal(changed(5, 0n), 'gone');
    assert.equal(changed(5, at(0x78) | RW | A | D), 'moved');
    assert.equal(changed(5, at(0x77) | 1n | A | D), 'permission');
    assert.equal(changed(5, at(0x77) | RW | A), 'clean');
    assert.equal(changed(5, at(0x77) | RW | D), undefined, 'A is not what writes wait for');
    assert.equal(changed(6, 0n), undefined);
  });

  it('sees a large leaf split, and that the small ones are clean', () => {
    const { memory, space } = secondStage();
    memory.frame(4);
    for (let index = 0; index < 512; index++) memory.set(4, index, at(0x400 + index) | RW | A | D);
    memory.set(2, 1, at(4) | RW);
    assert.deepEqual(stalenessOf(large, rewalkIn(space)), {
      what: 'size',
      says: 'Memory maps it by a leaf of 4K now.',
    });
    memory.set(4, 0, at(0x400) | RW | A);
    assert.equal(stalenessOf(large, rewalkIn(space))?.what, 'clean');
  });

  it('takes off what the entry of the device takes off', () => {
    const { space } = secondStage();
    assert.equal(stalenessOf({ ...ENTRY, permission: 1 }, rewalkIn(space, 1)), undefined);
    assert.equal(stalenessOf(ENTRY, rewalkIn(space, 1))?.what, 'permission');
  });

  it('without marks by hardware does not call an entry clean', () => {
    const { memory, space } = secondStage();
    memory.set(3, 5, at(0x77) | RW);
    const unmarked = { ...space, format: compileFormat(vtdSecondStage, 3, {}) };
    assert.equal(stalenessOf(ENTRY, rewalkIn(unmarked)), undefined);
  });

  it('looks at every copy of a leaf: hardware may have marked any of them', () => {
    const memory = new FrameMemory();
    for (const frame of [1, 2]) memory.frame(frame);
    const [IR, IW] = [1n << 61n, 1n << 62n];
    memory.set(1, 0, at(2) | IR | IW | (1n << 9n) | 1n);
    // Eight entries of 32K: next level 7, its lowest clear address bit is bit 14. A and D are bits 5 and 6.
    const word = at(0x8003) | IR | IW | (7n << 9n) | 1n | 0x20n;
    for (let index = 8; index < 16; index++) memory.set(2, index, index === 11 ? word | 0x40n : word);
    const format = compileFormat(amdV1, 2, MARKS);
    const space: AddressSpace = {
      ...secondStage().space,
      format,
      memory,
      ...zeroExtended(format.addressBits),
    };
    const entry = cached({ page: 8, shift: 15, outputPage: 0x8000 });
    assert.equal(stalenessOf(entry, rewalkIn(space)), undefined);
    memory.set(2, 11, word);
    assert.equal(stalenessOf(entry, rewalkIn(space))?.what, 'clean');
  });

  it('of two stages sees both leaves', () => {
    const { memory, space: below } = secondStage();
    memory.frame(4);
    memory.set(2, 0, at(3) | RW);
    // Guest frames 0x10 to 0x13 are tables of stage 1, guest page 5 is its data.
    for (let index = 0; index < 4; index++) {
      memory.frame(0x50 + index);
      memory.set(3, 0x10 + index, at(0x50 + index) | RW | A | D);
      memory.set(0x50 + index, index === 3 ? 7 : 0, at(index === 3 ? 5 : 0x11 + index) | 0x67n);
    }
    const format = compileFormat(vtdFirstStage, 4, MARKS);
    const space: AddressSpace = {
      ...below,
      stage: 1,
      root: frameNumber(0x10),
      format,
      ...zeroExtended(format.addressBits),
      memory: new NestedMemory(memory, below),
      stage2: below,
    };
    const entry = cached({ space: 0, page: 7, outputPage: 0x77, stage2Shift: 12, guestPage: 5 });
    assert.equal(stalenessOf(entry, rewalkIn(space)), undefined);
    memory.set(3, 5, at(0x77) | RW | A);
    assert.equal(stalenessOf(entry, rewalkIn(space))?.what, 'clean', 'in stage 2');
    memory.set(3, 5, at(0x77) | RW | A | D);
    memory.set(0x53, 7, at(5) | 0x27n);
    assert.equal(stalenessOf(entry, rewalkIn(space))?.what, 'clean', 'in stage 1');
    memory.set(3, 0x12, 0n);
    assert.equal(stalenessOf(entry, rewalkIn(space))?.what, 'gone');
  });
});
