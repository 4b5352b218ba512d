import { type Work } from '../work';
import { type MappingColumns } from './mappingColumns';

/** Mappings of an alias that are named. */
const NAMED_MAPPINGS = 32;
/** Active mappings looked at for these. */
const LOOKED_AT = 4096;
/** Mappings between two yields. */
const STEP = 4096;

/** A stretch of physical memory that is mapped more than once. */
export interface AliasStretch {
  readonly startFrame: number;
  endFrame: number;
  readonly count: number;
  /** Distinct spaces. */
  readonly spaces: number;
  readonly identity: boolean;
  /** The first of the mappings, by space and IOVA: the space and the page of `startFrame` there. */
  readonly mappings: readonly {
    readonly space: number;
    readonly page: number;
    readonly permission: number;
  }[];
}

/** What active mappings are together. */
class Sum {
  count = 0;
  identity = 0;
  /** Two hashes of each one's space and distance, added: stretches with the same ones are one alias. */
  sums = 0;
  otherSums = 0;

  add({ count, identity, sums, otherSums }: Omit<Sum, 'add'>, by: 1 | -1): void {
    this.count += by * count;
    this.identity += by * identity;
    this.sums = (this.sums + by * sums) | 0;
    this.otherSums = (this.otherSums + by * otherSums) | 0;
  }
}

/** The active mappings of one space. */
class SpaceSum extends Sum {
  /** Active mappings of stage 1s above it: while there are any, its own are no ways of their own. */
  above = 0;
}

/**
 * Sweeps over mappings in the order of their first frames and gives every stretch with two mappings or more. A mapping
 * of a stage 1 and that of the stage 2 below it are one way, not two.
 */
export class AliasSweep {
  readonly #columns: MappingColumns;
  /** Of each space the place of the stage 2 below it; -1: none. */
  readonly #below: readonly number[];
  readonly #most: number;
  readonly stretches: AliasStretch[] = [];
  /** There are more than `most`: the rest is left out. */
  full = false;
  /** Mappings that cover the frame where the sweep stands, in no order, and the place of each among them. */
  readonly #active: number[] = [];
  readonly #placeOf = new Map<number, number>();
  /** The same by the frame behind them, as a binary heap. */
  readonly #ends: number[] = [];
  readonly #bySpace = new Map<number, SpaceSum>();
  /** Over all spaces that no active stage 1 is above, and how many of them have active mappings. */
  readonly #visible = new Sum();
  #spaces = 0;
  #last: { readonly sums: number; readonly otherSums: number; readonly stretch: AliasStretch } | undefined;

  constructor(columns: MappingColumns, below: readonly number[], most: number) {
    this.#columns = columns;
    this.#below = below;
    this.#most = most;
  }

  *run(order: Uint32Array): Work<void> {
    const { frame } = this.#columns;
    let at = 0;
    let sinceYield = 0;
    for (const row of order) {
      const start = frame[row] ?? 0;
      at = this.#endBefore(start, at);
      this.#emit(at, start);
      at = start;
      this.#enter(row);
      sinceYield += 1 + (Math.min(this.#active.length, LOOKED_AT) >> 4);
      if (sinceYield >= STEP) {
        yield sinceYield;
        sinceYield = 0;
      }
      if (this.full) return;
    }
    this.#endBefore(Infinity, at);
    yield sinceYield;
  }

  /** Ends what ends up to a frame; gives where the last of it ended. */
  #endBefore(frame: number, from: number): number {
    let at = from;
    for (;;) {
      const [row] = this.#ends;
      if (row === undefined) return at;
      const end = this.#end(row);
      if (end > frame) return at;
      this.#emit(at, end);
      at = end;
      this.#leave(row);
    }
  }

  #end(row: number): number {
    return (this.#columns.frame[row] ?? 0) + (this.#columns.pages[row] ?? 0);
  }

  #enter(row: number): void {
    const space = this.#columns.space[row] ?? 0;
    this.#placeOf.set(row, this.#active.length);
    this.#active.push(row);
    this.#pushEnd(row);
    this.#count(row, space, 1);
  }

  #leave(row: number): void {
    const space = this.#columns.space[row] ?? 0;
    const place = this.#placeOf.get(row) ?? 0;
    const last = this.#active.pop() ?? row;
    if (last !== row) {
      this.#active[place] = last;
      this.#placeOf.set(last, place);
    }
    this.#placeOf.delete(row);
    this.#popEnd();
    this.#count(row, space, -1);
  }

  #count(row: number, space: number, by: 1 | -1): void {
    const { frame, page, permission } = this.#columns;
    const distance = (page[row] ?? 0) - (frame[row] ?? 0);
    const sums = hash(space, distance, permission[row] ?? 0);
    const one = { count: 1, identity: distance === 0 ? 1 : 0, sums, otherSums: scramble(sums ^ space) };
    const own = this.#sumOf(space);
    if (own.above === 0) this.#show(own, -1);
    own.add(one, by);
    if (own.above === 0) this.#show(own, 1);
    const under = this.#below[space] ?? -1;
    if (under < 0) return;
    const stage2 = this.#sumOf(under);
    if (stage2.above === 0) this.#show(stage2, -1);
    stage2.above += by;
    if (stage2.above === 0) this.#show(stage2, 1);
  }

  #sumOf(space: number): SpaceSum {
    const known = this.#bySpace.get(space) ?? new SpaceSum();
    this.#bySpace.set(space, known);
    return known;
  }

  /** Takes what a space has active into what is visible, or out of it. */
  #show(own: SpaceSum, by: 1 | -1): void {
    this.#visible.add(own, by);
    if (own.count > 0) this.#spaces += by;
  }

  #emit(from: number, to: number): void {
    if (from >= to || this.full) return;
    const { count, identity, sums, otherSums } = this.#visible;
    if (count < 2) {
      this.#last = undefined;
      return;
    }
    const last = this.#last;
    const isSame = last?.sums === sums && last.otherSums === otherSums;
    if (last && isSame && last.stretch.endFrame === from && last.stretch.count === count) {
      last.stretch.endFrame = to;
      return;
    }
    if (this.stretches.length >= this.#most) {
      this.full = true;
      return;
    }
    const stretch: AliasStretch = {
      startFrame: from,
      endFrame: to,
      count,
      spaces: this.#spaces,
      identity: identity === count,
      mappings: this.#named(from),
    };
    this.stretches.push(stretch);
    this.#last = { sums, otherSums, stretch };
  }

  #named(frame: number): AliasStretch['mappings'] {
    const columns = this.#columns;
    return this.#active
      .slice(0, LOOKED_AT)
      .filter((row) => this.#sumOf(columns.space[row] ?? 0).above === 0)
      .slice(0, NAMED_MAPPINGS)
      .map((row) => ({
        space: columns.space[row] ?? 0,
        page: (columns.page[row] ?? 0) + frame - (columns.frame[row] ?? 0),
        permission: columns.permission[row] ?? 0,
      }))
      .sort((one, other) => one.space - other.space || one.page - other.page);
  }

  #pushEnd(row: number): void {
    const heap = this.#ends;
    let at = heap.length;
    heap.push(row);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] ?? row;
      if (this.#end(parent) <= this.#end(row)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = row;
  }

  /** Takes the first away: the one that ends first. */
  #popEnd(): void {
    const heap = this.#ends;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const [left = last, right] = [heap[child], heap[child + 1]];
      if (right !== undefined && this.#end(right) < this.#end(left)) child++;
      const least = heap[child] ?? last;
      if (this.#end(least) >= this.#end(last)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = last;
  }
}

/** 32 bits that differ for almost all mappings. */
function hash(space: number, distance: number, permission: number): number {
  const high = Math.floor(distance / 2 ** 32) | 0;
  const mixed = Math.imul(space + 1, 0x9e3779b1) ^ Math.imul(distance | 0, 0x85ebca6b);
  return scramble(mixed ^ Math.imul(high, 0xc2b2ae35) ^ permission);
}

function scramble(value: number): number {
  const mixed = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  return Math.imul(mixed ^ (mixed >>> 13), 0x297a2d39) ^ (mixed >>> 16);
}
