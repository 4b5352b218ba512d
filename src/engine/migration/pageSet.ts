import { type RandomWords } from '../random';

/** Pages of a chunk: 1 GiB, of which the bits take 32 KiB. */
export const CHUNK_PAGES = 2 ** 18;
const CHUNK_WORDS = CHUNK_PAGES / 32;
/** Pages of a block of 2 MiB, and blocks of a chunk. */
export const BLOCK_PAGES = 512;
const BLOCK_WORDS = BLOCK_PAGES / 32;
export const CHUNK_BLOCKS = CHUNK_PAGES / BLOCK_PAGES;

/**
 * A set of pages of 4 KiB, one bit each, that is filled and emptied round by round: 2 TiB take 64 MiB, of which a system with virtual
 * memory gives what was used. Knows how many pages it has, and where it is empty or full.
 */
export class PageSet {
  count = 0;
  readonly #words: Uint32Array;
  /** Pages that are set, of each chunk; the bits of a full one say nothing. */
  readonly #filled: Uint32Array;
  /** 1 for a block of which a word was touched: the others need not be looked at, nor emptied. */
  readonly #blocks: Uint8Array;
  /** Chunks with a page. */
  #used: number[] = [];

  /** Of pages below `endPage`. */
  constructor(endPage: number) {
    const chunks = Math.ceil(endPage / CHUNK_PAGES);
    this.#words = new Uint32Array(chunks * CHUNK_WORDS);
    this.#filled = new Uint32Array(chunks);
    this.#blocks = new Uint8Array(chunks * CHUNK_BLOCKS);
  }

  /** Numbers of chunks that have a page, ascending. */
  get chunks(): readonly number[] {
    return this.#used.sort((one, other) => one - other);
  }

  add(page: number): void {
    const chunk = Math.floor(page / CHUNK_PAGES);
    const filled = this.#filled[chunk] ?? 0;
    const index = Math.floor(page / 32);
    const word = this.#words[index] ?? 0;
    const bit = 1 << (page & 31);
    if (filled === CHUNK_PAGES || (word & bit) !== 0) return;
    if (filled === 0) this.#used.push(chunk);
    this.#words[index] = word | bit;
    this.#blocks[Math.floor(page / BLOCK_PAGES)] = 1;
    this.#filled[chunk] = filled + 1;
    this.count++;
  }

  has(page: number): boolean {
    const filled = this.#filled[Math.floor(page / CHUNK_PAGES)] ?? 0;
    if (filled === 0 || filled === CHUNK_PAGES) return filled !== 0;
    return (((this.#words[Math.floor(page / 32)] ?? 0) >>> (page & 31)) & 1) === 1;
  }

  /** Adds half-open pages. */
  addRange(startPage: number, endPage: number): void {
    for (let page = startPage; page < endPage;) {
      const chunk = Math.floor(page / CHUNK_PAGES);
      const end = Math.min(endPage, (chunk + 1) * CHUNK_PAGES);
      this.#addIn(chunk, page, end);
      page = end;
    }
  }

  /** Adds the pages of a chunk of another set of the same size. */
  addChunk(other: PageSet, chunk: number): void {
    const [here, there] = [this.#filled[chunk] ?? 0, other.#filled[chunk] ?? 0];
    if (there === 0 || here === CHUNK_PAGES) return;
    if (there === CHUNK_PAGES) {
      this.#addIn(chunk, chunk * CHUNK_PAGES, (chunk + 1) * CHUNK_PAGES);
      return;
    }
    if (here === 0) this.#used.push(chunk);
    let added = 0;
    for (let block = chunk * CHUNK_BLOCKS; block < (chunk + 1) * CHUNK_BLOCKS; block++) {
      if (other.#blocks[block] === 0) continue;
      this.#blocks[block] = 1;
      for (let index = block * BLOCK_WORDS; index < (block + 1) * BLOCK_WORDS; index++) {
        const more = other.#words[index] ?? 0;
        const word = this.#words[index] ?? 0;
        added += bitsIn(more & ~word);
        this.#words[index] = word | more;
      }
    }
    this.#filled[chunk] = here + added;
    this.count += added;
  }

  clear(): void {
    for (const chunk of this.#used) {
      this.#filled[chunk] = 0;
      for (let block = chunk * CHUNK_BLOCKS; block < (chunk + 1) * CHUNK_BLOCKS; block++) {
        if (this.#blocks[block] === 0) continue;
        this.#words.fill(0, block * BLOCK_WORDS, (block + 1) * BLOCK_WORDS);
        this.#blocks[block] = 0;
      }
    }
    this.#used = [];
    this.count = 0;
  }

  /** Pages of a block of 2 MiB. */
  countInBlock(block: number): number {
    const filled = this.#filled[Math.floor(block / CHUNK_BLOCKS)] ?? 0;
    if (filled === 0 || filled === CHUNK_PAGES) return filled === 0 ? 0 : BLOCK_PAGES;
    if (this.#blocks[block] === 0) return 0;
    let pages = 0;
    const first = block * BLOCK_WORDS;
    for (let index = first; index < first + BLOCK_WORDS; index++) {
      const word = this.#words[index] ?? 0;
      if (word !== 0) pages += bitsIn(word);
    }
    return pages;
  }

  /** The pages of a block of 2 MiB, ascending. */
  eachOfBlock(block: number, visit: (page: number) => void): void {
    const isFull = this.#filled[Math.floor(block / CHUNK_BLOCKS)] === CHUNK_PAGES;
    const first = block * BLOCK_WORDS;
    for (let index = first; index < first + BLOCK_WORDS; index++) {
      const word = isFull ? 0xffffffff : (this.#words[index] ?? 0);
      for (let bit = 0; bit < 32 && word >>> bit !== 0; bit++)
        if (((word >>> bit) & 1) === 1) visit(index * 32 + bit);
    }
  }

  /** Adds pages of a block of 2 MiB, of half-open pages, as the bits of words have them (`RandomWords.biased`). */
  addSome(
    block: number,
    [start, end]: readonly [number, number],
    words: RandomWords,
    biased: Int32Array,
  ): void {
    const chunk = Math.floor(block / CHUNK_BLOCKS);
    const filled = this.#filled[chunk] ?? 0;
    if (filled === CHUNK_PAGES) return;
    let added = 0;
    const first = block * BLOCK_WORDS;
    for (let index = first; index < first + BLOCK_WORDS; index++) {
      const from = Math.max(0, start - index * 32);
      const to = Math.min(32, end - index * 32);
      if (from >= to) continue;
      const mask = to - from === 32 ? -1 : (0xffffffff >>> (32 - (to - from))) << from;
      const word = this.#words[index] ?? 0;
      const more = words.pick(biased) & mask & ~word;
      added += bitsIn(more);
      this.#words[index] = word | more;
    }
    if (added === 0) return;
    if (filled === 0) this.#used.push(chunk);
    this.#blocks[block] = 1;
    this.#filled[chunk] = filled + added;
    this.count += added;
  }

  /** Pages of one chunk. */
  #addIn(chunk: number, start: number, end: number): void {
    const filled = this.#filled[chunk] ?? 0;
    if (filled === CHUNK_PAGES) return;
    if (filled === 0) this.#used.push(chunk);
    let added = 0;
    if (end - start === CHUNK_PAGES) added = CHUNK_PAGES - filled;
    else {
      for (let page = start; page < end;) {
        const index = Math.floor(page / 32);
        const last = Math.min(end, (index + 1) * 32);
        const mask = (0xffffffff >>> (32 - (last - page))) << (page & 31);
        const word = this.#words[index] ?? 0;
        added += bitsIn(mask & ~word);
        this.#words[index] = word | mask;
        this.#blocks[Math.floor(page / BLOCK_PAGES)] = 1;
        page = last;
      }
    }
    this.#filled[chunk] = filled + added;
    this.count += added;
  }
}

/** How many bits of a 32-bit word are set. */
function bitsIn(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
