import { CHUNK_ROWS } from '../model/columns';
import { type RowSpaces } from '../model/spaces';
import { chunkOf, type TraceTable } from '../model/table';
import { firstBit, wordsOf } from './bits';
import { formatSeconds } from './times';
import { LINE_BYTES } from './traceCursor';
import { type TraceFilter } from './traceFilter';
import { traceRow, type TraceRow } from './traceRow';

export const EXPORT_FORMATS = ['csv', 'tsv', 'jsonl'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** Columns of every format, in their order. */
export const EXPORT_COLUMNS = [
  'row',
  'time',
  'cpu',
  'task',
  'pid',
  'device',
  'space',
  'operation',
  'event',
  'iova',
  'size',
  'paddr',
  'domain',
  'pasid',
  'flags',
  'done',
  'count',
  'line',
] as const;

/** Characters of a piece, and rows that are written between two yields: a few milliseconds. */
const PIECE = 1 << 20;
const STEP_ROWS = 512;

export interface ExportPiece {
  readonly text: string;
  readonly rows: number;
  /** The row that the next piece begins with, also behind a limit; null when no more match. */
  readonly next: number | null;
}

export interface ExportRequest {
  readonly format: ExportFormat;
  /** Row to begin with: 0, or as the piece before said. The first piece has the header of CSV and TSV. */
  readonly from: number;
  /** Rows at most. */
  readonly limit?: number;
}

/**
 * Writes the rows that a filter leaves. CSV is RFC 4180: CRLF, quotes around what needs them; TSV the same with tabs and LF, as
 * spreadsheets paste it; JSON lines are one object a row, without what is absent. Rows count from 1, times are absolute
 * seconds, flags are joined by `|`. In CSV and TSV a text that a spreadsheet would take for a formula has an apostrophe in
 * front: a trace may come from anyone. Yields how many rows it read.
 */
export function* exportRows(
  table: TraceTable,
  filter: TraceFilter,
  { format, from, limit = Infinity }: ExportRequest,
  spaces?: RowSpaces,
): Generator<number, ExportPiece> {
  const out = new Int32Array(wordsOf(CHUNK_ROWS));
  const write = writerOf(format, table);
  const steps = Math.min(STEP_ROWS, filter.stepRows);
  let text = from <= 0 ? headerOf(format) : '';
  let count = 0;
  let start = Math.max(from, 0);
  for (let chunk = chunkOf(table, start); chunk >= 0 && chunk < table.chunks.length; chunk++) {
    const { first, rows } = table.chunks[chunk] ?? { first: 0, rows: 0 };
    for (let step = (start - first) & ~31; step < rows; step += steps) {
      const to = Math.min(step + steps, rows);
      filter.ask(chunk, step, to, undefined, out);
      for (
        let at = firstBit(out, Math.max(step, start - first), to);
        at >= 0;
        at = firstBit(out, at + 1, to)
      ) {
        if (count >= limit || text.length >= PIECE) return { text, rows: count, next: first + at };
        const row = traceRow(table, first + at, spaces, LINE_BYTES);
        if (row) text += write(row);
        count++;
      }
      yield to - step;
    }
    start = first + rows;
  }
  return { text, rows: count, next: null };
}

const headerOf = (format: ExportFormat): string =>
  format === 'jsonl' ? '' : delimited([...EXPORT_COLUMNS], format);

type Writer = (row: TraceRow) => string;

function writerOf(format: ExportFormat, table: TraceTable): Writer {
  const timeOf = ({ time }: TraceRow): string => (time === null ? '' : formatSeconds(table.trace, time));
  if (format === 'jsonl') return (row) => jsonLine(row, timeOf(row));
  return (row) => {
    const cells = EXPORT_COLUMNS.map((name) => {
      if (name === 'row') return String(row.row + 1);
      if (name === 'time') return timeOf(row);
      if (name === 'flags') return row.flags.join('|');
      const value = row[name];
      return typeof value === 'string' ? harmless(value) : String(value ?? '');
    });
    return delimited(cells, format);
  };
}

/** Spreadsheets run what begins like this. Source: OWASP, CSV injection. */
const harmless = (text: string): string => (/^'*[=+\-@\t\r]/.test(text) ? `'${text}` : text);

function delimited(cells: readonly string[], format: 'csv' | 'tsv'): string {
  const special = format === 'csv' ? /[",\r\n]/ : /["\t\r\n]/;
  const written = cells.map((cell) => (special.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell));
  return format === 'csv' ? `${written.join(',')}\r\n` : `${written.join('\t')}\n`;
}

/** The time stands as the tracer wrote it: its digits are a number of JSON, and need not fit a double. */
function jsonLine(row: TraceRow, time: string): string {
  const members: string[] = [];
  for (const name of EXPORT_COLUMNS) {
    const value = name === 'row' ? row.row + 1 : row[name];
    if (value === null || (name === 'flags' && row.flags.length === 0)) continue;
    members.push(
      `"${name}":${name === 'time' ? time : JSON.stringify(name === 'flags' ? row.flags.join('|') : value)}`,
    );
  }
  return `{${members.join(',')}}\n`;
}
