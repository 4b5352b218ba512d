import { type FrameAllocator } from '../../memory/writableMemory';
import { type FrameNumber } from '../../values';
import { type Steps } from '../../steps';
import { done, type Outcome } from '../errno';
import { type Flusher, type FlushRange } from '../flusher';
import { type SoftwareStep } from '../softwareStep';
import { areAllocated } from './areAllocated';

/** Mistakes that drivers have made with page tables, each reproduced by its name; sources stand in docs/hardware.md. */
export type TableFault =
  /** A range apart from what is gathered is flushed for, but not gathered itself. */
  | 'gather-drops-disjoint'
  /** Of an unmapped leaf only the part that was asked for is gathered. */
  | 'gather-asked-only'
  /** Unmapping fills no gather, and an empty one is not flushed for. */
  | 'gather-never-filled'
  /** What makes room for a large leaf makes room for all that is still to be mapped, rounded up to such leaves. */
  | 'superpage-clears-beyond'
  /** Tables are freed before the flush that removes pointers to them from walk caches. */
  | 'free-before-flush'
  /** Of a page of several entries only the first one's dirty mark is read and cleared. */
  | 'one-replica'
  /** Leaves that are mapped after tracking began are not tracked (Arm DBM). */
  | 'new-leaves-untracked'
  /** The root and its depth are read one after the other. */
  | 'root-in-two-reads'
  /** A dirty mark that was cleared is not flushed for. */
  | 'no-flush-after-clear';

/** A table that waits for the flush. */
interface FreedTable {
  readonly frame: FrameNumber;
  readonly frames: number;
}

/**
 * What changed and is to be flushed: one range from the first to the last page, as Linux keeps it, so that what lies
 * between goes too; and the tables that may be freed after that. One for an operation, or for many that are flushed at once.
 */
export class Gather {
  #start = Infinity;
  #end = 0;
  #smallest = 64;
  #largest = 0;
  #tables = false;
  #freed: FreedTable[] = [];

  /** Whether nothing has changed. */
  get isEmpty(): boolean {
    return this.#end === 0 && this.#freed.length === 0;
  }

  /** What a flush would have to remove; undefined when no address changed. */
  get range(): FlushRange | undefined {
    if (this.#end === 0) return undefined;
    return {
      startPage: this.#start,
      endPage: this.#end,
      smallestShift: this.#smallest,
      largestShift: this.#largest,
      tables: this.#tables,
    };
  }

  /** Whether a range does not touch what is gathered. */
  isApart(startPage: number, endPage: number): boolean {
    return this.#end !== 0 && (endPage < this.#start || startPage > this.#end);
  }

  /** Adds pages whose leaf, of 2^shift bytes, changed; or leaves, the smallest of them of 2^smallest bytes. */
  add(startPage: number, endPage: number, shift: number, smallest = shift): void {
    this.#start = Math.min(this.#start, startPage);
    this.#end = Math.max(this.#end, endPage);
    this.#smallest = Math.min(this.#smallest, smallest);
    this.#largest = Math.max(this.#largest, shift);
  }

  /** Adds what another gather has to flush. */
  addRange({ startPage, endPage, smallestShift, largestShift, tables }: FlushRange): void {
    this.add(startPage, endPage, smallestShift);
    this.#largest = Math.max(this.#largest, largestShift);
    this.#tables ||= tables;
  }

  /** Adds a table that is out of reach but for walk caches. */
  addTable(frame: FrameNumber, frames: number, startPage: number, endPage: number): void {
    this.#freed.push({ frame, frames });
    this.#tables = true;
    this.#start = Math.min(this.#start, startPage);
    this.#end = Math.max(this.#end, endPage);
  }

  /** Flushes what is gathered, waits for that, and frees the tables. Empty again after it. */
  *sync(
    flusher: Flusher,
    frames: FrameAllocator,
    faults: ReadonlySet<TableFault>,
  ): Steps<SoftwareStep, Outcome<null>> {
    const early = faults.has('free-before-flush');
    if (early) yield* this.#free(frames);
    const range = this.range;
    if (range) {
      const { smallestShift, largestShift } = range;
      const known =
        largestShift === 0 ? { smallestShift: 12, largestShift: 12 } : { smallestShift, largestShift };
      const flushed = yield* flusher.flush({ ...range, ...known });
      // What could not be flushed may still be in use: its tables stay allocated.
      if (!flushed.ok) return flushed;
    }
    if (!early) yield* this.#free(frames);
    this.#start = Infinity;
    this.#end = 0;
    this.#smallest = 64;
    this.#largest = 0;
    this.#tables = false;
    return done(null);
  }

  *#free(frames: FrameAllocator): Steps<SoftwareStep, void> {
    const freed = this.#freed;
    this.#freed = [];
    if (freed.length === 0) return;
    for (const { frame, frames: count } of freed)
      if (areAllocated(frames, frame, count)) frames.free(frame, count);
    yield { kind: 'software', name: `free ${freed.length} table${freed.length === 1 ? '' : 's'}` };
  }
}
