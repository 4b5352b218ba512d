import { FRAME_WORDS } from '../values';
import { NO_BLOCK, type BlockHeap } from './blockHeap';

/** Frames of a node of the lowest level, and nodes of a node above: their numbers are read ten bits at a time. */
const DIGITS = 1024;
/** Frame numbers have at most 50 bits. */
const MOST_FRAMES = DIGITS ** 5;
/** The node of the uppermost level is block 0, which nobody else has. */
const ROOT = 0;
/** Nodes that are found without a walk: a direct-mapped cache, enough for a million neighbouring frames. */
const REMEMBERED = 1024;

/** Nothing is kept for a frame. */
export const ABSENT_PLACE = 0;

/** From frame numbers to places, as a radix tree in the memory itself. Its nodes stay once they are made. */
export class FrameDirectory {
  readonly #heap: BlockHeap;
  readonly #numbers = new Float64Array(REMEMBERED).fill(-1);
  readonly #nodes = new Uint32Array(REMEMBERED);

  constructor(heap: BlockHeap) {
    this.#heap = heap;
  }

  /** The place of a frame, or ABSENT_PLACE. */
  find(frame: number): number {
    const node = this.#nodeOf(Math.floor(frame / DIGITS));
    return node === NO_BLOCK ? ABSENT_PLACE : (this.#heap.words[node + (frame & (DIGITS - 1))] ?? 0);
  }

  /** Makes what `set` needs for a frame; false when there is no room, or no frame has this number. */
  prepare(frame: number): boolean {
    if (!(frame >= 0 && frame < MOST_FRAMES)) return false;
    const number = Math.floor(frame / DIGITS);
    if (this.#nodeOf(number) !== NO_BLOCK) return true;
    let node = ROOT;
    for (let unit = DIGITS ** 3; unit >= 1; unit /= DIGITS) {
      const at = node + (Math.floor(number / unit) % DIGITS);
      node = this.#heap.words[at] ?? NO_BLOCK;
      if (node !== NO_BLOCK) continue;
      node = this.#heap.take();
      if (node === NO_BLOCK) return false;
      this.#heap.words.fill(0, node, node + FRAME_WORDS);
      this.#heap.words[at] = node;
    }
    return true;
  }

  /** Places a frame that was prepared; ABSENT_PLACE takes it out. */
  set(frame: number, place: number): void {
    this.#heap.words[this.#nodeOf(Math.floor(frame / DIGITS)) + (frame & (DIGITS - 1))] = place;
  }

  /** Every frame that has a place, ascending. */
  *frames(): Generator<number> {
    yield* this.#framesBelow(ROOT, DIGITS ** 4, 0);
  }

  *#framesBelow(node: number, unit: number, first: number): Generator<number> {
    for (let digit = 0; digit < DIGITS; digit++) {
      // Words move when the memory grows while the caller is at work.
      const place = this.#heap.words[node + digit] ?? 0;
      if (place === 0) continue;
      const at = first + digit * unit;
      if (unit === 1) yield at;
      else yield* this.#framesBelow(place, unit / DIGITS, at);
    }
  }

  /** The lowest node of frames from `number` * DIGITS on. */
  #nodeOf(number: number): number {
    const at = number & (REMEMBERED - 1);
    return this.#numbers[at] === number ? (this.#nodes[at] ?? NO_BLOCK) : this.#walk(number, at);
  }

  #walk(number: number, remembered: number): number {
    if (!(number >= 0 && number < MOST_FRAMES / DIGITS)) return NO_BLOCK;
    const { words } = this.#heap;
    let node = ROOT;
    for (let unit = DIGITS ** 3; unit >= 1; unit /= DIGITS) {
      node = words[node + (Math.floor(number / unit) % DIGITS)] ?? NO_BLOCK;
      if (node === NO_BLOCK) return NO_BLOCK;
    }
    this.#numbers[remembered] = number;
    this.#nodes[remembered] = node;
    return node;
  }
}
