import { assert } from '../result';
import { FRAME_WORDS, hex, type FrameNumber } from '../values';
import { BlockHeap, MOST_ARENA_BYTES, NO_BLOCK } from './blockHeap';
import { FrameCopies } from './frameCopies';
import { ABSENT_PLACE, FrameDirectory } from './frameDirectory';
import { type UniformEntries, type UniformFrames } from './uniformFrames';
import { BITMAP_WORDS, DIRTY_BITS, UniformSlots } from './uniformSlots';
import { type EntryHalves, FRAME_ENTRIES, frameOf } from './words';
import { type WritableMemory } from './writableMemory';

/** In the place of a frame: it is a slot of like entries. Blocks and slots begin at even words. */
const UNIFORM = 1;

const ZEROS: UniformEntries = {
  baseLo: 0,
  baseHi: 0,
  stepLo: 0,
  stepHi: 0,
  accessedLo: 0,
  accessedHi: 0,
  dirtyLo: 0,
  dirtyHi: 0,
};

/**
 * Emulated frames in one WebAssembly.Memory. Frame numbers may lie anywhere; only frames that were added are held: as 1024
 * words, or, when their entries are like each other, as the pattern and two bits for each (about 170 bytes). A frame of
 * zeros is held the small way, and a block is kept back for its words: so it is `addFrame` that says when memory is full.
 * Frames set by `writeUniform` share an eighth of the memory for that: only where more of them stop being uniform than have
 * room may a write find none.
 *
 * Arrays that `readFrame` gave follow what is written. They end, and `generation` changes, when a frame is added, taken out,
 * or stops or begins to be uniform; and for uniform frames when 64 others were read.
 */
export class Arena implements WritableMemory, UniformFrames {
  readonly #heap: BlockHeap;
  readonly #directory: FrameDirectory;
  readonly #slots: UniformSlots;
  readonly #copies: FrameCopies;
  readonly #found: EntryHalves = { lo: 0, hi: 0 };
  #given = 0;
  #version = 0;
  #frames = 0;
  #uniform = 0;
  /** Uniform frames for whose words no block is promised. */
  #patterns = 0;
  #refused = 0;

  /** `mostBytes`: that the memory may grow to, at most 4 GiB. */
  constructor(mostBytes = MOST_ARENA_BYTES) {
    this.#heap = new BlockHeap(mostBytes);
    this.#directory = new FrameDirectory(this.#heap);
    this.#slots = new UniformSlots(this.#heap);
    this.#copies = new FrameCopies(this.#slots);
  }

  get generation(): number {
    return this.#given + this.#heap.growths + this.#copies.ended;
  }

  get version(): number {
    return this.#version;
  }

  /** Bytes that the memory takes now, all bookkeeping that grows with it included. */
  get bytes(): number {
    return this.#heap.bytes;
  }

  get uniformFrames(): UniformFrames {
    return this;
  }

  /** Frames that are held, and how many of them as a pattern. */
  get counts(): { readonly frames: number; readonly uniform: number } {
    return { frames: this.#frames, uniform: this.#uniform };
  }

  /** The numbers of all frames that are held, ascending. */
  heldFrames(): Generator<number> {
    return this.#directory.frames();
  }

  /** Writes that were not done because memory is full: whatever wrote cannot go on. */
  get refusedWrites(): number {
    return this.#refused;
  }

  /** Adds a frame of zeros; false when memory is full. A frame that is there keeps its words. */
  addFrame(frame: FrameNumber): boolean {
    if (this.holds(frame)) return true;
    if (!this.#directory.prepare(frame) || !this.#heap.promise()) return false;
    const slot = this.#slots.take();
    if (slot === 0) {
      this.#heap.unpromise();
      return false;
    }
    this.#slots.setPromised(slot, true);
    this.#directory.set(frame, slot + UNIFORM);
    this.#frames++;
    this.#uniform++;
    this.#version++;
    return true;
  }

  holds(frame: FrameNumber): boolean {
    return this.#directory.find(frame) !== ABSENT_PLACE;
  }

  /** Makes a held frame one of zeros; false when it is not held, or memory is full. */
  clearFrame(frame: FrameNumber): boolean {
    const place = this.#directory.find(frame);
    if (place === ABSENT_PLACE) return false;
    if (isUniform(place)) {
      const slot = place - UNIFORM;
      if (!this.#slots.isPromised(slot)) {
        this.#countPatterns(-1);
        if (!this.#heap.promise()) {
          this.#countPatterns(1);
          return false;
        }
        this.#slots.setPromised(slot, true);
      }
      this.#slots.setPattern(slot, ZEROS);
      this.#copies.refresh(slot);
    } else this.#heap.words.fill(0, place, place + FRAME_WORDS);
    this.#version++;
    return true;
  }

  removeFrame(frame: FrameNumber): void {
    const place = this.#directory.find(frame);
    if (place === ABSENT_PLACE) return;
    this.#release(place);
    this.#directory.set(frame, ABSENT_PLACE);
    this.#frames--;
    this.#version++;
  }

  readFrame(frame: FrameNumber): Uint32Array | undefined {
    const place = this.#directory.find(frame);
    if (place === ABSENT_PLACE) return undefined;
    return isUniform(place) ? this.#copies.read(place - UNIFORM) : this.#heap.block(place);
  }

  explainMissing(frame: FrameNumber): string {
    return `physical address ${hex(BigInt(frame) << 12n)} is not in this machine's memory`;
  }

  readEntry(table: FrameNumber, index: number, into: EntryHalves): boolean {
    const place = this.#directory.find(frameOf(table, index));
    if (place === ABSENT_PLACE) return false;
    const entry = index & (FRAME_ENTRIES - 1);
    if (isUniform(place)) {
      this.#slots.read(place - UNIFORM, entry, into);
      return true;
    }
    const { words } = this.#heap;
    into.lo = words[place + 2 * entry] ?? 0;
    into.hi = words[place + 2 * entry + 1] ?? 0;
    return true;
  }

  /** False when the frame is not held, or, for a frame set by `writeUniform`, when memory is full: see `refusedWrites`. */
  writeEntry(table: FrameNumber, index: number, lo: number, hi: number): boolean {
    const frame = frameOf(table, index);
    const place = this.#directory.find(frame);
    if (place === ABSENT_PLACE) return false;
    const entry = index & (FRAME_ENTRIES - 1);
    let block = place;
    if (isUniform(place)) {
      if (this.#slots.write(place - UNIFORM, entry, lo, hi)) {
        this.#copies.follow(place - UNIFORM, entry, lo, hi);
        this.#version++;
        return true;
      }
      block = this.#expand(frame, place - UNIFORM);
      if (block === NO_BLOCK) return false;
    }
    const { words } = this.#heap;
    words[block + 2 * entry] = lo;
    words[block + 2 * entry + 1] = hi;
    this.#version++;
    return true;
  }

  casEntry(
    table: FrameNumber,
    index: number,
    expectedLo: number,
    expectedHi: number,
    lo: number,
    hi: number,
  ): boolean {
    const found = this.#found;
    if (!this.readEntry(table, index, found)) return false;
    if (found.lo !== expectedLo >>> 0 || found.hi !== expectedHi >>> 0) return false;
    return this.writeEntry(table, index, lo, hi);
  }

  writeUniform(frame: FrameNumber, entries: UniformEntries): boolean {
    const common = (entries.accessedLo & entries.dirtyLo) | (entries.accessedHi & entries.dirtyHi);
    assert(common === 0, 'accessed and dirty are different bits');
    const place = this.#directory.find(frame);
    if (place === ABSENT_PLACE) return false;
    const slot = isUniform(place) ? place - UNIFORM : this.#slots.take();
    if (slot === 0) return false;
    if (!isUniform(place)) {
      this.#release(place);
      this.#directory.set(frame, slot + UNIFORM);
      this.#uniform++;
      this.#countPatterns(1);
    } else if (this.#slots.isPromised(slot)) {
      this.#slots.setPromised(slot, false);
      this.#heap.unpromise();
      this.#countPatterns(1);
    }
    this.#slots.setPattern(slot, entries);
    this.#copies.refresh(slot);
    this.#version++;
    return true;
  }

  uniformEntries(frame: FrameNumber): UniformEntries | undefined {
    const place = this.#directory.find(frame);
    return isUniform(place) ? this.#slots.pattern(place - UNIFORM) : undefined;
  }

  dirtyWords(frame: FrameNumber, into: Uint32Array, at = 0): boolean {
    const place = this.#directory.find(frame);
    if (!isUniform(place)) return false;
    const { words } = this.#heap;
    const first = place - UNIFORM + DIRTY_BITS;
    for (let word = 0; word < BITMAP_WORDS; word++) into[at + word] = words[first + word] ?? 0;
    return true;
  }

  clearDirty(frame: FrameNumber, from = 0, to = FRAME_ENTRIES): boolean {
    return this.#setDirty(frame, from, to, 0);
  }

  setDirty(frame: FrameNumber, from = 0, to = FRAME_ENTRIES): boolean {
    return this.#setDirty(frame, from, to, -1);
  }

  #setDirty(frame: FrameNumber, from: number, to: number, value: number): boolean {
    const place = this.#directory.find(frame);
    if (!isUniform(place)) return false;
    const slot = place - UNIFORM;
    this.#slots.setDirty(slot, from, to, value);
    this.#copies.refresh(slot);
    this.#version++;
    return true;
  }

  /** Makes a uniform frame one of words; NO_BLOCK when there is no room. */
  #expand(frame: FrameNumber, slot: number): number {
    const promised = this.#slots.isPromised(slot);
    const block = promised ? this.#heap.takePromised() : this.#heap.takeReserve();
    if (block === NO_BLOCK) {
      this.#refused++;
      return NO_BLOCK;
    }
    if (promised) {
      this.#slots.setPromised(slot, false);
      this.#countPatterns(1);
    }
    this.#slots.expand(slot, this.#heap.words, block);
    this.#release(slot + UNIFORM);
    this.#directory.set(frame, block);
    return block;
  }

  #countPatterns(more: number): void {
    this.#patterns += more;
    this.#heap.reserveFor(this.#patterns);
  }

  /** Gives back what held a frame. */
  #release(place: number): void {
    if (!isUniform(place)) {
      this.#heap.give(place);
      this.#given++;
      return;
    }
    const slot = place - UNIFORM;
    if (this.#slots.isPromised(slot)) this.#heap.unpromise();
    else this.#countPatterns(-1);
    this.#copies.end(slot);
    this.#slots.give(slot);
    this.#uniform--;
  }
}

const isUniform = (place: number): boolean => (place & UNIFORM) !== 0;
