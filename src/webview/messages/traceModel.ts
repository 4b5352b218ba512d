import type { TraceRow, TraceRowPage, TraceSummary } from '../../inspection/protocol';
import { type TraceRowModel, type TraceSummaryModel } from './traceMessages';

/** Problems that the page is told of. */
const MOST_PROBLEMS = 100;
const MOST_HEADER = 16_384;
/** Characters of a line in a page of rows; one row alone has all that the engine gives. */
const MOST_LINE = 512;
/** A message takes 256 KiB at most. */
const MOST_BYTES = 240 * 1024;

/** A trace's summary as the page takes it. */
export function summaryModel(summary: TraceSummary, reading: boolean): TraceSummaryModel {
  const { name, format, title, bytes, read, rows, unknown, lost, problemCount, complete } = summary;
  const { operations, origin, timeDigits, firstTime, lastTime, header, namesDevices, cached } = summary;
  return {
    ...{ name, format, title, bytes, read, rows, unknown, lost, problemCount, complete, reading },
    ...{ origin, timeDigits, firstTime, lastTime, namesDevices, cached },
    operations: { ...operations },
    header: header.slice(0, MOST_HEADER),
    problems: summary.problems.slice(0, MOST_PROBLEMS).map(({ severity, message, hint, row, offset }) => ({
      ...{ severity, message },
      ...(hint !== undefined && { hint }),
      ...(row !== undefined && { row }),
      ...(offset !== undefined && { offset }),
    })),
  };
}

/** A page's rows as the page takes them, their lines cut so that they fit a message. */
export function rowModels({ rows }: TraceRowPage): TraceRowModel[] {
  if (rows.length === 1) return rows.map((row) => rowModel(row, Infinity));
  for (let most = MOST_LINE; ; most = Math.floor(most / 2)) {
    const models = rows.map((row) => rowModel(row, most));
    // Beyond ASCII a character takes up to three bytes.
    if (most < 16 || JSON.stringify(models).length * 1.5 < MOST_BYTES) return models;
  }
}

const rowModel = (row: TraceRow, most: number): TraceRowModel => ({
  ...row,
  flags: [...row.flags],
  line: row.line.length > most ? row.line.slice(0, most) : row.line,
  cut: row.cut || row.line.length > most,
});
