/** Requests about many rows at once: groups, density, export. */
import { completeTraceFilter } from '../../trace/query/traceFilter';
import { densityOf, MAX_BUCKETS } from '../../trace/query/density';
import { EXPORT_FORMATS, exportRows } from '../../trace/query/exportRows';
import { groupRows } from '../../trace/query/groups';
import { type TraceView } from '../../trace/query/traceView';
import { pageOfRows } from '../machines/logs';
import { type Params, type ResultOf, type TextProblem, TRACE_GROUPS } from '../protocol';
import { refuse } from '../requestError';
import { type Work } from '../work';
import { type OpenedTrace } from './openTraces';
import { overRows } from './traceWork';
import { checkRow } from './rows';
import { Shared } from './shared';
import { traceFilterOf, traceFilterProblems } from './views';

export function* groupPage(
  trace: OpenedTrace,
  { where, by, page }: Params<'traceGroups'>,
): Work<ResultOf<'traceGroups'>> {
  if (!TRACE_GROUPS.includes(by)) refuse('request/group', `Rows are not grouped by "${by}".`);
  const { table, analysis } = trace;
  if (by === 'space') yield* analysis.current();
  const spaces = analysis.told;
  const filter = traceFilterOf(where, table, spaces);
  const key = JSON.stringify([where, by, table.rows, spaces ? analysis.turn : 0]);
  if (trace.lastGroups?.key !== key || trace.lastGroups.groups.failed) {
    trace.lastGroups = { key, groups: new Shared(groupRows(table, filter, by, spaces)) };
  }
  const { groups, left } = yield* trace.lastGroups.groups.work('Grouping', table.rows);
  return { ...pageOfRows(groups, page, (group) => group), left };
}

export function* density(
  trace: OpenedTrace,
  view: TraceView,
  { buckets }: Params<'traceDensity'>,
): Work<ResultOf<'traceDensity'>> {
  if (!Number.isInteger(buckets) || buckets < 1 || buckets > MAX_BUCKETS) {
    refuse('request/buckets', `There are 1 to ${MAX_BUCKETS} parts, not ${buckets}.`);
  }
  return yield* overRows('Counting rows', trace.table.rows, densityOf(view, buckets));
}

export function* exportPiece(
  { table, analysis }: OpenedTrace,
  { where, format, from, limit }: Params<'traceExport'>,
): Work<ResultOf<'traceExport'>> {
  if (!EXPORT_FORMATS.includes(format)) {
    refuse('request/format', `Rows are not written as "${format}".`, EXPORT_FORMATS.join(', '));
  }
  checkRow(from);
  if (limit !== undefined) checkRow(limit, 'limit');
  const request = { format, from, ...(limit === undefined ? {} : { limit }) };
  const filter = traceFilterOf(where, table, analysis.told);
  return yield* overRows(
    'Writing rows',
    table.rows - from,
    exportRows(table, filter, request, analysis.told),
  );
}

export const filterProblems = ({ table, analysis }: OpenedTrace, where: string): readonly TextProblem[] =>
  traceFilterProblems(where, table, analysis.told);

export const filterCompletions = (
  { table, analysis }: OpenedTrace,
  { where, offset }: Params<'completeTraceFilter'>,
): ResultOf<'completeTraceFilter'> => completeTraceFilter(where, offset, table, analysis.told);
