import { levelOf } from '../../formats/compile';
import { type EntryHalves } from '../../memory/words';
import { classify, nextDepth } from '../../pageTable/entry';
import { ABSENT, TABLE } from '../../pageTable/entryClass';
import { type FrameNumber } from '../../values';
import { type Steps } from '../../steps';
import { done, type Outcome } from '../errno';
import { type SoftwareStep } from '../softwareStep';
import { corrupt, framesOfTable, tableBelow, type TableTree } from './tableTree';

/** A table that is not used any more. */
export interface LooseTable {
  readonly frame: FrameNumber;
  readonly frames: number;
}

/** The tables below the table entry of a page at a depth, that one's own first; undefined when a page is mapped there. */
export function* collectEmptyTables(
  tree: TableTree,
  page: number,
  depth: number,
  entry: Readonly<EntryHalves>,
): Steps<SoftwareStep, Outcome<LooseTable[] | undefined>> {
  const { format } = tree.top;
  const tables: LooseTable[] = [];
  const waiting = [{ depth, lo: entry.lo, hi: entry.hi }];
  const halves: EntryHalves = { lo: 0, hi: 0 };
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const frame = tableBelow(tree, next.depth, next);
    if (frame === undefined) return corrupt(page);
    const below = nextDepth(format, levelOf(format, next.depth), next.lo);
    const level = levelOf(format, below);
    tables.push({ frame, frames: framesOfTable(format, below) });
    for (let index = 0; index <= level.indexMask; index++) {
      yield tree.words.load('look for pages below', frame, index, halves);
      const found = classify(format, level, halves.lo, halves.hi);
      if (found === ABSENT) continue;
      if (found !== TABLE) return done(undefined);
      waiting.push({ depth: below, lo: halves.lo, hi: halves.hi });
    }
  }
  return done(tables);
}
