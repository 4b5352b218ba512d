import { levelOf, type CompiledFormat } from '../../formats/compile';
import { type FrameAllocator } from '../../memory/writableMemory';
import { FRAME_ENTRIES, type EntryHalves } from '../../memory/words';
import { classify, entryFrame, indexAt, nextDepth, pageShift } from '../../pageTable/entry';
import { ABSENT, LEAF, MALFORMED, type EntryClass } from '../../pageTable/entryClass';
import { frameHalves, hex, type FrameNumber } from '../../values';
import { type Steps } from '../../steps';
import { refused, type Outcome } from '../errno';
import { type Flusher } from '../flusher';
import { type SoftwareStep } from '../softwareStep';
import { areAllocated } from './areAllocated';
import { type Gather, type TableFault } from './gather';
import { type LeafEncoder, type NewMarks } from './leafEncoder';
import { type PageSize } from './pageSizePolicy';
import { type TableWords } from './tableWords';

/** The root as one value: both parts are read and changed together. */
export interface Top {
  readonly root: FrameNumber;
  readonly format: CompiledFormat;
}

/** What operations on the tables of a domain work with. */
export interface TableTree {
  readonly words: TableWords;
  readonly frames: FrameAllocator;
  readonly flusher: Flusher;
  readonly encoder: LeafEncoder;
  readonly marks: NewMarks;
  readonly tracksDirty: boolean;
  readonly faults: ReadonlySet<TableFault>;
  /** How a dirty mark is taken away. */
  readonly clearing: 'plain' | 'atomic';
  /** Whether a step is one entry or, where it may be, all entries of a table: for domains of many pages. */
  readonly granularity: 'entry' | 'table';
  /** Whether sizes may change under a walk: Arm SMMU_IDR3.BBML; 2 for other vendors. */
  readonly bbml: 0 | 1 | 2;
  /** Largest first. */
  readonly sizes: readonly PageSize[];
  /** As software finds it. */
  readonly top: Top;
  /** Half-open pages that the tables take. */
  takes(startPage: number, pages: number): boolean;
  /** Makes tables take pages up to `endPage` where the root can grow; ERANGE where it cannot. */
  grow(endPage: number): Steps<SoftwareStep, Outcome<null>>;
  /** Flushes a gather and frees its tables. */
  sync(gather: Gather): Steps<SoftwareStep, Outcome<null>>;
}

/** An entry, as it was read. */
export interface FoundEntry {
  readonly depth: number;
  readonly table: FrameNumber;
  readonly index: number;
  readonly lo: number;
  readonly hi: number;
  readonly class: EntryClass;
}

/** Frames of a table at a depth, below the root. */
export function framesOfTable(format: CompiledFormat, depth: number): number {
  return Math.max(1, (levelOf(format, depth).indexMask + 1) / FRAME_ENTRIES);
}

/** Pages that a table at a depth maps. */
export function pagesOfTable(format: CompiledFormat, depth: number): number {
  const level = levelOf(format, depth);
  return level.pagesPerEntry * (level.indexMask + 1);
}

/** Index of a page's entry in its table at a depth. */
export function indexOf(format: CompiledFormat, depth: number, page: number): number {
  const { lo, hi } = frameHalves(page);
  return indexAt(levelOf(format, depth), lo, hi);
}

/**
 * The table that a pointer at a depth leads to; undefined when it is none of those that software makes: someone else wrote a
 * pointer to a frame that is no table, or back to the root.
 */
export function tableBelow(
  { top, frames }: TableTree,
  depth: number,
  { lo, hi }: Readonly<EntryHalves>,
): FrameNumber | undefined {
  const { format, root } = top;
  const table = entryFrame(format, lo, hi);
  const count = framesOfTable(format, nextDepth(format, levelOf(format, depth), lo));
  return table !== root && areAllocated(frames, table, count) ? table : undefined;
}

/** Refuses an entry that software did not write so. */
export const corrupt = (page: number): Outcome<never> =>
  refused(
    'EIO',
    `the entry of ${hex(BigInt(page) << 12n)} is malformed: the tables were changed by someone else`,
  );

/** Entries of the page that a leaf is a part of, and log2 of its bytes. */
export function runOf(
  format: CompiledFormat,
  found: FoundEntry,
): { first: number; count: number; shift: number } {
  const level = levelOf(format, found.depth);
  const shift = pageShift(format, level, found.lo, found.hi);
  const count = 2 ** (shift - level.shift);
  return { first: found.index - (found.index % count), count, shift };
}

/**
 * Follows the tables from the root to the entry of a page at a depth, a read a level; stops before at a leaf or at an entry
 * that leads nowhere, or, as a malformed one, where no table is. `from`: a table known to be on the way.
 */
export function* descend(
  tree: TableTree,
  page: number,
  depth: number,
  from: { readonly table: FrameNumber; readonly depth: number } = {
    table: tree.top.root,
    depth: tree.top.format.rootDepth,
  },
): Steps<SoftwareStep, FoundEntry> {
  const { words, top } = tree;
  const { format } = top;
  const halves: EntryHalves = { lo: 0, hi: 0 };
  let { table, depth: at } = from;
  for (;;) {
    const index = indexOf(format, at, page);
    yield words.load(`read the level ${levelOf(format, at).rule.level} entry`, table, index, halves);
    const { lo, hi } = halves;
    const found = classify(format, levelOf(format, at), lo, hi);
    const here: FoundEntry = { depth: at, table, index, lo, hi, class: found };
    if (at <= depth || found === ABSENT || found === LEAF || found === MALFORMED) return here;
    const next = nextDepth(format, levelOf(format, at), lo);
    // A table below the wanted depth: levels were skipped, which this software never does itself.
    const below = next < depth ? undefined : tableBelow(tree, at, halves);
    if (below === undefined) return { ...here, class: MALFORMED };
    table = below;
    at = next;
  }
}
