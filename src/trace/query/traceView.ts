import { CHUNK_ROWS } from '../model/columns';
import { chunkOf, type TraceTable } from '../model/table';
import { type Bits, bitsBefore, countBits, firstBit, selectBit, wordsOf } from './bits';
import { type TraceFilter } from './traceFilter';

/** Which rows of a chunk a view has. */
export type ChunkRows = 'all' | 'none' | Bits;

/**
 * The rows that a filter leaves, by index, as far as they have been asked: a bit for each row. A view without a filter has
 * every row, and nothing to ask. The trace may grow; `scan` again then.
 */
export class TraceView {
  readonly #chunks: ChunkRows[] = [];
  /** Rows of the view before each chunk that was asked, and at the end all of them. */
  readonly #before: number[] = [0];
  readonly #filter: TraceFilter | undefined;
  #wasAsked = false;

  constructor(
    readonly table: TraceTable,
    filter?: TraceFilter,
  ) {
    this.#filter = filter?.empty === true ? undefined : filter;
  }

  /** Chunks and rows of the trace that have been asked. */
  get chunks(): number {
    return this.#filter ? this.#chunks.length : this.table.chunks.length;
  }

  /** True once a scan had asked every row that there was. */
  get wasAsked(): boolean {
    return this.#wasAsked;
  }

  get scanned(): number {
    const last = this.table.chunks[this.chunks - 1];
    return last ? last.first + last.rows : 0;
  }

  /** Rows of the view so far. */
  get total(): number {
    return this.#filter ? this.#matchesBefore(this.#chunks.length) : this.scanned;
  }

  /** True when every row of the whole trace has been asked. */
  get complete(): boolean {
    return this.table.complete && this.chunks === this.table.chunks.length;
  }

  /** Asks the rows that are there and were not asked yet; yields how many it asked. What it found is there at once. */
  *scan(): Generator<number, void> {
    const filter = this.#filter;
    if (!filter) return;
    const bits = new Int32Array(wordsOf(CHUNK_ROWS));
    for (;;) {
      const chunk = this.#chunks.length;
      const rows = this.table.chunks[chunk]?.rows;
      if (rows === undefined) {
        this.#wasAsked = true;
        filter.leave();
        return;
      }
      for (let from = 0; from < rows; from += filter.stepRows) {
        const to = Math.min(from + filter.stepRows, rows);
        filter.ask(chunk, from, to, undefined, bits);
        if (to === rows) this.#keep(chunk, bits.subarray(0, wordsOf(rows)), rows);
        yield to - from;
      }
    }
  }

  /** The row of the trace with this index in the view; -1 when there is none. */
  select(index: number): number {
    if (!(index >= 0 && index < this.total)) return -1;
    if (!this.#filter) return index;
    const chunk = this.#chunkOfIndex(index);
    const rows = this.chunkRows(chunk);
    const inside = index - this.#matchesBefore(chunk);
    return (
      (this.table.chunks[chunk]?.first ?? 0) + (typeof rows === 'string' ? inside : selectBit(rows, inside))
    );
  }

  /** How many rows of the view stand before this row of the trace: its own index, when the view has it. */
  rank(row: number): number {
    if (row <= 0) return 0;
    if (row >= this.scanned) return this.total;
    if (!this.#filter) return row;
    const chunk = chunkOf(this.table, row);
    const rows = this.chunkRows(chunk);
    const before = this.#matchesBefore(chunk);
    if (rows === 'none') return before;
    const inside = row - (this.table.chunks[chunk]?.first ?? 0);
    return before + (rows === 'all' ? inside : bitsBefore(rows, inside));
  }

  has(row: number): boolean {
    return row >= 0 && this.select(this.rank(row)) === row;
  }

  /** Rows of the trace from an index of the view on, at most `count`. */
  rows(first: number, count: number): number[] {
    const rows: number[] = [];
    for (let row = this.select(first); row >= 0 && rows.length < count; row = this.after(row + 1))
      rows.push(row);
    return rows;
  }

  /** The first row of the view that is `row` or behind it, in the trace; -1 when there is none. */
  after(row: number): number {
    let start = Math.max(row, 0);
    for (let chunk = chunkOf(this.table, start); chunk >= 0 && chunk < this.chunks; chunk++) {
      const { first, rows } = this.table.chunks[chunk] ?? { first: 0, rows: 0 };
      start = Math.max(start, first);
      const here = this.chunkRows(chunk);
      if (here === 'all') return start;
      const found = here === 'none' ? -1 : firstBit(here, start - first, rows);
      if (found >= 0) return first + found;
    }
    return -1;
  }

  /** Which rows of a chunk the view has; of a chunk that was not asked yet, none. */
  chunkRows(chunk: number): ChunkRows {
    if (this.#filter) return this.#chunks[chunk] ?? 'none';
    return chunk < this.chunks ? 'all' : 'none';
  }

  /** Rows of the view before a chunk. */
  #matchesBefore(chunk: number): number {
    return this.#before[chunk] ?? this.#before.at(-1) ?? 0;
  }

  #keep(chunk: number, bits: Bits, rows: number): void {
    // Another scan of the same view may have come first.
    if (chunk !== this.#chunks.length) return;
    const count = countBits(bits);
    this.#chunks.push(count === 0 ? 'none' : count === rows ? 'all' : bits.slice());
    this.#before.push(this.#matchesBefore(chunk) + count);
  }

  #chunkOfIndex(index: number): number {
    let [low, high] = [0, this.#chunks.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#matchesBefore(middle + 1) <= index) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
