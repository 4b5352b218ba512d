import { type TraceChunk } from '../model/chunk';
import { type RowSpaces } from '../model/spaces';
import { type ChunkInfo, type TraceTable } from '../model/table';
import { TraceCursor } from './traceCursor';

const NO_CHUNK: ChunkInfo = {
  first: 0,
  rows: 0,
  zone: {
    time: [Number.NaN, Number.NaN],
    iovaPages: [Infinity, -Infinity],
    paddrPages: [Infinity, -Infinity],
    operations: new Uint32Array(0),
  },
};

/** The rows [from, to) of a chunk that conditions are being asked of; its columns are loaded only when they are needed. */
export class ChunkContext {
  readonly cursor: TraceCursor;
  info = NO_CHUNK;
  /** A multiple of 32; `to` is one, too, or the chunk's end. */
  from = 0;
  to = 0;
  #chunk = -1;
  #packed: TraceChunk | undefined;

  constructor(
    readonly table: TraceTable,
    readonly spaces?: RowSpaces,
  ) {
    this.cursor = new TraceCursor(table, spaces);
  }

  enter(chunk: number, from: number, to: number): void {
    if (chunk !== this.#chunk) {
      this.#chunk = chunk;
      this.#packed = undefined;
      this.info = this.table.chunks[chunk] ?? NO_CHUNK;
      this.cursor.enter(chunk);
    }
    [this.from, this.to] = [from, to];
  }

  /** Lets go of the chunk's columns: beside those in the table's budget none stay. */
  leave(): void {
    this.#chunk = -1;
    this.#packed = undefined;
    this.info = NO_CHUNK;
    this.cursor.leave();
  }

  get columns(): TraceChunk['columns'] {
    this.#packed ??= this.table.load(this.#chunk);
    return this.#packed.columns;
  }
}
