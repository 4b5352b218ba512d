import { type TraceColumn } from '../messages/traceColumns';

/** Pixels that a column grows by with a key. */
const RESIZE_STEP = 16;

export interface GridPlace {
  readonly cursor: number;
  readonly total: number;
  /** Rows of a page. */
  readonly page: number;
  readonly column: TraceColumn;
  readonly columns: readonly TraceColumn[];
}

export interface GridStep {
  readonly cursor: number;
  readonly column: TraceColumn;
  /** It goes along the row: what is selected stays so. */
  readonly isSideways?: boolean;
  /** Pixels that the column is to be wider by instead. */
  readonly resize?: number;
}

type Keys = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey'>;

/** Where a key moves the cursor, or how it sizes the column; undefined: it does neither. */
export function keyMove(
  { key, ctrlKey, metaKey, altKey, shiftKey }: Keys,
  place: GridPlace,
): GridStep | undefined {
  const { cursor, total, page, column, columns } = place;
  const isControl = ctrlKey || metaKey;
  if (altKey) {
    const sign = key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? -1 : 0;
    return sign !== 0 && shiftKey ? { cursor, column, resize: sign * RESIZE_STEP } : undefined;
  }
  const last = Math.max(0, total - 1);
  const toRow = (row: number): GridStep => ({ cursor: Math.min(last, Math.max(0, row)), column });
  const toColumn = (index: number): GridStep => ({
    ...{ cursor, isSideways: true },
    column: columns[Math.min(columns.length - 1, Math.max(0, index))] ?? column,
  });
  const at = columns.indexOf(column);
  if (isControl) {
    if (key === 'Home' || key === 'ArrowUp') return toRow(0);
    return key === 'End' || key === 'ArrowDown' ? toRow(last) : undefined;
  }
  switch (key) {
    case 'ArrowUp':
      return toRow(cursor - 1);
    case 'ArrowDown':
      return toRow(cursor + 1);
    case 'PageUp':
      return toRow(cursor - page);
    case 'PageDown':
      return toRow(cursor + page);
    case 'ArrowLeft':
      return toColumn(at - 1);
    case 'ArrowRight':
      return toColumn(at + 1);
    case 'Home':
      return toColumn(0);
    case 'End':
      return toColumn(columns.length - 1);
    default:
      return undefined;
  }
}
