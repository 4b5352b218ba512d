import { type RowBuilder } from '../model/columns';
import { type TraceNames } from '../model/dictionary';

/** The first lines of a file, as text: as many as fit 64 KiB, none cut. */
export interface TextHead {
  readonly lines: readonly string[];
  /** The file's name. */
  readonly name: string;
}

/** What a line was: a row that was added, text in front of the rows, or nothing that is understood. */
export type LineKind = 'row' | 'header' | 'unknown';

/** Reads the lines of one file, in their order. */
export interface LineParser {
  /** For people: `ftrace text, latency format`. */
  readonly title: string;
  /** Nanoseconds that the column `time` counts from. */
  readonly origin: bigint;
  readonly timeDigits: number;
  /** True when rows name the devices that they are about. */
  readonly namesDevices: boolean;
  /**
   * Reads the line bytes[start, end), which stands at `offset` in the file, its end cut off. At most one row is begun, with
   * `out.begin`; when the line is unknown none is (`out.drop` takes one back), and the caller keeps it as a row of its own.
   * Allocates as little as it can.
   */
  parse(bytes: Uint8Array, start: number, end: number, out: RowBuilder, offset: number): LineKind;
  /**
   * The quick way over lines that look like those before: reads whole lines (with their ends) from bytes[start, end) as long as
   * they begin before `until` and `out` is not full. `base` is the file's offset of bytes[0]. Must give the same rows as `parse`.
   *
   * @returns The index behind the last line that it read: `start` when the first is for `parse`.
   */
  fast?(bytes: Uint8Array, start: number, end: number, out: RowBuilder, base: number, until: number): number;
  /** How many events the file says that it has, once that was read; a file with fewer was cut. */
  readonly expected?: number | undefined;
  /** What the next line depends on (a fault that goes over several lines): plain JSON; absent when nothing. */
  save?(): unknown;
  /** Goes on after another line: with what `save` gave there, or undefined for the first. */
  restore?(state: unknown): void;
}

/** A format whose rows are lines. Adding one adds a file, and a line in readers/index.ts. */
export interface LineFormat {
  /** As in `--stats --json`. */
  readonly format: string;
  readonly title: string;
  /** The share of head lines that are of this format, 0 to 1; the surest format reads the file. */
  recognise(head: TextHead): number;
  parser(head: TextHead, names: TraceNames): LineParser;
}
