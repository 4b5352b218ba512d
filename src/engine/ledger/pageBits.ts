import { type PageRange } from '../iommu/cacheOperation';

/** log2 of the pages of a chunk, and its 32-bit words: 128 MiB of memory take 4 KiB. */
const CHUNK_SHIFT = 15;
const CHUNK_PAGES = 2 ** CHUNK_SHIFT;
const CHUNK_WORDS = CHUNK_PAGES / 32;

/** A set of pages: bits in chunks that are there only when one is set. 2^29 pages take 64 MiB at most. */
export class PageBits {
  readonly #chunks = new Map<number, Uint32Array>();
  /** The chunk used last: most accesses are near each other. */
  #lastNumber = -1;
  #last: Uint32Array | undefined;

  add(page: number): void {
    const number = Math.floor(page / CHUNK_PAGES);
    let chunk = this.#chunk(number);
    if (!chunk) {
      chunk = new Uint32Array(CHUNK_WORDS);
      this.#chunks.set(number, chunk);
      this.#lastNumber = number;
      this.#last = chunk;
    }
    const bit = page % CHUNK_PAGES;
    const word = bit >>> 5;
    chunk[word] = (chunk[word] ?? 0) | (1 << (bit & 31));
  }

  has(page: number): boolean {
    const chunk = this.#chunk(Math.floor(page / CHUNK_PAGES));
    if (!chunk) return false;
    const bit = page % CHUNK_PAGES;
    return (((chunk[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 1;
  }

  addRange({ startPage, endPage }: PageRange): void {
    for (let page = startPage; page < endPage;) {
      const number = Math.floor(page / CHUNK_PAGES);
      const end = Math.min(endPage, (number + 1) * CHUNK_PAGES);
      if (end - page === CHUNK_PAGES) this.#chunks.set(number, new Uint32Array(CHUNK_WORDS).fill(0xffffffff));
      else for (; page < end; page++) this.add(page);
      page = end;
    }
    this.#lastNumber = -1;
  }

  removeRange({ startPage, endPage }: PageRange): void {
    for (const number of this.#numbers(startPage, endPage)) {
      const first = number * CHUNK_PAGES;
      const chunk = this.#chunks.get(number);
      if (!chunk) continue;
      if (startPage <= first && first + CHUNK_PAGES <= endPage) this.#chunks.delete(number);
      else removeBits(chunk, Math.max(startPage - first, 0), Math.min(endPage - first, CHUNK_PAGES));
    }
    this.#lastNumber = -1;
  }

  /** Runs of pages of a range that are in the set, ascending. */
  *runs(startPage = 0, endPage = Infinity): Generator<PageRange> {
    let start = -1;
    let end = -1;
    for (const number of this.#numbers(startPage, endPage)) {
      const chunk = this.#chunks.get(number);
      if (!chunk) continue;
      const first = number * CHUNK_PAGES;
      const last = Math.min(endPage - first, CHUNK_PAGES);
      for (let bit = Math.max(startPage - first, 0); bit < last;) {
        const word = chunk[bit >>> 5] ?? 0;
        if (word === 0) {
          bit = (bit | 31) + 1;
          continue;
        }
        const step = word === 0xffffffff && (bit & 31) === 0 && bit + 32 <= last ? 32 : 1;
        if (((word >>> (bit & 31)) & 1) === 1) {
          const page = first + bit;
          if (page !== end) {
            if (start >= 0) yield { startPage: start, endPage: end };
            start = page;
          }
          end = page + step;
        }
        bit += step;
      }
    }
    if (start >= 0) yield { startPage: start, endPage: end };
  }

  /** Runs of pages of a range that are not in the set, ascending. */
  *gaps(startPage: number, endPage: number): Generator<PageRange> {
    let from = startPage;
    for (const run of this.runs(startPage, endPage)) {
      if (from < run.startPage) yield { startPage: from, endPage: run.startPage };
      from = run.endPage;
    }
    if (from < endPage) yield { startPage: from, endPage };
  }

  count(startPage = 0, endPage = Infinity): number {
    let pages = 0;
    for (const run of this.runs(startPage, endPage)) pages += run.endPage - run.startPage;
    return pages;
  }

  clear(): void {
    this.#chunks.clear();
    this.#lastNumber = -1;
  }

  #chunk(number: number): Uint32Array | undefined {
    if (number !== this.#lastNumber) {
      this.#lastNumber = number;
      this.#last = this.#chunks.get(number);
    }
    return this.#last;
  }

  /** Chunks that a range touches, ascending. */
  #numbers(startPage: number, endPage: number): number[] {
    const first = Math.floor(startPage / CHUNK_PAGES);
    const last = Math.ceil(endPage / CHUNK_PAGES);
    if (last - first <= 64)
      return Array.from({ length: Math.max(0, last - first) }, (_, index) => first + index);
    return [...this.#chunks.keys()]
      .filter((number) => number >= first && number < last)
      .sort((one, other) => one - other);
  }
}

function removeBits(chunk: Uint32Array, start: number, end: number): void {
  for (let bit = start; bit < end;) {
    const word = bit >>> 5;
    if ((bit & 31) === 0 && bit + 32 <= end) {
      chunk[word] = 0;
      bit += 32;
    } else {
      chunk[word] = (chunk[word] ?? 0) & ~(1 << (bit & 31));
      bit++;
    }
  }
}
