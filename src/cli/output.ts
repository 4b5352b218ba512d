import { hex } from '../inspection/protocol';
import { OutputClosed } from './errors';
import { columnsOf, type OutputStream, type ProgressLine } from './progress';
import { formatTable, printable, type Column, type TableOptions } from './table';

/** Where a command writes its answer: text for people, or JSON lines for programs. */
export class Output {
  readonly #stream: OutputStream;
  readonly #progress: ProgressLine;
  readonly #colour: boolean;
  #closed = false;

  constructor(stream: OutputStream, progress: ProgressLine, environment: NodeJS.ProcessEnv) {
    this.#stream = stream;
    this.#progress = progress;
    // https://no-color.org: any value that is not empty.
    this.#colour = stream.isTTY === true && !environment['NO_COLOR'];
    stream.on('error', () => {
      this.#closed = true;
    });
  }

  /** Writes lines and waits until they are taken. Throws OutputClosed when nobody reads any more. */
  async lines(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    this.#progress.clear();
    await this.#write(`${lines.join('\n')}\n`);
  }

  async json(values: readonly object[]): Promise<void> {
    await this.lines(values.map(jsonText));
  }

  async table(
    columns: readonly Column[],
    rows: readonly (readonly string[])[],
    options: TableOptions = {},
  ): Promise<void> {
    await this.lines(
      formatTable(columns, rows, {
        columns: columnsOf(this.#stream),
        style: (text) => this.bold(text),
        ...options,
      }),
    );
  }

  /** A title above a table. */
  async title(text: string): Promise<void> {
    await this.lines([this.bold(printable(text))]);
  }

  bold(text: string): string {
    return this.#colour ? `\u001b[1m${text}\u001b[22m` : text;
  }

  red(text: string): string {
    return this.#colour ? `\u001b[31m${text}\u001b[39m` : text;
  }

  #write(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new OutputClosed());
        return;
      }
      this.#stream.write(text, (error) => {
        if (!error) resolve();
        else if (isEpipe(error)) reject(new OutputClosed());
        else reject(error);
      });
    });
  }
}

function isEpipe(error: Error): boolean {
  return 'code' in error && (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED');
}

/** JSON on one line, with every bigint as a `0x` string. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? hex(item) : item));
}
