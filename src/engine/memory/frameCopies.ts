import { FRAME_WORDS } from '../values';
import { type UniformSlots } from './uniformSlots';

const COPIES = 128;
/** A copy handed out stays until so many others were read. */
const KEPT_READS = 64;

/** The words of some frames of like entries, for those who read frames whole. The one not read lately gives way. */
export class FrameCopies {
  readonly #slots: UniformSlots;
  /** Made when a copy is asked for: most arenas are small. */
  #words = new Uint32Array(0);
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
    return this.#words.subarray(copy * FRAME_WORDS, (copy + 1) * FRAME_WORDS);
  }

  /** An entry of the slot was written. */
  follow(slot: number, index: number, lo: number, hi: number): void {
    const copy = this.#slots.copyOf(slot);
    if (copy === 0) return;
    const at = (copy - 1) * FRAME_WORDS + 2 * index;
    this.#words[at] = lo;
    this.#words[at + 1] = hi;
  }

  /** All entries of the slot may have been written. */
  refresh(slot: number): void {
    const copy = this.#slots.copyOf(slot);
    if (copy !== 0) this.#slots.expand(slot, this.#words, (copy - 1) * FRAME_WORDS);
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
    if (this.#words.length === 0) this.#words = new Uint32Array(COPIES * FRAME_WORDS);
    // At most KEPT_READS of the copies were used by that many reads.
    while (this.#reads - (this.#lastReads[this.#hand] ?? 0) < KEPT_READS) this.#advance();
    const copy = this.#hand;
    this.#advance();
    const before = this.#of[copy] ?? 0;
    if (before !== 0) this.end(before);
    this.#of[copy] = slot;
    this.#slots.setCopy(slot, copy + 1);
    this.#slots.expand(slot, this.#words, copy * FRAME_WORDS);
    return copy + 1;
  }

  #advance(): void {
    this.#hand = (this.#hand + 1) % COPIES;
  }
}
