import { type OpenTrace } from '../../src/trace/model/reader';
import { type ChunkInfo, type TraceTable } from '../../src/trace/model/table';
import { type ChunkZone, packRows, type TraceChunk, zoneOf } from '../../src/trace/model/chunk';
import { RowBuilder } from '../../src/trace/model/columns';
import { type Task, type TraceNames, traceNames } from '../../src/trace/model/dictionary';
import {
  type FlagName,
  FLAGS,
  OPERATIONS,
  type Operation,
  operationCode,
} from '../../src/trace/model/operation';

/** What a test says of a row; the rest is absent. */
export interface RowFacts {
  readonly operation?: Operation;
  readonly event?: string;
  /** Nanoseconds since the trace's origin. */
  readonly time?: number;
  readonly cpu?: number;
  readonly task?: string | Task;
  readonly pid?: number;
  readonly device?: string;
  readonly iova?: bigint | number;
  readonly size?: number;
  readonly paddr?: bigint | number;
  readonly domain?: number;
  readonly pasid?: number;
  readonly flags?: readonly FlagName[];
  readonly done?: number;
  readonly count?: number;
  /** Absent: `event` and its number. */
  readonly line?: string;
}

export interface TestTraceOptions {
  /** Rows of a chunk; small ones try the seams. */
  readonly chunkRows?: number;
  readonly origin?: bigint;
  readonly timeDigits?: number;
  readonly namesDevices?: boolean;
}

/** One is enough: a chunk is packed before the next is begun. */
const BUILDER = new RowBuilder();

/** A table of rows that a test wrote down, packed as the reader packs them. Grows as `add` is called. */
export class TestTrace implements TraceTable {
  readonly names: TraceNames = traceNames();
  readonly trace: OpenTrace;
  readonly chunks: ChunkInfo[] = [];
  readonly problems = [];
  readonly problemCount = 0;
  readonly eventCounts: number[] = [];
  rows = 0;
  complete = false;
  unknown = 0;
  lost = 0;
  readonly #packed: TraceChunk[] = [];
  readonly #lines: string[] = [];
  readonly #chunkRows: number;

  constructor(facts: readonly RowFacts[] = [], options: TestTraceOptions = {}) {
    const { chunkRows = 1000, origin = 0n, timeDigits = 6, namesDevices = true } = options;
    this.#chunkRows = chunkRows;
    this.trace = {
      format: 'test',
      title: 'test',
      origin,
      timeDigits,
      header: '',
      start: { offset: 0 },
      problems: [],
      namesDevices,
      fill: () => ({ problems: [] }),
      // A line stands at the offset of its row's number: lines of tests are not read from bytes.
      line: (offset, _length, limit) => (this.#lines[offset] ?? '').slice(0, limit),
    };
    this.add(facts);
  }

  /** Adds rows, in chunks of their own. */
  add(facts: readonly RowFacts[]): void {
    for (let from = 0; from < facts.length; from += this.#chunkRows) {
      for (const row of facts.slice(from, from + this.#chunkRows)) this.#row(row);
      this.#close();
    }
  }

  load(chunk: number): TraceChunk {
    const packed = this.#packed[chunk];
    if (!packed) throw new Error(`There is no chunk ${chunk}.`);
    return packed;
  }

  #row(facts: RowFacts): void {
    const out = BUILDER;
    const { operation = 'other', event = operation, line = `${event} ${this.#lines.length}` } = facts;
    const row = out.begin(this.#lines.length, line.length, operationCode(operation));
    this.#lines.push(line);
    const id = this.names.events.id(event);
    this.eventCounts[id] = (this.eventCounts[id] ?? 0) + 1;
    if (operation === 'unknown') this.unknown++;
    if (operation === 'lost') this.lost += facts.count ?? 0;
    out.event[row] = id;
    for (const name of ['time', 'cpu', 'size', 'domain', 'pasid', 'done', 'count'] as const) {
      const value = facts[name];
      if (value !== undefined) out[name][row] = value;
    }
    if (facts.task !== undefined) {
      const { task, pid = null } = facts;
      out.task[row] = this.names.tasks.id(typeof task === 'string' ? { name: task, pid, tgid: null } : task);
    }
    if (facts.device !== undefined) out.device[row] = this.names.devices.id(facts.device);
    if (facts.flags) out.flags[row] = facts.flags.reduce((bits, name) => bits | FLAGS[name], 0);
    for (const name of ['iova', 'paddr'] as const) {
      const address = facts[name];
      if (address === undefined) continue;
      out[`${name}Page`][row] = Number(BigInt(address) >> 12n);
      out[`${name}Offset`][row] = Number(BigInt(address) & 4095n);
    }
  }

  #close(): void {
    const zone: ChunkZone = zoneOf(BUILDER);
    const packed = packRows(BUILDER);
    BUILDER.clear();
    this.chunks.push({ first: this.rows, rows: packed.rows, zone });
    this.#packed.push(packed);
    this.rows += packed.rows;
  }
}

/** All names of operations, for random rows. */
export const OPERATION_NAMES: readonly Operation[] = OPERATIONS;
