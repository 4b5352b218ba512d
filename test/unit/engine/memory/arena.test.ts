/** Room in the arena: how much there is, what takes it, and what becomes of arrays that were handed out. */
import assert from 'node:assert/strict';
import { Arena } from '../../../../src/engine/memory/arena';
import { type UniformEntries } from '../../../../src/engine/memory/uniformFrames';
import { FRAME_ENTRIES } from '../../../../src/engine/memory/words';
import { SeededRandom } from '../../../../src/engine/random';
import { frameNumber } from '../../../../src/engine/values';

const f = frameNumber;
const MiB = 2 ** 20;

const pages = (first: number): UniformEntries => ({
  baseLo: first * 4096 + 3,
  baseHi: 0,
  stepLo: 4096,
  stepHi: 0,
  accessedLo: 0x100,
  accessedHi: 0,
  dirtyLo: 0x200,
  dirtyHi: 0,
});

function entry(arena: Arena, frame: number, index: number): [number, number] | undefined {
  const halves = { lo: 0, hi: 0 };
  return arena.readEntry(f(frame), index, halves) ? [halves.lo, halves.hi] : undefined;
}

/** Frames from `start` on until memory is full: how many. */
function fill(arena: Arena, start: number, stride: number, uniform: boolean): number {
  let count = 0;
  while (arena.addFrame(f(start + count * stride))) {
    if (uniform && !arena.writeUniform(f(start + count * stride), pages(count))) return count;
    count++;
  }
  return count;
}

describe('room in the arena', () => {
  it('is for 20 frames of like entries in place of one of words, with an eighth of it to spare', () => {
    const dense = new Arena(4 * MiB);
    const frames = fill(dense, 0, 1, false);
    assert.ok(frames > 900 && frames < 1024, `${frames}`);
    for (let frame = 0; frame < frames; frame++) assert.ok(dense.writeEntry(f(frame), 511, frame, 1));
    for (let frame = 0; frame < frames; frame++) assert.deepEqual(entry(dense, frame, 511), [frame, 1]);
    const like = new Arena(4 * MiB);
    const uniform = fill(like, 0, 1, true);
    const gone = [1, 2, 3].map((back) => f(uniform - back));
    for (const frame of gone) like.removeFrame(frame);
    const added = gone.map((frame) => like.addFrame(frame));
    assert.deepEqual(
      added.slice(1),
      [false, false],
      'what is spared for writes is not for new frames of zeros',
    );
    assert.ok(uniform > 20 * frames, `${uniform}`);
    for (let frame = 0; frame < 128; frame++)
      assert.ok(like.writeEntry(f(30 * frame), 511, (30 * frame + 511) * 4096 + 3, 8));
    for (let frame = 0; frame < uniform - 3; frame += 7)
      assert.deepEqual(entry(like, frame, 511), [
        (frame + 511) * 4096 + 3,
        frame % 30 === 0 && frame < 3840 ? 8 : 0,
      ]);
    for (const arena of [dense, like]) {
      assert.ok(arena.bytes <= 4 * MiB);
      assert.equal(arena.refusedWrites, 0);
    }
  });

  it('is the same after everything was taken out, however frames were held and wherever they lie', () => {
    for (const stride of [1, 3000, 2 ** 33]) {
      const arena = new Arena(2 * MiB);
      const first = fill(arena, 5, stride, false);
      for (let round = 0; round < 4; round++) {
        const random = new SeededRandom(round);
        for (let frame = 0; frame < first; frame++) {
          const at = f(5 + frame * stride);
          const how = random.below(4);
          if (how === 1) assert.ok(arena.writeUniform(at, pages(frame)));
          if (how >= 2) assert.ok(arena.writeEntry(at, how, frame, 7));
          if (how === 3) assert.ok(arena.writeUniform(at, pages(frame)));
        }
        for (let frame = 0; frame < first; frame++) {
          const at = f(5 + frame * stride);
          if (random.below(2) === 0) assert.ok(arena.clearFrame(at) || round > 0);
          arena.removeFrame(at);
        }
        assert.deepEqual(arena.counts, { frames: 0, uniform: 0 });
        assert.equal(fill(arena, 5, stride, false), first);
        for (let frame = 0; frame < first; frame++)
          assert.deepEqual(entry(arena, 5 + frame * stride, frame % 512), [0, 0]);
      }
    }
  });

  it('is there again for as many frames as were taken out', () => {
    const arena = new Arena(2 * MiB);
    const count = fill(arena, 0, 1, true);
    for (const step of [2, 3, 24]) {
      let removed = 0;
      for (let frame = 0; frame < count; frame += step, removed++) arena.removeFrame(f(frame));
      assert.equal(arena.counts.uniform, count - removed);
      for (let frame = 0; frame < count; frame += step) {
        // The block that is kept for zeros may be the last one.
        if (!arena.addFrame(f(frame))) assert.ok(frame >= count - 24 * step, `${frame} of ${count}`);
        else assert.ok(arena.writeUniform(f(frame), pages(frame)));
      }
      for (let frame = 0; frame < count; frame++) {
        const found = entry(arena, frame, 300);
        if (found) assert.deepEqual(found, [(frame + 300) * 4096 + 3, 0]);
      }
    }
  });

  it('is not lost where zeros find none', () => {
    const arena = new Arena(2 * MiB);
    const count = fill(arena, 0, 1, true);
    const empty = (): void => {
      for (let frame = 0; frame < count; frame++) arena.removeFrame(f(frame));
    };
    empty();
    const zeros = fill(arena, 0, 1, false);
    empty();
    assert.equal(fill(arena, 0, 1, true), count);
    let cleared = 0;
    for (let frame = 0; frame < count; frame++) if (arena.clearFrame(f(frame))) cleared++;
    assert.ok(cleared < count - 1000, `${cleared}`);
    empty();
    assert.equal(fill(arena, 0, 1, false), zeros);
  });

  it('that there is not is said: a write that finds none changes nothing and is counted', () => {
    const arena = new Arena(MiB);
    const count = fill(arena, 0, 1, true);
    let refused = -1;
    for (let frame = 0; frame < count && refused < 0; frame++)
      if (!arena.writeEntry(f(frame), 9, 0, 0)) refused = frame;
    assert.ok(refused >= 32, `an eighth of 256 blocks: ${refused}`);
    assert.equal(arena.refusedWrites, 1);
    const word = [(refused + 9) * 4096 + 3, 0] as const;
    assert.deepEqual(entry(arena, refused, 9), word);
    assert.equal(arena.casEntry(f(refused), 9, ...word, 1, 1), false);
    assert.equal(arena.refusedWrites, 2);
    assert.ok(arena.casEntry(f(refused), 9, ...word, word[0] ^ 0x200, 0), 'marks need no room');
    assert.equal(arena.addFrame(f(count)), false);
    for (let frame = count - 100; frame < count; frame++) arena.removeFrame(f(frame));
    assert.ok(arena.writeEntry(f(refused), 9, 0, 0));
    assert.deepEqual(entry(arena, refused, 9), [0, 0]);
    assert.deepEqual(entry(arena, refused, 10), [(refused + 10) * 4096 + 3, 0]);
  });

  it('is kept for a frame of zeros, whoever else asks for it', () => {
    const arena = new Arena(MiB);
    for (let frame = 0; frame < 100; frame++) assert.ok(arena.addFrame(f(frame)));
    let others = 1000;
    while (arena.addFrame(f(others)) && arena.writeUniform(f(others), pages(1))) others++;
    for (let frame = 1000; frame < others; frame++) arena.writeEntry(f(frame), 0, 0, 0);
    assert.ok(arena.refusedWrites > 0);
    for (let frame = 0; frame < 100; frame++) assert.ok(arena.writeEntry(f(frame), 3, frame, 0));
    for (let frame = 0; frame < 100; frame++) assert.deepEqual(entry(arena, frame, 3), [frame, 0]);
  });

  it('is not for frames that have no number', () => {
    const arena = new Arena(MiB);
    assert.ok(arena.addFrame(f(0)));
    for (const frame of [-1, NaN, Infinity, 2 ** 52]) {
      assert.equal(arena.addFrame(f(frame)), false, `${frame}`);
      assert.equal(entry(arena, frame, 0), undefined);
      assert.equal(arena.readFrame(f(frame)), undefined);
    }
  });
});

describe('arrays of frames', () => {
  it('of like entries stay until 64 other frames were read', () => {
    const arena = new Arena();
    const frames = 400;
    for (let frame = 0; frame < frames; frame++) {
      arena.addFrame(f(frame));
      arena.writeUniform(f(frame), pages(1000 * frame));
    }
    const random = new SeededRandom(7);
    let last: { readonly frame: number; readonly words: Uint32Array }[] = [];
    for (let read = 0; read < 20_000; read++) {
      // Some are read again and again, as tables near the root are.
      const frame = random.below(3) === 0 ? random.below(40) : random.below(frames);
      const words = arena.readFrame(f(frame));
      assert.ok(words);
      last = [{ frame, words }, ...last.filter((each) => each.frame !== frame)].slice(0, 64);
      for (const each of last) assert.equal(each.words[6], (1000 * each.frame + 3) * 4096 + 3);
    }
  });

  it('end when the memory grows, which changes the generation', () => {
    const arena = new Arena();
    arena.addFrame(f(1));
    arena.writeEntry(f(1), 8, 0x88, 0x99);
    let words = arena.readFrame(f(1));
    let { generation, bytes } = arena;
    let growths = 0;
    for (let frame = 2; growths < 4; frame++) {
      arena.addFrame(f(frame));
      arena.writeEntry(f(frame), 0, 1, 1);
      if (arena.bytes !== bytes) {
        assert.notEqual(arena.generation, generation);
        assert.equal(words?.length, 0);
        words = arena.readFrame(f(1));
        ({ generation, bytes } = arena);
        growths++;
      }
      assert.deepEqual([words?.[16], words?.[17]], [0x88, 0x99]);
      assert.equal(words?.length, 2 * FRAME_ENTRIES);
    }
  });

  it('are of the frame that was asked for, however many are read in turn', () => {
    const arena = new Arena();
    for (let frame = 0; frame < 3000; frame++) {
      arena.addFrame(f(frame));
      arena.writeEntry(f(frame), 1, frame, 0);
    }
    const random = new SeededRandom(3);
    for (let read = 0; read < 20_000; read++) {
      const frame = random.below(3000);
      assert.equal(arena.readFrame(f(frame))?.[2], frame);
    }
  });
});
