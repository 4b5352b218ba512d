import { type AddressSpace } from '../../engine/pageTable/addressSpace';
import { ALL_PAGES } from '../../engine/pageTable/addressSpace';
import { READ_WRITE } from '../../engine/pageTable/entryClass';
import { type RunColumns } from '../../engine/pageTable/runColumns';
import { type Work } from '../work';
import { RunStream, type Budget } from './runStream';

/** Stretches of guest memory that are kept at most: 24 MiB of them. */
const MOST_STRETCHES = 2 ** 20;
const GROW = 4096;

/** A stretch of what a run leads to, in physical memory. */
export interface Stretch {
  /** IOVA / 4096. */
  page: number;
  pages: number;
  /** What the tables of the space itself give, and where that lies in physical memory; in frames. */
  frame: number;
  physical: number;
  /** READ | WRITE that a stage 2 leaves. */
  permission: number;
}

/**
 * Where output frames of an address space lie in physical memory, in order of these frames. Without a stage 2 they are the
 * physical frames of a range themselves; with one, the guest frames that it maps into the range.
 */
export class GuestMap {
  length = 0;
  /** Some guest memory is left out: there were more than MOST_STRETCHES, or the budget was used up. */
  incomplete = false;
  unreadableTables = 0;
  cycles = 0;
  #start = new Float64Array(GROW);
  #pages = new Float64Array(GROW);
  #physical = new Float64Array(GROW);
  #permission = new Uint8Array(GROW);

  add(start: number, pages: number, physical: number, permission: number): void {
    const last = this.length - 1;
    if (
      last >= 0 &&
      this.#permission[last] === permission &&
      (this.#start[last] ?? 0) + (this.#pages[last] ?? 0) === start &&
      (this.#physical[last] ?? 0) + (this.#pages[last] ?? 0) === physical
    ) {
      this.#pages[last] = (this.#pages[last] ?? 0) + pages;
      return;
    }
    if (this.length === this.#start.length) this.#grow();
    this.#start[this.length] = start;
    this.#pages[this.length] = pages;
    this.#physical[this.length] = physical;
    this.#permission[this.length] = permission;
    this.length++;
  }

  #grow(): void {
    const size = 2 * this.#start.length;
    const larger = (old: Float64Array): Float64Array<ArrayBuffer> => {
      const grown = new Float64Array(size);
      grown.set(old);
      return grown;
    };
    const permission = new Uint8Array(size);
    permission.set(this.#permission);
    this.#start = larger(this.#start);
    this.#pages = larger(this.#pages);
    this.#physical = larger(this.#physical);
    this.#permission = permission;
  }

  /**
   * Writes to `stretch` the first part of pages [fromPage, ...) of run `row` that lies in the map; false when no more does.
   */
  next(columns: RunColumns, row: number, fromPage: number, stretch: Stretch): boolean {
    const page = columns.page[row] ?? 0;
    const frame = columns.frame[row] ?? 0;
    const end = frame + (columns.count[row] ?? 0) * 2 ** (columns.pageShiftOf(row) - 12);
    const from = frame + Math.max(0, fromPage - page);
    const at = this.#firstEndingBehind(from);
    const start = this.#start[at] ?? 0;
    if (from >= end || at === this.length || start >= end) return false;
    const first = Math.max(from, start);
    stretch.page = page + (first - frame);
    stretch.pages = Math.min(end, start + (this.#pages[at] ?? 0)) - first;
    stretch.frame = first;
    stretch.physical = (this.#physical[at] ?? 0) + (first - start);
    stretch.permission = this.#permission[at] ?? 0;
    return true;
  }

  #firstEndingBehind(frame: number): number {
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#start[middle] ?? 0) + (this.#pages[middle] ?? 0) > frame) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** Half-open range of physical frames. */
export interface FrameRange {
  readonly start: number;
  readonly end: number;
}

/** The map of a space whose outputs are physical addresses. */
export function physicalMap({ start, end }: FrameRange): GuestMap {
  const map = new GuestMap();
  map.add(start, end - start, start, READ_WRITE);
  return map;
}

/** The guest frames that a stage 2 maps into a range. */
export function* readGuestMap(stage2: AddressSpace, range: FrameRange, budget: Budget): Work<GuestMap> {
  const map = new GuestMap();
  const wanted = physicalMap(range);
  const stream = new RunStream(stage2, budget, 0, ALL_PAGES);
  const stretch = newStretch();
  while (map.length < MOST_STRETCHES && (yield* stream.fill())) {
    const { columns } = stream;
    for (let row = 0; row < columns.length; row++) {
      let from = 0;
      while (map.length < MOST_STRETCHES && wanted.next(columns, row, from, stretch)) {
        map.add(stretch.page, stretch.pages, stretch.physical, columns.permissionOf(row));
        from = stretch.page + stretch.pages;
      }
    }
  }
  map.incomplete = stream.gaveUp || map.length >= MOST_STRETCHES;
  map.unreadableTables = stream.unreadableTables;
  map.cycles = stream.cycles;
  return map;
}

export const newStretch = (): Stretch => ({ page: 0, pages: 0, frame: 0, physical: 0, permission: 0 });
