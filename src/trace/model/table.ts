import { type ChunkZone, type TraceChunk } from './chunk';
import { type TraceNames } from './dictionary';
import { type OpenTrace, type TraceProblem } from './reader';

export interface ChunkInfo {
  /** Number of its first row. */
  readonly first: number;
  readonly rows: number;
  readonly zone: ChunkZone;
}

/** The rows of a trace as far as they have been read. Queries and replay know no more of a trace than this. */
export interface TraceTable {
  readonly trace: OpenTrace;
  readonly names: TraceNames;
  readonly rows: number;
  /** False while there is more to read. */
  readonly complete: boolean;
  readonly chunks: readonly ChunkInfo[];
  /** A few hundred at most; `problemCount` counts all. */
  readonly problems: readonly TraceProblem[];
  readonly problemCount: number;
  /** Rows by number of the event's name, and events lost in all. */
  readonly eventCounts: readonly number[];
  readonly unknown: number;
  readonly lost: number;
  /** The columns of a chunk: from memory, or read again from the source. */
  load(chunk: number): TraceChunk;
}

/** The chunk that has this row; -1 when none has. Chunks stand in the order of their rows. */
export function chunkOf({ chunks }: Pick<TraceTable, 'chunks'>, row: number): number {
  let [low, high] = [0, chunks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const chunk = chunks[middle];
    if (chunk && chunk.first + chunk.rows <= row) low = middle + 1;
    else high = middle;
  }
  const found = chunks[low];
  return found && row >= found.first ? low : -1;
}
