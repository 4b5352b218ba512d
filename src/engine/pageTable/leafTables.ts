import { levelOf } from '../formats/compile';
import { type PhysicalMemory } from '../memory/physicalMemory';
import { FRAME_ENTRIES } from '../memory/words';
import { type AddressSpace } from './addressSpace';

/** Tables kept at most: 64 GiB of 4 KiB leaves. */
const MOST_TABLES = 2 ** 15;
const LEAST_TABLES = 2 ** 6;
/** Buffers that hold them: their numbers have 16 bits. */
const MOST_BUFFERS = 2 ** 16;
const NO_TAG = -1;

/** Rows that are looked up at once. */
export const LOOKUP_ROWS = 64;

/**
 * From the address bits above it to a leaf-most table (to a frame of it, where tables take several) and the permission on the
 * way there, as the paging-structure caches
 * of hardware keep it: most requests of a batch then read one entry instead of one a level. Direct-mapped; what the memory
 * may have overwritten is not found any more.
 */
export class LeafTables {
  /** What `lookUp` found, by row since its first: the permission above the table, 0 when it is not kept. */
  readonly permission = new Uint8Array(LOOKUP_ROWS);
  readonly #rowBuffer = new Uint16Array(LOOKUP_ROWS);
  /** What `#touch` read: without a use of it the reads would be left out. */
  touched = 0;
  readonly #rowWord = new Uint32Array(LOOKUP_ROWS);
  readonly #memory: PhysicalMemory;
  readonly #indexShift: number;
  readonly #indexMask: number;
  /** log2 of the bytes that a frame of a leaf-most table covers; less than 32. */
  readonly #shift: number;
  readonly #space: AddressSpace;
  readonly #tagsPerHigh: number;
  readonly #mask: number;
  /** Of the memory, when the first of the tables was kept. */
  #generation: number;
  #version: number | undefined;
  /** The buffers that hold the tables, as words; few, so that finding an entry touches no object of its table. */
  #buffers: Uint32Array[] = [];
  #numbers = new Map<ArrayBufferLike, number>();
  /** By slot: the address bits above the table, the permission above it, its buffer's number and its first word there. */
  readonly #tags: Float64Array;
  readonly #permissions: Uint8Array;
  readonly #inBuffer: Uint16Array;
  readonly #firstWord: Uint32Array;

  /** Room for as many tables as a batch of `requests` can make use of. */
  constructor(space: AddressSpace, requests: number) {
    const { memory, format } = space;
    const level = levelOf(format, 1);
    const { shift } = level;
    const indexMask = Math.min(level.indexMask, FRAME_ENTRIES - 1);
    this.#space = space;
    const size = 2 ** Math.ceil(Math.log2(Math.min(MOST_TABLES, Math.max(LEAST_TABLES, requests))));
    this.#memory = memory;
    this.#generation = memory.generation;
    this.#version = memory.version;
    this.#indexShift = shift;
    this.#indexMask = indexMask;
    this.#shift = shift + Math.log2(indexMask + 1);
    this.#tagsPerHigh = 2 ** (32 - this.#shift);
    this.#mask = size - 1;
    this.#tags = new Float64Array(size).fill(NO_TAG);
    this.#permissions = new Uint8Array(size);
    this.#inBuffer = new Uint16Array(size);
    this.#firstWord = new Uint32Array(size);
  }

  /** Finds the leaf-most entries of the rows [first, end), at most LOOKUP_ROWS, as far as their tables are kept. */
  lookUp(addressesLo: Uint32Array, addressesHi: Uint32Array, first: number, end: number): void {
    if (!this.current) this.#forget();
    for (let row = first; row < end; row++) {
      const addressLo = addressesLo[row] ?? 0;
      const tag = (addressLo >>> this.#shift) + (addressesHi[row] ?? 0) * this.#tagsPerHigh;
      const slot = tag & this.#mask;
      const index = (addressLo >>> this.#indexShift) & this.#indexMask;
      this.permission[row - first] = this.#tags[slot] === tag ? (this.#permissions[slot] ?? 0) : 0;
      this.#rowBuffer[row - first] = this.#inBuffer[slot] ?? 0;
      this.#rowWord[row - first] = (this.#firstWord[slot] ?? 0) + 2 * index;
    }
    this.#touch(end - first);
  }

  /**
   * Reads the entries for nothing but to have the processor fetch them, many at once because the loop is short: one after
   * the other, between all the rest of a translation, they cost twice as much.
   */
  #touch(rows: number): void {
    const buffers = this.#buffers;
    const rowBuffer = this.#rowBuffer;
    const rowWord = this.#rowWord;
    let touched = 0;
    for (let row = 0; row < rows; row++) {
      const words = buffers[rowBuffer[row] ?? 0];
      if (words !== undefined) touched |= words[rowWord[row] ?? 0] ?? 0;
    }
    this.touched = touched;
  }

  /** False when a read of the memory may have overwritten what `lookUp` found, or a word was written: one above, perhaps. */
  get current(): boolean {
    return this.#generation === this.#memory.generation && this.#version === this.#memory.version;
  }

  /** The halves of the entry of a row for which `permission` is not 0, while `current`. */
  lo(row: number): number {
    return this.#buffers[this.#rowBuffer[row] ?? 0]?.[this.#rowWord[row] ?? 0] ?? 0;
  }

  hi(row: number): number {
    return this.#buffers[this.#rowBuffer[row] ?? 0]?.[(this.#rowWord[row] ?? 0) + 1] ?? 0;
  }

  /** Keeps a frame of a table for the addresses that share its upper bits, when the address space takes all of them. */
  keep(addressLo: number, addressHi: number, words: Uint32Array, permission: number): void {
    if (!this.current || this.#buffers.length === MOST_BUFFERS || !this.#takesAll(addressLo, addressHi))
      return;
    const tag = (addressLo >>> this.#shift) + addressHi * this.#tagsPerHigh;
    const slot = tag & this.#mask;
    this.#tags[slot] = tag;
    this.#permissions[slot] = permission;
    this.#inBuffer[slot] = this.#numberOf(words.buffer);
    this.#firstWord[slot] = words.byteOffset / 4;
  }

  #takesAll(addressLo: number, addressHi: number): boolean {
    const { lowEnd, highStart, format, rootEntry } = this.#space;
    if (format.rootDepth === 1 && rootEntry !== 0) return false;
    const pages = 2 ** (this.#shift - 12);
    const page = addressHi * 0x100000 + (addressLo >>> 12);
    const first = page - (page % pages);
    return first + pages <= lowEnd || first >= highStart;
  }

  #numberOf(buffer: ArrayBufferLike): number {
    const known = this.#numbers.get(buffer);
    if (known !== undefined) return known;
    const number = this.#buffers.length;
    this.#buffers.push(new Uint32Array(buffer, 0, Math.floor(buffer.byteLength / 4)));
    this.#numbers.set(buffer, number);
    return number;
  }

  #forget(): void {
    this.#generation = this.#memory.generation;
    this.#version = this.#memory.version;
    this.#tags.fill(NO_TAG);
    this.#buffers = [];
    this.#numbers = new Map();
  }
}
