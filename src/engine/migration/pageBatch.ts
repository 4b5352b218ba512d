import { CHUNK_PAGES, type PageSet } from './pageSet';

/** Pages that are kept before they are put in order. */
const ROOM = 2 ** 20;

/**
 * Pages on their way into a set, in order of their chunks: pages that are drawn from all of a terabyte, put in one by one, would
 * miss the caches of the processor with each.
 */
export class PageBatch {
  readonly #into: PageSet;
  readonly #pages = new Uint32Array(ROOM);
  readonly #sorted = new Uint32Array(ROOM);
  readonly #starts: Uint32Array;
  #length = 0;

  /** Pages are below `endPage`, which is at most 2^32. */
  constructor(into: PageSet, endPage: number) {
    this.#into = into;
    this.#starts = new Uint32Array(Math.ceil(endPage / CHUNK_PAGES) + 1);
  }

  add(page: number): void {
    this.#pages[this.#length++] = page;
    if (this.#length === ROOM) this.flush();
  }

  /** Until then the set may lack pages. */
  flush(): void {
    const pages = this.#pages;
    const sorted = this.#sorted;
    const starts = this.#starts.fill(0);
    const length = this.#length;
    this.#length = 0;
    for (let index = 0; index < length; index++) {
      const chunk = ((pages[index] ?? 0) >>> CHUNK_SHIFT) + 1;
      starts[chunk] = (starts[chunk] ?? 0) + 1;
    }
    for (let chunk = 1; chunk < starts.length; chunk++)
      starts[chunk] = (starts[chunk] ?? 0) + (starts[chunk - 1] ?? 0);
    for (let index = 0; index < length; index++) {
      const page = pages[index] ?? 0;
      const chunk = page >>> CHUNK_SHIFT;
      const at = starts[chunk] ?? 0;
      starts[chunk] = at + 1;
      sorted[at] = page;
    }
    for (let index = 0; index < length; index++) this.#into.add(sorted[index] ?? 0);
  }
}

const CHUNK_SHIFT = Math.log2(CHUNK_PAGES);
