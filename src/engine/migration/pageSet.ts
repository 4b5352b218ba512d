/** log2 of the pages of a chunk: 1 GiB, of which the bits take 32 KiB. */
export const CHUNK_SHIFT = 18;
export const CHUNK_PAGES = 2 ** CHUNK_SHIFT;
const CHUNK_WORDS = CHUNK_PAGES / 32;
/** Pages of a block of 2 MiB, and blocks of a chunk. */
export const BLOCK_PAGES = 512;
const BLOCK_WORDS = BLOCK_PAGES / 32;

/**
 * A set of pages of 4 KiB, one bit each, that is filled and emptied round by round: 2 TiB take 64 MiB at most, and a chunk of 1 GiB
 * that is in it as a whole takes nothing. Knows how many pages it has.
 */
export class PageSet {
  count = 0;
  readonly #chunks: (Uint32Array | undefined)[] = [];
  /** Pages that are set, of each chunk. */
  readonly #filled: number[] = [];
  /** Chunks with a page. */
  #used: number[] = [];

  /** Numbers of chunks that have a page, ascending. */
  get chunks(): readonly number[] {
    return this.#used.sort((one, other) => one - other);
  }

  /** Adds half-open pages. */
  addRange(startPage: number, endPage: number): void {
    for (let page = startPage; page < endPage;) {
      const chunk = Math.floor(page / CHUNK_PAGES);
      const base = chunk * CHUNK_PAGES;
      const end = Math.min(endPage, base + CHUNK_PAGES);
      this.#addIn(chunk, page - base, end - base);
      page = end;
    }
  }

  has(page: number): boolean {
    const chunk = Math.floor(page / CHUNK_PAGES);
    const filled = this.#filled[chunk] ?? 0;
    if (filled === 0 || filled === CHUNK_PAGES) return filled !== 0;
    const bit = page - chunk * CHUNK_PAGES;
    return (((this.#chunks[chunk]?.[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 1;
  }

  clear(): void {
    for (const chunk of this.#used) {
      this.#chunks[chunk]?.fill(0);
      this.#filled[chunk] = 0;
    }
    this.#used = [];
    this.count = 0;
  }

  /** Runs of pages of a block of 2 MiB, ascending; they end at its end. */
  eachRunOfBlock(block: number, run: (startPage: number, endPage: number) => void): void {
    const first = block * BLOCK_PAGES;
    const chunk = Math.floor(first / CHUNK_PAGES);
    const filled = this.#filled[chunk] ?? 0;
    if (filled === 0) return;
    if (filled === CHUNK_PAGES) {
      run(first, first + BLOCK_PAGES);
      return;
    }
    const words = this.#chunks[chunk];
    if (!words) return;
    const from = (first - chunk * CHUNK_PAGES) >>> 5;
    let start = -1;
    for (let index = 0; index < BLOCK_WORDS; index++) {
      const word = words[from + index] ?? 0;
      if (word === 0 || word === 0xffffffff) {
        if (word === 0 && start >= 0) run(first + start, first + index * 32);
        if (word === 0) start = -1;
        else if (start < 0) start = index * 32;
        continue;
      }
      for (let bit = 0; bit < 32; bit++) {
        if (((word >>> bit) & 1) === 1) {
          if (start < 0) start = index * 32 + bit;
        } else if (start >= 0) {
          run(first + start, first + index * 32 + bit);
          start = -1;
        }
      }
    }
    if (start >= 0) run(first + start, first + BLOCK_PAGES);
  }

  /** Whether a block of 2 MiB has a page. */
  hasInBlock(block: number): boolean {
    const first = block * BLOCK_PAGES;
    const chunk = Math.floor(first / CHUNK_PAGES);
    const filled = this.#filled[chunk] ?? 0;
    if (filled === 0 || filled === CHUNK_PAGES) return filled !== 0;
    const words = this.#chunks[chunk];
    const from = (first - chunk * CHUNK_PAGES) >>> 5;
    for (let index = from; index < from + BLOCK_WORDS; index++) if ((words?.[index] ?? 0) !== 0) return true;
    return false;
  }

  /** `start`, `end`: pages within the chunk. */
  #addIn(chunk: number, start: number, end: number): void {
    const filled = this.#filled[chunk] ?? 0;
    if (filled === CHUNK_PAGES) return;
    if (filled === 0) this.#used.push(chunk);
    let added = 0;
    if (end - start === CHUNK_PAGES) added = CHUNK_PAGES - filled;
    else {
      const words = (this.#chunks[chunk] ??= new Uint32Array(CHUNK_WORDS));
      for (let bit = start; bit < end;) {
        const index = bit >>> 5;
        const last = Math.min(end, (index + 1) * 32);
        const mask = (0xffffffff >>> (32 - (last - bit))) << (bit & 31);
        const word = words[index] ?? 0;
        const fresh = mask & ~word;
        if (fresh !== 0) {
          words[index] = word | fresh;
          added += bitsIn(fresh);
        }
        bit = last;
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
