import { levelOf } from '../../../formats/compile';
import { type EntryHalves } from '../../../memory/words';
import { frameNumber, type FrameNumber } from '../../../values';
import { type Steps } from '../../../steps';
import { type FlushRange } from '../../flusher';
import { type SoftwareStep } from '../../softwareStep';
import { buildTable, newTable } from '../build';
import { type LooseTable } from '../emptyTables';
import { type LeafTemplate } from '../leafEncoder';
import { framesOfTable, type TableTree } from '../tableTree';
import { type SurveyedLeaf } from '../survey';
import { type Slot } from '../tableWords';

/**
 * A change of what stands in neighbouring slots of one table, to the same output in pages of another size: one slot, or as
 * many as a page of several entries has. What the steps of a protocol hand to each other.
 */
export interface Replacement {
  readonly tree: TableTree;
  readonly depth: number;
  readonly slots: readonly Slot[];
  /** Half-open pages of all slots. */
  readonly startPage: number;
  readonly endPage: number;
  readonly fromShift: number;
  readonly toShift: number;
  /** Words as they were read, and as they were when they were exchanged, by slot. */
  read: EntryHalves[];
  old: EntryHalves[];
  /** What goes into the slots. */
  words: EntryHalves[];
  /** Slots that were written already; a protocol that begins anew leaves them. */
  written: boolean[];
  /** The new leaves of each slot. */
  leaves: Slot[][];
  /** Tables that were built and are not in use yet. */
  built: LooseTable[];
  /** ACCESSED | DIRTY that the old entries were seen with. */
  marks: number;
  /** What was read of the tables that go: collapse only. */
  surveyed: readonly SurveyedLeaf[];
  loose: readonly LooseTable[];
}

/** What a replacement makes stale. */
export function rangeOf(change: Replacement, tables: boolean): FlushRange {
  const { startPage, endPage, fromShift, toShift } = change;
  return {
    startPage,
    endPage,
    smallestShift: Math.min(fromShift, toShift),
    largestShift: Math.max(fromShift, toShift),
    tables,
  };
}

/** A table under construction, with the pages of one kind that it is to map. */
export class TableBuilder {
  readonly built: LooseTable[] = [];
  readonly leaves: Slot[] = [];
  readonly #tree: TableTree;
  readonly #template: LeafTemplate;

  constructor(tree: TableTree, template: LeafTemplate) {
    this.#tree = tree;
    this.#template = template;
  }

  /** Builds a table at a depth whose first page leads to `frame`, with all tables below; undefined: memory is full. */
  *build(depth: number, frame: number): Steps<SoftwareStep, FrameNumber | undefined> {
    const tree = this.#tree;
    const { format } = tree.top;
    const table = newTable(tree, depth);
    if (table === undefined) return undefined;
    this.built.push({ frame: table, frames: framesOfTable(format, depth) });
    const level = levelOf(format, depth);
    if (depth === this.#template.depth) {
      yield buildTable(tree, table, this.#template, frame);
      for (let index = 0; index <= level.indexMask; index++) this.leaves.push({ table, index });
      return table;
    }
    for (let index = 0; index <= level.indexMask; index++) {
      const below = yield* this.build(depth - 1, frame + index * level.pagesPerEntry);
      if (below === undefined) return undefined;
      const { lo, hi } = tree.encoder.pointer(format, depth, below, tree.marks);
      tree.words.fill(table, index, lo, hi);
    }
    yield { kind: 'build', name: 'fill the table with pointers', frames: framesOfTable(format, depth) };
    return table;
  }
}

/** Gives back tables that no hardware has seen. */
export function* freeBuilt(change: Replacement): Steps<SoftwareStep, void> {
  const { built, tree } = change;
  change.built = [];
  if (built.length === 0) return;
  for (const { frame, frames } of built) tree.frames.free(frameNumber(frame), frames);
  yield { kind: 'software', name: 'free the tables that were built' };
}
