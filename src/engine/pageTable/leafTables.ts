import { type CompiledFormat, levelOf } from '../formats/compile';
import { type PhysicalMemory } from '../memory/physicalMemory';

/** Tables kept at most: 64 GiB of 4 KiB leaves. */
const MOST_TABLES = 2 ** 15;
const LEAST_TABLES = 2 ** 6;
const NO_TAG = -1;

/** Rows that are looked up at once. */
export const LOOKUP_ROWS = 64;

/**
 * From the address bits above it to a leaf-most table and the permission on the way there, as the paging-structure caches
 * of hardware keep it: most requests of a batch then read one entry instead of one a level. Direct-mapped; what the memory
 * may have overwritten is not found any more.
 */
export class LeafTables {
  /** What `lookUp` found, by row since its first: the permission above the table, 0 when it is not kept; and the entry. */
  readonly permission = new Uint8Array(LOOKUP_ROWS);
  readonly lo = new Uint32Array(LOOKUP_ROWS);
  readonly hi = new Uint32Array(LOOKUP_ROWS);
  readonly #memory: PhysicalMemory;
  readonly #indexShift: number;
  readonly #indexMask: number;
  /** log2 of the bytes that a leaf-most table covers; less than 32. */
  readonly #shift: number;
  readonly #tagsPerHigh: number;
  readonly #mask: number;
  /** By slot. */
  readonly #tags: Float64Array;
  readonly #generations: Float64Array;
  readonly #permissions: Uint8Array;
  readonly #words: (Uint32Array | undefined)[];

  /** Room for as many tables as a batch of `requests` can make use of. */
  constructor(memory: PhysicalMemory, format: CompiledFormat, requests: number) {
    const { shift, indexMask } = levelOf(format, 1);
    const size = 2 ** Math.ceil(Math.log2(Math.min(MOST_TABLES, Math.max(LEAST_TABLES, requests))));
    this.#memory = memory;
    this.#indexShift = shift;
    this.#indexMask = indexMask;
    this.#shift = shift + Math.log2(indexMask + 1);
    this.#tagsPerHigh = 2 ** (32 - this.#shift);
    this.#mask = size - 1;
    this.#tags = new Float64Array(size).fill(NO_TAG);
    this.#generations = new Float64Array(size);
    this.#permissions = new Uint8Array(size);
    this.#words = new Array<Uint32Array | undefined>(size).fill(undefined);
  }

  /**
   * Reads the leaf-most entries of the rows [first, end), at most LOOKUP_ROWS, as far as their tables are kept. A loop of
   * its own, and a short one, because the processor then fetches the entries of several rows from memory at once.
   */
  lookUp(addressesLo: Uint32Array, addressesHi: Uint32Array, first: number, end: number): void {
    const { permission, lo, hi } = this;
    const { generation } = this.#memory;
    for (let row = first; row < end; row++) {
      const addressLo = addressesLo[row] ?? 0;
      const tag = (addressLo >>> this.#shift) + (addressesHi[row] ?? 0) * this.#tagsPerHigh;
      const slot = tag & this.#mask;
      const words = this.#words[slot];
      if (words && this.#tags[slot] === tag && this.#generations[slot] === generation) {
        const at = 2 * ((addressLo >>> this.#indexShift) & this.#indexMask);
        permission[row - first] = this.#permissions[slot] ?? 0;
        lo[row - first] = words[at] ?? 0;
        hi[row - first] = words[at + 1] ?? 0;
      } else {
        permission[row - first] = 0;
      }
    }
  }

  /** Keeps a table for the addresses that share its upper bits. */
  keep(addressLo: number, addressHi: number, words: Uint32Array, permission: number): void {
    const tag = (addressLo >>> this.#shift) + addressHi * this.#tagsPerHigh;
    const slot = tag & this.#mask;
    this.#tags[slot] = tag;
    this.#generations[slot] = this.#memory.generation;
    this.#permissions[slot] = permission;
    this.#words[slot] = words;
  }
}
