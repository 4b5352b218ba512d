import { type TraceTable } from '../../trace/model/table';
import { type TraceId } from '../protocol';
import { refuse } from '../requestError';

/** A trace that is open: its rows as far as they were read, and what was asked of them. */
export interface OpenedTrace {
  readonly id: TraceId;
  /** The file's name. */
  readonly name: string;
  readonly table: TraceTable;
  /** Set when it was closed: work that is still going on for it ends. */
  readonly closed: boolean;
  close(): void;
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

  /** Closes a trace, if it is open. Work that goes on for it is refused. */
  close(id: TraceId): void {
    this.#traces.get(id)?.close();
    this.#traces.delete(id);
  }

  closeAll(): void {
    for (const id of [...this.#traces.keys()]) this.close(id);
  }
}
