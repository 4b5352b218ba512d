import { levelOf } from '../../../src/engine/formats/compile';
import { type AddressSpace } from '../../../src/engine/pageTable/addressSpace';
import { NestedMemory } from '../../../src/engine/pageTable/nestedMemory';
import { FrameMemory } from '../../builders/tables';
import { type NestedKind, type SpaceKind } from './everySpace';
import { depthOfTable, entryWord, fill, TABLE_FRAMES, tableFrame, TABLES, type Write } from './randomTables';

/** Frames of which some words are not known, as in the text dumps of a kernel. */
class PartlyKnown extends FrameMemory {
  knows(frame: number, index: number): boolean {
    return (frame + index) % 3 !== 0;
  }
}

/** A space of random tables; `partly`: some of its words are not known. */
export function makeSpace(
  { over }: SpaceKind,
  all: readonly Write[],
  partly: boolean,
  memory = partly ? new PartlyKnown() : new FrameMemory(),
): AddressSpace {
  const space = over(memory);
  fill(space, memory, all);
  return space;
}

/** Where guest frames begin in physical memory. */
const GUEST = 0x1000;

/** Stage 1 in guest memory, of which stage 2 maps the frames that tables stand in, but for the holes. */
export function makeNested(
  { first, second }: NestedKind,
  all: readonly Write[],
  below: readonly Write[],
  holes: readonly number[],
  physical = new FrameMemory(),
): AddressSpace {
  const stage2 = second.over(physical);
  fill(stage2, physical, below);
  const { format } = stage2;
  const tables = Array.from({ length: format.rootDepth }, (_, index) => {
    const depth = format.rootDepth - index;
    return Array.from({ length: TABLES }, (__, table) => table).find(
      (table) => depthOfTable(format, table) === depth,
    );
  });
  tables.forEach((table = 0, index) => {
    const { rule, depth } = levelOf(format, format.rootDepth - index);
    const next = tables[index + 1];
    if (next !== undefined) {
      const target = BigInt(tableFrame(next)) << 12n;
      physical.set(tableFrame(table), 0, entryWord(format, rule, 'table', target, 0, depth - 1));
      return;
    }
    const pages = 2 ** (rule.shift - 12);
    for (let entry = 0; entry * pages <= TABLE_FRAMES * (1 + TABLES); entry++) {
      const target = BigInt(GUEST + entry * pages) << 12n;
      // Choice 5 is read-only.
      const word = holes.includes(entry)
        ? 0n
        : entryWord(format, rule, 'leaf', target, entry % 3 === 1 ? 5 : 1);
      physical.set(tableFrame(table), entry, word);
    }
  });
  const guest = new FrameMemory();
  const space = { ...first.over(new NestedMemory(physical, stage2)), stage2 };
  fill(space, guest, all);
  for (const [frame, words] of guest.frames) physical.frames.set(GUEST + frame, words);
  return space;
}
