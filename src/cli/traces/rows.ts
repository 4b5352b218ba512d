import { badUsage } from '../errors';
import { type Output } from '../output';
import { type RowRange } from './arguments';
import { type CliTrace } from './trace';
import { ROW_COLUMNS, rowCells } from './words';

/** Rows asked for at once. */
const PAGE = 1000;
const VIEW = 'rows';

/** Which rows: what the filter leaves of a range. */
export interface AskedRows {
  readonly where: string;
  readonly range?: RowRange;
  readonly limit?: number;
}

export type RowFormat = 'table' | 'csv' | 'tsv' | 'jsonl';

/** Writes rows as they come. True when the limit ended it. */
export async function writeRows(
  trace: CliTrace,
  output: Output,
  asked: AskedRows,
  format: RowFormat,
): Promise<boolean> {
  await readFor(trace, asked);
  return format === 'table' ? writeTable(trace, output, asked) : exportRows(trace, output, asked, format);
}

/** Reads on, unless what is asked for has been read: the first rows of a long trace are there at once. */
async function readFor(trace: CliTrace, { where, range, limit = Infinity }: AskedRows): Promise<void> {
  const { rows, complete } = trace.summary;
  const start = range?.start ?? 0;
  const end = Math.min(range?.end ?? Infinity, start + limit);
  if (!complete && (where !== '' || end > rows)) await trace.readAll();
  if (range && range.start >= trace.summary.rows) {
    throw badUsage(
      `there is no row ${range.start + 1}`,
      `${trace.summary.name} has ${trace.summary.rows} rows`,
    );
  }
}

/** Range and filter as one filter; rows count from 1 in it. */
export function filterOf({ where, range }: AskedRows): string {
  if (!range) return where;
  const end = range.end === Infinity ? '' : ` and row <= ${range.end}`;
  const rows = `row >= ${range.start + 1}${end}`;
  return where === '' ? rows : `(${where}) and ${rows}`;
}

async function exportRows(
  trace: CliTrace,
  output: Output,
  asked: AskedRows,
  format: Exclude<RowFormat, 'table'>,
): Promise<boolean> {
  const where = filterOf(asked);
  let left = asked.limit ?? Infinity;
  let from: number | null = 0;
  // The piece that begins at row 0 has the line of titles.
  while (from !== null && left > 0) {
    const limit: { limit?: number } = left === Infinity ? {} : { limit: left };
    const piece: { text: string; rows: number; next: number | null } = await trace.request('traceExport', {
      ...{ where, format, from },
      ...limit,
    });
    await output.text(piece.text);
    left -= piece.rows;
    from = piece.next;
  }
  return from !== null;
}

async function writeTable(trace: CliTrace, output: Output, asked: AskedRows): Promise<boolean> {
  const where = asked.where;
  const view = where === '' ? '' : VIEW;
  let first = where === '' ? (asked.range?.start ?? 0) : 0;
  let end = where === '' ? (asked.range?.end ?? Infinity) : Infinity;
  if (where !== '') await trace.request('traceFilter', { view, where: filterOf(asked) });
  const limited = first + (asked.limit ?? Infinity);
  const last = Math.min(end, limited);
  let heading = true;
  for (;;) {
    const count = Math.min(PAGE, last - first);
    if (count <= 0) break;
    const { rows, total, complete } = await trace.request('traceRows', { view, first, count });
    if (complete) end = Math.min(end, total);
    if (rows.length === 0) break;
    const cells = rows.map((row) => rowCells(row, trace.summary));
    await output.table(ROW_COLUMNS, cells, { heading });
    heading = false;
    first += rows.length;
  }
  if (heading) await output.lines([where === '' ? 'no rows' : 'nothing matches']);
  return !heading && limited < end && first >= limited;
}
