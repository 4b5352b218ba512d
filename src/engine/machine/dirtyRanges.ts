import { FRAME_BYTES, hex } from '../values';
import { type OperationReport } from './operation';

/** Ranges that a report lists. */
const MOST_RANGES = 1000;

/** Runs of set bits of bitmaps, as ranges of addresses. */
export class DirtyRanges {
  pages = 0;
  readonly #ranges: { start: string; end: string }[] = [];
  #more = false;
  #last: { start: bigint; end: bigint } | undefined;
  readonly #each: (start: bigint, end: bigint) => void;

  /** `each`: hears of every run, also of those beyond the ones listed. */
  constructor(each: (start: bigint, end: bigint) => void) {
    this.#each = each;
  }

  /** Takes a bitmap of which bit n is `pageSize` bytes at `iova` + n * `pageSize`. */
  add(bitmap: Uint8Array, bits: number, iova: bigint, pageSize: bigint): void {
    const set = (from: number, to: number): void => {
      const end = Math.min(to, bits);
      if (from < end) this.#set(iova + BigInt(from) * pageSize, iova + BigInt(end) * pageSize, end - from);
    };
    /** First bit of the run that goes on; undefined: none does. */
    let first: number | undefined;
    for (let byte = 0; byte * 8 < bits; byte++) {
      const value = bitmap[byte] ?? 0;
      // No run begins or ends here: bitmaps of large pages are long.
      if (value === (first === undefined ? 0 : 0xff)) continue;
      for (let bit = 0; bit < 8; bit++) {
        const isSet = ((value >>> bit) & 1) !== 0;
        if (isSet === (first !== undefined)) continue;
        if (first !== undefined) set(first, byte * 8 + bit);
        first = isSet ? byte * 8 + bit : undefined;
      }
    }
    if (first !== undefined) set(first, bits);
  }

  /** Takes pages of 4 KiB, half-open. */
  addPages(startPage: number, endPage: number): void {
    if (startPage >= endPage) return;
    const page = BigInt(FRAME_BYTES);
    this.#set(BigInt(startPage) * page, BigInt(endPage) * page, endPage - startPage);
  }

  /** As reports have it. */
  get told(): NonNullable<OperationReport['dirty']> {
    return { ranges: this.#ranges, pages: this.pages, more: this.#more };
  }

  /** To be called once, after the last bitmap. */
  finish(): void {
    const last = this.#last;
    this.#last = undefined;
    if (!last) return;
    this.#each(last.start, last.end);
    if (this.#ranges.length === MOST_RANGES) this.#more = true;
    else this.#ranges.push({ start: hex(last.start), end: hex(last.end) });
  }

  #set(start: bigint, end: bigint, pages: number): void {
    this.pages += pages;
    if (this.#last?.end === start) {
      this.#last.end = end;
      return;
    }
    this.finish();
    this.#last = { start, end };
  }
}
