import { type PageRange } from '../../iommu/cacheOperation';
import { type SeededRandom } from '../../random';

/** A guest physical page as a vCPU's TLB holds it. Pages and frames of 4 KiB. */
export interface CpuTlbEntry {
  /** First page, and log2 of the bytes of the leaf. */
  readonly page: number;
  readonly shift: number;
  readonly frame: number;
  /** READ | WRITE. */
  readonly permission: number;
  /** D is set in the leaf, or not marked at all: a write touches no table. */
  readonly dirtyDone: boolean;
}

const LEAF_SHIFTS = [12, 21, 30] as const;

/** The TLB of one vCPU: a full one gives up an entry by seed. */
export class CpuTlb {
  readonly #entries = new Map<string, CpuTlbEntry>();
  readonly #most: number;
  readonly #random: SeededRandom;

  constructor(most: number, random: SeededRandom) {
    this.#most = most;
    this.#random = random;
  }

  get size(): number {
    return this.#entries.size;
  }

  lookup(page: number): CpuTlbEntry | undefined {
    for (const shift of LEAF_SHIFTS) {
      const found = this.#entries.get(key(page, shift));
      if (found) return found;
    }
    return undefined;
  }

  insert(entry: CpuTlbEntry): void {
    const at = key(entry.page, entry.shift);
    if (!this.#entries.has(at) && this.#entries.size >= this.#most) {
      const victim = [...this.#entries.keys()][this.#random.below(this.#entries.size)];
      if (victim !== undefined) this.#entries.delete(victim);
    }
    this.#entries.set(at, entry);
  }

  /** Removes what covers a part of these pages. */
  invalidate({ startPage, endPage }: PageRange): void {
    for (const [at, { page, shift }] of this.#entries)
      if (page < endPage && page + 2 ** (shift - 12) > startPage) this.#entries.delete(at);
  }

  clear(): void {
    this.#entries.clear();
  }
}

const key = (page: number, shift: number): string => `${shift}:${Math.floor(page / 2 ** (shift - 12))}`;
