import { type AddressSpace } from '../directory/deviceDirectory';
import { levelOf, type CompiledLevel } from '../formats/compile';
import { type PhysicalMemory } from '../memory/physicalMemory';
import { FRAME_BYTES, type FrameNumber } from '../values';
import {
  ABSENT,
  LEAF,
  READ_WRITE,
  TABLE,
  classify,
  entryFrame,
  entryPermission,
  isAccessed,
  isDirty,
} from './entry';
import { type Filter, type LeafFacts } from '../filter/filter';
import { type RunColumns } from './runColumns';
import { RunMerger } from './runMerger';

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
  /** Entries that point to a table above them: not followed, since that never ends. */
  readonly cycles: number;
  /** True when the entry budget was used up before the range and the limit were. */
  readonly gaveUp: boolean;
}

/**
 * Lists a range of an address space as merged runs, in IOVA order. Yields the number of entries read since the last
 * yield, at most ENTRIES_PER_STEP + 512, so that the caller can give way, report and cancel. What a list leaves out it
 * counts.
 */
export function* listRuns(
  memory: PhysicalMemory,
  space: AddressSpace,
  options: ListOptions,
): Generator<number, RunList> {
  const lister = new Lister(memory, space, options);
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
  /** First page the table covers. */
  readonly base: number;
  /** Effective permission of what leads here. */
  readonly permission: number;
  index: number;
  readonly end: number;
}

class Lister {
  done = false;
  readonly #memory: PhysicalMemory;
  readonly #space: AddressSpace;
  readonly #options: ListOptions;
  readonly #bounds: Filter['iovaBounds'] | undefined;
  readonly #merger: RunMerger;
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
  #nextPage: number | undefined;
  #position: number;
  #unreadable = 0;
  #cycles = 0;

  constructor(memory: PhysicalMemory, space: AddressSpace, options: ListOptions) {
    this.#memory = memory;
    this.#space = space;
    this.#options = options;
    this.#bounds = options.filter?.iovaBounds;
    this.#merger = new RunMerger(options.limit, options.columns);
    this.#position = options.startPage;
    this.#enter(space.format.rootLevel, space.root, 0, READ_WRITE);
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
      const place = this.#path.at(-1);
      if (!place) {
        this.done = true;
        return entries;
      }
      const words = this.#memory.readFrame(place.table);
      const before = place.index;
      const finished = words ? this.#scan(place, words) : this.#missing(place);
      entries += 1 + place.index - before;
      if (this.#merger.full) {
        this.done = true;
        return entries;
      }
      if (finished) this.#path.pop();
    }
    return entries;
  }

  #missing(place: Place): true {
    this.#unreadable++;
    this.#merger.close();
    this.#position = place.base + (place.level.indexMask + 1) * place.level.pagesPerEntry;
    return true;
  }

  #enter(number: number, table: FrameNumber, base: number, permission: number): void {
    const level = levelOf(this.#space.format, number);
    const { startPage, endPage } = this.#options;
    const size = level.indexMask + 1;
    const first = startPage > base ? Math.floor((startPage - base) / level.pagesPerEntry) : 0;
    const end = Math.min(size, Math.ceil((endPage - base) / level.pagesPerEntry));
    this.#path.push({ level, table, base, permission, index: first, end });
  }

  /** Scans a table from where the list stands; false when it stopped to enter a table below or because it is full. */
  #scan(place: Place, words: Uint32Array): boolean {
    const plain = !this.#options.filter && !place.level.canBeTable;
    while (place.index < place.end) {
      const { level, index } = place;
      const page = place.base + index * level.pagesPerEntry;
      if (plain) {
        const { end: to, permission } = place;
        const address = place.table * FRAME_BYTES + index * 8;
        const stretch = { words, from: index, to, page, address, permission };
        place.index = this.#merger.addLeaves(this.#space.format, level, stretch);
        if (this.#merger.full) {
          this.#nextPage = page + place.index - index;
          return false;
        }
        if (place.index > index) continue;
      }
      this.#position = page;
      if (!this.#entry(place, page, words[2 * index] ?? 0, words[2 * index + 1] ?? 0)) return false;
    }
    this.#position = place.base + place.end * place.level.pagesPerEntry;
    return true;
  }

  /** Deals with one entry and moves on; false to leave the table for now. */
  #entry(place: Place, page: number, lo: number, hi: number): boolean {
    const { format } = this.#space;
    const { level } = place;
    const found = classify(format, level, lo, hi);
    if (found === LEAF) {
      if (!this.#leaf(place, page, lo, hi)) return false;
      place.index++;
      return true;
    }
    place.index++;
    if (found === ABSENT || found !== TABLE) {
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
    this.#enter(level.level - 1, table, page, place.permission & entryPermission(format, lo, hi));
    return false;
  }

  #leaf(place: Place, page: number, lo: number, hi: number): boolean {
    const { format } = this.#space;
    const permission = place.permission & entryPermission(format, lo, hi);
    const frame = entryFrame(format, lo, hi);
    if (this.#options.filter && !this.#matches(place.level, page, lo, hi, permission, frame)) {
      this.#merger.close();
      return true;
    }
    const address = place.table * FRAME_BYTES + place.index * 8;
    const taken = this.#merger.add(place.level, page, lo, hi, permission, address, frame);
    if (!taken) this.#nextPage = page;
    return taken;
  }

  #matches(
    level: CompiledLevel,
    page: number,
    lo: number,
    hi: number,
    permission: number,
    frame: number,
  ): boolean {
    const facts = this.#facts;
    const { format } = this.#space;
    facts.iovaPage = page;
    facts.pages = level.pagesPerEntry;
    facts.frame = frame;
    facts.permission = permission;
    facts.accessed = isAccessed(format, lo, hi);
    facts.dirty = isDirty(format, lo, hi);
    facts.level = level.level;
    facts.lo = lo;
    facts.hi = hi;
    return this.#options.filter?.matches(facts) ?? true;
  }

  /** Whether the filter could match anything in these pages. */
  #wanted(page: number, pages: number): boolean {
    return this.#bounds?.some((bound) => bound.startPage < page + pages && page < bound.endPage) ?? true;
  }
}
