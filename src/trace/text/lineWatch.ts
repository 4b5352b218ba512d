import { type RowBuilder } from '../model/columns';
import { operationCode } from '../model/operation';
import { type TraceProblem } from '../model/reader';

/** What has to be known to go on in the middle of a file: plain JSON. */
export interface LineState {
  readonly parser?: unknown;
  /** Rows of events so far. */
  readonly events: number;
  /** The latest time so far, and whether the rows before were earlier than it. */
  readonly peak: number | null;
  readonly back: boolean;
  /** True in the middle of a line that is very long. */
  readonly inLine: boolean;
}

/** A state that was stored, or the beginning's when it is none of ours. */
export function lineState(value: unknown): LineState | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { parser, events, peak, back, inLine } = value as Partial<Record<keyof LineState, unknown>>;
  if (!Number.isSafeInteger(events) || typeof back !== 'boolean' || typeof inLine !== 'boolean')
    return undefined;
  if (peak !== null && !Number.isFinite(peak)) return undefined;
  return { parser, events: Number(events), peak: peak === null ? null : Number(peak), back, inLine };
}

/** Problems of one chunk at most. */
const PROBLEMS = 16;
/** Bytes below a space that text has: tab to carriage return, and escape. */
const TEXT_CONTROLS = new Set([9, 10, 11, 12, 13, 27]);
const [UNKNOWN, LOST] = [operationCode('unknown'), operationCode('lost')];

/** Notes what is wrong with the lines of one chunk, stretch by stretch. */
export class LineWatch {
  readonly problems: TraceProblem[] = [];
  inLine: boolean;
  readonly parserState: unknown;
  readonly #rows: RowBuilder;
  #events: number;
  #peak: number;
  #back: boolean;
  /** The row behind the last unknown one, and whether that was binary. */
  #behindUnknown = -1;
  #binary = false;

  constructor(rows: RowBuilder, state: LineState | undefined) {
    this.#rows = rows;
    this.parserState = state?.parser;
    this.#events = state?.events ?? 0;
    this.#peak = state?.peak ?? Number.NaN;
    this.#back = state?.back ?? false;
    this.inLine = state?.inLine ?? false;
  }

  /** Notes a line that was kept as the unknown row `row`. */
  unknown(bytes: Uint8Array, start: number, end: number, offset: number, row: number): void {
    const inStretch = row === this.#behindUnknown;
    const binary = isBinary(bytes, start, end);
    if (!inStretch || (binary && !this.#binary)) {
      this.#note(
        binary
          ? {
              severity: 'warning',
              code: 'trace/binary',
              message: `Bytes that are no text stand in the line at byte ${offset}.`,
              hint: 'The line is kept as it is. Was the file written over, or cut together with another?',
            }
          : {
              severity: 'info',
              code: 'trace/unknown-line',
              message: `The line at byte ${offset} is not of this format.`,
              hint: 'It is kept, and nothing follows from it.',
            },
        row,
        offset,
      );
    }
    this.#binary = binary;
    this.#behindUnknown = row + 1;
  }

  longLine(offset: number, length: number, row: number): void {
    const message = `The line at byte ${offset} has ${length} bytes: more than a line of a trace has.`;
    const hint = 'It is kept as one row and shown cut.';
    this.#note({ severity: 'warning', code: 'trace/long-line', message, hint }, row, offset);
    this.#behindUnknown = row + 1;
  }

  openEnd(offset: number): void {
    const message = `The last line, at byte ${offset}, has no end: the file may have been cut there.`;
    this.#note({ severity: 'info', code: 'trace/open-end', message }, this.#rows.rows, offset);
  }

  unreadable(offset: number, why: string | undefined): void {
    const message = `The file cannot be read from byte ${offset} on: ${why ?? 'it is shorter than it was'}.`;
    const hint = 'What stands before is shown. Open the file again when it is whole.';
    this.#note({ severity: 'error', code: 'trace/unreadable', message, hint }, this.#last, offset);
  }

  /** Looks at the times of all rows of the chunk. */
  times(): void {
    const { rows, time, operation, offset } = this.#rows;
    let peak = this.#peak;
    let back = this.#back;
    for (let row = 0; row < rows; row++) {
      const at = time[row] ?? Number.NaN;
      if (at < peak) {
        if (!back) {
          const message = `Time runs backwards at byte ${offset[row] ?? 0}, by ${peak - at} ns.`;
          const hint = 'Rows stay in the order of the file.';
          this.#note(
            { severity: 'warning', code: 'trace/time-backwards', message, hint },
            row,
            offset[row] ?? 0,
          );
        }
        back = true;
      } else if (at === at) {
        peak = at;
        back = false;
      }
      if (operation[row] !== LOST && operation[row] !== UNKNOWN) this.#events++;
    }
    this.#peak = peak;
    this.#back = back;
  }

  /** At the end of the file: are there as many events as its header says? */
  end(expected: number | undefined): void {
    if (expected === undefined || this.#events >= expected) return;
    const message = `The header says ${expected} events, and the file has ${this.#events}: it was cut short.`;
    this.#note({ severity: 'warning', code: 'trace/truncated', message }, this.#last);
  }

  save(parser: unknown): LineState {
    const peak = Number.isNaN(this.#peak) ? null : this.#peak;
    const state = { events: this.#events, peak, back: this.#back, inLine: this.inLine };
    return parser === undefined ? state : { ...state, parser };
  }

  /** The last row of the chunk; undefined when it has none. */
  get #last(): number | undefined {
    return this.#rows.rows > 0 ? this.#rows.rows - 1 : undefined;
  }

  #note(problem: TraceProblem, row: number | undefined, offset?: number): void {
    if (this.problems.length >= PROBLEMS) return;
    this.problems.push({
      ...problem,
      ...(row !== undefined && { row }),
      ...(offset !== undefined && { offset }),
    });
  }
}

function isBinary(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x20 && !TEXT_CONTROLS.has(byte)) return true;
  }
  return false;
}
