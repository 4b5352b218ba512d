import { levelOf } from '../../formats/compile';
import { type EntryHalves } from '../../memory/words';
import { classify, nextDepth } from '../../pageTable/entry';
import { TABLE } from '../../pageTable/entryClass';
import { type FrameNumber } from '../../values';
import { type Steps } from '../../steps';
import { type SoftwareStep } from '../softwareStep';
import { areAllocated } from './areAllocated';
import { framesOfTable, tableBelow, type TableTree } from './tableTree';

/** A table whose entries are to be looked through. */
interface OpenTable {
  readonly frame: FrameNumber;
  readonly depth: number;
  index: number;
}

/** Frees every table, those below first. A step a table: nobody else looks at them any more. */
export function* disposeTables(tree: TableTree): Steps<SoftwareStep, void> {
  const { words, frames, top } = tree;
  const { root, format } = top;
  const path: OpenTable[] = [{ frame: root, depth: format.rootDepth, index: 0 }];
  const halves: EntryHalves = { lo: 0, hi: 0 };
  for (let open = path.at(-1); open; open = path.at(-1)) {
    const level = levelOf(format, open.depth);
    let below: OpenTable | undefined;
    // Leaf-most tables point to no others.
    while (open.depth > 1 && !below && open.index <= level.indexMask) {
      words.peek(open.frame, open.index++, halves);
      const { lo, hi } = halves;
      if (classify(format, level, lo, hi) !== TABLE) continue;
      const frame = tableBelow(tree, open.depth, halves);
      if (frame !== undefined) below = { frame, depth: nextDepth(format, level, lo), index: 0 };
    }
    if (below) {
      path.push(below);
      continue;
    }
    const count = framesOfTable(format, open.depth);
    if (areAllocated(frames, open.frame, count)) frames.free(open.frame, count);
    path.pop();
    yield { kind: 'software', name: 'free a table' };
  }
}
