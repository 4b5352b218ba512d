import { CHUNK_ROWS, type ColumnName, COLUMNS, type RowBuilder } from './columns';
import { OPERATIONS } from './operation';

/**
 * A column in as few bytes as its numbers need: one number for all rows, or `base + scale * value`, where the highest value of
 * the array's type is absent.
 */
export type PackedColumn =
  | { readonly constant: number }
  | { readonly base: number; readonly scale: number; readonly values: Uint8Array | Uint16Array | Uint32Array }
  | { readonly numbers: Float64Array };

/** Rows that were read together, packed. Immutable. */
export interface TraceChunk {
  readonly rows: number;
  readonly columns: Readonly<Record<ColumnName, PackedColumn>>;
  /** Bytes held. */
  readonly bytes: number;
}

/** What is known of a chunk's rows without its columns, so that a query may pass it by. */
export interface ChunkZone {
  /** NaN when no row has a time; IOVA and physical pages half-open. */
  readonly time: readonly [first: number, last: number];
  readonly iovaPages: readonly [start: number, end: number];
  readonly paddrPages: readonly [start: number, end: number];
  /** Rows by operation code. */
  readonly operations: Uint32Array;
}

/** The scales that columns are tried with: nanoseconds to microseconds, addresses and sizes in pages. */
const SCALES: Partial<Record<ColumnName, number>> = { time: 1000, size: 4096, done: 4096 };
const KINDS = [Uint8Array, Uint16Array, Uint32Array] as const;

/** Packs what was read. The builder may be used again afterwards. */
export function packRows(builder: RowBuilder): TraceChunk {
  let bytes = 0;
  const columns = Object.fromEntries(
    COLUMNS.map((name) => {
      const packed = pack(builder[name].subarray(0, builder.rows), SCALES[name]);
      bytes += bytesOf(packed);
      return [name, packed];
    }),
  ) as TraceChunk['columns'];
  return { rows: builder.rows, columns, bytes };
}

/** The columns that a packed chunk says anything in: those that a builder has to clear. */
export const usedColumns = ({ columns }: TraceChunk): readonly ColumnName[] =>
  COLUMNS.filter((name) => {
    const column = columns[name];
    return !('constant' in column && Number.isNaN(column.constant));
  });

/** Values of the column that is being packed; what is absent is NONE, cut to whatever the values are kept in. */
const packed = new Uint32Array(CHUNK_ROWS);
const NONE = 0xffff_ffff;

function pack(numbers: Float64Array, scale: number | undefined): PackedColumn {
  const rows = numbers.length;
  let row = 0;
  while (row < rows && isAbsent(numbers[row])) row++;
  if (row === rows) return { constant: Number.NaN };
  let absent = row;
  let low = Infinity;
  let high = -Infinity;
  for (; row < rows; row++) {
    const number = numbers[row] ?? Number.NaN;
    // False for NaN as well, which is rarer than a new extreme is here.
    if (number >= low && number <= high) continue;
    if (number !== number) absent++;
    else {
      if (number < low) low = number;
      if (number > high) high = number;
    }
  }
  if (low === high && absent === 0) return { constant: low };
  if (scale !== undefined && packAs(numbers, low, high, scale)) return packedColumn(low, high, scale, rows);
  return packAs(numbers, low, high, 1) ? packedColumn(low, high, 1, rows) : { numbers: numbers.slice() };
}

const isAbsent = (number: number | undefined): boolean => number !== number;

/** Fills `packed`; false when a number would not come out as it was. */
function packAs(numbers: Float64Array, low: number, high: number, scale: number): boolean {
  if (!((high - low) / scale < NONE)) return false;
  const inverse = 1 / scale;
  for (let row = 0; row < numbers.length; row++) {
    const number = numbers[row] ?? Number.NaN;
    if (number !== number) packed[row] = NONE;
    else {
      // The inverse is not exact: the nearest whole number is taken, and has to give the number again.
      const value = ((number - low) * inverse + 0.5) >>> 0;
      if (low + value * scale !== number) return false;
      packed[row] = value;
    }
  }
  return true;
}

function packedColumn(base: number, high: number, scale: number, rows: number): PackedColumn {
  const Kind =
    KINDS.find((kind) => (high - base) / scale < 2 ** (8 * kind.BYTES_PER_ELEMENT) - 1) ?? Uint32Array;
  return { base, scale, values: new Kind(packed.subarray(0, rows)) };
}

function bytesOf(column: PackedColumn): number {
  if ('constant' in column) return 8;
  return 'numbers' in column ? column.numbers.byteLength : column.values.byteLength;
}

/** One number of a column; NaN when it is absent. */
export function numberAt(column: PackedColumn, row: number): number {
  if ('constant' in column) return column.constant;
  if ('numbers' in column) return column.numbers[row] ?? Number.NaN;
  const { values, base, scale } = column;
  const value = values[row] ?? absentOf(values);
  return value === absentOf(values) ? Number.NaN : base + scale * value;
}

/** A whole column, for loops over all rows. */
export function unpack(column: PackedColumn, rows: number, into: Float64Array): void {
  if ('constant' in column) into.fill(column.constant, 0, rows);
  else if ('numbers' in column) into.set(column.numbers);
  else {
    const { values, base, scale } = column;
    const none = absentOf(values);
    for (let row = 0; row < rows; row++) {
      const value = values[row] ?? none;
      into[row] = value === none ? Number.NaN : base + scale * value;
    }
  }
}

const absentOf = (values: Uint8Array | Uint16Array | Uint32Array): number =>
  2 ** (8 * values.BYTES_PER_ELEMENT) - 1;

/** Reads the zone off what is about to be packed. */
export function zoneOf(builder: RowBuilder): ChunkZone {
  const { rows, time, iovaPage, iovaOffset, paddrPage, paddrOffset, size, operation } = builder;
  const operations = new Uint32Array(OPERATIONS.length);
  let [first, last] = [Number.NaN, Number.NaN];
  for (let row = 0; row < rows; row++) {
    const code = operation[row] ?? 0;
    operations[code] = (operations[code] ?? 0) + 1;
    const at = time[row] ?? Number.NaN;
    if (!(at >= first)) first = at === at ? at : first;
    if (!(at <= last)) last = at === at ? at : last;
  }
  return {
    time: [first, last],
    iovaPages: pagesOf(rows, iovaPage, iovaOffset, size),
    paddrPages: pagesOf(rows, paddrPage, paddrOffset, size),
    operations,
  };
}

function pagesOf(
  rows: number,
  pages: Float64Array,
  offsets: Float64Array,
  sizes: Float64Array,
): readonly [number, number] {
  let [start, end] = [Infinity, -Infinity];
  for (let row = 0; row < rows; row++) {
    const page = pages[row] ?? Number.NaN;
    if (page !== page) continue;
    const size = sizes[row] ?? Number.NaN;
    const offset = offsets[row] ?? Number.NaN;
    const last = page + Math.ceil(((offset > 0 ? offset : 0) + (size > 0 ? size : 1)) / 4096);
    if (page < start) start = page;
    if (last > end) end = last;
  }
  return [start, end];
}
