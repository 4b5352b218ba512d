import { levelOf } from '../formats/compile';
import { FRAME_ENTRIES, frameOf } from '../memory/words';
import { FRAME_BYTES, type FrameNumber } from '../values';
import { regionsOf, rootPage, type AddressSpace } from './addressSpace';
import { classify, entryFrame, entryPermission, nextDepth } from './entry';
import { ABSENT, LEAF, READ_WRITE, TABLE } from './entryClass';

/** One table of an address space, and how one got there. */
export interface TablePlace {
  readonly frame: FrameNumber;
  /** Entries of its first frame that lie before it. */
  readonly before: number;
  /** 1 = leaf-most. */
  readonly depth: number;
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

/** The root table of an address space. */
export function rootPlace({ root, rootEntry, format }: AddressSpace): TablePlace {
  return {
    frame: root,
    before: rootEntry,
    depth: format.rootDepth,
    base: 0,
    permission: READ_WRITE,
    above: [],
  };
}

/** First page that entry `index` of a table covers. */
export function pageOfEntry(space: AddressSpace, place: TablePlace, index: number): number {
  const page = place.base + index * levelOf(space.format, place.depth).pagesPerEntry;
  return place.above.length === 0 ? rootPage(space, page) : page;
}

/**
 * The items of one table, as far as its frames can be read; undefined when none can. At most one for each entry, and none for
 * entries that no address of the space leads to.
 */
export function tableItems(space: AddressSpace, place: TablePlace): readonly TableItem[] | undefined {
  const { memory, format } = space;
  const level = levelOf(format, place.depth);
  const items: TableItem[] = [];
  const above = [...place.above, place.frame];
  // Entries of the root from here on stand for the upper part of the address space: no neighbours of those before.
  const upper = place.above.length === 0 ? Math.ceil(space.lowEnd / level.pagesPerEntry) : undefined;
  const regions = regionsOf(space);
  const isTaken = (page: number): boolean =>
    regions.some(({ start, end }) => page < end && page + level.pagesPerEntry > start);
  let words: Uint32Array | undefined;
  let readable = false;
  for (let index = 0; index <= level.indexMask; index++) {
    const slot = index + place.before;
    if (index === 0 || slot % FRAME_ENTRIES === 0) {
      words = memory.readFrame(frameOf(place.frame, slot))?.slice();
      readable ||= words !== undefined;
    }
    if (!isTaken(pageOfEntry(space, place, index))) continue;
    const lo = words?.[2 * (slot % FRAME_ENTRIES)] ?? 0;
    const hi = words?.[2 * (slot % FRAME_ENTRIES) + 1] ?? 0;
    const found = classify(format, level, lo, hi);
    if (found === LEAF) {
      const last = items.at(-1);
      if (last?.kind === 'leaves' && last.end === index && index !== upper) {
        items[items.length - 1] = { ...last, end: index + 1 };
      } else items.push({ kind: 'leaves', first: index, end: index + 1 });
    } else if (found === ABSENT) {
      if ((lo | hi) !== 0) items.push({ kind: 'stale', index, lo, hi });
    } else if (found === TABLE) {
      const frame = entryFrame(format, lo, hi);
      const below: TablePlace = {
        frame,
        before: 0,
        depth: nextDepth(format, level, lo),
        base: pageOfEntry(space, place, index),
        permission: place.permission & entryPermission(format, found, lo, hi),
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
  return readable ? items : undefined;
}

/** Byte address of entry `index` of a table. */
export function entryAddress({ frame, before }: TablePlace, index: number): number {
  return frame * FRAME_BYTES + (index + before) * 8;
}
