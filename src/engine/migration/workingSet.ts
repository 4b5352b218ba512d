import { Pace } from './pace';
import { type MigrationSpec } from './spec';

/** Pages of 4 KiB by number, half-open. */
export interface Region {
  readonly startPage: number;
  readonly endPage: number;
}

type EachRun = (startPage: number, endPage: number) => void;

const PAGE = 4096;

/** What vCPUs write: the pages of a working set at the start of memory, one after the other, again and again. */
export class WorkingSet {
  readonly #regions: readonly Region[];
  readonly #pages: number;
  readonly #pace: Pace;
  #next = 0;

  constructor(regions: readonly Region[], { rate, workingSet }: MigrationSpec['vcpus']) {
    const all = regions.reduce((sum, { startPage, endPage }) => sum + endPage - startPage, 0);
    this.#regions = regions;
    this.#pages = Math.min(Math.floor(workingSet / PAGE), all);
    this.#pace = new Pace(this.#pages > 0 ? rate / PAGE : 0);
  }

  /** Lets seconds pass, and names the pages that are written meanwhile. */
  write(seconds: number, each: EachRun): void {
    const due = this.#pace.due(seconds);
    const start = this.#next;
    const end = start + Math.min(due, this.#pages);
    this.#name(start, Math.min(end, this.#pages), each);
    this.#name(0, end - this.#pages, each);
    if (this.#pages > 0) this.#next = (start + due) % this.#pages;
  }

  /** Pages by their place in memory without its holes, as the guest sees them. */
  #name(start: number, end: number, each: EachRun): void {
    let before = 0;
    for (const { startPage, endPage } of this.#regions) {
      const first = Math.max(start - before, 0);
      const last = Math.min(end - before, endPage - startPage);
      if (first < last) each(startPage + first, startPage + last);
      before += endPage - startPage;
    }
  }
}
