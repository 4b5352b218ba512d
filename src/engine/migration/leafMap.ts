import { BLOCK_PAGES } from './pageSet';

/** Blocks of 2 MiB that a map has at most: 8 TiB of input addresses. */
export const MOST_BLOCKS = 2 ** 22;
/** A block of which the pages differ: they stand by themselves. */
const MIXED = 255;

/** Pages that leaves of one size map. Half-open pages of 4 KiB; both ends lie on the borders of leaves. */
export interface LeafRun {
  readonly startPage: number;
  readonly endPage: number;
  /** log2 of the bytes of a leaf, at least 12. */
  readonly shift: number;
  /** Nobody may write there. Absent: devices may. */
  readonly readOnly?: boolean;
}

/** Which page size maps what: a byte for each 2 MiB, and a byte a page where those of one block differ. */
export class LeafMap {
  readonly #shifts: Uint8Array;
  readonly #mixed = new Map<number, Uint8Array>();
  /** Leaves by log2 of their bytes. */
  readonly #counts = new Map<number, number>();

  /** Of pages below `endPage`, and below 8 TiB; nothing is mapped. */
  constructor(endPage: number) {
    this.#shifts = new Uint8Array(Math.min(Math.ceil(endPage / BLOCK_PAGES), MOST_BLOCKS));
  }

  /** Runs in any order that do not overlap. */
  static of(runs: readonly LeafRun[]): LeafMap {
    const map = new LeafMap(runs.reduce((most, { endPage }) => Math.max(most, endPage), 0));
    for (const run of runs) map.add(run);
    return map;
  }

  /** Leaves of pages that had none. */
  add(run: LeafRun): void {
    if (run.readOnly !== true) this.#put(run);
    this.#count(run.shift, (run.endPage - run.startPage) / 2 ** (run.shift - 12));
  }

  copy(): LeafMap {
    const copy = new LeafMap(this.#shifts.length * BLOCK_PAGES);
    copy.#shifts.set(this.#shifts);
    for (const [block, pages] of this.#mixed) copy.#mixed.set(block, pages.slice());
    for (const [shift, leaves] of this.#counts) copy.#counts.set(shift, leaves);
    return copy;
  }

  /** Above all pages. */
  get endPage(): number {
    return this.#shifts.length * BLOCK_PAGES;
  }

  /** Leaves of all sizes. */
  get leaves(): number {
    return [...this.#counts.values()].reduce((all, leaves) => all + leaves, 0);
  }

  /** Leaves by page size in bytes; sizes that there are none of are left out. */
  get bySize(): Record<string, number> {
    const sizes = [...this.#counts].filter(([, leaves]) => leaves > 0).sort(([one], [other]) => one - other);
    return Object.fromEntries(sizes.map(([shift, leaves]) => [String(2 ** shift), leaves]));
  }

  /** Of a block of 2 MiB: what maps all of it for writes, 0 when nothing does, undefined when its pages differ. */
  blockShift(block: number): number | undefined {
    const shift = this.#shifts[block] ?? 0;
    return shift === MIXED ? undefined : shift;
  }

  /** log2 of the bytes of the leaf that maps a page; 0: none that devices may write. */
  shiftOf(page: number): number {
    const block = Math.floor(page / BLOCK_PAGES);
    const shift = this.#shifts[block] ?? 0;
    return shift === MIXED ? (this.#mixed.get(block)?.[page % BLOCK_PAGES] ?? 0) : shift;
  }

  /**
   * Splits every leaf of the pages that is larger; how many there were, and the entries that were written for them. `to`: log2
   * bytes. `each` hears of every one of them.
   */
  split(
    startPage: number,
    endPage: number,
    to: number,
    each?: (startPage: number, endPage: number, shift: number, entries: number) => void,
  ): { readonly splits: number; readonly entries: number } {
    let splits = 0;
    let entries = 0;
    for (let page = startPage; page < endPage;) {
      const shift = this.shiftOf(page);
      const pages = 2 ** (Math.max(shift, 12) - 12);
      const start = page - (page % pages);
      if (shift > to) {
        this.#put({ startPage: start, endPage: start + pages, shift: to });
        const made = 2 ** (shift - to);
        this.#count(shift, -1);
        this.#count(to, made);
        splits++;
        entries += made;
        each?.(start, start + pages, shift, made);
      }
      page = start + pages;
    }
    return { splits, entries };
  }

  /** Makes pages one leaf, whatever maps them now. */
  collapse({ startPage, endPage }: Omit<LeafRun, 'shift'>, shift: number): void {
    for (let page = startPage; page < endPage;) {
      const small = Math.max(this.shiftOf(page), 12);
      const block = Math.floor(page / BLOCK_PAGES);
      // Blocks of one size are counted at once: 1 GiB may be 262,144 leaves.
      const isWhole = page % BLOCK_PAGES === 0 && this.blockShift(block) === small && small < 21;
      const pages = isWhole ? BLOCK_PAGES : 2 ** (small - 12);
      this.#count(small, -pages / 2 ** (small - 12));
      page += pages;
    }
    this.#put({ startPage, endPage, shift });
    this.#count(shift, 1);
  }

  #put({ startPage, endPage, shift }: LeafRun): void {
    const most = this.#shifts.length * BLOCK_PAGES;
    for (let page = startPage; page < Math.min(endPage, most);) {
      const block = Math.floor(page / BLOCK_PAGES);
      const next = (block + 1) * BLOCK_PAGES;
      if (page % BLOCK_PAGES === 0 && endPage >= next) {
        const whole = Math.floor(Math.min(endPage, most) / BLOCK_PAGES);
        this.#shifts.fill(shift, block, whole);
        if (this.#mixed.size > 0) for (let each = block; each < whole; each++) this.#mixed.delete(each);
        page = whole * BLOCK_PAGES;
        continue;
      }
      const end = Math.min(endPage, next);
      this.#pagesOf(block).fill(shift, page % BLOCK_PAGES, end - block * BLOCK_PAGES);
      page = end;
    }
  }

  #pagesOf(block: number): Uint8Array {
    const known = this.#mixed.get(block);
    if (known) return known;
    const pages = new Uint8Array(BLOCK_PAGES).fill(this.#shifts[block] ?? 0);
    this.#mixed.set(block, pages);
    this.#shifts[block] = MIXED;
    return pages;
  }

  #count(shift: number, more: number): void {
    this.#counts.set(shift, (this.#counts.get(shift) ?? 0) + more);
  }
}

/** Leaves of pages of guest memory by a list of sizes: the largest that fits everywhere. `shifts`: log2 bytes, in any order. */
export function leavesBy(
  regions: readonly { readonly startPage: number; readonly endPage: number }[],
  shifts: readonly number[],
): LeafRun[] {
  const sizes = [...shifts].sort((one, other) => other - one);
  const runs: LeafRun[] = [];
  const fill = (startPage: number, endPage: number, from: number): void => {
    const shift = sizes[from];
    if (shift === undefined || startPage >= endPage) return;
    const pages = 2 ** (shift - 12);
    const first = Math.ceil(startPage / pages) * pages;
    const last = Math.floor(endPage / pages) * pages;
    if (first >= last) {
      fill(startPage, endPage, from + 1);
      return;
    }
    fill(startPage, first, from + 1);
    runs.push({ startPage: first, endPage: last, shift });
    fill(last, endPage, from + 1);
  };
  for (const { startPage, endPage } of regions) fill(startPage, endPage, 0);
  return runs;
}
