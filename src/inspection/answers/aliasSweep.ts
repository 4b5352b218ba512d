import { type Work } from '../work';
import { type MappingColumns } from './mappingColumns';

/** Mappings of an alias that are named. */
const NAMED_MAPPINGS = 32;
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
  readonly #bySpace = new Map<number, number>();
  #identity = 0;
  /** Sums of two hashes of each active mapping's space and distance: stretches with the same ones are one alias. */
  #sums = 0;
  #otherSums = 0;
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
      sinceYield += 1 + Math.min(this.#active.length, NAMED_MAPPINGS);
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
    this.#bySpace.set(space, (this.#bySpace.get(space) ?? 0) + 1);
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
    const left = (this.#bySpace.get(space) ?? 1) - 1;
    if (left === 0) this.#bySpace.delete(space);
    else this.#bySpace.set(space, left);
    this.#count(row, space, -1);
  }

  #count(row: number, space: number, by: 1 | -1): void {
    const { frame, page, permission } = this.#columns;
    const distance = (page[row] ?? 0) - (frame[row] ?? 0);
    if (distance === 0) this.#identity += by;
    const mixed = hash(space, distance, permission[row] ?? 0);
    this.#sums = (this.#sums + by * mixed) | 0;
    this.#otherSums = (this.#otherSums + by * scramble(mixed ^ space)) | 0;
  }

  /** True when no mapping here is a way of its own: fewer than two, or a stage 1 with the stage 2 that is below it. */
  #isSingle(): boolean {
    const count = this.#active.length;
    if (count < 2) return true;
    if (count > 2) return false;
    const [one, other] = this.#active.map((row) => this.#columns.space[row] ?? 0);
    const isOver = (above = 0, below = 0): boolean => this.#below[above] === below;
    return isOver(one, other) || isOver(other, one);
  }

  #emit(from: number, to: number): void {
    if (from >= to || this.full) return;
    if (this.#isSingle()) {
      this.#last = undefined;
      return;
    }
    const count = this.#active.length;
    const last = this.#last;
    const isSame = last?.sums === this.#sums && last.otherSums === this.#otherSums;
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
      spaces: this.#bySpace.size,
      identity: this.#identity === count,
      mappings: this.#named(from),
    };
    this.stretches.push(stretch);
    this.#last = { sums: this.#sums, otherSums: this.#otherSums, stretch };
  }

  #named(frame: number): AliasStretch['mappings'] {
    const columns = this.#columns;
    return this.#active
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
