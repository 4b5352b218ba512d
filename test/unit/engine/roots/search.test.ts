/** The search for roots on tables made by hand, and on nothing but noise. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { RootSearch, type FoundRoots } from '../../../../src/engine/roots/index';
import { frameNumber } from '../../../../src/engine/values';

const FRAME_WORDS = 1024;

/** Frames from address 0 on, as an image holds them. */
class Frames {
  readonly generation = 0;
  readonly #words: Uint32Array;

  constructor(readonly frames: number) {
    this.#words = new Uint32Array(frames * FRAME_WORDS);
  }

  get ranges() {
    return [{ start: 0, end: this.frames * 4096 }];
  }

  set(frame: number, index: number, word: bigint): void {
    new BigUint64Array(this.#words.buffer)[frame * 512 + index] = word;
  }

  readFrame(frame: number): Uint32Array | undefined {
    return frame < this.frames
      ? this.#words.subarray(frame * FRAME_WORDS, (frame + 1) * FRAME_WORDS)
      : undefined;
  }

  read(start: number, target: Uint8Array): number {
    const bytes = new Uint8Array(this.#words.buffer).subarray(start, start + target.length);
    target.set(bytes);
    return bytes.length;
  }

  explainMissing(frame: number): string {
    return `frame ${frameNumber(frame)} is not held`;
  }
}

function search(memory: Frames): FoundRoots {
  const searching = new RootSearch(memory, memory.ranges);
  const work = searching.run();
  for (;;) {
    const step = work.next();
    assert.ok(searching.fraction >= 0 && searching.fraction <= 1);
    if (step.done === true) return step.value;
  }
}

const page = (frame: number): bigint => BigInt(frame) << 12n;

/** A root, a context table and two levels of second-stage tables with a leaf, of 3 levels. */
function vtdGuest(): Frames {
  const memory = new Frames(32);
  memory.set(8, 0, page(9) | 1n);
  memory.set(9, 4, page(10) | 1n);
  memory.set(9, 5, 0x101n);
  memory.set(10, 0, page(11) | 3n);
  memory.set(11, 0, page(12) | 3n);
  memory.set(12, 7, page(20) | 3n);
  return memory;
}

describe('search for roots', () => {
  it('finds a VT-d root table and says what was checked', () => {
    const { candidates, frames } = search(vtdGuest());
    const [best] = candidates;
    assert.deepEqual([best?.kind, best?.address, best?.strength], ['vt-d', 0x8000, 'strong']);
    assert.deepEqual([...(best?.registers ?? [])], [['RTADDR', 0x8000n]]);
    assert.equal(best?.evidence.domains, 1);
    assert.equal(best.evidence.leaves, 1);
    assert.equal(best.findings[0], '1 of 1 pointer of the root table leads to a context table.');
    assert.equal(frames, 32);
  });

  it('ranks an old root below one whose tables are still there', () => {
    const memory = vtdGuest();
    // The copy of the context table names a frame that holds text now.
    memory.set(24, 0, page(25) | 1n);
    memory.set(25, 4, page(26) | 1n);
    memory.set(25, 5, 0x101n);
    for (let index = 0; index < 512; index++) memory.set(26, index, 0x6f77206f6c6c6568n);
    const { candidates } = search(memory);
    assert.equal(candidates[0]?.address, 0x8000);
    assert.ok(!candidates.some(({ address, strength }) => address === 24 * 4096 && strength !== 'weak'));
  });

  it('refuses a root of which a reserved bit is set', () => {
    for (let bit = 1; bit < 12; bit++) {
      const memory = vtdGuest();
      memory.set(8, 0, page(9) | 1n | (1n << BigInt(bit)));
      assert.ok(!search(memory).candidates.some(({ kind }) => kind === 'vt-d'), `bit ${bit}`);
    }
  });

  it('tells RISC-V contexts of 64 bytes from those of 32', () => {
    const of = (words: number, devices: readonly number[]): bigint | undefined => {
      const memory = new Frames(16);
      memory.set(2, 0, (3n << 10n) | 1n);
      for (const device of devices) memory.set(3, device * words, 1n);
      return search(memory).candidates[0]?.registers.get('capabilities');
    };
    assert.equal(((of(8, [0, 3, 5]) ?? 0n) >> 22n) & 1n, 1n);
    assert.equal(((of(4, [0, 3, 5]) ?? 0n) >> 22n) & 1n, 0n);
  });

  it('finds an AMD-Vi device table whose addresses have the mark of encrypted memory', () => {
    const memory = new Frames(32);
    const marked = 1n << 47n;
    memory.set(8, 0, 0x6000_0000_0000_0203n | marked | page(10));
    memory.set(8, 1, 1n);
    memory.set(10, 3, 0x6000_0000_0000_0001n | marked | page(20));
    const [best] = search(memory).candidates;
    assert.deepEqual(
      [...(best?.registers ?? [])],
      [
        ['DevTabBase', marked | page(8)],
        ['CBit', 47n],
      ],
    );
    assert.equal(best?.evidence.leaves, 1);
  });

  it('finds nothing in zeros and in a memory without frames', () => {
    assert.deepEqual(search(new Frames(64)).candidates, []);
    assert.deepEqual(search(new Frames(0)), { candidates: [], frames: 0, cutShort: false, unread: 0 });
  });

  it('never throws on frames of any content', () => {
    const word = fc.oneof(
      { weight: 4, arbitrary: fc.constant(0n) },
      {
        weight: 4,
        arbitrary: fc.tuple(fc.nat(31), fc.nat(4095)).map(([frame, low]) => page(frame) | BigInt(low)),
      },
      { weight: 2, arbitrary: fc.nat(31).map((frame) => (BigInt(frame) << 10n) | 1n) },
      { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
    );
    const entry = fc.record({ frame: fc.nat(31), index: fc.nat(63), word });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 60 }), (entries) => {
        const memory = new Frames(32);
        for (const { frame, index, word: value } of entries) memory.set(frame, index, value);
        const { candidates } = search(memory);
        assert.ok(candidates.length <= 16);
        assert.ok(candidates.every(({ score }, at) => score <= (candidates[at - 1]?.score ?? Infinity)));
      }),
      { numRuns: 300, interruptAfterTimeLimit: 5000 },
    );
  });
});
