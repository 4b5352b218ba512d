import * as vscode from 'vscode';
import type { TraceViewId } from '../../inspection/protocol';
import {
  type FromTraceView,
  MOST_COPIED_ROWS,
  type ToTraceView,
  TRACE_VERSION,
} from '../../webview/messages/traceMessages';
import { rowModels } from '../../webview/messages/traceModel';
import { failureOf } from '../errors';
import { type TraceDocument, untilCancelled } from './traceDocument';

/** What the page asks the engine, and what the host answers. */
export type PageQuestion = Exclude<
  FromTraceView,
  { type: 'ready' | 'select' | 'command' | 'bookmark' | 'copyText' }
>;
type Question<T extends PageQuestion['type']> = Extract<PageQuestion, { type: T }>;

/** A page of groups; more are asked for with its cursor. */
const GROUP_LIMIT = 200;
/** How far a filter has come is told this often. */
const TELL_EVERY_MS = 150;
const MOST_COMPLETIONS = 200;
const MOST_PROBLEMS = 100;

/** The view that a filter of the page is asked in. */
interface Filter {
  /** The question that made it: what comes of it later answers that, too. */
  readonly id: number;
  readonly gen: number;
  readonly where: string;
  readonly view: TraceViewId;
}

/**
 * Answers what one page of a trace asks; a page that is made anew has another of these. A question gets one answer: what it asked for,
 * or why not. One of a filter that the page has no more gets none, as the page waits for it no more.
 */
export class TraceAnswers implements vscode.Disposable {
  readonly #running = new Map<number, vscode.CancellationTokenSource>();
  #filter: Filter | undefined;
  #filtering: number | undefined;
  #where = '';
  /** The newest filter that the page has asked about, and the newest that is forgotten. */
  #newest = -1;
  #forgotten = -1;
  #views = 0;

  constructor(
    private readonly document: TraceDocument,
    /** Views of one trace have different names in different editors. */
    private readonly prefix: string,
    private readonly send: (message: ToTraceView) => void,
  ) {}

  /** The filter of the page; empty for none. */
  get where(): string {
    return this.#where;
  }

  async answer(question: PageQuestion): Promise<void> {
    const { id, gen } = question;
    if (question.type === 'cancel') {
      this.#running.get(id)?.cancel();
      return;
    }
    this.#newest = Math.max(this.#newest, gen);
    const source = new vscode.CancellationTokenSource();
    this.#running.set(id, source);
    try {
      const answer = await this.#answer(question, source.token);
      if (answer) this.send(answer);
    } catch (error) {
      // What was ended from here failed for no reason of its own.
      if (this.#running.get(id) !== source) return;
      const { code, message, hint } = failureOf(error);
      const failure = { code, message, ...(hint !== undefined && { hint }) };
      this.send({ v: TRACE_VERSION, type: 'failed', id, gen, failure });
    } finally {
      if (this.#running.get(id) === source) this.#running.delete(id);
      source.dispose();
    }
  }

  /** More of the trace is there: the engine has asked the filter's view those rows, too. */
  readOn(): void {
    const filter = this.#filter;
    if (!filter || filter.view === '' || this.#filtering !== undefined) return;
    // A trace that cannot be read tells so itself.
    this.#tellGrown(filter).catch(() => undefined);
  }

  /** The page is told of the trace anew, and filters again as it did; until then nothing has an answer. */
  forgetViews(): void {
    const running = [...this.#running.values()];
    this.#running.clear();
    for (const source of running) source.cancel();
    this.#forgotten = this.#newest;
    this.#filtering = undefined;
    this.#use(undefined);
  }

  /** Rows of the view as TSV, with their names on top. */
  async textOf(first: number, count: number): Promise<{ readonly text: string; readonly rows: number }> {
    const { document } = this;
    const heading = await this.#heading();
    const parts = [heading];
    const view = this.#filter?.view ?? '';
    const { rows: at } = await document.ask('traceRows', { view, first, count: 1 });
    let from = at[0]?.row ?? null;
    let left = Math.min(count, MOST_COPIED_ROWS);
    while (from !== null && left > 0) {
      const params = { where: this.where, format: 'tsv', from, limit: left } as const;
      const piece = await document.ask('traceExport', params);
      parts.push(piece.text.startsWith(heading) ? piece.text.slice(heading.length) : piece.text);
      left -= piece.rows;
      from = piece.rows === 0 ? null : piece.next;
    }
    return { text: parts.join(''), rows: Math.min(count, MOST_COPIED_ROWS) - left };
  }

  dispose(): void {
    this.forgetViews();
  }

  #answer(
    question: Exclude<PageQuestion, Question<'cancel'>>,
    token: vscode.CancellationToken,
  ): Promise<ToTraceView | undefined> {
    switch (question.type) {
      case 'rows':
        return this.#rows(question);
      case 'filter':
        return this.#startFilter(question, token);
      case 'complete':
        return this.#complete(question);
      case 'check':
        return this.#check(question);
      case 'find':
        return this.#find(question, token);
      case 'seek':
        return this.#seek(question, token);
      case 'groups':
        return this.#groups(question, token);
      case 'density':
        return this.#density(question, token);
      case 'copy':
        return this.#copy(question);
    }
  }

  /** The view of what the page filters by; undefined: it has filtered anew meanwhile, or is to, and drops the answer. */
  #viewOf(gen: number): TraceViewId | undefined {
    if (!this.#filter) return gen > this.#forgotten ? '' : undefined;
    return this.#filter.gen === gen ? this.#filter.view : undefined;
  }

  async #rows({ id, gen, first, count }: Question<'rows'>): Promise<ToTraceView | undefined> {
    const view = this.#viewOf(gen);
    if (view === undefined) return undefined;
    const page = await this.document.ask('traceRows', { view, first, count });
    const { total, complete } = page;
    const rows = rowModels(page);
    return { v: TRACE_VERSION, type: 'rows', id, gen, first: page.first, rows, total, complete };
  }

  async #startFilter(
    { id, gen, text }: Question<'filter'>,
    token: vscode.CancellationToken,
  ): Promise<ToTraceView> {
    const rows = this.document.summary?.rows ?? 0;
    if (text.trim() === '') {
      this.#use({ id, gen, where: '', view: '' });
      return { v: TRACE_VERSION, type: 'filtered', id, gen, matched: rows, scanned: rows, done: true };
    }
    const view = this.#freshView();
    this.#use({ id, gen, where: text, view });
    this.#filtering = gen;
    this.document.views.set(view, text);
    let told = 0;
    const tell = async (fraction: number): Promise<void> => {
      const { total: matched } = await this.document.ask('traceRows', { view, first: 0, count: 1 });
      const scanned = Math.floor(rows * Math.min(1, fraction));
      if (this.#filter?.view === view && this.#filtering === gen)
        this.send({ v: TRACE_VERSION, type: 'filtered', id, gen, matched, scanned, done: false });
    };
    try {
      const result = await this.document.ask(
        'traceFilter',
        { view, where: text },
        {
          ...untilCancelled(token),
          onProgress: ({ fraction }) => {
            const now = Date.now();
            if (fraction === undefined || now - told < TELL_EVERY_MS) return;
            told = now;
            tell(fraction).catch(() => undefined);
          },
        },
      );
      const { matched, scanned } = result;
      return { v: TRACE_VERSION, type: 'filtered', id, gen, matched, scanned, done: true };
    } finally {
      if (this.#filtering === gen) this.#filtering = undefined;
      this.readOn();
    }
  }

  async #tellGrown({ id, gen, view }: Filter): Promise<void> {
    const { total: matched } = await this.document.ask('traceRows', { view, first: 0, count: 1 });
    const scanned = this.document.summary?.rows ?? 0;
    if (this.#filter?.view === view && this.#filtering === undefined)
      this.send({ v: TRACE_VERSION, type: 'filtered', id, gen, matched, scanned, done: true });
  }

  async #complete({ id, gen, text, offset }: Question<'complete'>): Promise<ToTraceView> {
    const completions = await this.document.ask('completeTraceFilter', { where: text, offset });
    const items = completions
      .slice(0, MOST_COMPLETIONS)
      .map(({ text: inserted, detail, start, end }) => ({ text: inserted, detail, start, end }));
    return { v: TRACE_VERSION, type: 'completions', id, gen, items };
  }

  async #check({ id, gen, text }: Question<'check'>): Promise<ToTraceView> {
    const found = text.trim() === '' ? [] : await this.document.ask('checkTraceFilter', { where: text });
    const problems = found.slice(0, MOST_PROBLEMS).map(({ message, hint, start, end, severity }) => ({
      ...{ message, start, end, severity },
      ...(hint !== undefined && { hint }),
    }));
    return { v: TRACE_VERSION, type: 'checked', id, gen, problems };
  }

  async #find(
    { id, gen, query, from, backwards }: Question<'find'>,
    token: vscode.CancellationToken,
  ): Promise<ToTraceView | undefined> {
    const view = this.#viewOf(gen);
    if (view === undefined) return undefined;
    const options = untilCancelled(token);
    const at = await this.document.ask('traceFind', { view, query, from, backwards }, options);
    return { v: TRACE_VERSION, type: 'found', id, gen, at };
  }

  async #seek(
    { id, gen, place }: Question<'seek'>,
    token: vscode.CancellationToken,
  ): Promise<ToTraceView | undefined> {
    const view = this.#viewOf(gen);
    if (view === undefined) return undefined;
    const known =
      'iova' in place
        ? { iova: place.iova, ...(place.after !== undefined && { after: place.after }) }
        : place;
    const at = await this.document.ask('traceSeek', { view, place: known }, untilCancelled(token));
    return { v: TRACE_VERSION, type: 'sought', id, gen, at };
  }

  async #groups(
    { id, gen, by, cursor }: Question<'groups'>,
    token: vscode.CancellationToken,
  ): Promise<ToTraceView | undefined> {
    if (this.#viewOf(gen) === undefined) return undefined;
    const page = { limit: GROUP_LIMIT, ...(cursor !== null && { cursor }) };
    const options = untilCancelled(token);
    const groups = await this.document.ask('traceGroups', { where: this.where, by, page }, options);
    const rows = [...groups.rows];
    const { next = null, total = null } = groups;
    return { v: TRACE_VERSION, type: 'groups', id, gen, by, rows, next, total };
  }

  async #density(
    { id, gen, buckets }: Question<'density'>,
    token: vscode.CancellationToken,
  ): Promise<ToTraceView | undefined> {
    const view = this.#viewOf(gen);
    if (view === undefined) return undefined;
    const density = await this.document.ask('traceDensity', { view, buckets }, untilCancelled(token));
    const { total } = density;
    return {
      ...{ v: TRACE_VERSION, type: 'density', id, gen, total },
      ...{ maps: [...density.maps], unmaps: [...density.unmaps] },
      ...{ faults: [...density.faults], others: [...density.others] },
    };
  }

  async #copy({ id, gen, first, count }: Question<'copy'>): Promise<ToTraceView | undefined> {
    if (this.#viewOf(gen) === undefined) return undefined;
    const { text, rows } = await this.textOf(first, count);
    await vscode.env.clipboard.writeText(text);
    return { v: TRACE_VERSION, type: 'copied', id, gen, rows };
  }

  /** The names of the columns: the first line of an export from the first row on. */
  async #heading(): Promise<string> {
    const params = { where: '', format: 'tsv', from: 0, limit: 1 } as const;
    const { text } = await this.document.ask('traceExport', params);
    return text.slice(0, text.indexOf('\n') + 1);
  }

  #freshView(): TraceViewId {
    return `${this.prefix}.${++this.#views}`;
  }

  #use(filter: Filter | undefined): void {
    const before = this.#filter;
    this.#filter = filter;
    if (filter) this.#where = filter.where;
    if (before && before.view !== '' && before.view !== filter?.view) this.document.dropView(before.view);
  }
}
