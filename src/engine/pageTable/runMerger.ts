import { levelOf, type CompiledFormat, type CompiledLevel } from '../formats/compile';
import { entryFrame, leafFrame, powerOfTwo } from './entry';
import { KIND_MARKS_SHIFT, KIND_PAGE, KIND_PERMISSION, leafKindsOf, type LeafKinds } from './leafKinds';
import { unmarkedHi, unmarkedLo } from './marks';
import { ACCESSED, DIRTY, packFacts, RunColumns } from './runColumns';

/** A stretch of entries of one table. */
export interface Stretch {
  readonly words: Uint32Array;
  /** First entry within the frame, and the one behind the last. */
  readonly from: number;
  readonly to: number;
  /** Page that entry `from` maps. */
  readonly page: number;
  /** Physical byte address of entry `from`. */
  readonly address: number;
  /** Effective permission of what leads here. */
  readonly permission: number;
}

/** One page as its entry, or the first entry of its run, has it. */
export interface Page {
  level: CompiledLevel;
  /** IOVA / 4096. */
  page: number;
  /** log2 of its bytes. */
  shift: number;
  /** The word as it stands in memory. */
  lo: number;
  hi: number;
  /** ACCESSED | DIRTY of all its entries. */
  marks: number;
  permission: number;
  /** Physical byte address of the first entry. */
  entryAddress: number;
  frame: number;
}

/**
 * Merges leaves that come in IOVA order into runs: the next leaf joins when it stands where the run ends and its word is
 * the last one plus one page. All other bits being equal, attributes are equal too.
 */
export class RunMerger {
  readonly columns: RunColumns;
  readonly limit: number;
  /** True when a leaf came that starts run `limit + 1`. */
  full = false;
  readonly #format: CompiledFormat;
  readonly #kinds: LeafKinds;
  /** Written over for each table, so that a list leaves no garbage. */
  readonly #page: Page;
  /** log2 of the bytes that `pageStep` stands for. */
  readonly #leafMostShift: number;
  #open = false;
  #nextPage = 0;
  /** The word that continues the open run, as signed halves; without its marks. */
  #nextLo = 0;
  #nextHi = 0;
  #depth = 0;
  #shift = 0;
  #marks = 0;
  #permission = 0;
  #count = 0;

  /** Writes to `columns` from their beginning. */
  constructor(format: CompiledFormat, limit: number, columns = new RunColumns(Math.min(limit, 1024))) {
    this.#format = format;
    this.#kinds = leafKindsOf(format);
    const level = levelOf(format, 1);
    this.#leafMostShift = level.shift;
    this.#page = {
      level,
      page: 0,
      shift: level.shift,
      lo: 0,
      hi: 0,
      marks: 0,
      permission: 0,
      entryAddress: 0,
      frame: 0,
    };
    this.limit = limit;
    this.columns = columns;
    columns.length = 0;
  }

  /** Takes one page; false when it would start a run beyond the limit, and then nothing has changed. */
  add(page: Page): boolean {
    const lo = unmarkedLo(this.#format, page.lo, page.hi);
    const hi = unmarkedHi(this.#format, page.lo, page.hi);
    if (this.#continues(page, lo, hi)) this.#count++;
    else if (!this.#startPage(page)) return false;
    this.#expect(page.page + powerOfTwo(page.shift - 12), lo, hi, page.shift);
    return true;
  }

  /** What continues the open run: the word of the page that ended it (without marks) plus its size. */
  #expect(nextPage: number, lo: number, hi: number, shift: number): void {
    const bit = this.#format.pageStepShift + shift - this.#leafMostShift;
    const stepLo = bit < 32 ? 1 << bit : 0;
    const stepHi = bit < 32 ? 0 : 1 << (bit - 32);
    this.#nextPage = nextPage;
    this.#nextLo = (lo + stepLo) | 0;
    this.#nextHi = (hi + stepHi + (this.#nextLo >>> 0 < stepLo >>> 0 ? 1 : 0)) | 0;
  }

  /**
   * Takes entries of a leaf-most table as long as they are leaves of one entry each and there is room for their runs; gives
   * the index of the first that was not taken. The hot loop of every list: equal to `add` for each of them.
   */
  addLeaves(level: CompiledLevel, stretch: Stretch): number {
    const { words, from, to, permission: above } = stretch;
    const format = this.#format;
    const kinds = this.#kinds;
    const { pageStep, pageStepShift } = format;
    const pages = level.pagesPerEntry;
    const small = level.shift === 12;
    let continues = false;
    let lo = 0;
    let hi = 0;
    let index = from;
    for (;;) {
      if (continues) {
        const first = index;
        // Up to where the low half of the address overflows.
        const end = Math.min(to, index + 1 + (~lo >>> pageStepShift));
        let at = 2 * index;
        while (at < 2 * end && words[at] === lo >>> 0 && words[at + 1] === hi >>> 0) {
          at += 2;
          lo = (lo + pageStep) | 0;
        }
        index = at >> 1;
        this.#count += index - first;
        // Rare, and so foreseen; how long a run is never is.
        if (lo >>> 0 < pageStep && index > first) {
          hi = (hi + 1) | 0;
          if (index < to) continue;
        }
      }
      if (index === to) break;
      const entryLo = words[2 * index] ?? 0;
      const entryHi = words[2 * index + 1] ?? 0;
      const kind = kinds.of(entryLo, entryHi);
      if ((kind & KIND_PAGE) === 0) break;
      const page = stretch.page + (index - from) * pages;
      const marks = (kind >>> KIND_MARKS_SHIFT) & (ACCESSED | DIRTY);
      const permission = above & kind & KIND_PERMISSION;
      const address = stretch.address + 8 * (index - from);
      const frame = small ? entryFrame(format, entryLo, entryHi) : leafFrame(format, level, entryLo, entryHi);
      const { depth, shift } = level;
      if (index === from) {
        // The first may continue the run that another table left open.
        const first = this.#page;
        first.level = level;
        first.page = page;
        first.shift = shift;
        first.lo = entryLo;
        first.hi = entryHi;
        first.marks = marks;
        first.permission = permission;
        first.entryAddress = address;
        first.frame = frame;
        if (!this.add(first)) break;
      } else if (!this.#start(depth, shift, page, entryLo, entryHi, marks, permission, address, frame)) break;
      index++;
      continues = true;
      lo = (entryLo + pageStep) | 0;
      hi = (lo >>> 0 < pageStep ? entryHi + 1 : entryHi) | 0;
    }
    if (index > from) {
      const last = this.columns.length;
      this.#depth = level.depth;
      this.#shift = level.shift;
      this.#marks = this.columns.marksOf(last);
      this.#permission = this.columns.permissionOf(last);
      this.#nextPage = stretch.page + (index - from) * pages;
      this.#nextLo = unmarkedLo(format, lo, hi);
      this.#nextHi = unmarkedHi(format, lo, hi);
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

  #startPage({ level, page, shift, lo, hi, marks, permission, entryAddress, frame }: Page): boolean {
    this.#depth = level.depth;
    this.#shift = shift;
    this.#marks = marks;
    this.#permission = permission;
    return this.#start(level.depth, shift, page, lo, hi, marks, permission, entryAddress, frame);
  }

  #continues({ page, level, shift, marks, permission }: Page, lo: number, hi: number): boolean {
    return (
      this.#open &&
      page === this.#nextPage &&
      lo === this.#nextLo &&
      hi === this.#nextHi &&
      level.depth === this.#depth &&
      shift === this.#shift &&
      marks === this.#marks &&
      permission === this.#permission
    );
  }

  /** Closes the open run and starts one with this page; false, and nothing started, when there is no room. */
  #start(
    depth: number,
    shift: number,
    page: number,
    lo: number,
    hi: number,
    marks: number,
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
    columns.facts[row] = packFacts(depth, shift, permission, marks);
    this.#open = true;
    this.#count = 1;
    return true;
  }
}
