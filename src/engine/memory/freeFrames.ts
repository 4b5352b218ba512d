import { assert } from '../result';

/** What a frame of the range is, by its place there. */
const UNTOUCHED = 0;
const ALLOCATED = 1;
const FREED = 2;
/** Passed over so that several frames begin at a multiple of their number. */
const SPARE = 3;
/** End of the list; frames are named there by their place + 1. */
const NONE = 0;

/** Which frames of a range are allocated, and in what order the others are allocated again: about nine bytes a frame. */
export class FreeFrames {
  #states = new Uint8Array(64);
  /** Freed and spare frames, linked both ways, those to take first at the head. Entry 0 is head and tail. */
  #after = new Uint32Array(65);
  #before = new Uint32Array(65);

  isFreed(place: number): boolean {
    return this.#states[place] === FREED;
  }

  isAllocated(place: number): boolean {
    return this.#states[place] === ALLOCATED;
  }

  /** Takes a frame, whatever it was but allocated. */
  take(place: number): void {
    const state = this.#stateOf(place);
    assert(state !== ALLOCATED, 'a frame is allocated once');
    if (state !== UNTOUCHED) this.#unlink(place + 1);
    this.#states[place] = ALLOCATED;
  }

  free(place: number): void {
    assert(this.#stateOf(place) === ALLOCATED, 'what is freed is allocated');
    this.#states[place] = FREED;
    this.#link(place + 1, this.#before[NONE] ?? NONE);
  }

  /** A frame that nobody had yet, to be taken before those that were freed. */
  spare(place: number): void {
    assert(this.#stateOf(place) === UNTOUCHED, 'a spare frame was never taken');
    this.#states[place] = SPARE;
    this.#link(place + 1, NONE);
  }

  /** The frame to take first; undefined when there is none. */
  first(): number | undefined {
    const first = this.#after[NONE] ?? NONE;
    return first === NONE ? undefined : first - 1;
  }

  /** First of `count` neighbours below `end`, free or spare, of which the first is `first` plus a multiple of `count`. */
  neighbours(count: number, first: number, end: number): number | undefined {
    for (let from = first; from + count <= end; from += count) {
      let length = 0;
      while (length < count && (this.#states[from + length] ?? UNTOUCHED) >= FREED) length++;
      if (length === count) return from;
    }
    return undefined;
  }

  #stateOf(place: number): number {
    if (place >= this.#states.length) this.#grow(place + 1);
    return this.#states[place] ?? UNTOUCHED;
  }

  #grow(least: number): void {
    const size = Math.max(least, 2 * this.#states.length);
    const states = new Uint8Array(size);
    const after = new Uint32Array(size + 1);
    const before = new Uint32Array(size + 1);
    states.set(this.#states);
    after.set(this.#after);
    before.set(this.#before);
    this.#states = states;
    this.#after = after;
    this.#before = before;
  }

  #link(name: number, behind: number): void {
    const next = this.#after[behind] ?? NONE;
    this.#after[behind] = name;
    this.#before[name] = behind;
    this.#after[name] = next;
    this.#before[next] = name;
  }

  #unlink(name: number): void {
    const next = this.#after[name] ?? NONE;
    const behind = this.#before[name] ?? NONE;
    this.#after[behind] = next;
    this.#before[next] = behind;
  }
}
