import { levelOf } from '../../formats/compile';
import { FRAME_ENTRIES, type EntryHalves } from '../../memory/words';
import { classify, nextDepth } from '../../pageTable/entry';
import { LEAF, TABLE } from '../../pageTable/entryClass';
import { type FrameNumber } from '../../values';
import { type Steps } from '../../steps';
import { done, type Outcome } from '../errno';
import { type SoftwareStep } from '../softwareStep';
import { type Gather } from './gather';
import {
  corrupt,
  framesOfTable,
  indexOf,
  runOf,
  tableBelow,
  type FoundEntry,
  type TableTree,
} from './tableTree';

/**
 * Unmaps pages and returns how many went. Leaves are not split: pages that start inside a leaf leave it, and the work ends
 * there; a leaf in which they end goes as a whole. The work also ends at the first page that is not mapped. EIO: someone else
 * wrote a pointer to what is no table. Flushing and freeing is left to who holds the gather, also when it is refused.
 */
export function* unmapPages(
  tree: TableTree,
  startPage: number,
  pages: number,
  gather: Gather,
): Steps<SoftwareStep, Outcome<number>> {
  const unmapper = new Unmapper(tree, startPage, startPage + pages, gather);
  const { root, format } = tree.top;
  let outcome: Outcome<boolean>;
  if (tree.faults.has('root-in-two-reads')) {
    yield { kind: 'software', name: 'read the root' };
    outcome = yield* unmapper.table(root, tree.top.format.rootDepth, startPage);
  } else outcome = yield* unmapper.table(root, format.rootDepth, startPage);
  return outcome.ok ? done(unmapper.page - startPage) : outcome;
}

class Unmapper {
  /** Up to where all is unmapped. */
  page: number;
  readonly #tree: TableTree;
  readonly #end: number;
  readonly #gather: Gather;

  constructor(tree: TableTree, page: number, end: number, gather: Gather) {
    this.#tree = tree;
    this.page = page;
    this.#end = end;
    this.#gather = gather;
  }

  /** Unmaps what a table has of the pages; false: the work ends. `page`: any of it at or after its first. */
  *table(table: FrameNumber, depth: number, page: number): Steps<SoftwareStep, Outcome<boolean>> {
    const { words, top } = this.#tree;
    const { format } = top;
    const level = levelOf(format, depth);
    const halves: EntryHalves = { lo: 0, hi: 0 };
    let index = indexOf(format, depth, page);
    while (index <= level.indexMask && this.page < this.#end) {
      yield words.load('read the entry', table, index, halves);
      const found: FoundEntry = {
        depth,
        table,
        index,
        class: classify(format, level, halves.lo, halves.hi),
        lo: halves.lo,
        hi: halves.hi,
      };
      if (found.class === LEAF) {
        const count = yield* this.#leaf(found);
        if (!count.ok) return count;
        if (count.value === 0) return done(false);
        index += count.value;
      } else if (found.class === TABLE) {
        const goesOn = yield* this.#below(found);
        if (!goesOn.ok || !goesOn.value) return goesOn;
        index++;
      } else return done(false);
    }
    return done(true);
  }

  *#leaf(found: FoundEntry): Steps<SoftwareStep, Outcome<number>> {
    const { words, top, faults } = this.#tree;
    const { first, count, shift } = runOf(top.format, found);
    const length = 2 ** (shift - 12);
    if (this.page % length !== 0) return done(0);
    for (let index = first; index < first + count; index++)
      yield words.store('clear the leaf', found.table, index, 0, 0);
    const end = this.page + length;
    const isCut = end > this.#end && faults.has('gather-asked-only');
    const synced = yield* isCut
      ? this.#add(this.page, this.#end, this.#tree.sizes.at(-1)?.shift ?? shift)
      : this.#add(this.page, end, shift);
    if (!synced.ok) return synced;
    this.page = end;
    return done(count);
  }

  *#below(found: FoundEntry): Steps<SoftwareStep, Outcome<boolean>> {
    const { words, top } = this.#tree;
    const { format } = top;
    const level = levelOf(format, found.depth);
    const start = this.page - (this.page % level.pagesPerEntry);
    const end = start + level.pagesPerEntry;
    const isWhole = this.page === start && end <= this.#end;
    const table = tableBelow(this.#tree, found.depth, found);
    if (table === undefined) return corrupt(this.page);
    const depth = nextDepth(format, level, found.lo);
    const goesOn =
      isWhole && depth === 1 && this.#tree.granularity === 'table' && this.#isFull(table)
        ? yield* this.#sweep(table, end)
        : yield* this.table(table, depth, this.page);
    if (!goesOn.ok || !goesOn.value || !isWhole) return goesOn;
    yield words.store('take out the table', found.table, found.index, 0, 0);
    this.#gather.addTable(table, framesOfTable(format, depth), start, end);
    return done(true);
  }

  /** Whether each entry of a leaf-most table is a leaf. */
  #isFull(table: FrameNumber): boolean {
    const { words, top } = this.#tree;
    const level = levelOf(top.format, 1);
    const halves: EntryHalves = { lo: 0, hi: 0 };
    for (let index = 0; index <= level.indexMask; index++) {
      words.peek(table, index, halves);
      if (classify(top.format, level, halves.lo, halves.hi) !== LEAF) return false;
      if (index === 0 && this.#isUniform(table)) return true;
    }
    return true;
  }

  #isUniform(table: FrameNumber): boolean {
    const { words, top } = this.#tree;
    const isOne = framesOfTable(top.format, 1) === 1;
    return isOne && words.memory.uniformFrames?.uniformEntries(words.frameHolding(table, 0)) !== undefined;
  }

  /** Clears a leaf-most table of leaves in one step. */
  *#sweep(table: FrameNumber, end: number): Steps<SoftwareStep, Outcome<boolean>> {
    const { words, top, faults } = this.#tree;
    const { indexMask, shift } = levelOf(top.format, 1);
    const memory = words.memory.uniformFrames;
    for (let index = 0; index <= indexMask; index += FRAME_ENTRIES) {
      const frame = words.frameHolding(table, index);
      if (memory?.writeUniform(frame, NO_ENTRIES) === true) words.cleanFrame(frame);
      else for (let each = index; each < index + FRAME_ENTRIES; each++) words.fill(table, each, 0, 0);
    }
    const entries = indexMask + 1;
    yield {
      kind: 'sweep',
      name: 'clear the leaves of the table',
      address: words.frameHolding(table, 0) * 4096,
      entries,
    };
    const largest = shift + levelOf(top.format, 1).runLog2;
    const synced = yield* this.#add(
      this.page,
      faults.has('gather-asked-only') ? Math.min(end, this.#end) : end,
      largest,
      shift,
    );
    if (!synced.ok) return synced;
    this.page = end;
    return done(true);
  }

  /** Some drivers flush what is apart at once, rather than all that lies between. */
  *#add(start: number, end: number, shift: number, smallest = shift): Steps<SoftwareStep, Outcome<null>> {
    if (this.#tree.faults.has('gather-never-filled')) return done(null);
    const drops = this.#tree.faults.has('gather-drops-disjoint') && this.#gather.isApart(start, end);
    if (!drops) {
      this.#gather.add(start, end, shift, smallest);
      return done(null);
    }
    return yield* this.#tree.sync(this.#gather);
  }
}

const NO_ENTRIES = {
  baseLo: 0,
  baseHi: 0,
  stepLo: 0,
  stepHi: 0,
  accessedLo: 0,
  accessedHi: 0,
  dirtyLo: 0,
  dirtyHi: 0,
};
