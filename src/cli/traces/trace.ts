import path from 'node:path';
import { addAbortSignal } from 'node:stream';
import {
  type FileSource,
  type Method,
  type Page,
  type PageRequest,
  type Params,
  type ResultOf,
  type TraceRequests,
  type TraceSpaces,
  type TraceSummary,
} from '../../inspection/protocol';
import { badInput, pointAt } from '../errors';
import { type Session } from '../session';

/** Names the trace in requests; a program has one. */
const TRACE = 'cli';
/** Rows asked for at once. */
const PAGE = 1000;
/** Problems that are told of one by one. */
const TOLD_PROBLEMS = 20;
/** What comes from a pipe is held in memory. */
const MOST_PIPED_BYTES = 2 ** 30;

type TraceMethod = keyof TraceRequests & Method;
type Asked<M extends TraceMethod> = Omit<Params<M>, 'trace'>;

/** One opened trace, and the questions that the command asks of it. */
export class CliTrace {
  readonly #session: Session;
  summary: TraceSummary;

  private constructor(session: Session, summary: TraceSummary) {
    this.#session = session;
    this.summary = summary;
  }

  /** Opens a file, or with `-` what standard input gives, and reads its first rows. */
  static async open(session: Session, file: string): Promise<CliTrace> {
    const source: FileSource =
      file === '-' ? await piped(session.signal) : { kind: 'path', path: path.resolve(file) };
    return new CliTrace(session, await session.request('traceOpen', { trace: TRACE, file: source }));
  }

  /** Reads on to the end. */
  async readAll(): Promise<void> {
    this.summary = await this.request('traceIndex', {});
  }

  request<M extends TraceMethod>(method: M, params: Asked<M>): Promise<ResultOf<M>> {
    return this.#session.request(method, { trace: TRACE, ...params });
  }

  /** All rows of an answer in pages, up to a limit; true when the limit ended it. */
  async pages<Row, T extends Page<Row>>(
    limit: number,
    ask: (page: PageRequest) => Promise<T>,
    write: (page: T, isFirst: boolean) => Promise<void>,
  ): Promise<boolean> {
    let left = limit;
    let cursor: string | undefined;
    let isFirst = true;
    do {
      const page = await ask({ limit: Math.min(PAGE, left), ...(cursor === undefined ? {} : { cursor }) });
      await write(page, isFirst);
      isFirst = false;
      left -= page.rows.length;
      cursor = page.next;
    } while (cursor !== undefined && left > 0);
    return cursor !== undefined;
  }

  /** Refuses a filter with a caret at the place. */
  async checkFilter(where: string, what = 'filter'): Promise<void> {
    if (where === '') return;
    const problems = await this.request('checkTraceFilter', { where });
    const error = problems.find(({ severity }) => severity === 'error');
    if (error) throw badInput(`${what}: ${error.message}\n${pointAt(where, error)}`, error.hint);
  }

  async checkSpaces(spaces: TraceSpaces): Promise<void> {
    for (const { name, where } of spaces.rules ?? []) await this.checkFilter(where, `space ${name}`);
  }

  /** Says what is wrong with the trace, with the rows as people count them. */
  tellProblems(note: (text: string) => void): void {
    const { problems, problemCount } = this.summary;
    for (const { severity, message, row, offset } of problems.slice(0, TOLD_PROBLEMS)) {
      const places = [
        ...(row === undefined ? [] : [`row ${row + 1}`]),
        ...(offset === undefined ? [] : [`offset ${offset}`]),
      ];
      note(`${severity}: ${places.length > 0 ? `${places.join(', ')}: ` : ''}${message}`);
    }
    const more = problemCount - Math.min(problems.length, TOLD_PROBLEMS);
    if (more > 0) note(`and ${more} more`);
  }

  async close(): Promise<void> {
    await this.#session.engine.request('traceClose', { trace: TRACE }).catch(() => undefined);
  }

  /** How other requests name it. */
  get id(): string {
    return TRACE;
  }
}

async function piped(signal: AbortSignal): Promise<FileSource> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of addAbortSignal(signal, process.stdin)) {
    const bytes = Buffer.isBuffer(piece) ? piece : Buffer.from(String(piece));
    pieces.push(bytes);
    size += bytes.length;
    if (size > MOST_PIPED_BYTES) {
      throw badInput(
        'standard input has more than 1G',
        'write it into a file and name that: it is read in place',
      );
    }
  }
  return { kind: 'bytes', name: 'standard input', bytes: new Uint8Array(Buffer.concat(pieces)) };
}
