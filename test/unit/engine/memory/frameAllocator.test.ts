/** Frames for tables: what is given, given back, and given again. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Arena } from '../../../../src/engine/memory/arena';
import { RangeAllocator } from '../../../../src/engine/memory/frameAllocator';
import { frameNumber, type FrameNumber } from '../../../../src/engine/values';

const START = 0x101;

function allocatorOf(frames: number, bytes?: number) {
  const arena = new Arena(bytes);
  return { arena, frames: new RangeAllocator(arena, START, START + frames) };
}

function wordAt(arena: Arena, frame: FrameNumber, index: number): number[] | undefined {
  const halves = { lo: 0, hi: 0 };
  return arena.readEntry(frame, index, halves) ? [halves.lo, halves.hi] : undefined;
}

/** For frames that must be there. */
function must(frame: FrameNumber | undefined): FrameNumber {
  assert.ok(frame !== undefined);
  return frame;
}

describe('frame allocator', () => {
  it('gives the lowest frames first, neighbours at a multiple of their number', () => {
    const { frames } = allocatorOf(64);
    assert.equal(frames.allocate(), 0x101);
    assert.equal(frames.allocate(4), 0x104);
    assert.equal(frames.allocate(), 0x108);
    assert.equal(frames.allocate(16), 0x110);
    assert.equal(frames.allocated, 22);
  });

  it('leaves what a freed frame held, and says that it is freed, until all others are used', () => {
    const { arena, frames } = allocatorOf(3);
    const [first, second] = [must(frames.allocate()), must(frames.allocate())];
    arena.writeEntry(first, 5, 0x1234, 0x8000_0000);
    arena.writeEntry(second, 5, 0x5678, 1);
    frames.free(second);
    frames.free(first);
    assert.deepEqual([frames.isFreed(first), frames.isFreed(second), frames.allocated], [true, true, 0]);
    assert.equal(frames.allocate(), 0x103);
    assert.deepEqual(wordAt(arena, first, 5), [0x1234, 0x8000_0000]);
    assert.deepEqual(wordAt(arena, second, 5), [0x5678, 1]);
    assert.equal(frames.allocate(), second, 'the one freed longest ago');
    assert.deepEqual(wordAt(arena, second, 5), [0, 0]);
    assert.deepEqual([frames.isFreed(first), frames.isFreed(second)], [true, false]);
    assert.equal(frames.allocate(), first);
    assert.equal(frames.allocate(), undefined);
    assert.equal(frames.allocated, 3);
  });

  it('keeps the pattern of a freed frame of like entries as poison, too', () => {
    const { arena, frames } = allocatorOf(1);
    const frame = must(frames.allocate());
    const none = { accessedLo: 0, accessedHi: 0, dirtyLo: 0, dirtyHi: 0 };
    arena.writeUniform(frame, { baseLo: 3, baseHi: 0, stepLo: 0x1000, stepHi: 0, ...none });
    frames.free(frame);
    assert.deepEqual(wordAt(arena, frame, 511), [0x1ff003, 0]);
    assert.equal(frames.allocate(), frame);
    assert.deepEqual(wordAt(arena, frame, 511), [0, 0]);
  });

  it('asserts that nothing is freed twice, in part twice, or without having been allocated', () => {
    const { frames } = allocatorOf(64);
    const one = must(frames.allocate());
    const four = must(frames.allocate(4));
    frames.free(one);
    const bugs: readonly (() => void)[] = [
      () => {
        frames.free(one);
      },
      () => {
        frames.free(frameNumber(one + 1));
      },
      () => {
        frames.free(frameNumber(START - 1));
      },
      () => {
        frames.free(frameNumber(four + 4));
      },
      () => {
        frames.free(frameNumber(four + 3), 2);
      },
      () => {
        frames.allocate(3);
      },
    ];
    for (const bug of bugs) assert.throws(bug, /internal error/);
  });

  it('says so when memory is full, and gives freed frames then', () => {
    const { arena, frames } = allocatorOf(2 ** 20, 2 ** 20);
    const given: FrameNumber[] = [];
    for (let frame = frames.allocate(); frame !== undefined; frame = frames.allocate()) {
      given.push(frame);
      // Each frame has its room, however late it is written to.
      if (given.length % 2 === 0)
        for (const each of given.slice(-2)) assert.ok(arena.writeEntry(each, 1, 7, 7));
    }
    assert.ok(given.length > 200 && given.length < 256, `${given.length} of 256 blocks`);
    assert.equal(frames.allocate(2), undefined);
    for (const frame of given) assert.ok(arena.writeEntry(frame, 2, 9, 9));
    assert.equal(arena.refusedWrites, 0);
    const freed = given.slice(10, 20);
    for (const frame of freed) frames.free(frame);
    for (const frame of freed) assert.equal(frames.allocate(), frame);
    assert.equal(frames.allocate(), undefined);
    assert.equal(frames.allocated, given.length);
    assert.ok(arena.bytes <= 2 ** 20);
  });

  it('leaves nothing behind of neighbours for which there is no room', () => {
    const { arena, frames } = allocatorOf(2 ** 20, 2 ** 20);
    assert.equal(frames.allocate(128), 0x180);
    assert.equal(frames.allocate(128), undefined);
    assert.deepEqual([frames.allocated, arena.counts.frames], [128, 128]);
    assert.equal(frames.allocate(64), 0x200);
  });

  it('accounts for every frame, whatever is allocated and freed', () => {
    const sizes = fc.constantFrom(1, 1, 1, 2, 4, 8);
    const steps = fc.array(
      fc.oneof(
        sizes.map((count) => ({ count })),
        fc.nat().map((which) => ({ which })),
      ),
      { maxLength: 120 },
    );
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 40 }), (todo, size) => {
        const { arena, frames } = allocatorOf(size);
        const held: { readonly frame: FrameNumber; readonly count: number }[] = [];
        const taken = new Set<number>();
        const freed = new Set<number>();
        const inRange = (frame: number, count: number): boolean =>
          frame >= START && frame + count <= START + size && frame % count === 0;
        for (const step of todo) {
          if ('count' in step) {
            const frame = frames.allocate(step.count);
            if (frame === undefined) {
              const free = Array.from({ length: size }, (_, i) => START + i).filter((first) =>
                Array.from({ length: step.count }, (_, i) => first + i).every(
                  (each) => inRange(first, step.count) && !taken.has(each),
                ),
              );
              assert.deepEqual(free, [], 'there is none');
              continue;
            }
            assert.ok(inRange(frame, step.count));
            for (let each = Number(frame); each < frame + step.count; each++) {
              assert.ok(!taken.has(each));
              taken.add(each);
              freed.delete(each);
              assert.deepEqual(wordAt(arena, frameNumber(each), 3), [0, 0]);
              arena.writeEntry(frameNumber(each), 3, each, 1);
            }
            held.push({ frame, count: step.count });
          } else {
            const [gone] = held.splice(step.which % Math.max(held.length, 1), 1);
            if (!gone) continue;
            frames.free(gone.frame, gone.count);
            for (let each = Number(gone.frame); each < gone.frame + gone.count; each++) {
              taken.delete(each);
              freed.add(each);
            }
          }
          assert.equal(frames.allocated, taken.size);
          for (let frame = START; frame < START + size; frame++) {
            assert.equal(frames.isFreed(frameNumber(frame)), freed.has(frame));
            if (taken.has(frame) || freed.has(frame))
              assert.deepEqual(wordAt(arena, frameNumber(frame), 3), [frame, 1]);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
