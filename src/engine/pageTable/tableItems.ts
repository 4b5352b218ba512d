import { type AddressSpace } from '../directory/deviceDirectory';
import { levelOf } from '../formats/compile';
import { type PhysicalMemory } from '../memory/physicalMemory';
import { FRAME_BYTES, type FrameNumber } from '../values';
import { ABSENT, LEAF, TABLE, classify, entryFrame, entryPermission } from './entry';

/** One table of an address space, and how one got there. */
export interface TablePlace {
  readonly frame: FrameNumber;
  readonly level: number;
  /** First page it covers. */
  readonly base: number;
  /** Effective permission of what leads here. */
  readonly permission: number;
  /** The tables above it. */
  readonly above: readonly FrameNumber[];
}

/** What stands in a table, in order: pointers one by one; leaves are left to `listRuns`, as spans of entries. */
export type TableItem =
  | {
      readonly kind: 'table';
      readonly index: number;
      readonly lo: number;
      readonly hi: number;
      readonly place: TablePlace;
      readonly readable: boolean;
      readonly cycle: boolean;
    }
  | { readonly kind: 'leaves'; readonly first: number; readonly end: number }
  /** A present entry with reserved bits set, or a word that is not 0 and not present. */
  | {
      readonly kind: 'malformed' | 'stale';
      readonly index: number;
      readonly lo: number;
      readonly hi: number;
    };

/** The items of one table; undefined when it cannot be read. At most 512. */
export function tableItems(
  memory: PhysicalMemory,
  space: AddressSpace,
  place: TablePlace,
): readonly TableItem[] | undefined {
  const words = memory.readFrame(place.frame)?.slice();
  if (!words) return undefined;
  const { format } = space;
  const level = levelOf(format, place.level);
  const items: TableItem[] = [];
  const above = [...place.above, place.frame];
  for (let index = 0; index <= level.indexMask; index++) {
    const lo = words[2 * index] ?? 0;
    const hi = words[2 * index + 1] ?? 0;
    const found = classify(format, level, lo, hi);
    if (found === LEAF) {
      const last = items.at(-1);
      if (last?.kind === 'leaves' && last.end === index) {
        items[items.length - 1] = { ...last, end: index + 1 };
      } else items.push({ kind: 'leaves', first: index, end: index + 1 });
    } else if (found === ABSENT) {
      if ((lo | hi) !== 0) items.push({ kind: 'stale', index, lo, hi });
    } else if (found === TABLE) {
      const frame = entryFrame(format, lo, hi);
      const below: TablePlace = {
        frame,
        level: place.level - 1,
        base: place.base + index * level.pagesPerEntry,
        permission: place.permission & entryPermission(format, lo, hi),
        above,
      };
      const cycle = above.includes(frame);
      items.push({
        kind: 'table',
        index,
        lo,
        hi,
        place: below,
        cycle,
        readable: memory.readFrame(frame) !== undefined,
      });
    } else items.push({ kind: 'malformed', index, lo, hi });
  }
  return items;
}

/** Physical byte address of entry `index` of a table. */
export function entryAddress(table: FrameNumber, index: number): number {
  return table * FRAME_BYTES + index * 8;
}
