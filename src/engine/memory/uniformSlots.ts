import { FRAME_WORDS } from '../values';
import { NO_BLOCK, type BlockHeap } from './blockHeap';
import { type UniformEntries } from './uniformFrames';
import { FRAME_ENTRIES, type EntryHalves } from './words';

/** Words of one bit an entry. */
export const BITMAP_WORDS = FRAME_ENTRIES / 32;

// Words of a slot. Of even number, so that 64-bit words in it are aligned.
const BASE_LO = 0;
const BASE_HI = 1;
const STEP_LO = 2;
const STEP_HI = 3;
const ACCESSED_LO = 4;
const ACCESSED_HI = 5;
const DIRTY_LO = 6;
const DIRTY_HI = 7;
const COPY = 8;
const PROMISED = 9;
const ACCESSED_BITS = 10;
export const DIRTY_BITS = ACCESSED_BITS + BITMAP_WORDS;
const SLOT_WORDS = DIRTY_BITS + BITMAP_WORDS;

// Words of a block of slots before its first one.
const FREE_SLOTS = 0;
const NEXT = 1;
const PREVIOUS = 2;
const HEADER_WORDS = 16;

const SLOTS = Math.floor((FRAME_WORDS - HEADER_WORDS) / SLOT_WORDS);
const ALL_FREE = 2 ** SLOTS - 1;

/** Frames of 512 like entries: a pattern and two bits an entry each, in slots of which 24 share a block. */
export class UniformSlots {
  readonly #heap: BlockHeap;
  /** First of the blocks that have a slot to spare, linked both ways. */
  #spare = NO_BLOCK;

  constructor(heap: BlockHeap) {
    this.#heap = heap;
  }

  /** A slot of zeros, by its first word; 0 when there is no room. */
  take(): number {
    const block = this.#spare === NO_BLOCK ? this.#newBlock() : this.#spare;
    if (block === NO_BLOCK) return 0;
    const { words } = this.#heap;
    const free = words[block + FREE_SLOTS] ?? 0;
    const left = free & (free - 1);
    words[block + FREE_SLOTS] = left;
    if (left === 0) this.#unlink(block);
    const slot = block + HEADER_WORDS + (31 - Math.clz32(free & -free)) * SLOT_WORDS;
    words.fill(0, slot, slot + SLOT_WORDS);
    return slot;
  }

  give(slot: number): void {
    const { words } = this.#heap;
    const inBlock = slot & (FRAME_WORDS - 1);
    const block = slot - inBlock;
    const free = words[block + FREE_SLOTS] ?? 0;
    const now = free | (1 << ((inBlock - HEADER_WORDS) / SLOT_WORDS));
    if (now === ALL_FREE) {
      if (free !== 0) this.#unlink(block);
      this.#heap.give(block);
      return;
    }
    words[block + FREE_SLOTS] = now;
    if (free === 0) this.#link(block);
  }

  /** What keeps a copy of the slot's words, as a number above 0; 0: nothing does. */
  copyOf(slot: number): number {
    return this.#heap.words[slot + COPY] ?? 0;
  }

  setCopy(slot: number, copy: number): void {
    this.#heap.words[slot + COPY] = copy;
  }

  /** Whether a block is kept for the words of the slot. */
  isPromised(slot: number): boolean {
    return this.#heap.words[slot + PROMISED] === 1;
  }

  setPromised(slot: number, promised: boolean): void {
    this.#heap.words[slot + PROMISED] = promised ? 1 : 0;
  }

  /** Sets all entries; no bit of any is set then. */
  setPattern(slot: number, entries: UniformEntries): void {
    const { words } = this.#heap;
    words[slot + BASE_LO] = entries.baseLo;
    words[slot + BASE_HI] = entries.baseHi;
    words[slot + STEP_LO] = entries.stepLo;
    words[slot + STEP_HI] = entries.stepHi;
    words[slot + ACCESSED_LO] = entries.accessedLo;
    words[slot + ACCESSED_HI] = entries.accessedHi;
    words[slot + DIRTY_LO] = entries.dirtyLo;
    words[slot + DIRTY_HI] = entries.dirtyHi;
    words.fill(0, slot + ACCESSED_BITS, slot + SLOT_WORDS);
  }

  pattern(slot: number): UniformEntries {
    const { words } = this.#heap;
    return {
      baseLo: words[slot + BASE_LO] ?? 0,
      baseHi: words[slot + BASE_HI] ?? 0,
      stepLo: words[slot + STEP_LO] ?? 0,
      stepHi: words[slot + STEP_HI] ?? 0,
      accessedLo: words[slot + ACCESSED_LO] ?? 0,
      accessedHi: words[slot + ACCESSED_HI] ?? 0,
      dirtyLo: words[slot + DIRTY_LO] ?? 0,
      dirtyHi: words[slot + DIRTY_HI] ?? 0,
    };
  }

  read(slot: number, index: number, into: EntryHalves): void {
    const { words } = this.#heap;
    const low = (words[slot + BASE_LO] ?? 0) + index * (words[slot + STEP_LO] ?? 0);
    let lo = low | 0;
    let hi = this.#patternHi(words, slot, index, low);
    const at = index >>> 5;
    const accessed = -(((words[slot + ACCESSED_BITS + at] ?? 0) >>> (index & 31)) & 1);
    const dirty = -(((words[slot + DIRTY_BITS + at] ?? 0) >>> (index & 31)) & 1);
    lo ^= (accessed & (words[slot + ACCESSED_LO] ?? 0)) ^ (dirty & (words[slot + DIRTY_LO] ?? 0));
    hi ^= (accessed & (words[slot + ACCESSED_HI] ?? 0)) ^ (dirty & (words[slot + DIRTY_HI] ?? 0));
    into.lo = lo >>> 0;
    into.hi = hi >>> 0;
  }

  /** Writes an entry that differs from the pattern by its masks only; false, and nothing written, when it does not. */
  write(slot: number, index: number, lo: number, hi: number): boolean {
    const { words } = this.#heap;
    const low = (words[slot + BASE_LO] ?? 0) + index * (words[slot + STEP_LO] ?? 0);
    const otherLo = lo ^ low;
    const otherHi = hi ^ this.#patternHi(words, slot, index, low);
    const accessedLo = words[slot + ACCESSED_LO] ?? 0;
    const accessedHi = words[slot + ACCESSED_HI] ?? 0;
    const accessed = ((otherLo & accessedLo) | (otherHi & accessedHi)) !== 0;
    const dirtyLo = words[slot + DIRTY_LO] ?? 0;
    const dirtyHi = words[slot + DIRTY_HI] ?? 0;
    const dirty = ((otherLo & dirtyLo) | (otherHi & dirtyHi)) !== 0;
    const fitLo = (accessed ? accessedLo : 0) | (dirty ? dirtyLo : 0);
    const fitHi = (accessed ? accessedHi : 0) | (dirty ? dirtyHi : 0);
    if (((otherLo ^ fitLo) | (otherHi ^ fitHi)) !== 0) return false;
    setBit(words, slot + ACCESSED_BITS, index, accessed);
    setBit(words, slot + DIRTY_BITS, index, dirty);
    return true;
  }

  /** Sets (value -1) or clears (0) the dirty bits of entries [from, to), where there is a dirty mask. */
  setDirty(slot: number, from: number, to: number, value: number): void {
    const { words } = this.#heap;
    if (((words[slot + DIRTY_LO] ?? 0) | (words[slot + DIRTY_HI] ?? 0)) === 0) return;
    for (let word = from >>> 5; word < BITMAP_WORDS && 32 * word < to; word++) {
      const first = Math.max(from - 32 * word, 0);
      const bits = (-1 << first) & (-1 >>> Math.max(32 * word + 32 - to, 0));
      const at = slot + DIRTY_BITS + word;
      words[at] = ((words[at] ?? 0) & ~bits) | (value & bits);
    }
  }

  /** Writes all 512 entries to a frame of words that begins at `at`. */
  expand(slot: number, target: Uint32Array, at: number): void {
    const { words } = this.#heap;
    const stepLo = words[slot + STEP_LO] ?? 0;
    const stepHi = words[slot + STEP_HI] ?? 0;
    const accessedLo = words[slot + ACCESSED_LO] ?? 0;
    const accessedHi = words[slot + ACCESSED_HI] ?? 0;
    const dirtyLo = words[slot + DIRTY_LO] ?? 0;
    const dirtyHi = words[slot + DIRTY_HI] ?? 0;
    let lo = words[slot + BASE_LO] ?? 0;
    let hi = words[slot + BASE_HI] ?? 0;
    for (let index = 0; index < FRAME_ENTRIES; index++) {
      const bit = index & 31;
      const accessed = -(((words[slot + ACCESSED_BITS + (index >>> 5)] ?? 0) >>> bit) & 1);
      const dirty = -(((words[slot + DIRTY_BITS + (index >>> 5)] ?? 0) >>> bit) & 1);
      target[at + 2 * index] = lo ^ (accessed & accessedLo) ^ (dirty & dirtyLo);
      target[at + 2 * index + 1] = hi ^ (accessed & accessedHi) ^ (dirty & dirtyHi);
      lo = (lo + stepLo) >>> 0;
      hi = (hi + stepHi + (lo < stepLo ? 1 : 0)) | 0;
    }
  }

  /** High half of the pattern's word, as a signed number; `low` is the low half with its carry above 32 bits. */
  #patternHi(words: Uint32Array, slot: number, index: number, low: number): number {
    const carry = Math.floor(low / 2 ** 32);
    return ((words[slot + BASE_HI] ?? 0) + Math.imul(index, words[slot + STEP_HI] ?? 0) + carry) | 0;
  }

  #newBlock(): number {
    const block = this.#heap.take();
    if (block === NO_BLOCK) return block;
    this.#heap.words[block + FREE_SLOTS] = ALL_FREE;
    this.#link(block);
    return block;
  }

  #link(block: number): void {
    const { words } = this.#heap;
    words[block + NEXT] = this.#spare;
    words[block + PREVIOUS] = NO_BLOCK;
    if (this.#spare !== NO_BLOCK) words[this.#spare + PREVIOUS] = block;
    this.#spare = block;
  }

  #unlink(block: number): void {
    const { words } = this.#heap;
    const next = words[block + NEXT] ?? NO_BLOCK;
    const previous = words[block + PREVIOUS] ?? NO_BLOCK;
    if (previous === NO_BLOCK) this.#spare = next;
    else words[previous + NEXT] = next;
    if (next !== NO_BLOCK) words[next + PREVIOUS] = previous;
  }
}

function setBit(words: Uint32Array, bitmap: number, index: number, value: boolean): void {
  const at = bitmap + (index >>> 5);
  const bit = 1 << (index & 31);
  const before = words[at] ?? 0;
  words[at] = value ? before | bit : before & ~bit;
}
