import { parquetWriteBuffer } from 'hyparquet-writer';
import { type ColumnType, type FlatRow, type SweepColumn, type Value } from './columns';

/**
 * The results as a Parquet file: a row group, columns compressed with Snappy. The same results give the same bytes.
 * `about` goes into the file's own key-value metadata.
 */
export function parquetOf(
  columns: readonly SweepColumn[],
  rows: readonly FlatRow[],
  about: Readonly<Record<string, string>>,
): Uint8Array {
  const buffer = parquetWriteBuffer({
    columnData: columns.map(({ name, type }, place) => ({
      name,
      type,
      data: rows.map(({ values }) => stored(type, values[place] ?? null)),
      // Also where a shard has no gap: all parts have one schema.
      nullable: true,
    })),
    rowGroupSize: Math.max(1, rows.length),
    kvMetadata: Object.entries(about).map(([key, value]) => ({ key, value })),
    createdBy: 'iopte',
  });
  return new Uint8Array(buffer);
}

function stored(type: ColumnType, value: Value): Value | bigint {
  if (type !== 'INT64') return value;
  if (typeof value === 'number') return BigInt(Math.round(value));
  return typeof value === 'string' ? BigInt(value) : null;
}
