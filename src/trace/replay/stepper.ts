import { FLAGS } from '../model/operation';
import { type RowSpaces } from '../model/spaces';
import { chunkOf, type TraceTable } from '../model/table';
import {
  ATTACH,
  ChunkRows,
  DETACH,
  FLUSH,
  LOST,
  MAP,
  observesOnly,
  operationCounts,
  ROWS_PER_YIELD,
  TRANSLATE,
  UNMAP,
} from './chunkRows';
import { LiveMappings } from './liveMappings';
import { RANGE_COLUMNS, RowRange, type Skipped } from './rowRange';

const COLUMNS = [...RANGE_COLUMNS, 'time', 'count'] as const;

/** Hears what rows do, each before it is done. Ranges are pages, half-open. */
export interface ReplayListener {
  map?(row: number, space: number, range: Readonly<RowRange>): void;
  /** [start, end) went, of `asked` pages; `live` still has it. */
  unmap?(row: number, space: number, range: Readonly<RowRange>): void;
  /** Space -1: not known. `all`: of a domain, or of everything; else [start, end). */
  flush?(row: number, space: number, range: Readonly<RowRange>, all: 'no' | 'domain' | 'everything'): void;
  /** A device got tables, or lost those that it had. */
  attach?(row: number, space: number): void;
  detach?(row: number, space: number): void;
  lost?(row: number, events: number): void;
  skip?(row: number, why: Skipped): void;
  /** Before the first row of a chunk: times of its rows, by row less `first`. */
  chunk?(first: number, times: Float64Array): void;
}

/** Does what rows say to the mappings of their spaces. */
export class Stepper {
  /** By space; rows of no space have the last one, so that nothing is lost. */
  readonly live: LiveMappings[];
  readonly observes: boolean;
  readonly #table: TraceTable;
  readonly #spaces: RowSpaces;
  readonly #rows = new ChunkRows(COLUMNS);
  readonly #range = new RowRange();
  readonly #codes: ReadonlySet<number>;

  constructor(table: TraceTable, spaces: RowSpaces) {
    this.#table = table;
    this.#spaces = spaces;
    this.live = Array.from({ length: spaces.count + 1 }, () => new LiveMappings());
    this.observes = observesOnly(table);
    this.#codes = new Set(this.observes ? [TRANSLATE, FLUSH] : [MAP, UNMAP, FLUSH, ATTACH, DETACH, LOST]);
  }

  /** True when the trace tells of invalidations at all. */
  get flushes(): boolean {
    return (operationCounts(this.#table)[FLUSH] ?? 0) > 0;
  }

  /** Does the rows [from, to), a part of a chunk at a time: yields how many. */
  *run(from: number, to: number, listener: ReplayListener = {}): Generator<number, void> {
    let row = from;
    while (row < to) {
      const chunk = chunkOf(this.#table, row);
      const info = this.#table.chunks[chunk];
      if (!info) return;
      const concerns = this.#concerns(info.zone.operations);
      const part = concerns ? ROWS_PER_YIELD : info.rows;
      const end = Math.min(to, info.first + info.rows, row + part);
      if (concerns) {
        this.#rows.load(this.#table, chunk);
        listener.chunk?.(info.first, this.#rows.columns.time);
        for (let at = row - info.first; at < end - info.first; at++) this.#step(at, info.first, listener);
      }
      yield end - row;
      row = end;
    }
  }

  #concerns(operations: Uint32Array): boolean {
    for (const code of this.#codes) if ((operations[code] ?? 0) > 0) return true;
    return false;
  }

  #step(at: number, first: number, listener: ReplayListener): void {
    const { columns } = this.#rows;
    const code = columns.operation[at] ?? 0;
    if (!this.#codes.has(code)) return;
    const row = first + at;
    const space = this.#spaces.spaceOf(row);
    if (code === MAP || code === TRANSLATE) this.#map(at, row, space, listener);
    else if (code === UNMAP) this.#unmap(at, row, space, listener);
    else if (code === FLUSH) this.#flush(at, row, space, listener);
    else if (code === ATTACH) listener.attach?.(row, space);
    else if (code === DETACH) listener.detach?.(row, space);
    else if (code === LOST) listener.lost?.(row, columns.count[at] ?? Number.NaN);
  }

  #map(at: number, row: number, space: number, listener: ReplayListener): void {
    const { columns } = this.#rows;
    const range = this.#range;
    if (this.observes) {
      const failed = ((columns.flags[at] ?? 0) & FLAGS.failed) !== 0;
      if (failed || !range.touched(columns, at) || Number.isNaN(range.frame)) return;
      // The same page is translated again and again.
      const known = this.#of(space).first(range.start, range.end);
      if (
        known &&
        known.start <= range.start &&
        known.end >= range.end &&
        known.frame + range.start - known.start === range.frame
      )
        return;
    } else {
      const skipped = range.mapped(columns, at);
      if (skipped) {
        listener.skip?.(row, skipped);
        return;
      }
    }
    listener.map?.(row, space, range);
    this.#of(space).map(range.start, range.end, range.frame, row);
  }

  #unmap(at: number, row: number, space: number, listener: ReplayListener): void {
    const skipped = this.#range.unmapped(this.#rows.columns, at);
    if (skipped) {
      listener.skip?.(row, skipped);
      return;
    }
    listener.unmap?.(row, space, this.#range);
    this.#of(space).unmap(this.#range.start, this.#range.end);
  }

  #flush(at: number, row: number, space: number, listener: ReplayListener): void {
    const { columns } = this.#rows;
    const flags = columns.flags[at] ?? 0;
    const ranged = this.#range.touched(columns, at);
    const everything = (flags & FLAGS.global) !== 0;
    const all = everything ? 'everything' : (flags & FLAGS.domainWide) !== 0 || !ranged ? 'domain' : 'no';
    if (all !== 'no') [this.#range.start, this.#range.end] = [0, 2 ** 52];
    listener.flush?.(row, space, this.#range, all);
    if (!this.observes) return;
    // What is no longer cached may have been changed: nothing is known of it.
    const spaces = everything || space < 0 ? this.live : [this.#of(space)];
    for (const live of spaces) live.unmap(this.#range.start, this.#range.end);
  }

  #of(space: number): LiveMappings {
    const live = this.live[space < 0 ? this.live.length - 1 : space];
    if (!live) throw new Error(`internal error: no space ${space}`);
    return live;
  }
}
