import { type CompiledLevel } from '../formats/compile';
import { FRAME_BYTES } from '../values';
import { RunColumns } from './runColumns';

const TWO_32 = 0x1_0000_0000;

/**
 * Merges leaves that come in IOVA order into runs: the next leaf joins when it stands where the run ends and its word is
 * the last one plus one page. All other bits being equal, attributes and A/D are equal too.
 */
export class RunMerger {
  readonly columns: RunColumns;
  readonly limit: number;
  /** True when a leaf came that starts run `limit + 1`. */
  full = false;
  #open = false;
  #nextPage = 0;
  #nextLo = 0;
  #nextHi = 0;
  #level = 0;
  #permission = 0;
  #count = 0;

  constructor(limit: number) {
    this.limit = limit;
    this.columns = new RunColumns(Math.min(limit, 1024));
  }

  /** Takes one leaf; false when it would start a run beyond the limit, and then nothing has changed. */
  add(
    level: CompiledLevel,
    page: number,
    lo: number,
    hi: number,
    permission: number,
    entryAddress: number,
    frame: number,
  ): boolean {
    if (this.#continues(level.level, page, lo, hi, permission)) {
      this.#count++;
    } else {
      this.close();
      if (this.columns.length === this.limit) {
        this.full = true;
        return false;
      }
      const { columns } = this;
      const row = columns.reserve();
      columns.page[row] = page;
      columns.frame[row] = frame;
      columns.entryAddress[row] = entryAddress;
      columns.lo[row] = lo;
      columns.hi[row] = hi;
      columns.level[row] = level.level;
      columns.permission[row] = permission;
      this.#open = true;
      this.#level = level.level;
      this.#permission = permission;
      this.#count = 1;
    }
    this.#expect(page + level.pagesPerEntry, lo, hi, level.pagesPerEntry);
    return true;
  }

  /**
   * Takes the entries of a leaf-most table, from `from` on, that continue the open run; gives the index of the first that
   * does not. The hot loop of every list.
   */
  continueWith(words: Uint32Array, from: number, to: number, page: number, permission: number): number {
    if (!this.#open || this.#level !== 1 || this.#permission !== permission || this.#nextPage !== page)
      return from;
    let lo = this.#nextLo;
    let hi = this.#nextHi;
    let index = from;
    while (index < to && words[2 * index] === lo && words[2 * index + 1] === hi) {
      index++;
      lo += FRAME_BYTES;
      if (lo >= TWO_32) {
        lo -= TWO_32;
        hi += 1;
      }
    }
    this.#count += index - from;
    this.#nextPage = page + (index - from);
    this.#nextLo = lo;
    this.#nextHi = hi;
    return index;
  }

  /** Ends the open run: what follows is not its neighbour. */
  close(): void {
    if (!this.#open) return;
    this.columns.count[this.columns.length] = this.#count;
    this.columns.length++;
    this.#open = false;
  }

  #continues(level: number, page: number, lo: number, hi: number, permission: number): boolean {
    return (
      this.#open &&
      page === this.#nextPage &&
      lo === this.#nextLo &&
      hi === this.#nextHi &&
      level === this.#level &&
      permission === this.#permission
    );
  }

  #expect(page: number, lo: number, hi: number, pages: number): void {
    const sum = lo + pages * FRAME_BYTES;
    this.#nextPage = page;
    this.#nextLo = sum % TWO_32;
    this.#nextHi = hi + Math.floor(sum / TWO_32);
  }
}
