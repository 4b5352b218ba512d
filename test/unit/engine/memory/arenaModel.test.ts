/** The arena against a map of words: whatever is done to it, every way to read it says what the map says. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Arena } from '../../../../src/engine/memory/arena';
import { FRAME_ENTRIES, joinHalves, readWord } from '../../../../src/engine/memory/words';
import { frameNumber } from '../../../../src/engine/values';

const ALL_BITS = (1n << 64n) - 1n;
const low = (word: bigint): number => Number(word & 0xffffffffn);
const high = (word: bigint): number => Number(word >> 32n);

interface Pattern {
  readonly base: bigint;
  readonly step: bigint;
  readonly accessed: bigint;
  readonly dirty: bigint;
}

/** The arena, and what it should hold: words by frame, and the pattern of frames that were set by one. */
class Modelled {
  readonly arena = new Arena();
  readonly words = new Map<number, bigint[]>();
  readonly patterns = new Map<number, Pattern>();
  /** Arrays handed out, of which none was told to have ended. */
  readonly arrays = new Map<number, Uint32Array>();
  /** Words and frames that changed so far. */
  changes = 0;
  #generation = 0;

  add(frame: number): void {
    assert.equal(this.arena.addFrame(frameNumber(frame)), true);
    if (this.words.has(frame)) return;
    this.words.set(
      frame,
      Array.from({ length: FRAME_ENTRIES }, () => 0n),
    );
    this.changes++;
  }

  remove(frame: number): void {
    this.arena.removeFrame(frameNumber(frame));
    if (this.words.delete(frame)) this.changes++;
    this.patterns.delete(frame);
  }

  setPattern(frame: number, pattern: Pattern): void {
    const { base, step, accessed, dirty } = pattern;
    const done = this.arena.writeUniform(frameNumber(frame), {
      baseLo: low(base),
      baseHi: high(base),
      stepLo: low(step),
      stepHi: high(step),
      accessedLo: low(accessed),
      accessedHi: high(accessed),
      dirtyLo: low(dirty),
      dirtyHi: high(dirty),
    });
    assert.equal(done, this.words.has(frame));
    if (!done) return;
    const words = Array.from({ length: FRAME_ENTRIES }, (_, i) => (base + BigInt(i) * step) & ALL_BITS);
    this.changes++;
    this.words.set(frame, words);
    this.patterns.set(frame, pattern);
  }

  write(frame: number, index: number, word: bigint): void {
    const words = this.words.get(frame);
    assert.equal(
      this.arena.writeEntry(frameNumber(frame), index, low(word), high(word)),
      words !== undefined,
    );
    if (words) this.#set(words, index, word);
  }

  #set(words: bigint[], index: number, word: bigint): void {
    if (words[index] !== word) this.changes++;
    words[index] = word;
  }

  /** Of the pattern's words this one. */
  plain(frame: number, index: number): bigint {
    const pattern = this.patterns.get(frame);
    return pattern ? (pattern.base + BigInt(index) * pattern.step) & ALL_BITS : 0n;
  }

  cas(frame: number, index: number, expected: bigint, word: bigint): void {
    const words = this.words.get(frame);
    const done = this.arena.casEntry(
      frameNumber(frame),
      index,
      // Halves are compared as 32 bits: loops have them signed.
      low(expected) | 0,
      high(expected) | 0,
      low(word),
      high(word),
    );
    assert.equal(done, words?.[index] === expected);
    if (done && words) this.#set(words, index, word);
  }

  mark(frame: number, from: number, to: number, dirty: boolean): void {
    const { arena } = this;
    const done = dirty
      ? arena.setDirty(frameNumber(frame), from, to)
      : arena.clearDirty(frameNumber(frame), from, to);
    const words = this.words.get(frame);
    assert.equal(done, arena.uniformEntries(frameNumber(frame)) !== undefined);
    if (!done || !words) return;
    const mask = this.patterns.get(frame)?.dirty ?? 0n;
    for (let index = from; index < to; index++) {
      const differs = (((words[index] ?? 0n) ^ this.plain(frame, index)) & mask) !== 0n;
      if (differs !== dirty) this.#set(words, index, (words[index] ?? 0n) ^ mask);
    }
  }

  read(frame: number): void {
    const array = this.arena.readFrame(frameNumber(frame));
    this.#forgetEnded();
    if (array) this.arrays.set(frame, array);
  }

  #forgetEnded(): void {
    if (this.arena.generation !== this.#generation) this.arrays.clear();
    this.#generation = this.arena.generation;
  }

  /** Arrays that did not end show the words as they are now. */
  checkArrays(): void {
    this.#forgetEnded();
    const halves = { lo: 0, hi: 0 };
    for (const [frame, array] of this.arrays) {
      for (let index = 0; index < FRAME_ENTRIES; index++) {
        assert.ok(this.arena.readEntry(frameNumber(frame), index, halves));
        if (array[2 * index] !== halves.lo || array[2 * index + 1] !== halves.hi)
          assert.fail(`entry ${index} of an array of frame ${frame}`);
      }
    }
  }

  check(frame: number): void {
    const expected = this.words.get(frame);
    const halves = { lo: 0, hi: 0 };
    assert.equal(this.arena.readEntry(frameNumber(frame), 0, halves), expected !== undefined);
    if (!expected) {
      assert.equal(this.arena.readFrame(frameNumber(frame)), undefined);
      return;
    }
    const entries = expected.map((_, index) => {
      assert.ok(this.arena.readEntry(frameNumber(frame), index, halves));
      assert.ok(halves.lo >= 0 && halves.hi >= 0);
      return joinHalves(halves.lo, halves.hi);
    });
    assert.deepEqual(entries, expected);
    const array = this.arena.readFrame(frameNumber(frame));
    assert.ok(array);
    assert.deepEqual(
      expected.map((_, index) => readWord(array, index)),
      expected,
    );
    this.#checkDirty(frame, expected);
  }

  #checkDirty(frame: number, expected: readonly bigint[]): void {
    const bits = new Uint32Array(18).fill(7);
    const { dirty = 0n } = this.patterns.get(frame) ?? {};
    if (!this.arena.dirtyWords(frameNumber(frame), bits, 1)) return;
    assert.deepEqual([bits[0], bits[17]], [7, 7]);
    expected.forEach((word, index) => {
      const bit = ((bits[1 + (index >> 5)] ?? 0) >>> (index & 31)) & 1;
      assert.equal(bit === 1, ((word ^ this.plain(frame, index)) & dirty) !== 0n);
    });
  }
}

/** Neighbours, some that share no node of a directory with them, and the last that a page table can name. */
const FRAMES = [0, 1023, 1024, 2 ** 31 + 1024, 2 ** 44 - 1];
const frames = fc.constantFrom(...FRAMES);
const indexes = fc.oneof(
  fc.constantFrom(0, 31, 32, FRAME_ENTRIES - 1),
  fc.integer({ min: 0, max: FRAME_ENTRIES - 1 }),
);
const anyWord = fc.bigInt({ min: 0n, max: ALL_BITS });
/** Bits of A and D as formats have them, in either half and none. */
const MARKS = [
  [0x20n, 0x40n],
  [1n << 10n, 1n << 7n],
  [0n, 1n << 9n],
  [1n << 63n, 3n << 31n],
  [0n, 0n],
] as const;
const patterns: fc.Arbitrary<Pattern> = fc
  .tuple(
    anyWord,
    fc.oneof(fc.constantFrom(0n, 0x1000n, 0x400n, 1n << 30n, 1n << 39n), anyWord),
    fc.constantFrom(...MARKS),
  )
  .map(([base, step, [accessed, dirty]]) => ({ base, step, accessed, dirty }));

type Operation = (on: Modelled) => void;

/** A word that the frame's marks make of what its pattern has, and sometimes another. */
const wordOf = (on: Modelled, frame: number, index: number, how: number, other: bigint): bigint => {
  const { accessed = 0n, dirty = 0n } = on.patterns.get(frame) ?? {};
  if (how === 5) return other;
  const almost = how === 4 ? other & dirty : (how & 1 ? accessed : 0n) | (how & 2 ? dirty : 0n);
  return on.plain(frame, index) ^ almost;
};

/** Most words keep a frame's pattern: 5, any word, ends it. */
const hows = fc.constantFrom(0, 1, 2, 2, 3, 3, 4, 5, 5);

const operations: fc.Arbitrary<Operation> = fc.oneof(
  frames.map((frame): Operation => (on) => {
    on.add(frame);
  }),
  frames.map((frame): Operation => (on) => {
    on.remove(frame);
  }),
  {
    weight: 2,
    arbitrary: fc.tuple(frames, patterns).map(([frame, pattern]): Operation => (on) => {
      on.add(frame);
      on.setPattern(frame, pattern);
    }),
  },
  fc.tuple(frames, patterns).map(([frame, pattern]): Operation => (on) => {
    on.setPattern(frame, pattern);
  }),
  {
    weight: 6,
    arbitrary: fc
      .tuple(frames, indexes, hows, anyWord)
      .map(([frame, index, how, word]): Operation => (on) => {
        on.write(frame, index, wordOf(on, frame, index, how, word));
      }),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(frames, indexes, hows, anyWord, fc.boolean())
      .map(([frame, index, how, word, right]): Operation => (on) => {
        const expected = (on.words.get(frame)?.[index] ?? 0n) ^ (right ? 0n : 1n << (word & 63n));
        on.cas(frame, index, expected, wordOf(on, frame, index, how, word));
      }),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(frames, indexes, indexes, fc.boolean())
      .map(([frame, from, last, dirty]): Operation => (on) => {
        on.mark(frame, from, last + 1, dirty);
      }),
  },
  {
    weight: 2,
    arbitrary: frames.map((frame): Operation => (on) => {
      on.read(frame);
    }),
  },
);

describe('arena', () => {
  it('holds what a map of words holds, whatever is done to it', () => {
    const histories = fc.array(operations, { minLength: 1, maxLength: 80, size: 'max' });
    fc.assert(
      fc.property(histories, (steps) => {
        const on = new Modelled();
        for (const step of steps) {
          const { changes } = on;
          const { version } = on.arena;
          step(on);
          if (on.changes !== changes) assert.notEqual(on.arena.version, version, 'a change is a new version');
          on.checkArrays();
        }
        for (const frame of FRAMES) on.check(frame);
        const { frames: held, uniform } = on.arena.counts;
        assert.equal(held, on.words.size);
        assert.deepEqual(
          [...on.arena.heldFrames()],
          [...on.words.keys()].sort((one, other) => one - other),
        );
        const patterned = FRAMES.filter((frame) => on.arena.uniformEntries(frameNumber(frame)));
        assert.equal(uniform, patterned.length);
      }),
      { numRuns: 200 },
    );
  });
});
