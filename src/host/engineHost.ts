import type * as vscode from 'vscode';
import {
  ENGINE_LOST,
  RequestError,
  type EngineClient,
  type InspectionId,
  type InspectionSummary,
  type Method,
  type OpenParams,
  type OpenReplayParams,
  type Params,
  type RequestOptions,
  type ResultOf,
  type TraceId,
  type TraceSpaces,
  type TraceSummary,
  type TraceViewId,
} from '../inspection/protocol';

/** Methods about an open inspection; the engine must have it open before they are sent. */
export type InspectionMethod = {
  [M in Method]: Params<M> extends { inspection: InspectionId } ? M : never;
}[Exclude<Method, 'open' | 'close'>];

/** Methods about an open trace; the engine must have it open before they are sent. */
export type TraceMethod = {
  [M in Method]: Params<M> extends { trace: TraceId } ? M : never;
}[Exclude<Method, 'traceOpen' | 'traceClose'>];

/** What it takes to open an inspection or a trace (again). */
export interface Opener {
  openParams(inspection: InspectionId): Promise<OpenParams>;
  traceParams(trace: TraceId): Promise<Params<'traceOpen'>>;
  /** The views that a trace has, with their filters; undefined when nobody looks at it. */
  traceViews(trace: TraceId): ReadonlyMap<TraceViewId, string> | undefined;
  /** Whether somebody stopped its reading: what was read is all that is wanted. */
  isTraceStopped(trace: TraceId): boolean;
  /** A trace was opened, by whatever question came first: now it can be read on. */
  traceOpened(trace: TraceId, summary: TraceSummary): void;
  /** Rows of a trace that somebody was shown, also by an engine before this one; 0 of one that nobody looks at. */
  traceRows(trace: TraceId): number;
  /** How its address spaces are told apart. */
  traceSpaces(trace: TraceId): TraceSpaces;
  /** A trace was opened anew and read as far as it goes now. Throws where that is less than before. */
  traceRestored(trace: TraceId, summary: TraceSummary): void;
  /** Runs an opening that nobody watches: it shows that it goes on, and can be cancelled. */
  watch<T>(inspection: InspectionId, task: (options: RequestOptions) => Promise<T>): Promise<T>;
}

/** One life of the engine, and what it has open. */
interface Life {
  readonly client: EngineClient;
  readonly opened: Map<InspectionId, Promise<InspectionSummary>>;
  readonly traces: Map<TraceId, Promise<TraceSummary>>;
  /** Those of them of which more was known before than this engine has read. */
  readonly lacking: Set<TraceId>;
}

/** Questions whose answers grow with a trace, or do not depend on how far it was read. */
const ANSWERED_IN_PART: readonly TraceMethod[] = [
  ...(['traceIndex', 'traceSummary', 'traceRows', 'traceFilter', 'traceDropView', 'traceDensity'] as const),
  ...(['checkTraceFilter', 'completeTraceFilter'] as const),
];

/**
 * Owns the engine. It starts on the first question. When it is lost, the next question starts a new one, which opens
 * the inspection asked for from the journal under its old id; a question that was pending is asked once more. So what
 * the views hold (node ids, cursors) stays good, and an image that crashes the engine cannot do so for ever.
 */
export class EngineHost implements vscode.Disposable {
  private life: Promise<Life> | undefined;
  private client: EngineClient | undefined;
  private disposed = false;

  constructor(
    private readonly start: () => Promise<EngineClient>,
    private readonly opener: Opener,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** An engine of its own, started as this one is, for work that must not take this one along. */
  another(): EngineHost {
    return new EngineHost(this.start, this.opener, this.log);
  }

  /** Where the engine runs; undefined while none does. */
  get where(): EngineClient['where'] | undefined {
    return this.client?.where;
  }

  /** A question that needs no open inspection. */
  ask<
    M extends Exclude<Method, 'open' | 'close' | 'traceOpen' | 'traceClose' | InspectionMethod | TraceMethod>,
  >(method: M, params: Params<M>, options?: RequestOptions): Promise<ResultOf<M>> {
    return this.twice(options, ({ client }) => client.request(method, params, options));
  }

  /** A question about an inspection, which is opened first when this engine does not have it. */
  askAbout<M extends InspectionMethod>(
    method: M,
    params: Params<M> & { inspection: InspectionId },
    options?: RequestOptions,
  ): Promise<ResultOf<M>> {
    return this.twice(options, async (life) => {
      // Without the question's own signal: others wait for the same opening.
      await this.openIn(life, params.inspection);
      if ('other' in params && typeof params.other === 'string') await this.openIn(life, params.other);
      return life.client.request(method, params, options);
    });
  }

  /**
   * Runs a scenario. With an inspection's id the machine that it leaves is open under that id afterwards, as if it had been opened.
   * A run that took the engine along is not tried again: it would do so again.
   */
  async runScenario(
    params: Params<'runScenario'>,
    options?: RequestOptions,
  ): Promise<ResultOf<'runScenario'>> {
    const { client, opened } = await this.living();
    const result = await client.request('runScenario', params, options);
    const { inspection } = params;
    if (inspection !== undefined && result.opened) {
      const summary = client.request('summary', { inspection });
      opened.set(inspection, summary);
      summary.catch(() => opened.delete(inspection));
    }
    return result;
  }

  /** Opens an inspection, or gives its summary when it is open. With options the opening is the caller's to watch. */
  open(inspection: InspectionId, options?: RequestOptions): Promise<InspectionSummary> {
    return this.twice(options, (life) => this.openIn(life, inspection, options));
  }

  /** A question about a trace, which is opened first when this engine does not have it. */
  askTrace<M extends TraceMethod>(
    method: M,
    params: Params<M> & { trace: TraceId },
    options?: RequestOptions,
  ): Promise<ResultOf<M>> {
    return this.twice(options, async (life) => {
      await this.openTraceIn(life, params.trace);
      if (!ANSWERED_IN_PART.includes(method)) await this.readAsBefore(life, params.trace, options);
      return life.client.request(method, params, options);
    });
  }

  /** Opens a trace and reads its first rows, or says what its opening gave. */
  openTrace(trace: TraceId, options?: RequestOptions): Promise<TraceSummary> {
    return this.twice(options, (life) => this.openTraceIn(life, trace, options));
  }

  /** Forgets a view of a trace; nothing is started for it. */
  dropTraceView(trace: TraceId, view: TraceViewId): void {
    const drop = async (): Promise<void> => {
      const life = await this.life;
      if (life?.traces.has(trace)) await life.client.request('traceDropView', { trace, view });
    };
    // One that is gone with its engine is forgotten.
    drop().catch(() => undefined);
  }

  /** Forgets a trace; nothing is started for it. */
  async closeTrace(trace: TraceId): Promise<void> {
    const life = await this.life;
    life?.lacking.delete(trace);
    if (life?.traces.delete(trace)) await life.client.request('traceClose', { trace });
  }

  /** Forgets an inspection; nothing is started for it. */
  async close(inspection: InspectionId): Promise<void> {
    const life = await this.life;
    if (life?.opened.delete(inspection)) await life.client.request('close', { inspection });
  }

  /** Ends the engine at once, without a goodbye, as a crash would; the next question starts a new one. */
  async end(): Promise<void> {
    const life = await this.life;
    this.life = undefined;
    this.client = undefined;
    await life?.client.dispose();
  }

  dispose(): Promise<void> {
    this.disposed = true;
    return this.end();
  }

  private openIn(life: Life, inspection: InspectionId, options?: RequestOptions): Promise<InspectionSummary> {
    const opening = life.opened.get(inspection);
    if (opening) return opening;
    const begin = async (mine: RequestOptions): Promise<InspectionSummary> => {
      const params = await this.opener.openParams(inspection);
      return 'replay' in params
        ? this.replayIn(life, params, mine)
        : life.client.request('open', params, mine);
    };
    const fresh = options ? begin(options) : this.opener.watch(inspection, begin);
    life.opened.set(inspection, fresh);
    // A failed or cancelled opening may be tried again.
    fresh.catch(() => life.opened.delete(inspection));
    return fresh;
  }

  /** Tables of a trace that nobody looks at need it for their making only. */
  private async replayIn(
    life: Life,
    params: OpenReplayParams,
    options: RequestOptions,
  ): Promise<InspectionSummary> {
    const { trace, row } = params.replay;
    await this.openTraceIn(life, trace);
    try {
      // How address spaces are told apart takes the whole trace, unless somebody had enough of it.
      const { complete, rows } = await life.client.request('traceSummary', { trace });
      if (!complete && (rows <= row || !this.opener.isTraceStopped(trace)))
        await life.client.request('traceIndex', { trace }, options);
      return await life.client.request('open', params, options);
    } finally {
      if (!this.opener.traceViews(trace) && life.traces.delete(trace))
        life.client.request('traceClose', { trace }).catch(() => undefined);
    }
  }

  private openTraceIn(life: Life, trace: TraceId, options?: RequestOptions): Promise<TraceSummary> {
    const opening = life.traces.get(trace);
    if (opening) return opening;
    const begin = async (): Promise<TraceSummary> => {
      const summary = await life.client.request('traceOpen', await this.opener.traceParams(trace), options);
      // Not waited for: a view answers while it is being made. What is wrong with a filter was told when it was set.
      for (const [view, where] of this.opener.traceViews(trace) ?? [])
        life.client.request('traceFilter', { trace, view, where }).catch(() => undefined);
      if (this.opener.traceRows(trace) > summary.rows) life.lacking.add(trace);
      this.opener.traceOpened(trace, summary);
      return summary;
    };
    const fresh = begin();
    life.traces.set(trace, fresh);
    fresh.catch(() => life.traces.delete(trace));
    return fresh;
  }

  /** Reads a trace that was opened anew: its first rows must not answer for all that was there before. */
  private async readAsBefore(
    { client, lacking }: Life,
    trace: TraceId,
    options: RequestOptions | undefined,
  ): Promise<void> {
    if (!lacking.has(trace)) return;
    this.opener.traceRestored(trace, await client.request('traceIndex', { trace }, options));
    const spaces = this.opener.traceSpaces(trace);
    if (spaces.by !== 'auto') await client.request('traceSpaces', { trace, spaces }, options);
    lacking.delete(trace);
  }

  private async twice<T>(options: RequestOptions | undefined, task: (life: Life) => Promise<T>): Promise<T> {
    try {
      return await task(await this.living());
    } catch (error) {
      const lost = error instanceof RequestError && error.code === ENGINE_LOST;
      if (!lost || this.disposed || options?.signal?.aborted) throw error;
      this.log.warn(`The engine was lost; asking once more in a new one (${error.message})`);
      return task(await this.living());
    }
  }

  private living(): Promise<Life> {
    this.life ??= this.begin();
    return this.life;
  }

  private async begin(): Promise<Life> {
    try {
      const client = await this.start();
      const life: Life = { client, opened: new Map(), traces: new Map(), lacking: new Set() };
      this.client = client;
      this.log.info(`Engine started (${client.where})`);
      client.onLost((why) => {
        if (this.client !== client) return;
        this.log.error(`Engine lost: ${why.message}`);
        this.life = undefined;
        this.client = undefined;
      });
      return life;
    } catch (error) {
      this.life = undefined;
      throw error;
    }
  }
}
