import { type AddressSpace } from '../directory/deviceDirectory';
import { levelOf, type CompiledLevel } from '../formats/compile';
import { type PhysicalMemory } from '../memory/physicalMemory';
import { type FrameNumber } from '../values';
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

/** Levels that a format can have, for the width of a row of counts. */
const MAX_LEVELS = 6;
const PERMISSIONS = 4;
/** Row of counts: leaves by level and permission, then the four below. */
const ACCESSED = MAX_LEVELS * PERMISSIONS;
const DIRTY = ACCESSED + 1;
const PROBLEMS = ACCESSED + 2;
const UNREADABLE = ACCESSED + 3;
const ROW = ACCESSED + 4;

/** Tables whose counts are kept, so that tables that share tables cost no more than their frames. */
const MAX_KEPT = 200_000;
/** Tables that are told apart at most: 8 TiB of 4 KiB leaves. */
const MAX_TABLES = 2 ** 22;
/** The counts of every table that maps nothing. */
const NOTHING = new Float64Array(ROW);
export const DEFAULT_STATISTICS_BUDGET = 2 ** 30;

export interface LeafCount {
  readonly level: number;
  /** READ | WRITE, effective. */
  readonly permission: number;
  readonly leaves: number;
}

export interface SpaceStatistics {
  readonly leaves: readonly LeafCount[];
  /** Distinct tables by level number; a table reached twice counts once. */
  readonly tables: ReadonlyMap<number, number>;
  /** 4 KiB pages mapped; pages of shared tables count as often as they are mapped. */
  readonly mappedPages: number;
  readonly accessed: number;
  readonly dirty: number;
  /** Entries with reserved bits set, and entries that point back to a table above them. */
  readonly problems: number;
  readonly unreadableTables: number;
  /** False when the entry budget ran out: all numbers are lower bounds. */
  readonly complete: boolean;
}

/**
 * Counts what an address space maps. Yields the number of entries read since the last yield, one table (512) at most.
 * A table reached again is not read again, so that the work is bounded by the image, not by what it claims to map.
 */
export function* countSpace(
  memory: PhysicalMemory,
  space: AddressSpace,
  entryBudget = DEFAULT_STATISTICS_BUDGET,
): Generator<number, SpaceStatistics> {
  const counter = new Counter(memory, space, entryBudget);
  const total = yield* counter.table(space.root, space.format.rootLevel, []);
  return counter.summary(total);
}

class Counter {
  readonly #memory: PhysicalMemory;
  readonly #space: AddressSpace;
  /** Every table met, with its counts as far as they are kept. */
  readonly #met = new Map<number, Float64Array | undefined>();
  #keptRows = 0;
  readonly #tables = new Map<number, number>();
  #left: number;

  constructor(memory: PhysicalMemory, space: AddressSpace, budget: number) {
    this.#memory = memory;
    this.#space = space;
    this.#left = budget;
  }

  /** Counts below one table as if everything above it allowed reads and writes. */
  *table(frame: FrameNumber, number: number, above: readonly FrameNumber[]): Generator<number, Float64Array> {
    const key = frame * 8 + number;
    const known = this.#met.get(key);
    if (known) return known;
    if (!this.#met.has(key)) this.#tables.set(number, (this.#tables.get(number) ?? 0) + 1);
    const counts = new Float64Array(ROW);
    const level = levelOf(this.#space.format, number);
    if (!this.#memory.readFrame(frame)) counts[UNREADABLE] = 1;
    else if (!level.canBeTable) this.#leafTable(level, frame, counts);
    else yield* this.#upperTable(level, frame, [...above, frame], counts);
    this.#left -= level.indexMask + 1;
    this.#keep(key, counts);
    yield level.indexMask + 1;
    return counts;
  }

  #keep(key: number, counts: Float64Array): void {
    if (this.#met.size >= MAX_TABLES) this.#left = 0;
    // Counts that the budget cut short must not stand for the table.
    if (this.#left <= 0) return;
    const empty = counts.every((count) => count === 0);
    if (!empty && this.#keptRows >= MAX_KEPT) {
      this.#met.set(key, undefined);
      return;
    }
    if (!empty) this.#keptRows++;
    this.#met.set(key, empty ? NOTHING : counts);
  }

  #leafTable(level: CompiledLevel, frame: FrameNumber, counts: Float64Array): void {
    const words = this.#memory.readFrame(frame);
    const { format } = this.#space;
    for (let index = 0; words && index <= level.indexMask; index++) {
      const lo = words[2 * index] ?? 0;
      const hi = words[2 * index + 1] ?? 0;
      const found = classify(format, level, lo, hi);
      if (found === LEAF) this.#leaf(level.level, lo, hi, counts);
      else if (found !== ABSENT) add(counts, PROBLEMS, 1);
    }
  }

  *#upperTable(
    level: CompiledLevel,
    frame: FrameNumber,
    path: readonly FrameNumber[],
    counts: Float64Array,
  ): Generator<number> {
    const { format } = this.#space;
    for (let index = 0; index <= level.indexMask && this.#left > 0; index++) {
      // Read afresh: the tables below may have pushed this frame out.
      const words = this.#memory.readFrame(frame);
      if (!words) {
        add(counts, UNREADABLE, 1);
        return;
      }
      const lo = words[2 * index] ?? 0;
      const hi = words[2 * index + 1] ?? 0;
      const found = classify(format, level, lo, hi);
      if (found === LEAF) this.#leaf(level.level, lo, hi, counts);
      else if (found === TABLE) {
        const next = entryFrame(format, lo, hi);
        if (path.includes(next)) add(counts, PROBLEMS, 1);
        else
          addMasked(counts, yield* this.table(next, level.level - 1, path), entryPermission(format, lo, hi));
      } else if (found !== ABSENT) add(counts, PROBLEMS, 1);
    }
  }

  #leaf(level: number, lo: number, hi: number, counts: Float64Array): void {
    const { format } = this.#space;
    add(counts, level * PERMISSIONS - PERMISSIONS + entryPermission(format, lo, hi), 1);
    if (isAccessed(format, lo, hi)) add(counts, ACCESSED, 1);
    if (isDirty(format, lo, hi)) add(counts, DIRTY, 1);
  }

  summary(counts: Float64Array): SpaceStatistics {
    const leaves: LeafCount[] = [];
    let mappedPages = 0;
    for (let row = 0; row < ACCESSED; row++) {
      const count = counts[row] ?? 0;
      if (count === 0) continue;
      const level = Math.floor(row / PERMISSIONS) + 1;
      leaves.push({ level, permission: row % PERMISSIONS, leaves: count });
      mappedPages += count * levelOf(this.#space.format, level).pagesPerEntry;
    }
    return {
      leaves,
      tables: this.#tables,
      mappedPages,
      accessed: counts[ACCESSED] ?? 0,
      dirty: counts[DIRTY] ?? 0,
      problems: counts[PROBLEMS] ?? 0,
      unreadableTables: counts[UNREADABLE] ?? 0,
      complete: this.#left > 0,
    };
  }
}

function add(counts: Float64Array, row: number, value: number): void {
  counts[row] = (counts[row] ?? 0) + value;
}

/** Adds the counts of a table below an entry that allows `permission`. */
function addMasked(counts: Float64Array, below: Float64Array, permission: number): void {
  for (let row = 0; row < ROW; row++) {
    const value = below[row] ?? 0;
    if (value === 0) continue;
    const leaf = row < ACCESSED;
    const effective = leaf ? row - (row % PERMISSIONS) + (row & permission & READ_WRITE) : row;
    add(counts, effective, value);
  }
}
