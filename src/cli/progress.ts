import { type WriteStream } from 'node:tty';
import { type Progress } from '../inspection/protocol';
import { printable } from './table';

/** Standard output or error: a terminal, a pipe or a file. */
export type OutputStream = NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'columns'>>;

/** Columns of a terminal; undefined when it is none, or does not know its own width. */
export function columnsOf(stream: OutputStream): number | undefined {
  const { isTTY, columns = 0 } = stream;
  return isTTY === true && columns > 0 ? columns : undefined;
}

/** At most ten updates a second. */
const INTERVAL_MS = 100;

/** One line on standard error that is rewritten in place; silent when that is no terminal. */
export class ProgressLine {
  readonly #stream: OutputStream;
  #shown = false;
  #last = 0;

  constructor(stream: OutputStream) {
    this.#stream = stream;
  }

  show(progress: Progress, now = Date.now()): void {
    if (this.#stream.isTTY !== true || now - this.#last < INTERVAL_MS) return;
    this.#last = now;
    this.#shown = true;
    const percent = progress.fraction === undefined ? '' : ` ${String(Math.floor(progress.fraction * 100))}%`;
    const text = printable(`${progress.message}${percent}`);
    this.#stream.write(`\r\u001b[K${text.slice(0, (columnsOf(this.#stream) ?? 80) - 1)}`);
  }

  /** Removes the line, so that what is written next starts at the margin. */
  clear(): void {
    if (!this.#shown) return;
    this.#shown = false;
    this.#stream.write('\r\u001b[K');
  }
}
