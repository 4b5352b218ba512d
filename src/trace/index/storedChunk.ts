import { type PackedColumn, type TraceChunk } from '../model/chunk';
import { type ColumnName, COLUMNS } from '../model/columns';
import { OPERATIONS } from '../model/operation';

/** Kinds of a column in a stored chunk. */
const [CONSTANT, NUMBERS] = [0, 8];
const KINDS = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array } as const;
/** In front of a column's values: its kind, base and scale. */
const COLUMN_HEAD = 24;

/** The bytes of a chunk's columns: for each its head and its values, each at a multiple of 8. */
export function encodeChunk({ rows, columns }: TraceChunk): Uint8Array {
  let size = 8;
  for (const name of COLUMNS) size += COLUMN_HEAD + padded(valueBytes(columns[name]));
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setFloat64(0, rows, true);
  let at = 8;
  for (const name of COLUMNS) {
    const column = columns[name];
    if ('constant' in column) view.setFloat64(at + 8, column.constant, true);
    else {
      const values = 'numbers' in column ? column.numbers : column.values;
      view.setFloat64(at, values.BYTES_PER_ELEMENT, true);
      if ('values' in column) {
        view.setFloat64(at + 8, column.base, true);
        view.setFloat64(at + 16, column.scale, true);
      }
      bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at + COLUMN_HEAD);
    }
    at += COLUMN_HEAD + padded(valueBytes(column));
  }
  return bytes;
}

/** The chunk that these bytes are, if they are one of so many rows. Undefined when they are not. */
export function decodeChunk(bytes: Uint8Array, rows: number): TraceChunk | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8 || view.getFloat64(0, true) !== rows) return undefined;
  const columns: Partial<Record<ColumnName, PackedColumn>> = {};
  let at = 8;
  let held = 0;
  for (const name of COLUMNS) {
    if (at + COLUMN_HEAD > bytes.length) return undefined;
    const kind = view.getFloat64(at, true);
    const size = kind * rows;
    if (![CONSTANT, NUMBERS, 1, 2, 4].includes(kind) || at + COLUMN_HEAD + size > bytes.length)
      return undefined;
    const base = view.getFloat64(at + 8, true);
    const scale = view.getFloat64(at + 16, true);
    const values = bytes.slice(at + COLUMN_HEAD, at + COLUMN_HEAD + size).buffer;
    columns[name] =
      kind === CONSTANT
        ? { constant: base }
        : kind === NUMBERS
          ? { numbers: new Float64Array(values) }
          : { base, scale, values: new KINDS[kind as keyof typeof KINDS](values) };
    held += kind === CONSTANT ? 8 : size;
    at += COLUMN_HEAD + padded(size);
  }
  if (at !== bytes.length) return undefined;
  const chunk = { rows, columns: columns as TraceChunk['columns'], bytes: held };
  return hasOperations(chunk) ? chunk : undefined;
}

/** Whoever reads rows may rely on their operations to be some. */
function hasOperations({ columns: { operation }, rows }: TraceChunk): boolean {
  const isOne = (code: number): boolean => Number.isInteger(code) && code >= 0 && code < OPERATIONS.length;
  if ('constant' in operation) return isOne(operation.constant);
  if ('numbers' in operation) return operation.numbers.every(isOne);
  const { base, scale, values } = operation;
  return values.length === rows && values.every((value) => isOne(base + scale * value));
}

const padded = (bytes: number): number => (bytes + 7) & ~7;

function valueBytes(column: PackedColumn): number {
  if ('constant' in column) return 0;
  return 'numbers' in column ? column.numbers.byteLength : column.values.byteLength;
}
