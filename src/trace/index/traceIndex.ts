import { type ChunkZone, packRows, type TraceChunk, usedColumns, zoneOf } from '../model/chunk';
import { type ColumnName, RowBuilder } from '../model/columns';
import { closedNames, MOST_NAMES, TOO_MANY, type TraceNames } from '../model/dictionary';
import { operationCode } from '../model/operation';
import { type OpenTrace, type Position, type TraceProblem } from '../model/reader';
import { type ChunkInfo, type TraceTable } from '../model/table';
import { ChunkCache } from './chunkCache';

/** Bytes of packed columns that are held in memory. */
export const DEFAULT_BUDGET = 192 * 2 ** 20;
/** Problems that are kept; the others are counted. */
const PROBLEMS = 300;
const [UNKNOWN, LOST] = [operationCode('unknown'), operationCode('lost')];

/** A chunk, and where it is read again. */
export interface IndexedChunk extends ChunkInfo {
  readonly from: Position;
}

/** What an index knows of the rows, apart from their columns: all that a stored index has to hold. */
export interface IndexState {
  readonly chunks: IndexedChunk[];
  readonly problems: TraceProblem[];
  readonly eventCounts: number[];
  problemCount: number;
  rows: number;
  unknown: number;
  lost: number;
  /** Where to read on; undefined at the end. */
  next: Position | undefined;
}

/** The rows of a trace as far as they have been read: a directory of chunks, of which as many as fit are in memory. */
export class TraceIndex implements TraceTable {
  readonly trace: OpenTrace;
  readonly names: TraceNames;
  readonly state: IndexState;
  readonly #builder = new RowBuilder();
  readonly #cache: ChunkCache;
  #used: readonly ColumnName[] = [];

  static create(trace: OpenTrace, names: TraceNames, options: { readonly budget?: number } = {}): TraceIndex {
    const problems = trace.problems.slice(0, PROBLEMS);
    return new TraceIndex(trace, names, options.budget, {
      chunks: [],
      problems,
      problemCount: trace.problems.length,
      eventCounts: [],
      rows: 0,
      unknown: 0,
      lost: 0,
      next: trace.start,
    });
  }

  /** An index whose state is known already. */
  constructor(trace: OpenTrace, names: TraceNames, budget = DEFAULT_BUDGET, state: IndexState) {
    this.trace = trace;
    this.names = names;
    this.state = state;
    this.#cache = new ChunkCache(budget);
  }

  get rows(): number {
    return this.state.rows;
  }

  get complete(): boolean {
    return this.state.next === undefined;
  }

  get chunks(): readonly ChunkInfo[] {
    return this.state.chunks;
  }

  get problems(): readonly TraceProblem[] {
    return this.state.problems;
  }

  get problemCount(): number {
    return this.state.problemCount;
  }

  get eventCounts(): readonly number[] {
    return this.state.eventCounts;
  }

  get unknown(): number {
    return this.state.unknown;
  }

  get lost(): number {
    return this.state.lost;
  }

  /** Bytes of the source that were read, for progress; undefined when all were. */
  get bytesRead(): number | undefined {
    return this.state.next?.offset;
  }

  /** Bytes of packed columns in memory. */
  get bytesHeld(): number {
    return this.#cache.bytes;
  }

  /** Reads one chunk; false when there was none left. */
  readChunk(): boolean {
    const { state } = this;
    const from = state.next;
    if (from === undefined) return false;
    const closed = closedNames(this.names);
    const { next, problems } = this.#fill(from);
    const { rows } = this.#builder;
    for (const problem of problems) this.#note(problem, state.rows);
    for (const kind of closedNames(this.names)) if (!closed.includes(kind)) this.#tooMany(kind, from.offset);
    if (rows > 0) {
      const zone = zoneOf(this.#builder);
      this.#count(zone);
      state.chunks.push({ first: state.rows, rows, zone, from });
      this.#cache.put(state.chunks.length - 1, this.#pack());
      state.rows += rows;
    }
    // A reader that does not move on would be read for ever.
    state.next = next && next.offset > from.offset ? next : undefined;
    return true;
  }

  load(chunk: number): TraceChunk {
    const held = this.#cache.get(chunk);
    if (held) return held;
    const info = this.state.chunks[chunk];
    if (!info) throw new RangeError(`no chunk ${chunk}`);
    this.#fill(info.from);
    this.#makeRows(info);
    const packed = this.#pack();
    this.#cache.put(chunk, packed);
    return packed;
  }

  /** Takes a chunk that was kept elsewhere, if it is this one. */
  keep(chunk: number, packed: TraceChunk): void {
    if (this.state.chunks[chunk]?.rows === packed.rows) this.#cache.put(chunk, packed);
  }

  /** A chunk if it is in memory. */
  held(chunk: number): TraceChunk | undefined {
    return this.#cache.peek(chunk);
  }

  #fill(from: Position) {
    this.#builder.clear(this.#used);
    this.#used = [];
    return this.trace.fill(from, this.#builder);
  }

  #pack(): TraceChunk {
    const packed = packRows(this.#builder);
    this.#used = usedColumns(packed);
    return packed;
  }

  /** A file that changed while it was open may give other rows than before: their number has to stay. */
  #makeRows({ rows, from, first }: IndexedChunk): void {
    const builder = this.#builder;
    if (builder.rows === rows) return;
    const message = `The file changed while it was open: rows ${first + 1} to ${first + rows} are others now.`;
    const hint = 'Open it again.';
    this.#note(
      { severity: 'error', code: 'trace/changed', message, hint, row: 0, offset: from.offset },
      first,
    );
    while (builder.rows > rows) builder.drop();
    while (builder.rows < rows) builder.begin(from.offset, 0, UNKNOWN);
  }

  #tooMany(kind: string, offset: number): void {
    const message = `There are too many names of ${kind}, from about byte ${offset} on: rows with others have “${TOO_MANY}”.`;
    const hint = `At most ${MOST_NAMES.toLocaleString('en')} are told apart. Is it the text of a trace?`;
    const { rows } = this.state;
    this.#note({ severity: 'warning', code: 'trace/too-many-names', message, hint, row: 0, offset }, rows);
  }

  #note(problem: TraceProblem, first: number): void {
    const { problems } = this.state;
    this.state.problemCount++;
    if (problems.length >= PROBLEMS) return;
    problems.push(problem.row === undefined ? problem : { ...problem, row: first + problem.row });
  }

  #count({ operations }: ChunkZone): void {
    const { state } = this;
    const { rows, event, operation, count } = this.#builder;
    state.unknown += operations[UNKNOWN] ?? 0;
    const counts = state.eventCounts;
    for (let row = 0; row < rows; row++) {
      const id = event[row] ?? Number.NaN;
      // A mark of losses is no event, whatever its format calls it.
      if (id === id && operation[row] !== LOST) {
        while (counts.length <= id) counts.push(0);
        counts[id] = (counts[id] ?? 0) + 1;
      }
      const lost = operation[row] === LOST ? (count[row] ?? 0) : 0;
      if (lost > 0) state.lost += lost;
    }
  }
}
