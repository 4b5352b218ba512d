import { type CompiledFormat, type CompiledLevel } from '../formats/compile';
import { FRAME_BYTES } from '../values';
import { classify, entryFrame, entryPermission, LEAF } from './entry';
import { RunColumns } from './runColumns';

const TWO_32 = 0x1_0000_0000;
/** Frames of 4 GiB: what the low half of an address counts. */
const FRAMES_4G = 0x10_0000;

/** A stretch of entries of one table. */
export interface Stretch {
  readonly words: Uint32Array;
  /** First entry, and the one behind the last. */
  readonly from: number;
  readonly to: number;
  /** Page that entry `from` maps. */
  readonly page: number;
  /** Physical byte address of entry `from`. */
  readonly address: number;
  /** Effective permission of what leads here. */
  readonly permission: number;
}

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
  /** The word that continues the open run, as signed halves. */
  #nextLo = 0;
  #nextHi = 0;
  #level = 0;
  #permission = 0;
  #count = 0;

  /** Writes to `columns` from their beginning. */
  constructor(limit: number, columns = new RunColumns(Math.min(limit, 1024))) {
    this.limit = limit;
    this.columns = columns;
    columns.length = 0;
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
    } else if (!this.#start(level.level, page, lo, hi, permission, entryAddress, frame)) {
      return false;
    }
    const bytes = level.pagesPerEntry * FRAME_BYTES;
    const sum = (lo >>> 0) + (bytes >>> 0);
    this.#nextPage = page + level.pagesPerEntry;
    this.#nextLo = sum | 0;
    this.#nextHi = (hi + Math.floor(bytes / TWO_32) + (sum < TWO_32 ? 0 : 1)) | 0;
    return true;
  }

  /**
   * Takes entries of a leaf-most table as long as they are leaves and there is room for their runs; gives the index of the
   * first that was not taken. The hot loop of every list: equal to `add` for each of them.
   */
  addLeaves(format: CompiledFormat, level: CompiledLevel, stretch: Stretch): number {
    const { words, from, to, permission: above } = stretch;
    let lo = this.#nextLo;
    let hi = this.#nextHi;
    let continues =
      this.#open &&
      this.#level === level.level &&
      this.#nextPage === stretch.page &&
      this.#permission === (above & entryPermission(format, lo, hi));
    let index = from;
    for (;;) {
      if (continues) {
        const first = index;
        // Up to where the low half of the address overflows.
        const end = Math.min(to, index + FRAMES_4G - (lo >>> 12));
        let at = 2 * index;
        while (at < 2 * end && words[at] === lo >>> 0 && words[at + 1] === hi >>> 0) {
          at += 2;
          lo = (lo + FRAME_BYTES) | 0;
        }
        index = at >> 1;
        this.#count += index - first;
        if (index > first && lo >>> 12 === 0) {
          hi = (hi + 1) | 0;
          if (index < to) continue;
        }
      }
      if (index === to) break;
      const entryLo = words[2 * index] ?? 0;
      const entryHi = words[2 * index + 1] ?? 0;
      if (classify(format, level, entryLo, entryHi) !== LEAF) break;
      const page = stretch.page + (index - from);
      const permission = above & entryPermission(format, entryLo, entryHi);
      const address = stretch.address + 8 * (index - from);
      const frame = entryFrame(format, entryLo, entryHi);
      if (!this.#start(level.level, page, entryLo, entryHi, permission, address, frame)) break;
      index++;
      continues = true;
      lo = (entryLo + FRAME_BYTES) | 0;
      hi = (lo >>> 12 === 0 ? entryHi + 1 : entryHi) | 0;
    }
    if (index > from) {
      this.#nextPage = stretch.page + (index - from);
      this.#nextLo = lo;
      this.#nextHi = hi;
    }
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
      (lo | 0) === this.#nextLo &&
      (hi | 0) === this.#nextHi &&
      level === this.#level &&
      permission === this.#permission
    );
  }

  /** Closes the open run and starts one with this leaf; false, and nothing started, when there is no room. */
  #start(
    level: number,
    page: number,
    lo: number,
    hi: number,
    permission: number,
    entryAddress: number,
    frame: number,
  ): boolean {
    this.close();
    const { columns } = this;
    if (columns.length === this.limit) {
      this.full = true;
      return false;
    }
    const row = columns.reserve();
    columns.page[row] = page;
    columns.frame[row] = frame;
    columns.entryAddress[row] = entryAddress;
    columns.lo[row] = lo;
    columns.hi[row] = hi;
    columns.level[row] = level;
    columns.permission[row] = permission;
    this.#open = true;
    this.#level = level;
    this.#permission = permission;
    this.#count = 1;
    return true;
  }
}
