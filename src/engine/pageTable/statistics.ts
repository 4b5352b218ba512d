import { levelOf, type CompiledLevel } from '../formats/compile';
import { FRAME_ENTRIES, frameOf } from '../memory/words';
import { type FrameNumber } from '../values';
import { regionsOf, type AddressSpace } from './addressSpace';
import { classify, entryFrame, entryPermission, nextDepth } from './entry';
import { ABSENT, LEAF, READ_WRITE, TABLE } from './entryClass';
import { pageAt } from './pageAt';
import {
  add,
  addMasked,
  addPages,
  leavesIn,
  marksIn,
  PROBLEMS,
  rowOf,
  UNREADABLE,
  type Counts,
  type LeafCount,
  type MarkCount,
} from './pageCounts';

/** Tables whose counts are kept, so that tables that share tables cost no more than their frames. */
const MAX_KEPT = 200_000;
/** Tables that are told apart at most: 8 TiB of 4 KiB leaves. */
const MAX_TABLES = 2 ** 22;
/** The counts of every table that maps nothing. */
const NOTHING: Counts = new Map();
export const DEFAULT_STATISTICS_BUDGET = 2 ** 30;

export interface SpaceStatistics {
  /** A page of several entries counts once. */
  readonly leaves: readonly LeafCount[];
  /** Of the page sizes that have marked pages. */
  readonly marks: readonly MarkCount[];
  /** Distinct tables by depth; a table reached twice counts once. */
  readonly tables: ReadonlyMap<number, number>;
  /** 4 KiB pages mapped; pages of shared tables count as often as they are mapped. */
  readonly mappedPages: number;
  readonly accessed: number;
  readonly dirty: number;
  /** Malformed entries, those that point back to a table above them, and leaves of one page that do not agree. */
  readonly problems: number;
  readonly unreadableTables: number;
  /** False when the entry budget ran out: all numbers are lower bounds. */
  readonly complete: boolean;
}

/** Pages [start, end) of what a table covers, from its first page on. */
interface Part {
  readonly start: number;
  readonly end: number;
}

/**
 * Counts what an address space maps for the addresses that it takes; a page that reaches beyond them counts whole, as it is
 * listed. Yields the number of entries read since the last yield, one table at most.
 * A table reached again is not read again, so that the work is bounded by the image, not by what it claims to map.
 */
export function* countSpace(
  space: AddressSpace,
  entryBudget = DEFAULT_STATISTICS_BUDGET,
): Generator<number, SpaceStatistics> {
  const counter = new Counter(space, entryBudget);
  const total: Counts = new Map();
  for (const part of partsOf(space)) addMasked(total, yield* counter.root(part), READ_WRITE);
  return counter.summary(total);
}

/** A table that is counted, and how much of it. */
interface Table {
  readonly level: CompiledLevel;
  readonly frame: FrameNumber;
  /** Entries of its first frame that lie before it. */
  readonly before: number;
  /** The tables above it and itself. */
  readonly path: readonly FrameNumber[];
  readonly part: Part;
}

/** What an address space takes of its root table: mostly all of it. */
function partsOf(space: AddressSpace): Part[] {
  const pages = 2 ** (space.format.addressBits - 12);
  const parts = regionsOf(space)
    .map(({ start, end, offset }) => ({ start: start - offset, end: Math.min(end - offset, pages) }))
    .filter(({ start, end }) => start < end);
  const [low, high] = parts;
  return low && high && low.end >= high.start ? [{ start: low.start, end: high.end }] : parts;
}

class Counter {
  readonly #space: AddressSpace;
  /** Every table met, with its counts as far as they are kept. */
  readonly #met = new Map<number, Counts | undefined>();
  #keptRows = 0;
  readonly #tables = new Map<number, number>();
  #left: number;
  /** Pages of the same row and marks that are counted and not yet added. */
  #like = 0;
  #row = 0;
  #marks = 0;

  constructor(space: AddressSpace, budget: number) {
    this.#space = space;
    this.#left = budget;
  }

  root(part: Part): Generator<number, Counts> {
    const { root, rootEntry, format } = this.#space;
    return this.#table(root, format.rootDepth, [], part, rootEntry);
  }

  /** Counts a part of what one table covers, as if everything above it allowed reads and writes. */
  *#table(
    frame: FrameNumber,
    depth: number,
    above: readonly FrameNumber[],
    { start, end }: Part,
    before = 0,
  ): Generator<number, Counts> {
    const level = levelOf(this.#space.format, depth);
    const size = level.indexMask + 1;
    const first = Math.max(0, Math.floor(start / level.pagesPerEntry));
    const last = Math.min(size, Math.ceil(end / level.pagesPerEntry));
    // Of a part that ends within an entry its table has a part, too.
    const whole = start <= 0 && end >= size * level.pagesPerEntry;
    const key = frame * 8 + depth;
    const known = this.#met.get(key);
    if (known && whole) return known;
    if (!this.#met.has(key)) {
      this.#tables.set(depth, (this.#tables.get(depth) ?? 0) + 1);
      this.#met.set(key, undefined);
    }
    const counts: Counts = new Map();
    const table: Table = { level, frame, before, path: [...above, frame], part: { start, end } };
    for (let index = first; index < last && this.#left > 0;) {
      const next = Math.min(last, index + FRAME_ENTRIES - ((index + before) % FRAME_ENTRIES));
      yield* this.#frame(table, index, next, counts);
      index = next;
    }
    this.#left -= last - first;
    if (whole) this.#keep(key, counts);
    yield last - first;
    return counts;
  }

  #keep(key: number, counts: Counts): void {
    if (this.#met.size >= MAX_TABLES) this.#left = 0;
    // Counts that the budget cut short must not stand for the table.
    if (this.#left <= 0) return;
    const empty = counts.size === 0;
    if (!empty && this.#keptRows >= MAX_KEPT) {
      this.#met.set(key, undefined);
      return;
    }
    if (!empty) this.#keptRows++;
    this.#met.set(key, empty ? NOTHING : counts);
  }

  /** Counts entries [from, to) of a table, which are in one frame, and what is below them. */
  *#frame(table: Table, from: number, to: number, counts: Counts): Generator<number> {
    const { format, memory } = this.#space;
    const { level, before, path, part } = table;
    const frame = frameOf(table.frame, from + before);
    // What entry 0 of the table has as its place in the frame.
    const origin = ((from + before) % FRAME_ENTRIES) - from;
    for (let index = from; index < to && this.#left > 0;) {
      // Read afresh: the tables below may have pushed this frame out.
      const words = memory.readFrame(frame);
      if (!words) {
        add(counts, UNREADABLE, 1);
        return;
      }
      const slot = index + origin;
      const lo = words[2 * slot] ?? 0;
      const hi = words[2 * slot + 1] ?? 0;
      const found = classify(format, level, lo, hi);
      if (found === LEAF) {
        index = this.#leaf(level, words, slot, counts) - origin;
        continue;
      }
      this.#flush(counts);
      const page = index * level.pagesPerEntry;
      index++;
      if (found === TABLE) {
        const next = entryFrame(format, lo, hi);
        if (path.includes(next)) add(counts, PROBLEMS, 1);
        else {
          const below = { start: part.start - page, end: part.end - page };
          const inside = yield* this.#table(next, nextDepth(format, level, lo), path, below);
          addMasked(counts, inside, entryPermission(format, found, lo, hi));
        }
      } else if (found !== ABSENT) add(counts, PROBLEMS, 1);
    }
    this.#flush(counts);
  }

  /** Counts the page that a leaf belongs to; gives the entry behind it. */
  #leaf(level: CompiledLevel, words: Uint32Array, slot: number, counts: Counts): number {
    const { format } = this.#space;
    const { shift, lo, hi, marks, whole, end } = pageAt(format, level, words, slot);
    const row = rowOf(level.depth, shift, entryPermission(format, LEAF, lo, hi));
    if (row !== this.#row || marks !== this.#marks) this.#flush(counts);
    this.#row = row;
    this.#marks = marks;
    this.#like++;
    if (!whole) add(counts, PROBLEMS, 1);
    return end;
  }

  /** Adds the like pages that were counted since the last flush. */
  #flush(counts: Counts): void {
    if (this.#like === 0) return;
    addPages(counts, this.#row, this.#marks, this.#like);
    this.#like = 0;
  }

  summary(counts: Counts): SpaceStatistics {
    const leaves = leavesIn(counts);
    const marks = marksIn(counts);
    return {
      leaves,
      marks,
      tables: this.#tables,
      mappedPages: leaves.reduce((sum, each) => sum + each.leaves * 2 ** (each.pageShift - 12), 0),
      accessed: marks.reduce((sum, { accessed }) => sum + accessed, 0),
      dirty: marks.reduce((sum, { dirty }) => sum + dirty, 0),
      problems: counts.get(PROBLEMS) ?? 0,
      unreadableTables: counts.get(UNREADABLE) ?? 0,
      complete: this.#left > 0,
    };
  }
}
