import * as vscode from 'vscode';
import {
  type Params,
  RequestError,
  type RequestOptions,
  type ResultOf,
  type TraceId,
  type TraceRow,
  type TraceSpaces,
  type TraceSummary,
  type TraceViewId,
} from '../../inspection/protocol';
import { LatestOnly, signalOf } from '../cancel';
import type { EngineHost, TraceMethod } from '../engineHost';
import { isCancelled } from '../errors';
import { requestOptions, withProgressIfLong } from '../progress';
import { baseName } from '../source';
import { FileWatch } from './fileWatch';

/** While a trace is read its summary is renewed this often. */
const RENEW_EVERY_MS = 250;

/** What a document needs of what keeps it. */
export interface TraceKeeper {
  readonly engine: EngineHost;
  /** What went wrong while nobody waited for it. */
  fail(error: unknown): void;
  /** Its file is no longer as it was read. */
  changed(document: TraceDocument): void;
  /** It was closed in every editor. */
  closed(document: TraceDocument): void;
}

/** A trace that is open in one editor or several. The engine reads it on in the background. */
export class TraceDocument implements vscode.CustomDocument {
  readonly id: TraceId;
  readonly name: string;
  /** The filters of the editors, by their views: what an engine that was started anew has to make again. */
  readonly views = new Map<TraceViewId, string>();
  readonly #keeper: TraceKeeper;
  readonly #changes = new vscode.EventEmitter<TraceSummary>();
  /** More was read, or reading began, stopped or ended. */
  readonly onDidChange = this.#changes.event;
  readonly #renewals = new vscode.EventEmitter<void>();
  /** What its rows say has changed. */
  readonly onDidRenew = this.#renewals.event;
  readonly #reads = new LatestOnly();
  #reading = false;
  /** It was told to stop, and has not yet; and told to go on after all. */
  #stopping: 'stop' | 'goOn' | undefined;
  #summary: TraceSummary | undefined;
  /** Rows that were known since it was opened: an engine that was started anew has fewer at first. */
  #mostRows = 0;
  #renewed = 0;
  /** How often its file was read anew: answers of before are about another file. */
  #reloads = 0;
  readonly #watch: FileWatch;
  #disposed = false;

  constructor(
    readonly uri: vscode.Uri,
    /** How its address spaces are told apart. */
    public spaces: TraceSpaces,
    keeper: TraceKeeper,
  ) {
    this.id = traceIdOf(uri);
    this.name = baseName(uri);
    this.#keeper = keeper;
    this.#watch = new FileWatch(uri, () => {
      keeper.changed(this);
    });
  }

  /** What was last known; undefined until it is open. */
  get summary(): TraceSummary | undefined {
    return this.#summary;
  }

  get mostRows(): number {
    return this.#mostRows;
  }

  get reading(): boolean {
    return this.#reading;
  }

  /** Whether somebody stopped its reading before the end. */
  get isStopped(): boolean {
    return !this.#reading && this.#summary?.complete === false;
  }

  /** Opens it where it is not open; its first rows are there then. */
  async open(): Promise<TraceSummary> {
    if (this.#disposed) throw this.#closed();
    const title = vscode.l10n.t('Opening {0}', this.name);
    await withProgressIfLong(title, (long) => this.#keeper.engine.openTrace(this.id, requestOptions(long)));
    return this.#summary ?? this.#join();
  }

  /** An engine has it open from now on, and reads it on. */
  opened(summary: TraceSummary): void {
    // An engine that was started anew reads the file as it is now; whether that is another is told by what was there before.
    if (this.#mostRows === 0) this.#watch.begin();
    this.#set(summary);
    if (!summary.complete) this.readOn();
    else if (this.spaces.by !== 'auto') void this.#split();
  }

  ask<M extends TraceMethod>(
    method: M,
    params: Omit<Params<M>, 'trace'>,
    options?: RequestOptions,
  ): Promise<ResultOf<M>> {
    // Asked all the same, it would be opened for nobody, and its first rows would answer for all.
    if (this.#disposed) return Promise.reject(this.#closed());
    // `Omit` of a generic type does not give the type back when the key is added again.
    const whole = { ...params, trace: this.id } as Params<M> & { trace: TraceId };
    return this.#keeper.engine.askTrace(method, whole, options);
  }

  /** Of a view that nobody looks at any more. */
  dropView(view: TraceViewId): void {
    this.views.delete(view);
    this.#keeper.engine.dropTraceView(this.id, view);
  }

  /** One row of the trace, whatever the filters; undefined when it was not read (yet). */
  async row(row: number): Promise<TraceRow | undefined> {
    const { rows } = await this.ask('traceRows', { view: '', first: row, count: 1 });
    return rows[0];
  }

  /** Reads at least to a row, where it has one; whether it is there then. */
  async readTo(row: number): Promise<boolean> {
    const { rows, complete } = await this.open();
    if (rows > row || complete) return rows > row;
    const title = vscode.l10n.t('Reading {0}', this.name);
    const read = await withProgressIfLong(title, (long) => this.ask('traceIndex', {}, requestOptions(long)));
    return read.rows > row;
  }

  /** Reads to the end, unless that goes on already. */
  readOn(): void {
    if (this.#stopping) this.#stopping = 'goOn';
    if (this.#reading || this.#disposed || this.#summary?.complete === true) return;
    this.#reading = true;
    if (this.#summary) this.#changes.fire(this.#summary);
    const title = vscode.l10n.t('Reading {0}', this.name);
    const location = vscode.ProgressLocation.Window;
    void vscode.window.withProgress({ location, title }, (progress) => this.#read(progress));
  }

  /** What was read stays. */
  stopReading(): void {
    this.#mostRows = this.#summary?.rows ?? 0;
    if (this.#reading) this.#stopping = 'stop';
    this.#reads.dispose();
  }

  /** An engine that was started anew has read it as far as it goes now. Throws where that is less than there was. */
  restored({ rows }: TraceSummary): void {
    if (rows >= this.#mostRows) return;
    throw new RequestError({
      code: 'trace/changed',
      message: vscode.l10n.t('{0} has {1} rows now, and had {2}.', this.name, rows, this.#mostRows),
      hint: vscode.l10n.t('Its file has changed. Close it and open it again.'),
    });
  }

  /** What rows say has changed. */
  renew(): void {
    if (this.#disposed) return;
    this.ask('traceSummary', {}).then(
      (summary) => {
        this.#summary = summary;
        if (!this.#disposed) this.#renewals.fire();
      },
      (error: unknown) => {
        if (!this.#disposed) this.#keeper.fail(error);
      },
    );
  }

  /** Reads the file as it is now. */
  async reload(): Promise<void> {
    if (this.#disposed) throw this.#closed();
    this.#reloads++;
    this.#reads.dispose();
    this.#reading = false;
    this.#stopping = undefined;
    this.#summary = undefined;
    this.#mostRows = 0;
    await this.#keeper.engine.closeTrace(this.id);
    this.#renewals.fire();
  }

  dispose(): void {
    this.#disposed = true;
    this.#watch.dispose();
    this.#reads.dispose();
    this.#keeper.closed(this);
    this.#changes.dispose();
    this.#renewals.dispose();
  }

  async #read(progress: vscode.Progress<{ message?: string }>): Promise<void> {
    const signal = this.#reads.next();
    const reload = this.#reloads;
    let last: TraceSummary | undefined;
    try {
      const onProgress: RequestOptions['onProgress'] = ({ fraction }) => {
        if (fraction !== undefined) progress.report({ message: `${Math.floor(100 * fraction)} %` });
        this.#renew();
      };
      last = await this.ask('traceIndex', {}, { signal, onProgress });
    } catch (error) {
      if (!isCancelled(error) && !this.#disposed) this.#keeper.fail(error);
      if (!this.#disposed && reload === this.#reloads)
        last = await this.ask('traceSummary', {}).catch(() => this.#summary);
    }
    if (reload !== this.#reloads) return;
    this.#reading = false;
    const goesOn = this.#stopping === 'goOn';
    this.#stopping = undefined;
    if (last) this.#set(last);
    if (goesOn) this.readOn();
    if (last?.complete === true && !this.#disposed && this.spaces.by !== 'auto') await this.#split();
  }

  /** It was open before this was: tables of it were being built. */
  async #join(): Promise<TraceSummary> {
    const summary = await this.ask('traceSummary', {});
    if (!this.#summary && !this.#disposed) this.opened(summary);
    return summary;
  }

  /** Rows of a trace that was opened anew do not know their address spaces. */
  async #split(): Promise<void> {
    try {
      await this.ask('traceSpaces', { spaces: this.spaces });
      this.renew();
    } catch (error) {
      if (!this.#disposed) this.#keeper.fail(error);
    }
  }

  #renew(): void {
    const now = Date.now();
    if (now - this.#renewed < RENEW_EVERY_MS) return;
    this.#renewed = now;
    const reload = this.#reloads;
    this.ask('traceSummary', {}).then(
      (summary) => {
        if (this.#reading && reload === this.#reloads) this.#set(summary);
      },
      () => undefined,
    );
  }

  #closed(): RequestError {
    return new RequestError({
      code: 'trace/closed',
      message: vscode.l10n.t('The trace {0} was closed.', this.name),
      hint: vscode.l10n.t('Open it and ask again.'),
    });
  }

  #set(summary: TraceSummary): void {
    this.#summary = summary;
    this.#mostRows = Math.max(this.#mostRows, summary.rows);
    if (!this.#disposed) this.#changes.fire(summary);
  }
}

/** Names a trace to the engine: the same in every window and after a restart. */
export const traceIdOf = (uri: vscode.Uri): TraceId => uri.toString();

/** Options of a request that a token ends. */
export const untilCancelled = (token: vscode.CancellationToken): RequestOptions => ({
  signal: signalOf(token),
});
