/** Which of several things wrong with a leaf a request is refused for. */
import assert from 'node:assert/strict';
import { armFormat } from '../../../src/engine/formats/arm';
import { compileFormat, type CompiledFormat } from '../../../src/engine/formats/compile';
import { sv39x4 } from '../../../src/engine/formats/riscv';
import { zeroExtended, type AddressSpace } from '../../../src/engine/pageTable/addressSpace';
import { domainId, frameNumber } from '../../../src/engine/values';
import { FrameMemory } from '../../builders/tables';
import { answersOf } from './bothWays';

/** One table, of these leaves. */
function oneTable(format: CompiledFormat, words: readonly bigint[]): AddressSpace {
  const memory = new FrameMemory();
  for (let frame = 16; frame < 20; frame++) memory.frame(frame);
  words.forEach((word, index) => {
    memory.set(16, index, word);
  });
  return {
    stage: 2,
    domainId: domainId(1),
    root: frameNumber(16),
    rootEntry: 0,
    format,
    ...zeroExtended(format.addressBits),
    memory,
    stage2: undefined,
  };
}

/** Of a read and of a write, for each leaf. */
function faults(space: AddressSpace, leaves: number): string[][] {
  return Array.from({ length: leaves }, (_, index) =>
    answersOf(
      space,
      [false, true].map((write) => ({ address: BigInt(index) << 12n, write })),
    ).map((answer) => answer.replace(/,.*/, '')),
  );
}

const ACCESS = 'address-size';

describe('a leaf that leads beyond the physical addresses', () => {
  it('of RISC-V faults for its permission first, then for A and D: a page fault before an access fault', () => {
    // Privileged 20211203 §4.3.2: steps 5 and 7, and the access itself comes after step 8.
    const beyond = 1n << (40n - 2n);
    const V = 1n;
    const [R, W, U, A, D] = [2n, 4n, 16n, 64n, 128n];
    const format = compileFormat(sv39x4, 1, { outputBits: 40 });
    const leaf = (bits: bigint): bigint => beyond | V | bits;
    const space = oneTable(format, [
      leaf(R | W | A | D),
      leaf(R | A | D | U),
      leaf(R | W | U),
      leaf(R | W | U | A),
      leaf(R | W | U | A | D),
      leaf(R | U),
    ]);
    assert.deepEqual(faults(space, 6), [
      ['read-denied', 'write-denied'],
      [ACCESS, 'write-denied'],
      ['access-flag', 'access-flag'],
      [ACCESS, 'dirty-flag'],
      [ACCESS, ACCESS],
      ['access-flag', 'write-denied'],
    ]);
  });

  it('of Arm faults for that first, then for its access flag, then for its permission', () => {
    // DDI 0487 D8.15.
    const format = compileFormat(armFormat(2, '4K', '48'), 1, { outputBits: 40 });
    const [AF, READ, WRITE] = [1n << 10n, 1n << 6n, 1n << 7n];
    const beyond = 1n << 40n;
    const space = oneTable(format, [
      3n | beyond,
      3n | beyond | AF,
      3n | READ | WRITE,
      3n,
      3n | AF,
      3n | AF | READ,
      3n | beyond | AF | READ | WRITE,
    ]);
    assert.deepEqual(faults(space, 7), [
      [ACCESS, ACCESS],
      [ACCESS, ACCESS],
      ['access-flag', 'access-flag'],
      ['access-flag', 'access-flag'],
      ['read-denied', 'write-denied'],
      ['0x0', 'write-denied'],
      [ACCESS, ACCESS],
    ]);
  });
});
