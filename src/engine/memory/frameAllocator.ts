import { type FrameNumber, frameNumber } from '../values';
import { type Arena } from './arena';
import { type FrameAllocator } from './writableMemory';

/** Frames of tables and structures from one range of physical memory, lowest first; freed ones are used last. */
export class RangeAllocator implements FrameAllocator {
  readonly #arena: Arena;
  readonly #end: number;
  #next: number;
  #allocated = 0;
  readonly #freed = new Set<number>();
  /** Freed ranges by their number of frames, oldest first. */
  readonly #again = new Map<number, number[]>();

  /** Half-open range of frames. */
  constructor(arena: Arena, startFrame: number, endFrame: number) {
    this.#arena = arena;
    this.#next = startFrame;
    this.#end = endFrame;
  }

  get allocated(): number {
    return this.#allocated;
  }

  allocate(count = 1): FrameNumber | undefined {
    const fresh = Math.ceil(this.#next / count) * count;
    const isFresh = fresh + count <= this.#end;
    const first = isFresh ? fresh : this.#again.get(count)?.shift();
    if (first === undefined) return undefined;
    if (isFresh) this.#next = fresh + count;
    for (let frame = first; frame < first + count; frame++) {
      if (this.#freed.delete(frame)) this.#arena.removeFrame(frameNumber(frame));
      if (!this.#arena.addFrame(frameNumber(frame))) return undefined;
    }
    this.#allocated += count;
    return frameNumber(first);
  }

  free(frame: FrameNumber, count = 1): void {
    for (let each = Number(frame); each < frame + count; each++) this.#freed.add(each);
    this.#again.set(count, [...(this.#again.get(count) ?? []), frame]);
    this.#allocated -= count;
  }

  isFreed(frame: FrameNumber): boolean {
    return this.#freed.has(frame);
  }
}
