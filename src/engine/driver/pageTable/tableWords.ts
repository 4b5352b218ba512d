import { type WritableMemory } from '../../memory/writableMemory';
import { FRAME_ENTRIES, frameOf, joinHalves, type EntryHalves } from '../../memory/words';
import { assert } from '../../result';
import { FRAME_BYTES, type FrameNumber } from '../../values';
import { type SoftwareStep } from '../softwareStep';

/** Where the words of a frame are, of tables that lie in guest memory; the frame itself for others. */
export type Locate = (frame: FrameNumber) => FrameNumber | undefined;

/** A slot of a table: its first frame and the index of the entry. */
export interface Slot {
  readonly table: FrameNumber;
  readonly index: number;
}

/** Words of tables. Each method but `peek` and `fill` does one atomic access and says what it did. */
export class TableWords {
  readonly memory: WritableMemory;
  readonly #locate: Locate | undefined;
  readonly #clean: (address: number, words: number) => void;

  /** `clean`: writes a changed word back where hardware does not snoop. */
  constructor(
    memory: WritableMemory,
    clean: (address: number, words: number) => void,
    locate: Locate | undefined,
  ) {
    this.memory = memory;
    this.#clean = clean;
    this.#locate = locate;
  }

  load(name: string, table: FrameNumber, index: number, into: EntryHalves): SoftwareStep {
    this.peek(table, index, into);
    return { kind: 'read', name, address: this.#addressOf(table, index), word: joinHalves(into.lo, into.hi) };
  }

  store(name: string, table: FrameNumber, index: number, lo: number, hi: number): SoftwareStep {
    this.#write(table, index, lo, hi);
    return { kind: 'store', name, address: this.#addressOf(table, index), word: joinHalves(lo, hi) };
  }

  /** Writes when the word is still the expected one. */
  compareExchange(
    name: string,
    table: FrameNumber,
    index: number,
    expected: Readonly<EntryHalves>,
    lo: number,
    hi: number,
  ): SoftwareStep & { readonly kind: 'compare-exchange' } {
    const done = this.memory.casEntry(
      this.#held(table, index),
      index % FRAME_ENTRIES,
      expected.lo,
      expected.hi,
      lo,
      hi,
    );
    const address = this.#addressOf(table, index);
    if (done) this.#clean(address, 1);
    return {
      kind: 'compare-exchange',
      name,
      address,
      expected: joinHalves(expected.lo, expected.hi),
      word: joinHalves(lo, hi),
      done,
    };
  }

  exchange(
    name: string,
    table: FrameNumber,
    index: number,
    lo: number,
    hi: number,
    old: EntryHalves,
  ): SoftwareStep {
    this.peek(table, index, old);
    this.#write(table, index, lo, hi);
    const address = this.#addressOf(table, index);
    return { kind: 'exchange', name, address, old: joinHalves(old.lo, old.hi), word: joinHalves(lo, hi) };
  }

  /** Atomically keeps the bits of `keep` and sets those of `set`. */
  modify(
    name: string,
    table: FrameNumber,
    index: number,
    keep: Readonly<EntryHalves>,
    set: Readonly<EntryHalves>,
    old: EntryHalves,
  ): SoftwareStep {
    this.peek(table, index, old);
    const lo = (old.lo & keep.lo) | set.lo;
    const hi = (old.hi & keep.hi) | set.hi;
    this.#write(table, index, lo, hi);
    const address = this.#addressOf(table, index);
    return { kind: 'modify', name, address, old: joinHalves(old.lo, old.hi), word: joinHalves(lo, hi) };
  }

  /** What a word is, as a part of another step. */
  peek(table: FrameNumber, index: number, into: EntryHalves): void {
    const held = this.memory.readEntry(this.#held(table, index), index % FRAME_ENTRIES, into);
    assert(held, 'the tables of a domain are held');
  }

  /** A word of a table that nobody can reach yet, as a part of the step that builds it. */
  fill(table: FrameNumber, index: number, lo: number, hi: number): void {
    this.#write(table, index, lo, hi);
  }

  /** The frame of memory that holds entry `index`. */
  frameHolding(table: FrameNumber, index: number): FrameNumber {
    return this.#held(table, index);
  }

  /** Writes back a whole frame that was filled at once. */
  cleanFrame(frame: FrameNumber): void {
    this.#clean(frame * FRAME_BYTES, FRAME_ENTRIES);
  }

  #write(table: FrameNumber, index: number, lo: number, hi: number): void {
    const held = this.memory.writeEntry(this.#held(table, index), index % FRAME_ENTRIES, lo >>> 0, hi >>> 0);
    assert(held, 'the tables of a domain are held');
    this.#clean(this.#addressOf(table, index), 1);
  }

  #held(table: FrameNumber, index: number): FrameNumber {
    const frame = frameOf(table, index);
    if (!this.#locate) return frame;
    const located = this.#locate(frame);
    assert(located !== undefined, 'guest memory holds the tables of its domains');
    return located;
  }

  #addressOf(table: FrameNumber, index: number): number {
    return this.#held(table, index) * FRAME_BYTES + (index % FRAME_ENTRIES) * 8;
  }
}
