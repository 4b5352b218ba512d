import { type TraceColumn } from '../messages/traceColumns';
import { type TraceRowModel } from '../messages/traceMessages';

/** What lets through the rows that have the same in a column; undefined where the row has nothing there, or no filter asks for it. */
export function filterOfCell(row: TraceRowModel, column: TraceColumn): string | undefined {
  const plain = (name: string, value: string | number | null): string | undefined =>
    value === null ? undefined : `${name} = ${value}`;
  const quoted = (name: string, value: string | null): string | undefined =>
    value === null || value === '' ? undefined : `${name} = ${JSON.stringify(value)}`;
  switch (column) {
    case 'row':
      return `row = ${row.row + 1}`;
    case 'cpu':
    case 'iova':
    case 'size':
    case 'paddr':
    case 'operation':
      return plain(column, row[column]);
    case 'task':
    case 'device':
    case 'space':
    case 'event':
      return quoted(column, row[column]);
    case 'time':
    case 'flags':
    case 'line':
      return undefined;
  }
}

/** Both conditions; parentheses only where an `or` could come apart. */
export const narrowed = (filter: string, by: string): string =>
  filter.trim() === '' ? by : `${/\bor\b|\|/i.test(filter) ? `(${filter})` : filter} and ${by}`;
