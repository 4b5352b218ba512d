import { type CompiledFormat, levelOf } from '../formats/compile';
import { readEntry, type EntryHalves } from '../memory/words';
import { FRAME_BYTES, type FrameNumber } from '../values';
import { rootPage, type AddressSpace } from '../pageTable/addressSpace';
import { classify, entryFrame, nextDepth } from '../pageTable/entry';
import { type EntryClass, TABLE } from '../pageTable/entryClass';

/** One entry of a domain's tables as a sweep meets it. */
export interface SweptEntry {
  readonly depth: number;
  /** Physical byte address. */
  readonly address: number;
  readonly lo: number;
  readonly hi: number;
  readonly class: EntryClass;
  /** First input page. */
  readonly page: number;
}

/** Tables after which a sweep gives up: those of 1 TiB mapped by 4K pages. */
const MOST_TABLES = 2 ** 19 + 1024;

export interface SweepOptions {
  /** Half-open: only entries that lead into these input pages. */
  readonly startPage?: number;
  readonly endPage?: number;
  readonly mostTables?: number;
}

/** Reads every entry of every table that a root leads to, in input order; false when there are more tables than it looks at. */
export function sweepTables(
  space: AddressSpace,
  visit: (entry: SweptEntry) => void,
  { startPage = 0, endPage = Infinity, mostTables = MOST_TABLES }: SweepOptions = {},
): boolean {
  let tables = 0;
  const halves: EntryHalves = { lo: 0, hi: 0 };
  function sweep(format: CompiledFormat, table: FrameNumber, depth: number, firstPage: number): boolean {
    if (++tables > mostTables) return false;
    const level = levelOf(format, depth);
    const isRoot = depth === format.rootDepth;
    const before = isRoot ? 0 : Math.floor((startPage - firstPage) / level.pagesPerEntry);
    for (let index = Math.max(0, before); index <= level.indexMask; index++) {
      const tablePage = firstPage + index * level.pagesPerEntry;
      const page = isRoot ? rootPage(space, tablePage) : tablePage;
      if (page >= endPage) break;
      const slot = isRoot ? index + space.rootEntry : index;
      if (page + level.pagesPerEntry <= startPage || !readEntry(space.memory, table, slot, halves)) continue;
      const { lo, hi } = halves;
      const found = classify(format, level, lo, hi);
      visit({ depth, address: table * FRAME_BYTES + slot * 8, lo, hi, class: found, page });
      const below = found === TABLE ? nextDepth(format, level, lo) : 0;
      if (below > 0 && !sweep(format, entryFrame(format, lo, hi), below, page)) return false;
    }
    return true;
  }
  return sweep(space.format, space.root, space.format.rootDepth, 0);
}
