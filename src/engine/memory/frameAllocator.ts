import { assert } from '../result';
import { type FrameNumber, frameNumber } from '../values';
import { type Arena } from './arena';
import { FreeFrames } from './freeFrames';
import { type FrameAllocator } from './writableMemory';

/**
 * Frames of tables and structures from one range of physical memory, which nobody else uses: lowest first, and those that
 * were freed only when there is no other, oldest first, so that a late use of them is seen for as long as it can be.
 */
export class RangeAllocator implements FrameAllocator {
  readonly #arena: Arena;
  readonly #start: number;
  readonly #end: number;
  readonly #free = new FreeFrames();
  /** First frame that nobody had yet. */
  #next: number;
  #allocated = 0;

  /** Half-open range of frames. */
  constructor(arena: Arena, startFrame: number, endFrame: number) {
    this.#arena = arena;
    this.#start = startFrame;
    this.#next = startFrame;
    this.#end = endFrame;
  }

  get allocated(): number {
    return this.#allocated;
  }

  allocate(count = 1): FrameNumber | undefined {
    assert(count >= 1 && Number.isInteger(Math.log2(count)), 'frames are allocated by powers of two');
    const first = this.#fresh(count) ?? this.#again(count);
    if (first === undefined) return undefined;
    this.#allocated += count;
    return frameNumber(first);
  }

  /** Each of the frames must be allocated: to free one twice is a bug, and an assertion. */
  free(frame: FrameNumber, count = 1): void {
    for (let each = Number(frame); each < frame + count; each++) {
      assert(each >= this.#start && each < this.#next, 'a frame is freed where it was allocated');
      this.#free.free(each - this.#start);
      this.#allocated--;
    }
  }

  isFreed(frame: FrameNumber): boolean {
    return this.#free.isFreed(frame - this.#start);
  }

  isAllocated(frame: FrameNumber): boolean {
    return this.#free.isAllocated(frame - this.#start);
  }

  #fresh(count: number): number | undefined {
    const first = Math.ceil(this.#next / count) * count;
    if (first + count > this.#end) {
      this.#spareTo(this.#end);
      return undefined;
    }
    if (!this.#fill(first, count)) return undefined;
    this.#spareTo(first);
    this.#next = first + count;
    for (let frame = first; frame < this.#next; frame++) this.#free.take(frame - this.#start);
    return first;
  }

  /** Passes over frames that nobody had yet: they are taken before those that were freed. */
  #spareTo(end: number): void {
    for (let frame = end - 1; frame >= this.#next; frame--) this.#free.spare(frame - this.#start);
    this.#next = end;
  }

  #again(count: number): number | undefined {
    const start = this.#start;
    const aligned = Math.ceil(start / count) * count - start;
    const place =
      count === 1 ? this.#free.first() : this.#free.neighbours(count, aligned, this.#next - start);
    if (place === undefined || !this.#fill(start + place, count)) return undefined;
    for (let each = place; each < place + count; each++) this.#free.take(each);
    return start + place;
  }

  /** Makes frames hold zeros; false when memory is full, and then none is held that was not before. */
  #fill(first: number, count: number): boolean {
    const added: FrameNumber[] = [];
    for (let each = first; each < first + count; each++) {
      const frame = frameNumber(each);
      const isNew = !this.#arena.holds(frame);
      if (!(isNew ? this.#arena.addFrame(frame) : this.#arena.clearFrame(frame))) {
        for (const one of added) this.#arena.removeFrame(one);
        return false;
      }
      if (isNew) added.push(frame);
    }
    return true;
  }
}
