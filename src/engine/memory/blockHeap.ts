import { assert } from '../result';
import { FRAME_BYTES, FRAME_WORDS } from '../values';

/** The part of the standard that is used here: the engine sees neither the DOM's nor Node's types. */
interface GrowingMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
declare const WebAssembly: {
  readonly Memory: new (pages: { readonly initial: number; readonly maximum: number }) => GrowingMemory;
};

const WASM_PAGE_BYTES = 65536;
/** Words of a WebAssembly.Memory are addressed by 32 bits. */
export const MOST_ARENA_BYTES = 2 ** 32;
const BLOCKS_PER_PAGE = WASM_PAGE_BYTES / FRAME_BYTES;
/** Pages of one growth at most: 16 MiB. */
const MOST_GROWTH = 256;
/** Growth is an eighth of what there is: each costs the same, and little memory is taken in vain. */
const GROWTH_DIVISOR = 8;

/** Of all blocks, at most this part is held in reserve: the rest of what may be written later shares it. */
const RESERVE_DIVISOR = 8;

/** Arrays of whole blocks that are made once: a direct-mapped cache. */
const VIEWS = 256;

/** Instead of the place of a block: there is no room. */
export const NO_BLOCK = 0;

/**
 * Blocks of 4 KiB in one WebAssembly.Memory that grows as they are needed. A block is named by the place of its first word.
 * Block 0 is always taken, so that 0 names none.
 */
export class BlockHeap {
  readonly #memory: GrowingMemory;
  #words: Uint32Array;
  #mostBlocks: number;
  /** Blocks that were ever taken; those behind them are zeros. */
  #touched = 1;
  /** Blocks given back, each holding the place of the next in its first word. */
  #firstFree = NO_BLOCK;
  #free = 0;
  #promised = 0;
  #reserve = 0;
  #growths = 0;
  #views: (Uint32Array | undefined)[] = [];

  /** `mostBytes`: at most 4 GiB; at least a page of 64 KiB is taken. */
  constructor(mostBytes: number) {
    const pages = Math.max(1, Math.floor(Math.min(mostBytes, MOST_ARENA_BYTES) / WASM_PAGE_BYTES));
    this.#mostBlocks = pages * BLOCKS_PER_PAGE;
    this.#memory = new WebAssembly.Memory({ initial: 1, maximum: pages });
    this.#words = new Uint32Array(this.#memory.buffer);
  }

  /** All words. Ask again after anything that may have taken a block: growth ends the array given before. */
  get words(): Uint32Array {
    if (this.#words.length === 0) this.#words = new Uint32Array(this.#memory.buffer);
    return this.#words;
  }

  /** The words of one block. */
  block(place: number): Uint32Array {
    const at = (place / FRAME_WORDS) & (VIEWS - 1);
    const known = this.#views[at];
    // Growth puts all arrays at 0, where no block is.
    if (known?.byteOffset === 4 * place) return known;
    const made = this.words.subarray(place, place + FRAME_WORDS);
    this.#views[at] = made;
    return made;
  }

  /** Bytes that the memory takes now. */
  get bytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** How often arrays over the memory ended. */
  get growths(): number {
    return this.#growths;
  }

  /** How many frames may have to be written whole, of which none has a promise: a part of them is provided for. */
  reserveFor(frames: number): void {
    this.#reserve = Math.min(frames, Math.floor(this.#mostBlocks / RESERVE_DIVISOR));
  }

  /** Keeps a block for a later `takePromised`; false when there is none left. */
  promise(): boolean {
    if (this.#left - this.#reserve < 1) return false;
    this.#promised++;
    return true;
  }

  unpromise(): void {
    assert(this.#promised > 0, 'a block was promised');
    this.#promised--;
  }

  /** A block whose words are anything; NO_BLOCK when none is left. */
  take(): number {
    return this.#left - this.#reserve < 1 ? NO_BLOCK : this.#take();
  }

  /** The same, and from the reserve when there is no other. */
  takeReserve(): number {
    return this.#left < 1 ? NO_BLOCK : this.#take();
  }

  /** The block of a promise, which is kept with it; NO_BLOCK when the machine has less memory than was allowed. */
  takePromised(): number {
    const block = this.#take();
    if (block !== NO_BLOCK) this.unpromise();
    return block;
  }

  give(block: number): void {
    this.words[block] = this.#firstFree;
    this.#firstFree = block;
    this.#free++;
  }

  /** Blocks that can still be taken without a promise. */
  get #left(): number {
    return this.#free + this.#mostBlocks - this.#touched - this.#promised;
  }

  #take(): number {
    const block = this.#firstFree;
    if (block !== NO_BLOCK) {
      this.#firstFree = this.words[block] ?? NO_BLOCK;
      this.#free--;
      return block;
    }
    const fresh = this.#touched;
    if (fresh >= this.#mostBlocks) return NO_BLOCK;
    if ((fresh + 1) * FRAME_BYTES > this.bytes && !this.#grow()) return NO_BLOCK;
    this.#touched++;
    return fresh * FRAME_WORDS;
  }

  #grow(): boolean {
    const pages = this.bytes / WASM_PAGE_BYTES;
    const most = this.#mostBlocks / BLOCKS_PER_PAGE - pages;
    const wanted = Math.min(MOST_GROWTH, most, Math.ceil(pages / GROWTH_DIVISOR));
    try {
      this.#memory.grow(wanted);
    } catch {
      // The system gives no more, although it was allowed: what there is is all.
      this.#mostBlocks = pages * BLOCKS_PER_PAGE;
      return false;
    }
    this.#growths++;
    return true;
  }
}
