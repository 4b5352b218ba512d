import { levelOf, type CompiledFormat } from '../../formats/compile';
import { type EntryHalves } from '../../memory/words';
import { classify, leafFrame, nextDepth } from '../../pageTable/entry';
import { LEAF, MALFORMED, TABLE } from '../../pageTable/entryClass';
import { FRAME_BYTES, type FrameNumber } from '../../values';
import { type Steps } from '../../steps';
import { type SoftwareStep } from '../softwareStep';
import { type LooseTable } from './emptyTables';
import { framesOfTable, indexOf, runOf, tableBelow, type FoundEntry, type TableTree } from './tableTree';

/** One entry of a leaf, with the pages that this entry maps. */
export interface SurveyedLeaf extends FoundEntry {
  readonly page: number;
  readonly frame: number;
  readonly pages: number;
  /** log2 bytes of the page that it is a part of, and its place among that page's entries. */
  readonly shift: number;
  readonly place: number;
}

/** All that stands in the tables for a range of pages. */
export interface Survey {
  readonly leaves: SurveyedLeaf[];
  /** Tables that map nothing outside the range. */
  readonly tables: LooseTable[];
  /** A page is not mapped, or an entry is malformed. */
  holes: boolean;
  /** A pointer leads to what is no table: the rest was not read. */
  isCorrupt: boolean;
}

/** Reads every entry for a range of pages, from a table down. */
export function* survey(
  tree: TableTree,
  table: FrameNumber,
  depth: number,
  startPage: number,
  endPage: number,
): Steps<SoftwareStep, Survey> {
  const found: Survey = { leaves: [], tables: [], holes: false, isCorrupt: false };
  yield* visit(tree, found, table, depth, startPage, endPage);
  return found;
}

function* visit(
  tree: TableTree,
  found: Survey,
  table: FrameNumber,
  depth: number,
  startPage: number,
  endPage: number,
): Steps<SoftwareStep, void> {
  const { words, top, granularity } = tree;
  const { format } = top;
  const level = levelOf(format, depth);
  const halves: EntryHalves = { lo: 0, hi: 0 };
  const sweeps = granularity === 'table' && depth === 1;
  let page = startPage;
  let index = indexOf(format, depth, page);
  const first = index;
  while (index <= level.indexMask && page < endPage) {
    if (sweeps) words.peek(table, index, halves);
    else yield words.load('read the entry', table, index, halves);
    const { lo, hi } = halves;
    const entry: FoundEntry = { depth, table, index, lo, hi, class: classify(format, level, lo, hi) };
    const start = page - (page % level.pagesPerEntry);
    const next = start + level.pagesPerEntry;
    if (entry.class === LEAF) found.leaves.push(surveyed(format, entry, start));
    else if (entry.class === TABLE) {
      const below = tableBelow(tree, depth, halves);
      if (below === undefined) {
        found.isCorrupt = true;
        return;
      }
      const belowDepth = nextDepth(format, level, lo);
      if (page === start && next <= endPage)
        found.tables.push({ frame: below, frames: framesOfTable(format, belowDepth) });
      yield* visit(tree, found, below, belowDepth, page, Math.min(next, endPage));
      if (found.isCorrupt) return;
    } else found.holes = true;
    if (entry.class === MALFORMED) found.holes = true;
    page = next;
    index++;
  }
  if (!sweeps) return;
  const address = words.frameHolding(table, first) * FRAME_BYTES;
  yield { kind: 'sweep', name: 'read the entries of the table', address, entries: index - first };
}

/** What a leaf's entry maps by itself. */
export function surveyed(format: CompiledFormat, entry: FoundEntry, page: number): SurveyedLeaf {
  const level = levelOf(format, entry.depth);
  const { first, shift } = runOf(format, entry);
  const place = entry.index - first;
  const base = leafFrame(format, level, entry.lo, entry.hi);
  const frame = format.runKind === 'own-address' ? base : base + place * level.pagesPerEntry;
  return { ...entry, page, frame, pages: level.pagesPerEntry, shift, place };
}
