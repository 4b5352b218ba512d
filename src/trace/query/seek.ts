import { numberAt } from '../model/chunk';
import { type TraceTable } from '../model/table';
import { findNext, type ViewPlace } from './find';
import { compileTraceFilter } from './traceFilter';
import { type TraceView } from './traceView';

/** The row of the view that has this number in the trace, or else the first one behind it; null when there is none. */
export function seekRow(view: TraceView, row: number): ViewPlace | null {
  const found = view.after(row);
  return found < 0 ? null : { index: view.rank(found), row: found };
}

/**
 * The first row of the trace at or after a time (nanoseconds since the trace's origin), or the view's first row behind it.
 * Where time runs backwards it is still the first row, in the trace's order, that is late enough.
 */
export function* seekTime(view: TraceView, time: number): Generator<number, ViewPlace | null> {
  for (const [chunk, { first, rows, zone }] of view.table.chunks.entries()) {
    if (!(zone.time[1] >= time)) continue;
    const row = firstNotBefore(view.table, chunk, rows, time);
    yield rows;
    if (row >= 0) return seekRow(view, first + row);
  }
  return null;
}

function firstNotBefore(table: TraceTable, chunk: number, rows: number, time: number): number {
  const column = table.load(chunk).columns.time;
  for (let row = 0; row < rows; row++) if (numberAt(column, row) >= time) return row;
  return -1;
}

/** The next row of the view, from row `after` of the trace on and around the end, whose range has this address. */
export function* seekIova(view: TraceView, iova: bigint, after = 0): Generator<number, ViewPlace | null> {
  const compiled = compileTraceFilter(`iova = 0x${iova.toString(16)}`, view.table);
  // An address that does not fit 64 bits is nowhere.
  if (!compiled.ok) return null;
  const found = yield* findNext(view, compiled.filter, view.rank(after));
  return found ?? (yield* findNext(view, compiled.filter, 0));
}
