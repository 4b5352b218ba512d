import { levelOf } from '../../formats/compile';
import { type EntryHalves } from '../../memory/words';
import { classify, entryFrame, nextDepth } from '../../pageTable/entry';
import { TABLE } from '../../pageTable/entryClass';
import { type FrameNumber } from '../../values';
import { type Steps } from '../../steps';
import { type SoftwareStep } from '../softwareStep';
import { framesOfTable, type TableTree } from './tableTree';

/** A table whose entries are to be looked through. */
interface OpenTable {
  readonly frame: FrameNumber;
  readonly depth: number;
  index: number;
}

/** Frees every table, those below first. A step a table: nobody else looks at them any more. */
export function* disposeTables({ words, frames, top }: TableTree): Steps<SoftwareStep, void> {
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
      if (classify(format, level, lo, hi) === TABLE)
        below = { frame: entryFrame(format, lo, hi), depth: nextDepth(format, level, lo), index: 0 };
    }
    if (below) {
      path.push(below);
      continue;
    }
    frames.free(open.frame, framesOfTable(format, open.depth));
    path.pop();
    yield { kind: 'software', name: 'free a table' };
  }
}
