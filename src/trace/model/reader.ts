import { type ByteSource } from '../../bytes/byteSource';
import { type Failure, type Result } from '../../engine/result';
import { type RowBuilder } from './columns';
import { type TraceNames } from './dictionary';

/** A place to read on from: data, so that an index that was stored can be read on. */
export interface Position {
  readonly offset: number;
  /** What else the reader has to know there: plain JSON. */
  readonly state?: unknown;
}

/** What is wrong with a trace and did not stop its reading. */
export interface TraceProblem extends Failure {
  readonly severity: 'error' | 'warning' | 'info';
  /** The row it was met at (the first row is 0), and the byte of the source. */
  readonly row?: number;
  readonly offset?: number;
}

/** What reading one chunk came upon. */
export interface Filled {
  /** Where the next chunk begins; absent at the end. Always further on. */
  readonly next?: Position;
  /** Bounded in number by the reader. The row counts from the chunk's first. */
  readonly problems: readonly TraceProblem[];
}

/** A trace of a known format. Reading is synchronous and by chunks, and a chunk can be read again at any time. */
export interface OpenTrace {
  /** Of the reader; `ftrace`. */
  readonly format: string;
  /** For people: `ftrace text, latency format`. */
  readonly title: string;
  /** Nanoseconds that the column `time` counts from. */
  readonly origin: bigint;
  /** Digits of a second that the tracer wrote. */
  readonly timeDigits: number;
  /** What stands in front of the rows: comments, versions, options. A few KiB of text at most. */
  readonly header: string;
  readonly start: Position;
  /** What was wrong before the first row. */
  readonly problems: readonly TraceProblem[];
  /** True when rows name the devices that they are about. */
  readonly namesDevices: boolean;
  /** Fills a chunk: until it is full or the trace ends. Reads the same rows each time that it is given the same position. */
  fill(from: Position, into: RowBuilder): Filled;
  /** A row's line as text: at most `limit` bytes of it, with U+FFFD for what is not UTF-8. */
  line(offset: number, length: number, limit: number): string;
}

/** One format of trace. Adding one adds a file, and a line in readers/index.ts. */
export interface TraceReader {
  /** As in `--stats --json`: `ftrace`, `trace-cmd`, `trace.dat`, `perf`, `qemu`, `dmesg`, `csv`, `jsonl`, `bitmap`. */
  readonly format: string;
  readonly title: string;
  /** How sure it is of a file, from its first bytes (64 KiB) and its name: 0 is no, 1 is beyond doubt. The surest reads it. */
  recognise(head: Uint8Array, name: string): number;
  /** Reads what is needed before the first row. `source` stays open as long as the trace is read. */
  open(source: ByteSource, names: TraceNames): Result<OpenTrace>;
}
