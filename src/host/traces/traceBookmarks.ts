import * as vscode from 'vscode';
import { formatSize, type TraceId, type TraceRow } from '../../inspection/protocol';
import type { Bookmark } from '../bookmarks';
import type { TraceDocument } from './traceDocument';
import { operationWords } from './traceStrings';

const NODE = /^row\/(\d{1,16})$/;

/** The row, from 0, that a bookmark marks; undefined: it is of tables. */
export function markedRow({ kind, node }: Bookmark): number | undefined {
  const digits = kind === 'row' ? NODE.exec(node)?.[1] : undefined;
  const row = Number(digits);
  return digits !== undefined && Number.isSafeInteger(row) ? row : undefined;
}

/** The rows of a trace that have bookmarks, in order. */
export const rowsWithBookmarks = (all: readonly Bookmark[], trace: TraceId): readonly number[] =>
  all
    .filter(({ source }) => source === trace)
    .flatMap((bookmark) => markedRow(bookmark) ?? [])
    .sort((one, other) => one - other);

/** A bookmark of a row, without a note. */
export const rowBookmark = ({ id, name }: TraceDocument, row: TraceRow): Bookmark => ({
  source: id,
  imageTitle: name,
  node: `row/${row.row}`,
  kind: 'row',
  label: vscode.l10n.t('Row {0}', row.row + 1),
  description: rowText(row),
  note: '',
  ...(row.iova !== null && { iova: row.iova }),
});

/** What a row says, in few words: `map 0xffef4000 4K`. */
export const rowText = ({ operation, iova, size, device }: TraceRow): string =>
  [operationWords()[operation], iova, size === null ? null : formatSize(size), device]
    .filter((part) => part !== null)
    .join(' ');
