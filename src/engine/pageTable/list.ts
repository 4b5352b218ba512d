import { levelOf, type CompiledLevel } from '../formats/compile';
import { type Filter, type LeafFacts } from '../filter/filter';
import { FRAME_ENTRIES, frameOf } from '../memory/words';
import { FRAME_BYTES, type FrameNumber } from '../values';
import { regionsOf, type AddressSpace, type Region } from './addressSpace';
import { classify, entryFrame, entryPermission, nextDepth } from './entry';
import { LEAF, READ_WRITE, TABLE } from './entryClass';
import { pageAt } from './pageAt';
import { ACCESSED, DIRTY, type RunColumns } from './runColumns';
import { RunMerger, type Page } from './runMerger';

/** Entries after which a list gives way, at most: about a tenth of a millisecond of work. */
export const ENTRIES_PER_STEP = 8192;
/** Entries after which a list gives up by itself: 4 TiB of 4 KiB leaves. */
export const DEFAULT_ENTRY_BUDGET = 2 ** 30;

export interface ListOptions {
  /** Half-open range of pages; leaves that overlap it are listed whole. */
  readonly startPage: number;
  readonly endPage: number;
  /** Runs at most. */
  readonly limit: number;
  readonly filter?: Filter | undefined;
  readonly entryBudget?: number;
  /** Written over and given back as `runs`, for a caller that is done with them: a long list then leaves no garbage. */
  readonly columns?: RunColumns;
}

export interface RunList {
  readonly runs: RunColumns;
  /** Where the next page of the list starts; undefined at the end. */
  readonly nextPage: number | undefined;
  /** Tables that are not in the image: what they map is not listed. */
  readonly unreadableTables: number;
  /**
   * Entries that point to a table above them: not followed, although hardware would, until the levels end. They are a sign
   * of damage, and a root that points to itself would list every table once more at each level.
   */
  readonly cycles: number;
  /** True when the entry budget was used up before the range and the limit were. */
  readonly gaveUp: boolean;
}

/**
 * Lists a range of an address space as merged runs, in IOVA order. Yields the number of entries read since the last
 * yield, at most ENTRIES_PER_STEP + 512, so that the caller can give way, report and cancel. What a list leaves out it
 * counts.
 */
export function* listRuns(space: AddressSpace, options: ListOptions): Generator<number, RunList> {
  const lister = new Lister(space, options);
  const budget = options.entryBudget ?? DEFAULT_ENTRY_BUDGET;
  let total = 0;
  for (;;) {
    const entries = lister.step();
    total += entries;
    if (lister.done) return lister.result(false);
    if (total >= budget) return lister.result(true);
    yield entries;
  }
}

/** One table of the path from the root to where the list stands. */
interface Place {
  readonly level: CompiledLevel;
  readonly table: FrameNumber;
  /** Entries of the table's first frame that lie before it. */
  readonly before: number;
  /** First page the table covers. */
  readonly base: number;
  /** Effective permission of what leads here. */
  readonly permission: number;
  index: number;
  readonly end: number;
}

class Lister {
  done = false;
  readonly #space: AddressSpace;
  readonly #options: ListOptions;
  readonly #bounds: Filter['iovaBounds'] | undefined;
  readonly #merger: RunMerger;
  readonly #regions: readonly Region[];
  readonly #path: Place[] = [];
  readonly #facts: LeafFacts = {
    iovaPage: 0,
    pages: 0,
    frame: 0,
    permission: 0,
    accessed: false,
    dirty: false,
    level: 0,
    lo: 0,
    hi: 0,
  };
  #region = -1;
  #nextPage: number | undefined;
  #position: number;
  #unreadable = 0;
  #cycles = 0;

  constructor(space: AddressSpace, options: ListOptions) {
    this.#space = space;
    this.#options = options;
    this.#bounds = options.filter?.iovaBounds;
    this.#merger = new RunMerger(space.format, options.limit, options.columns);
    this.#position = options.startPage;
    this.#regions = regionsOf(space, options.startPage, options.endPage);
  }

  result(gaveUp: boolean): RunList {
    this.#merger.close();
    const nextPage = gaveUp ? this.#position : this.#nextPage;
    return {
      runs: this.#merger.columns,
      nextPage,
      unreadableTables: this.#unreadable,
      cycles: this.#cycles,
      gaveUp,
    };
  }

  /** Reads on until a step's worth of entries is read or the list is done; gives the number read. */
  step(): number {
    let entries = 0;
    while (entries < ENTRIES_PER_STEP) {
      const place = this.#path.at(-1) ?? this.#nextRegion();
      if (!place) {
        this.done = true;
        return entries;
      }
      if (place.index >= place.end) {
        this.#path.pop();
        entries++;
        continue;
      }
      const before = place.index;
      const slot = before + place.before;
      const words = this.#space.memory.readFrame(frameOf(place.table, slot));
      // Tables larger than a frame are scanned frame by frame.
      const end = Math.min(place.end, before + FRAME_ENTRIES - (slot % FRAME_ENTRIES));
      if (words) this.#scan(place, words, end);
      else this.#missing(place, end);
      entries += 1 + place.index - before;
      if (this.#merger.full) {
        this.done = true;
        return entries;
      }
    }
    return entries;
  }

  #nextRegion(): Place | undefined {
    this.#region++;
    const region = this.#regions[this.#region];
    if (!region) return undefined;
    const { root, rootEntry, format } = this.#space;
    return this.#enter(format.rootDepth, root, region.offset, READ_WRITE, rootEntry);
  }

  #missing(place: Place, end: number): void {
    this.#unreadable++;
    this.#merger.close();
    place.index = end;
    this.#position = place.base + end * place.level.pagesPerEntry;
  }

  #enter(depth: number, table: FrameNumber, base: number, permission: number, before = 0): Place {
    const level = levelOf(this.#space.format, depth);
    const { start, end: endPage } = this.#regions[this.#region] ?? { start: 0, end: 0 };
    const size = level.indexMask + 1;
    const first = start > base ? Math.floor((start - base) / level.pagesPerEntry) : 0;
    const end = Math.min(size, Math.ceil((endPage - base) / level.pagesPerEntry));
    const place = { level, table, before, base, permission, index: first, end };
    this.#path.push(place);
    return place;
  }

  /** Scans a frame of a table from where the list stands, until its end, a table below, or a list that is full. */
  #scan(place: Place, words: Uint32Array, end: number): void {
    const plain = !this.#options.filter && place.level.depth === 1;
    while (place.index < end) {
      const { level, index } = place;
      const page = place.base + index * level.pagesPerEntry;
      const slot = (index + place.before) % FRAME_ENTRIES;
      if (plain) {
        const to = slot + end - index;
        const { permission } = place;
        const address = entryAddress(place, index);
        place.index +=
          this.#merger.addLeaves(level, { words, from: slot, to, page, address, permission }) - slot;
        if (this.#merger.full) {
          this.#nextPage = page + (place.index - index) * level.pagesPerEntry;
          return;
        }
        if (place.index > index) continue;
      }
      this.#position = page;
      if (!this.#entry(place, page, words, slot)) return;
    }
    this.#position = place.base + place.end * place.level.pagesPerEntry;
  }

  /** Deals with one entry, or one page of several, and moves on; false to leave the table for now. */
  #entry(place: Place, page: number, words: Uint32Array, slot: number): boolean {
    const { format } = this.#space;
    const { level } = place;
    const lo = words[2 * slot] ?? 0;
    const hi = words[2 * slot + 1] ?? 0;
    const found = classify(format, level, lo, hi);
    if (found === LEAF) return this.#leaf(place, page, words, slot);
    place.index++;
    if (found !== TABLE) {
      this.#merger.close();
      return true;
    }
    const table = entryFrame(format, lo, hi);
    if (this.#path.some((above) => above.table === table)) {
      this.#cycles++;
      this.#merger.close();
      return true;
    }
    if (!this.#wanted(page, level.pagesPerEntry)) {
      this.#merger.close();
      return true;
    }
    this.#enter(
      nextDepth(format, level, lo),
      table,
      page,
      place.permission & entryPermission(format, found, lo, hi),
    );
    return false;
  }

  #leaf(place: Place, page: number, words: Uint32Array, slot: number): boolean {
    const { format } = this.#space;
    const { level } = place;
    const found = pageAt(format, level, words, slot);
    const taken = found.end - slot;
    const first: Page = {
      level,
      page: page - (slot - found.first) * level.pagesPerEntry,
      shift: found.shift,
      lo: found.lo,
      hi: found.hi,
      marks: found.marks,
      permission: place.permission & entryPermission(format, LEAF, found.lo, found.hi),
      entryAddress: entryAddress(place, place.index - (slot - found.first)),
      frame: found.frame,
    };
    if (this.#options.filter && !this.#matches(first)) this.#merger.close();
    else if (!this.#merger.add(first)) {
      this.#nextPage = first.page;
      return false;
    }
    if (!found.whole) this.#merger.close();
    place.index += taken;
    return true;
  }

  #matches({ level, page, shift, lo, hi, marks, permission, frame }: Page): boolean {
    const facts = this.#facts;
    facts.iovaPage = page;
    facts.pages = 2 ** (shift - 12);
    facts.frame = frame;
    facts.permission = permission;
    facts.accessed = (marks & ACCESSED) !== 0;
    facts.dirty = (marks & DIRTY) !== 0;
    facts.level = level.rule.level;
    facts.lo = lo;
    facts.hi = hi;
    return this.#options.filter?.matches(facts) ?? true;
  }

  /** Whether the filter could match anything in these pages. */
  #wanted(page: number, pages: number): boolean {
    return this.#bounds?.some((bound) => bound.startPage < page + pages && page < bound.endPage) ?? true;
  }
}

/** Byte address of an entry of a table. */
function entryAddress({ table, before }: Place, index: number): number {
  return table * FRAME_BYTES + (index + before) * 8;
}
