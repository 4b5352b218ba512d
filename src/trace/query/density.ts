import { OPERATIONS, type Operation } from '../model/operation';
import { numberAt } from '../model/chunk';
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

const KINDS = ['maps', 'unmaps', 'faults', 'others'] as const;
const KIND_OF: Partial<Record<Operation, number>> = {
  map: 0,
  'dma-map': 0,
  unmap: 1,
  'dma-unmap': 1,
  fault: 2,
};
const KIND_BY_CODE = OPERATIONS.map((operation) => KIND_OF[operation] ?? 3);

/**
 * Counts the rows that the view has now. Bucket b has the rows with index i where floor(i * buckets / total) = b. Yields how
 * many rows it went over.
 */
export function* densityOf(view: TraceView, buckets: number): Generator<number, TraceDensity> {
  const parts = Math.min(Math.max(Math.trunc(buckets) || 1, 1), MAX_BUCKETS);
  const { table, total, chunks } = view;
  const counts = KINDS.map(() => new Array<number>(parts).fill(0));
  const add = (code: number, bucket: number, rows: number): void => {
    const of = counts[KIND_BY_CODE[code] ?? 3];
    if (of) of[bucket] = (of[bucket] ?? 0) + rows;
  };
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
      const { operation } = table.load(chunk).columns;
      const next = (row: number): number =>
        here === 'all' ? (row < rows ? row : -1) : firstBit(here, row, rows);
      for (let row = next(0); row >= 0; row = next(row + 1)) {
        add(numberAt(operation, row), bucketOf(index++, parts, total), 1);
      }
    }
    yield rows;
  }
  const [maps = [], unmaps = [], faults = [], others = []] = counts;
  return { total, maps, unmaps, faults, others };
}

const bucketOf = (index: number, parts: number, total: number): number => Math.floor((index * parts) / total);
