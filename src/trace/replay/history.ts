import { type RowSpaces } from '../model/spaces';
import { type TraceTable } from '../model/table';
import { ChunkRows, MAP } from './chunkRows';
import { RANGE_COLUMNS, RowRange } from './rowRange';

export interface HistoryRequest {
  /** Of 4 KiB. */
  readonly page: number;
  /** Number of a space; absent: all. */
  readonly space?: number;
  /** Index in the history of the first row that is wanted, and how many. */
  readonly first: number;
  readonly limit: number;
}

export interface History {
  /** Rows whose range has the page, rising. */
  readonly rows: readonly number[];
  readonly total: number;
  /** Rows that mapped the page, of all: the first hundreds. */
  readonly mapRows: readonly number[];
}

const MOST_MAP_ROWS = 500;

/** Every row whose range has a page: chunks that cannot have one are passed by. */
export function* historyOf(
  { table, spaces }: { readonly table: TraceTable; readonly spaces: RowSpaces },
  { page, space, first, limit }: HistoryRequest,
): Generator<number, History> {
  const rows = new ChunkRows(RANGE_COLUMNS);
  const range = new RowRange();
  const found: number[] = [];
  const mapRows: number[] = [];
  let total = 0;
  for (let chunk = 0; chunk < table.chunks.length; chunk++) {
    if (!mayHave(table, chunk, page)) continue;
    rows.load(table, chunk);
    const { columns } = rows;
    for (let at = 0; at < rows.rows; at++) {
      // No row of a page has an IOVA behind it.
      if (!((columns.iovaPage[at] ?? Number.NaN) <= page) || !range.touched(columns, at)) continue;
      if (page >= range.end) continue;
      const row = rows.first + at;
      if (space !== undefined && spaces.spaceOf(row) !== space) continue;
      if (columns.operation[at] === MAP && mapRows.length < MOST_MAP_ROWS) mapRows.push(row);
      if (total >= first && found.length < limit) found.push(row);
      total++;
    }
    yield rows.rows;
  }
  return { rows: found, total, mapRows };
}

function mayHave({ chunks }: TraceTable, chunk: number, page: number): boolean {
  const [start, end] = chunks[chunk]?.zone.iovaPages ?? [0, 0];
  return page >= start && page < end;
}
