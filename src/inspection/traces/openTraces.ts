import { type TraceIndex } from '../../trace/index/traceIndex';
import { type TraceProblem } from '../../trace/model/reader';
import { type TraceId } from '../protocol';
import { type TraceGroups } from '../../trace/query/groups';
import { TraceView } from '../../trace/query/traceView';
import { refuse } from '../requestError';
import { TraceAnalysis } from './analysis';
import { type IndexSlot } from './indexCache';
import { type Shared } from './shared';
import { traceFilterOf, TraceViews } from './views';

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
  readonly views: TraceViews;
  readonly analysis: TraceAnalysis;
  /** The groups that were asked for last: their pages come from one pass over the rows. */
  lastGroups: { readonly key: string; readonly groups: Shared<TraceGroups> } | undefined;
  #lastMatching: { readonly where: string; readonly spaces: unknown; readonly view: TraceView } | undefined;
  /** True when the index came from the cache. */
  cached = false;
  /** True once the index is kept, or was found to be of no use to keep. */
  stored = false;
  #closed = false;

  constructor(
    readonly id: TraceId,
    readonly file: OpenedFile,
    readonly table: TraceIndex,
  ) {
    this.views = new TraceViews(table);
    this.analysis = new TraceAnalysis(table);
  }

  /** The view of the rows that match; the last one is kept. */
  matching(where: string): TraceView {
    const spaces = this.analysis.told;
    const last = this.#lastMatching;
    if (last?.where === where && last.spaces === spaces) return last.view;
    const view = new TraceView(this.table, traceFilterOf(where, this.table, spaces));
    this.#lastMatching = { where, spaces, view };
    return view;
  }

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

/** A trace on its way. */
export interface Opening {
  /** Set when it was closed, or opened anew, before it was there. */
  isGivenUp: boolean;
}

/** The traces of one engine, by the ids that its clients chose. */
export class OpenTraces {
  readonly #traces = new Map<TraceId, OpenedTrace>();
  readonly #openings = new Map<TraceId, Opening>();

  /** Refuses an id that names none. */
  get(id: TraceId): OpenedTrace {
    return this.#traces.get(id) ?? refuse('trace/closed', `The trace "${id}" is not open.`, 'Open it again.');
  }

  /** Says that a trace is being opened; one that is being opened under this id already is given up. */
  begin(id: TraceId): Opening {
    this.#giveUp(id);
    const opening: Opening = { isGivenUp: false };
    this.#openings.set(id, opening);
    return opening;
  }

  /** Takes over a trace that was opened, if it is still wanted; one that had its id is closed. */
  add(opening: Opening, trace: OpenedTrace): void {
    if (opening.isGivenUp) {
      trace.close();
      refuse('trace/closed', `${trace.name} was closed meanwhile.`, 'Open it again.');
    }
    this.close(trace.id);
    this.#traces.set(trace.id, trace);
  }

  /** Closes a trace, if it is open or being opened. */
  close(id: TraceId): void {
    this.#giveUp(id);
    this.#traces.get(id)?.close();
    this.#traces.delete(id);
  }

  closeAll(): void {
    for (const id of [...this.#traces.keys(), ...this.#openings.keys()]) this.close(id);
  }

  #giveUp(id: TraceId): void {
    const opening = this.#openings.get(id);
    if (opening) opening.isGivenUp = true;
    this.#openings.delete(id);
  }
}
