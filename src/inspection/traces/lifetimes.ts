import { type TraceTable } from '../../trace/model/table';
import { type Bits, wordsOf } from '../../trace/query/bits';
import { type TraceFilter } from '../../trace/query/traceFilter';
import { ChunkRows } from '../../trace/replay/chunkRows';
import { RANGE_COLUMNS, RowRange } from '../../trace/replay/rowRange';

/** Of rows that map, those that did: a map that failed, or is not of whole pages, begins no life time. */
export function thatMapped(filter: TraceFilter, table: TraceTable): TraceFilter {
  const rows = new ChunkRows(RANGE_COLUMNS);
  const range = new RowRange();
  return {
    ...filter,
    empty: false,
    ask: (chunk, from, to, mask, out) => {
      filter.ask(chunk, from, to, mask, out);
      if (isEmpty(out, from, to)) return;
      rows.load(table, chunk);
      for (let row = from; row < to; row++) {
        const [word, bit] = [row >> 5, 1 << (row & 31)];
        const matches = ((out[word] ?? 0) & bit) !== 0;
        if (matches && range.mapped(rows.columns, row)) out[word] = (out[word] ?? 0) & ~bit;
      }
    },
  };
}

const isEmpty = (bits: Bits, from: number, to: number): boolean =>
  bits.subarray(from >> 5, wordsOf(to)).every((word) => word === 0);
