import { OPERATIONS, type Operation } from '../model/operation';
import { unpack } from '../model/chunk';
import { CHUNK_ROWS } from '../model/columns';
import { type TraceView } from './traceView';
import { firstBit } from './bits';

/** Parts at most: more than a screen has lines. */
export const MAX_BUCKETS = 4096;

/** Rows of a view in parts of equal length, by what they are. */
export interface TraceDensity {
  /** Rows of the view that were counted. */
  readonly total: number;
  readonly maps: readonly number[];
  readonly unmaps: readonly number[];
  readonly faults: readonly number[];
  readonly others: readonly number[];
}

const [MAPS, UNMAPS, FAULTS, OTHERS, KINDS] = [0, 1, 2, 3, 4];
const KIND_OF: Partial<Record<Operation, number>> = {
  map: MAPS,
  'dma-map': MAPS,
  unmap: UNMAPS,
  'dma-unmap': UNMAPS,
  fault: FAULTS,
};
const KIND_BY_CODE = OPERATIONS.map((operation) => KIND_OF[operation] ?? OTHERS);

/**
 * Counts the rows that the view has now. Bucket b has the rows with index i where floor(i * buckets / total) = b. Yields how
 * many rows it went over.
 */
export function* densityOf(view: TraceView, buckets: number): Generator<number, TraceDensity> {
  const parts = Math.min(Math.max(Math.trunc(buckets) || 1, 1), MAX_BUCKETS);
  const { table, total, chunks } = view;
  const counts = new Float64Array(KINDS * parts);
  const add = (code: number, bucket: number, rows: number): void => {
    const at = (KIND_BY_CODE[code] ?? OTHERS) * parts + bucket;
    counts[at] = (counts[at] ?? 0) + rows;
  };
  const operations = new Float64Array(CHUNK_ROWS);
  let index = 0;
  for (let chunk = 0; chunk < chunks; chunk++) {
    const { rows, zone } = table.chunks[chunk] ?? { rows: 0, zone: undefined };
    const here = view.chunkRows(chunk);
    if (here === 'none') continue;
    const bucket = bucketOf(index, parts, total);
    if (here === 'all' && bucketOf(index + rows - 1, parts, total) === bucket) {
      for (const [code, count] of (zone?.operations ?? []).entries()) add(code, bucket, count);
      index += rows;
    } else {
      unpack(table.load(chunk).columns.operation, rows, operations);
      if (here === 'all') {
        for (let row = 0; row < rows; row++) add(operations[row] ?? 0, bucketOf(index++, parts, total), 1);
      } else {
        for (let row = firstBit(here, 0, rows); row >= 0; row = firstBit(here, row + 1, rows))
          add(operations[row] ?? 0, bucketOf(index++, parts, total), 1);
      }
    }
    yield rows;
  }
  const of = (kind: number): number[] => [...counts.subarray(kind * parts, (kind + 1) * parts)];
  return { total, maps: of(MAPS), unmaps: of(UNMAPS), faults: of(FAULTS), others: of(OTHERS) };
}

const bucketOf = (index: number, parts: number, total: number): number => Math.floor((index * parts) / total);
