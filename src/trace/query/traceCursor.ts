import { numberAt, type TraceChunk } from '../model/chunk';
import { type ColumnName } from '../model/columns';
import { type RowSpaces } from '../model/spaces';
import { type TraceTable } from '../model/table';

/** Bytes of a line that conditions on its text look at. */
export const LINE_BYTES = 65_536;

/** One row of a trace at a time: what conditions read. Moved from row to row, it allocates nothing. */
export class TraceCursor {
  /** Row of the trace that the chunk begins with, and the row in the chunk. */
  first = 0;
  at = 0;
  #chunk = -1;
  #columns: TraceChunk['columns'] | undefined;

  constructor(
    readonly table: TraceTable,
    readonly spaces?: RowSpaces,
  ) {}

  /** Row of the trace, from 0. */
  get row(): number {
    return this.first + this.at;
  }

  /** Goes to the first row of a chunk; its columns are loaded when they are asked for. */
  enter(chunk: number): void {
    this.at = 0;
    if (chunk === this.#chunk) return;
    this.#chunk = chunk;
    this.#columns = undefined;
    this.first = this.table.chunks[chunk]?.first ?? 0;
  }

  /** Lets go of the chunk's columns. */
  leave(): void {
    this.#chunk = -1;
    this.#columns = undefined;
  }

  /** A number of this row; NaN when it is absent. */
  number(column: ColumnName): number {
    this.#columns ??= this.table.load(this.#chunk).columns;
    return numberAt(this.#columns[column], this.at);
  }

  /** Nanoseconds since the row before; NaN when one of the two has no time. */
  delta(): number {
    const time = this.number('time');
    if (this.at > 0) {
      const columns = this.#columns;
      return columns ? time - numberAt(columns.time, this.at - 1) : Number.NaN;
    }
    if (this.#chunk <= 0) return Number.NaN;
    const before = this.table.load(this.#chunk - 1);
    return time - numberAt(before.columns.time, before.rows - 1);
  }

  line(limit = LINE_BYTES): string {
    return this.table.trace.line(this.number('offset'), this.number('length'), limit);
  }

  /** Number of the address space; -1 when it is not known. */
  space(): number {
    return this.spaces?.spaceOf(this.row) ?? -1;
  }
}

/** Time of the first row that has one, in nanoseconds since the trace's origin; NaN when none has. */
export function firstTime(table: TraceTable): number {
  for (const [index, { rows, zone }] of table.chunks.entries()) {
    if (Number.isNaN(zone.time[0])) continue;
    const { time } = table.load(index).columns;
    for (let row = 0; row < rows; row++) {
      const at = numberAt(time, row);
      if (at === at) return at;
    }
  }
  return Number.NaN;
}
