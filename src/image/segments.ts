import { assert, failure, type Result, success } from '../engine/result';
import { sortedOrder } from './sortedOrder';
import { CANCELLED, cancelledMeanwhile, type Task } from '../bytes/task';

/** File offset of a segment that has no bytes in the file and reads as zeros. */
export const ZEROS = -1;

/** Physical addresses end here: 52 bits, as in every IOMMU specification read here. */
export const PHYSICAL_END = 2 ** 52;

/** A piece of physical memory and where its bytes stand. All in bytes, all exact (below 2^53). */
export interface Segment {
  readonly paddr: number;
  /** Offset in the file, or `ZEROS`. */
  readonly offset: number;
  readonly length: number;
}

/** Bytes that two segments give differently placed contents for; the one in the map won. */
export interface Overlap extends Segment {
  /** Where the loser's bytes stand (or `ZEROS`). */
  readonly offset: number;
}

/** All segments of an image in their places. */
export interface PlacedSegments {
  readonly map: SegmentMap;
  /** The first of them. */
  readonly overlaps: readonly Overlap[];
  readonly overlapCount: number;
}

/** Segments placed between two pauses. */
const PLACED_AT_ONCE = 65_536;

/** Overlaps kept for the reader to compare; the others are counted. */
const OVERLAPS_KEPT = 256;

/** Segments as they come from a file, in any order, as columns. */
export class SegmentList {
  private columns = new Float64Array(3 * 64);
  private used = 0;

  get count(): number {
    return this.used;
  }

  /**
   * Adds [paddr, paddr + length). A segment that only repeats bytes of the one before is left out: dumps made by virtual
   * address name the same bytes many times in a row. One that continues it stays apart, since which of two overlapping
   * segments wins depends on where each starts.
   */
  push(paddr: number, offset: number, length: number): void {
    assert(length > 0 && paddr >= 0 && paddr + length <= PHYSICAL_END, 'segment out of range');
    if (this.repeats({ paddr, offset, length })) return;
    this.add(paddr, offset, length);
  }

  /** Adds a segment that starts at or after the end of all before, joined to the last where it continues it. */
  append(paddr: number, offset: number, length: number): void {
    const last = this.used === 0 ? undefined : this.at(this.used - 1);
    if (last && paddr === last.paddr + last.length && samePlace(last, { paddr, offset, length })) {
      this.columns[3 * this.used - 1] = last.length + length;
    } else this.add(paddr, offset, length);
  }

  private add(paddr: number, offset: number, length: number): void {
    if (3 * this.used === this.columns.length) {
      const grown = new Float64Array(2 * this.columns.length);
      grown.set(this.columns);
      this.columns = grown;
    }
    this.columns.set([paddr, offset, length], 3 * this.used++);
  }

  private repeats(next: Segment): boolean {
    if (this.used === 0) return false;
    const last = this.at(this.used - 1);
    return (
      next.paddr >= last.paddr &&
      next.paddr + next.length <= last.paddr + last.length &&
      samePlace(last, next)
    );
  }

  at(index: number): Segment {
    const at = 3 * index;
    return {
      paddr: this.columns[at] ?? 0,
      offset: this.columns[at + 1] ?? 0,
      length: this.columns[at + 2] ?? 0,
    };
  }

  /** Indices by address; of those that start at the same address the first pushed comes first. Undefined when cancelled. */
  sorted(task: Task): Promise<Uint32Array | undefined> {
    const starts = new Float64Array(this.used);
    for (let i = 0; i < this.used; i++) starts[i] = this.columns[3 * i] ?? 0;
    return sortedOrder(starts, task);
  }
}

/** True when both read the same bytes of the file for an address that both hold. */
function samePlace(a: Segment, b: Segment): boolean {
  if (a.offset === ZEROS || b.offset === ZEROS) return a.offset === b.offset;
  return a.offset - a.paddr === b.offset - b.paddr;
}

/** Disjoint segments by ascending address. */
export class SegmentMap {
  /** The segment that the last look-up found: neighbours are mostly asked for one after the other. */
  private last = 0;
  readonly bytesHeld: number;

  private constructor(
    readonly starts: Float64Array,
    readonly ends: Float64Array,
    readonly offsets: Float64Array,
  ) {
    let held = 0;
    for (let i = 0; i < starts.length; i++) held += (ends[i] ?? 0) - (starts[i] ?? 0);
    this.bytesHeld = held;
  }

  get count(): number {
    return this.starts.length;
  }

  /** One more than the highest address held; 0 for an empty map. */
  get end(): number {
    return this.ends[this.ends.length - 1] ?? 0;
  }

  /** Index of the segment that holds `address`, or -1. */
  find(address: number): number {
    const { starts, ends } = this;
    const last = this.last;
    if (address >= (starts[last] ?? Infinity) && address < (ends[last] ?? 0)) return last;
    const index = this.atOrBelow(address);
    if (index < 0 || address >= (ends[index] ?? 0)) return -1;
    this.last = index;
    return index;
  }

  /** Index of the last segment that starts at or below `address`, or -1. */
  atOrBelow(address: number): number {
    let low = 0;
    let high = this.starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.starts[middle] ?? 0) <= address) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  segment(index: number): Segment {
    const paddr = this.starts[index] ?? 0;
    return { paddr, offset: this.offsets[index] ?? 0, length: (this.ends[index] ?? 0) - paddr };
  }

  /**
   * Sorts and joins. Where segments overlap the one that starts lower wins, and of two that start together the first in the
   * list. Overlaps that name the same bytes of the file are no conflict and are not reported.
   */
  static async build(list: SegmentList, task: Task): Promise<Result<PlacedSegments>> {
    const cancelled = failure(CANCELLED, 'Placing the segments of the image was cancelled.');
    const order = await list.sorted(task);
    if (!order) return cancelled;
    const joined = new SegmentList();
    const overlaps: Overlap[] = [];
    let overlapCount = 0;
    let end = 0;
    for (const [rank, index] of order.entries()) {
      if (rank % PLACED_AT_ONCE === PLACED_AT_ONCE - 1 && (await cancelledMeanwhile(task))) return cancelled;
      const next = list.at(index);
      const nextEnd = next.paddr + next.length;
      if (next.paddr < end) {
        const last = joined.at(joined.count - 1);
        if (next.paddr < last.paddr || !samePlace(last, next)) {
          overlapCount++;
          if (overlaps.length < OVERLAPS_KEPT) {
            overlaps.push({ ...next, length: Math.min(nextEnd, end) - next.paddr });
          }
        }
        if (nextEnd <= end) continue;
      }
      const start = Math.max(next.paddr, end);
      joined.append(start, next.offset === ZEROS ? ZEROS : next.offset + start - next.paddr, nextEnd - start);
      end = nextEnd;
    }
    const map = await SegmentMap.ofSorted(joined, task);
    return map ? success({ map, overlaps, overlapCount }) : cancelled;
  }

  private static async ofSorted(list: SegmentList, task: Task): Promise<SegmentMap | undefined> {
    const starts = new Float64Array(list.count);
    const ends = new Float64Array(list.count);
    const offsets = new Float64Array(list.count);
    for (let i = 0; i < list.count; i++) {
      if (i % PLACED_AT_ONCE === PLACED_AT_ONCE - 1 && (await cancelledMeanwhile(task))) return undefined;
      const { paddr, offset, length } = list.at(i);
      starts[i] = paddr;
      ends[i] = paddr + length;
      offsets[i] = offset;
    }
    return new SegmentMap(starts, ends, offsets);
  }
}
