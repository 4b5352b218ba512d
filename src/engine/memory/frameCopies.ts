import { FRAME_WORDS } from '../values';
import { type UniformSlots } from './uniformSlots';

/** More than the 64 frames for which an array must stay as it is. */
const COPIES = 128;
/** Head and tail of the list of copies. */
const ENDS = 0;

/** The words of some frames of like entries, for those who read frames whole. The one read longest ago gives way. */
export class FrameCopies {
  readonly #slots: UniformSlots;
  /** By copy, from 1 on; made when they are asked for: most arenas are small. */
  readonly #words: Uint32Array[] = [];
  /** By copy: the slot it is of, 0 for none. */
  readonly #of = new Uint32Array(COPIES + 1);
  /** Copies by their last reads, the latest first, linked both ways. */
  readonly #older = new Uint8Array(COPIES + 1);
  readonly #newer = new Uint8Array(COPIES + 1);
  #ended = 0;

  constructor(slots: UniformSlots) {
    this.#slots = slots;
    for (let copy = 1; copy <= COPIES; copy++) this.#putFirst(copy);
  }

  /** How many copies do not follow their frame any more. */
  get ended(): number {
    return this.#ended;
  }

  /** The words of a slot, which follow it until the copy ends. */
  read(slot: number): Uint32Array {
    const copy = this.#slots.copyOf(slot) || this.#make(slot);
    if (this.#newer[copy] !== ENDS) {
      this.#takeOut(copy);
      this.#putFirst(copy);
    }
    return this.#wordsOf(copy);
  }

  /** An entry of the slot was written. */
  follow(slot: number, index: number, lo: number, hi: number): void {
    const copy = this.#slots.copyOf(slot);
    if (copy === 0) return;
    const words = this.#wordsOf(copy);
    words[2 * index] = lo;
    words[2 * index + 1] = hi;
  }

  /** All entries of the slot may have been written. */
  refresh(slot: number): void {
    const copy = this.#slots.copyOf(slot);
    if (copy !== 0) this.#slots.expand(slot, this.#wordsOf(copy), 0);
  }

  /** The slot goes. */
  end(slot: number): void {
    const copy = this.#slots.copyOf(slot);
    if (copy === 0) return;
    this.#of[copy] = 0;
    this.#slots.setCopy(slot, 0);
    this.#ended++;
  }

  #make(slot: number): number {
    const copy = this.#newer[ENDS] ?? ENDS;
    const before = this.#of[copy] ?? 0;
    if (before !== 0) this.end(before);
    this.#of[copy] = slot;
    this.#slots.setCopy(slot, copy);
    this.#slots.expand(slot, this.#wordsOf(copy), 0);
    return copy;
  }

  #wordsOf(copy: number): Uint32Array {
    return (this.#words[copy] ??= new Uint32Array(FRAME_WORDS));
  }

  #putFirst(copy: number): void {
    const next = this.#older[ENDS] ?? ENDS;
    this.#older[copy] = next;
    this.#newer[copy] = ENDS;
    this.#newer[next] = copy;
    this.#older[ENDS] = copy;
  }

  #takeOut(copy: number): void {
    const older = this.#older[copy] ?? ENDS;
    const newer = this.#newer[copy] ?? ENDS;
    this.#older[newer] = older;
    this.#newer[older] = newer;
  }
}
