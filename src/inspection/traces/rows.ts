/** Requests about rows of a view: a stretch of them, a filter, a search, a place. */
import { chunkOf } from '../../trace/model/table';
import { compileTextSearch, type TraceFilter } from '../../trace/query/traceFilter';
import { findNext, findPrevious } from '../../trace/query/find';
import { seekIova, seekRow, seekTime } from '../../trace/query/seek';
import { traceRow } from '../../trace/query/traceRow';
import { type TraceView } from '../../trace/query/traceView';
import { type Failure, type Params, type ResultOf, type TraceQuery, type TraceRow } from '../protocol';
import { refuse } from '../requestError';
import { type Work } from '../work';
import { type OpenedTrace } from './openTraces';
import { overRows } from './traceWork';
import { traceFilterOf } from './views';

/** Rows that a page may have. */
const MOST_ROWS = 1000;
/** Characters that a search looks for at most. */
const MOST_SEARCHED = 10_000;

/** Refuses what is no number of a row. */
export function checkRow(row: number, what = 'row'): number {
  if (!Number.isSafeInteger(row) || row < 0)
    refuse('request/row', `A ${what} is a number from 0, not ${row}.`);
  return row;
}

/** Rows as people see them; those that there are. A step reads one chunk: it may have left memory. */
export function* rowsOf(
  { table, analysis }: OpenedTrace,
  rows: readonly number[],
): Work<readonly TraceRow[]> {
  const shown: TraceRow[] = [];
  const spaces = analysis.told;
  let chunk = -1;
  let done = 0;
  for (const row of rows) {
    const next = chunkOf(table, row);
    if (next !== chunk && chunk >= 0) {
      yield shown.length - done;
      done = shown.length;
    }
    chunk = next;
    const found = traceRow(table, row, spaces);
    if (found) shown.push(found);
  }
  return shown;
}

export function* rowPage(
  trace: OpenedTrace,
  view: TraceView,
  { first, count }: Params<'traceRows'>,
): Work<ResultOf<'traceRows'>> {
  checkRow(first);
  if (!Number.isInteger(count) || count < 1 || count > MOST_ROWS) {
    refuse('request/limit', `A page has 1 to ${MOST_ROWS} rows, not ${count}.`);
  }
  const rows = yield* rowsOf(trace, view.rows(first, count));
  return { rows, first, total: view.total, complete: view.complete };
}

/** Why work on a view ends: its name is another view's by now. */
export const replaced = (trace: OpenedTrace, id: string, view: TraceView) => (): Failure | undefined =>
  trace.views.has(id, view)
    ? undefined
    : { code: 'trace/view-replaced', message: `The view "${id}" of ${trace.name} was dropped or replaced.` };

/** Asks all rows that there are; what was found is in the view at once. */
export function* filterRows(trace: OpenedTrace, view: TraceView): Work<ResultOf<'traceFilter'>> {
  yield* overRows('Filtering', trace.table.rows - view.scanned, view.scan());
  return { matched: view.total, scanned: view.scanned, complete: view.complete };
}

/** Lets the views that had seen all rows that there were see those that were read since. */
export function* growViews(trace: OpenedTrace): Generator<number, void> {
  for (const view of trace.views.growing()) yield* view.scan();
}

export function* findRow(
  trace: OpenedTrace,
  view: TraceView,
  { query, from, backwards }: Params<'traceFind'>,
): Work<ResultOf<'traceFind'>> {
  checkRow(from, 'place in a view');
  const filter = searchOf(trace, query);
  const steps = backwards === true ? findPrevious(view, filter, from) : findNext(view, filter, from);
  return yield* overRows('Searching', trace.table.rows, steps);
}

function searchOf({ table, analysis }: OpenedTrace, query: TraceQuery): TraceFilter {
  if ('where' in query) return traceFilterOf(query.where, table, analysis.told);
  if (query.text.length > MOST_SEARCHED) {
    refuse('request/text', `A text to search for has ${MOST_SEARCHED} characters at most.`);
  }
  const compiled = compileTextSearch(query.text, table);
  if (compiled.ok) return compiled.filter;
  const [first] = compiled.problems;
  return refuse(first?.code ?? 'filter/invalid', first?.message ?? 'This text cannot be searched for.');
}

export function* seekPlace(
  trace: OpenedTrace,
  view: TraceView,
  { place }: Params<'traceSeek'>,
): Work<ResultOf<'traceSeek'>> {
  if ('row' in place) return seekRow(view, checkRow(place.row));
  if ('time' in place) {
    if (!Number.isFinite(place.time)) refuse('request/time', 'A time is a number of nanoseconds.');
    return yield* overRows('Looking for the time', trace.table.rows, seekTime(view, place.time));
  }
  const after = checkRow(place.after ?? 0);
  const steps = seekIova(view, parseIova(place.iova), after);
  return yield* overRows('Looking for the IOVA', trace.table.rows, steps);
}

/** `0x` and at most 16 digits. */
export function parseIova(text: string): bigint {
  if (!/^0x[0-9a-f]{1,16}$/i.test(text)) {
    refuse('request/address', `"${text}" is no IOVA.`, 'Write 0x and at most 16 hexadecimal digits.');
  }
  return BigInt(text);
}
