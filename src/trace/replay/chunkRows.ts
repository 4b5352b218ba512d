import { type TraceChunk, numberAt, unpack } from '../model/chunk';
import { CHUNK_ROWS, type ColumnName } from '../model/columns';
import { operationCode } from '../model/operation';
import { chunkOf, type TraceTable } from '../model/table';

/** Rows that are done between two yields: a few milliseconds. */
export const ROWS_PER_YIELD = 8192;

/** Columns of one chunk after the other, as plain numbers; absent is NaN. */
export class ChunkRows<Name extends ColumnName> {
  readonly columns: Readonly<Record<Name, Float64Array>>;
  /** Number of the first row, and how many there are. */
  first = 0;
  rows = 0;
  #loaded: TraceChunk | undefined;
  readonly #names: readonly Name[];

  constructor(names: readonly Name[]) {
    this.#names = names;
    this.columns = Object.fromEntries(names.map((name) => [name, new Float64Array(CHUNK_ROWS)])) as Record<
      Name,
      Float64Array
    >;
  }

  load(table: TraceTable, chunk: number): void {
    const loaded = table.load(chunk);
    this.first = table.chunks[chunk]?.first ?? 0;
    this.rows = loaded.rows;
    if (this.#loaded === loaded) return;
    this.#loaded = loaded;
    for (const name of this.#names) unpack(loaded.columns[name], loaded.rows, this.columns[name]);
  }
}

/** One number of one row. */
export function valueAt(table: TraceTable, row: number, column: ColumnName): number {
  const chunk = chunkOf(table, row);
  const info = table.chunks[chunk];
  return info ? numberAt(table.load(chunk).columns[column], row - info.first) : Number.NaN;
}

/** What a task does on one CPU, by a number; rows that name neither are together. */
export function contextOf(
  { cpu, task }: Readonly<Record<'cpu' | 'task', Float64Array>>,
  row: number,
): number {
  const [on = 0, of = 0] = [cpu[row], task[row]];
  return (Number.isNaN(on) ? 0 : on) * 2 ** 32 + (Number.isNaN(of) ? 0 : of);
}

/** Values of a trace that something is kept for at the same time: a few, or noise. */
const MOST_KEPT = 65_536;

/** Keeps something for a value of the trace; when there are too many, all others are forgotten. */
export function keep<T>(kept: Map<number, T>, value: number, what: T): void {
  if (kept.size === MOST_KEPT && !kept.has(value)) kept.clear();
  kept.set(value, what);
}

/** How often each operation is in the table, as far as it was read. */
export function operationCounts({ chunks }: TraceTable): Uint32Array {
  const counts = new Uint32Array(CODES_AT_MOST);
  for (const { zone } of chunks)
    for (const [code, rows] of zone.operations.entries()) counts[code] = (counts[code] ?? 0) + rows;
  return counts;
}

const CODES_AT_MOST = 64;

export const [MAP, UNMAP, FLUSH, TRANSLATE, FAULT] = [
  operationCode('map'),
  operationCode('unmap'),
  operationCode('flush'),
  operationCode('translate'),
  operationCode('fault'),
];
export const [LOST, DMA_MAP, DMA_UNMAP, ATTACH, DETACH] = [
  operationCode('lost'),
  operationCode('dma-map'),
  operationCode('dma-unmap'),
  operationCode('attach'),
  operationCode('detach'),
];

/**
 * True for a trace that shows no mapping being made, and translations by devices: what these came upon stands for the
 * mappings, until it is invalidated.
 */
export function observesOnly(table: TraceTable): boolean {
  const counts = operationCounts(table);
  return counts[MAP] === 0 && counts[UNMAP] === 0 && (counts[TRANSLATE] ?? 0) > 0;
}
