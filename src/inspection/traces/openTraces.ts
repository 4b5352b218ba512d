import { type Failure } from '../../engine/result';
import { type TraceIndex } from '../../trace/index/traceIndex';
import { type TraceProblem } from '../../trace/model/reader';
import { type TraceId } from '../protocol';
import { refuse } from '../requestError';
import { type Work } from '../work';
import { type IndexSlot } from './indexCache';

/** What opening a file gave. */
export interface OpenedFile {
  /** As it was chosen. */
  readonly name: string;
  /** Bytes of the trace, unpacked. */
  readonly bytes: number;
  readonly packed: boolean;
  /** What was wrong before a reader saw it. */
  readonly problems: readonly TraceProblem[];
  /** Where its index is kept. */
  readonly slot: IndexSlot | undefined;
  /** Why not all of it can be read. */
  fault(): string | undefined;
  close(): void;
}

/** A trace that is open: its rows as far as they were read, and what was asked of them. */
export class OpenedTrace {
  /** True when the index came from the cache. */
  cached = false;
  /** True once the index is kept, or was found to be of no use to keep. */
  stored = false;
  #closed = false;

  constructor(
    readonly id: TraceId,
    readonly file: OpenedFile,
    readonly table: TraceIndex,
  ) {}

  get name(): string {
    return this.file.name;
  }

  /** Set when it was closed: work that still goes on for it is refused. */
  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.file.close();
  }
}

/** The traces of one engine, by the ids that its clients chose. */
export class OpenTraces {
  readonly #traces = new Map<TraceId, OpenedTrace>();

  /** Refuses an id that names none. */
  get(id: TraceId): OpenedTrace {
    return this.#traces.get(id) ?? refuse('trace/closed', `The trace "${id}" is not open.`, 'Open it again.');
  }

  /** Takes over a trace; one that had its id is closed. */
  add(trace: OpenedTrace): void {
    this.close(trace.id);
    this.#traces.set(trace.id, trace);
  }

  /** Closes a trace, if it is open. */
  close(id: TraceId): void {
    this.#traces.get(id)?.close();
    this.#traces.delete(id);
  }

  closeAll(): void {
    for (const id of [...this.#traces.keys()]) this.close(id);
  }
}

/** Work on a trace: ended with a refusal when the trace is closed, or when `gone` says that nobody wants it any more. */
export function* ofTrace<T>(trace: OpenedTrace, work: Work<T>, gone?: () => Failure | undefined): Work<T> {
  try {
    for (;;) {
      if (trace.closed) {
        refuse('trace/closed', `${trace.name} was closed meanwhile.`, 'Open it again.');
      }
      const why = gone?.();
      if (why) refuse(why.code, why.message, why.hint);
      const step = work.next();
      if (step.done === true) return step.value;
      yield step.value;
    }
  } finally {
    work.return(undefined as never);
  }
}

/** Steps that yield rows, as work whose progress says how many of `total` they were. */
export function* overRows<T>(message: string, total: number, steps: Generator<number, T>): Work<T> {
  let rows = 0;
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    rows += step.value;
    const shown = `${message}: ${rows.toLocaleString('en')} rows`;
    yield { message: shown, ...(total > 0 ? { fraction: Math.min(1, rows / total) } : {}) };
  }
}
