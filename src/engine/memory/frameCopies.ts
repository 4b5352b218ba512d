import { FRAME_WORDS } from '../values';
import { type UniformSlots } from './uniformSlots';

const COPIES = 128;
/** A copy handed out stays until so many others were read. */
const KEPT_READS = 64;

/** The words of some frames of like entries, for those who read frames whole. The one not read lately gives way. */
export class FrameCopies {
  readonly #slots: UniformSlots;
  /** By copy; made when they are asked for: most arenas are small. */
  readonly #words: Uint32Array[] = [];
  /** By copy: the slot it is of, 0 for none; and the read that used it last. */
  readonly #of = new Uint32Array(COPIES);
  readonly #lastReads = new Float64Array(COPIES).fill(-KEPT_READS);
  #reads = 0;
  #hand = 0;
  #ended = 0;

  constructor(slots: UniformSlots) {
    this.#slots = slots;
  }

  /** How many copies do not follow their frame any more. */
  get ended(): number {
    return this.#ended;
  }

  /** The words of a slot, which follow it until the copy ends. */
  read(slot: number): Uint32Array {
    const copy = (this.#slots.copyOf(slot) || this.#make(slot)) - 1;
    this.#lastReads[copy] = ++this.#reads;
    return this.#wordsOf(copy);
  }

  /** An entry of the slot was written. */
  follow(slot: number, index: number, lo: number, hi: number): void {
    const copy = this.#slots.copyOf(slot);
    if (copy === 0) return;
    const words = this.#wordsOf(copy - 1);
    words[2 * index] = lo;
    words[2 * index + 1] = hi;
  }

  /** All entries of the slot may have been written. */
  refresh(slot: number): void {
    const copy = this.#slots.copyOf(slot);
    if (copy !== 0) this.#slots.expand(slot, this.#wordsOf(copy - 1), 0);
  }

  /** The slot goes. */
  end(slot: number): void {
    const copy = this.#slots.copyOf(slot);
    if (copy === 0) return;
    this.#of[copy - 1] = 0;
    this.#slots.setCopy(slot, 0);
    this.#ended++;
  }

  #make(slot: number): number {
    // At most KEPT_READS of the copies were used by that many reads.
    while (this.#reads - (this.#lastReads[this.#hand] ?? 0) < KEPT_READS) this.#advance();
    const copy = this.#hand;
    this.#advance();
    const before = this.#of[copy] ?? 0;
    if (before !== 0) this.end(before);
    this.#of[copy] = slot;
    this.#slots.setCopy(slot, copy + 1);
    this.#slots.expand(slot, this.#wordsOf(copy), 0);
    return copy + 1;
  }

  #wordsOf(copy: number): Uint32Array {
    return (this.#words[copy] ??= new Uint32Array(FRAME_WORDS));
  }

  #advance(): void {
    this.#hand = (this.#hand + 1) % COPIES;
  }
}
