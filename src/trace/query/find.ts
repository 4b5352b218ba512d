import { CHUNK_ROWS } from '../model/columns';
import { chunkOf } from '../model/table';
import { type Bits, firstBit, lastBit, wordsOf } from './bits';
import { type TraceFilter } from './traceFilter';
import { type TraceView } from './traceView';

/** A row of a view: its index there, and its number in the trace. */
export interface ViewPlace {
  readonly index: number;
  readonly row: number;
}

/**
 * The next row of the view, from index `from` on (itself first) to its end, that a filter matches; null when there is none.
 * Yields how many rows it asked. `compileTextSearch` makes the filter that finds text.
 */
export function* findNext(
  view: TraceView,
  filter: TraceFilter,
  from: number,
): Generator<number, ViewPlace | null> {
  const start = view.select(Math.max(from, 0));
  if (start < 0) return null;
  const out = new Int32Array(wordsOf(CHUNK_ROWS));
  for (let chunk = chunkOf(view.table, start); chunk < view.chunks; chunk++) {
    const { first, rows } = view.table.chunks[chunk] ?? { first: 0, rows: 0 };
    const low = Math.max(start - first, 0);
    for (let step = low & ~31; step < rows; step += filter.stepRows) {
      const to = Math.min(step + filter.stepRows, rows);
      if (!ask(view, filter, chunk, step, to, out)) continue;
      const found = firstBit(out, Math.max(low, step), to);
      if (found >= 0) return placeOf(view, first + found);
      yield to - step;
    }
  }
  return null;
}

/** The same towards the view's beginning. */
export function* findPrevious(
  view: TraceView,
  filter: TraceFilter,
  from: number,
): Generator<number, ViewPlace | null> {
  const start = view.select(Math.min(from, view.total - 1));
  if (start < 0) return null;
  const out = new Int32Array(wordsOf(CHUNK_ROWS));
  for (let chunk = chunkOf(view.table, start); chunk >= 0; chunk--) {
    const { first, rows } = view.table.chunks[chunk] ?? { first: 0, rows: 0 };
    const high = Math.min(start - first + 1, rows);
    for (let to = high; to > 0;) {
      const from = Math.max(0, (to - filter.stepRows + 31) & ~31);
      const end = Math.min(wordsOf(to) << 5, rows);
      if (ask(view, filter, chunk, from, end, out)) {
        const found = lastBit(out, from, to);
        if (found >= 0) return placeOf(view, first + found);
        yield to - from;
      }
      to = from;
    }
  }
  return null;
}

/** Asks those rows of [from, to) that the view has; false when it has none of the chunk. */
function ask(
  view: TraceView,
  filter: TraceFilter,
  chunk: number,
  from: number,
  to: number,
  out: Bits,
): boolean {
  const rows = view.chunkRows(chunk);
  if (rows === 'none') return false;
  filter.ask(chunk, from, to, rows === 'all' ? undefined : rows, out);
  return true;
}

const placeOf = (view: TraceView, row: number): ViewPlace => ({ index: view.rank(row), row });
