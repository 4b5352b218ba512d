import { type CachedTranslation } from '../iommu/caches/translationCache';
import { type Writer } from './accessObserver';

/** What is known of the last write to a page. */
export interface LastWrite {
  readonly step: number;
  /** Writes so far. */
  readonly version: number;
  readonly writer: Writer;
  readonly cached: CachedTranslation | undefined;
}

const LEAST_SLOTS = 1024;
/** Pages of which it is kept: 2^18 take about 20 MB. */
const MOST_PAGES = 2 ** 18;

/** The last write to each page, by page: a hash table in columns that never takes more than its share of memory. */
export class LastWrites {
  readonly #most: number;
  #pages = new Float64Array(LEAST_SLOTS).fill(-1);
  #steps = new Float64Array(LEAST_SLOTS);
  #versions = new Uint32Array(LEAST_SLOTS);
  #writers: (Writer | undefined)[] = [];
  #cached: (CachedTranslation | undefined)[] = [];
  #size = 0;
  /** Times that a page found no room: room is looked for at the first of every so many. */
  #refused = 0;

  constructor(most = MOST_PAGES) {
    this.#most = most;
  }

  /** Pages that are known. */
  get size(): number {
    return this.#size;
  }

  /** `matters` says which pages to keep when there are too many; of others the last write is forgotten. */
  put(
    page: number,
    step: number,
    writer: Writer,
    cached: CachedTranslation | undefined,
    matters: (page: number) => boolean,
  ): void {
    let slot = this.#slot(page);
    if (this.#pages[slot] === -1) {
      if (this.#size >= this.#most && this.#refused++ % this.#most === 0)
        this.#rebuild(this.#pages.length, matters);
      if (this.#size >= this.#most) return;
      if (this.#size * 2 >= this.#pages.length) this.#rebuild(this.#pages.length * 2, () => true);
      slot = this.#slot(page);
      this.#pages[slot] = page;
      this.#versions[slot] = 0;
      this.#size++;
    }
    this.#steps[slot] = step;
    this.#versions[slot] = (this.#versions[slot] ?? 0) + 1;
    this.#writers[slot] = writer;
    this.#cached[slot] = cached;
  }

  get(page: number): LastWrite | undefined {
    const slot = this.#slot(page);
    const writer = this.#writers[slot];
    if (this.#pages[slot] !== page || !writer) return undefined;
    const [step = 0, version = 0] = [this.#steps[slot], this.#versions[slot]];
    return { step, version, writer, cached: this.#cached[slot] };
  }

  /** The slot of a page, or the free one where it would be. */
  #slot(page: number): number {
    const mask = this.#pages.length - 1;
    let slot = Math.imul(page ^ Math.floor(page / 2 ** 32), 0x9e3779b1) >>> 0;
    for (slot = (slot ^ (slot >>> 15)) & mask; ; slot = (slot + 1) & mask) {
      const there = this.#pages[slot];
      if (there === page || there === -1) return slot;
    }
  }

  #rebuild(slots: number, matters: (page: number) => boolean): void {
    const { pages, steps, versions, writers, cached } = {
      pages: this.#pages,
      steps: this.#steps,
      versions: this.#versions,
      writers: this.#writers,
      cached: this.#cached,
    };
    this.#pages = new Float64Array(slots).fill(-1);
    this.#steps = new Float64Array(slots);
    this.#versions = new Uint32Array(slots);
    this.#writers = [];
    this.#cached = [];
    this.#size = 0;
    pages.forEach((page, old) => {
      if (page === -1 || !matters(page)) return;
      const slot = this.#slot(page);
      this.#pages[slot] = page;
      this.#steps[slot] = steps[old] ?? 0;
      this.#versions[slot] = versions[old] ?? 0;
      this.#writers[slot] = writers[old];
      this.#cached[slot] = cached[old];
      this.#size++;
    });
  }
}
