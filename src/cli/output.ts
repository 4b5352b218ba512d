import { hex } from '../inspection/protocol';
import { badInput, OutputClosed, type CliError } from './errors';
import { columnsOf, type OutputStream, type ProgressLine } from './progress';
import { reason } from './scenarios/files';
import { formatTable, printable, type Column, type TableOptions } from './table';

/** Where a command writes its answer: text for people, or JSON lines for programs. */
export class Output {
  readonly #stream: OutputStream;
  readonly #progress: ProgressLine;
  readonly #colour: boolean;
  readonly #unread: 'end' | 'go on';
  #closed = false;
  #problem: CliError | undefined;

  /** `unread`: what happens when lines cannot be written. `go on`: they are dropped, for a command that does more than to print. */
  constructor(
    stream: OutputStream,
    progress: ProgressLine,
    environment: NodeJS.ProcessEnv,
    unread: 'end' | 'go on' = 'end',
  ) {
    this.#unread = unread;
    this.#stream = stream;
    this.#progress = progress;
    // https://no-color.org: any value that is not empty.
    this.#colour = stream.isTTY === true && !environment['NO_COLOR'];
    stream.on('error', () => {
      this.#closed = true;
    });
  }

  /** Why lines were dropped that someone would have read. */
  get problem(): CliError | undefined {
    return this.#problem;
  }

  /** Writes lines and waits until they are taken. Throws OutputClosed when nobody reads any more, unless it goes on. */
  async lines(lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await this.text(`${lines.join('\n')}\n`);
  }

  /** Writes text as it is, and waits as `lines` does. */
  async text(text: string): Promise<void> {
    if (text === '') return;
    this.#progress.clear();
    const wrong = await this.#write(text);
    if (wrong && this.#unread === 'end') throw wrong;
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

  /** What went wrong. */
  #write(text: string): Promise<Error | undefined> {
    return new Promise((resolve) => {
      if (this.#closed) {
        resolve(new OutputClosed());
        return;
      }
      this.#stream.write(text, (error) => {
        if (!error) resolve(undefined);
        else if (isClosed(error)) resolve(new OutputClosed());
        else resolve((this.#problem = unwritable(error)));
      });
    });
  }
}

export const unwritable = (error: Error): CliError =>
  badInput(`standard output cannot be written: ${reason(error)}`);

/** Whether it says that nobody reads any more. */
export function isClosed(error: Error): boolean {
  return 'code' in error && (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED');
}

/** JSON on one line, with every bigint as a `0x` string. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? hex(item) : item));
}
