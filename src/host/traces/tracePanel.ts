import * as vscode from 'vscode';
import {
  type FromTraceView,
  readFromTraceView,
  type ToTraceView,
  type TraceAction,
  TRACE_VERSION,
} from '../../webview/messages/traceMessages';
import { summaryModel } from '../../webview/messages/traceModel';
import { failureOf } from '../errors';
import { pageHtml, resourceRoots } from '../views/webviewPage';
import { TraceAnswers } from './traceAnswers';
import type { TraceDocument } from './traceDocument';
import { traceStrings } from './traceStrings';

/** What the user asks for on the page, and is not the page's own. */
export type TraceIntent = Extract<FromTraceView, { type: 'command' | 'bookmark' }>;
/** Where the cursor stands, and the rows of the view that are selected. */
export type TraceSelection = Extract<FromTraceView, { type: 'select' }>;

/** What a panel tells the rest of the host. */
export interface TracePanelListener {
  request(panel: TracePanel, intent: TraceIntent): void;
  select(panel: TracePanel, selection: TraceSelection): void;
  /** Rows of the trace that have bookmarks. */
  bookmarks(document: TraceDocument): readonly number[];
}

export interface TracePanelOptions {
  /** Of all editors of traces there were. */
  readonly number: number;
  readonly extension: vscode.Uri;
  /** Whether the grid is to have the keyboard once it is there. */
  readonly takesFocus: boolean;
}

/** One editor of a trace: its page, and what goes to and fro. */
export class TracePanel implements vscode.Disposable {
  readonly #listeners: vscode.Disposable[];
  readonly #prefix: string;
  #answers: TraceAnswers;
  /** Pages there were: one that is hidden is thrown away. */
  #pages = 0;
  /** A page that has not been told of the trace takes nothing else. */
  #page: 'absent' | 'opening' | 'open' = 'absent';
  #openings = 0;
  #waiting: ToTraceView[] = [];
  /** Where to begin, rather than where the page was. */
  #row: number | null = null;
  #selection: TraceSelection | undefined;
  #takesFocus: boolean;

  constructor(
    readonly document: TraceDocument,
    readonly panel: vscode.WebviewPanel,
    { number, extension, takesFocus }: TracePanelOptions,
    private readonly listener: TracePanelListener,
  ) {
    this.#takesFocus = takesFocus;
    this.#prefix = `p${number}`;
    this.#answers = this.#freshAnswers();
    const { webview } = panel;
    webview.options = { enableScripts: true, localResourceRoots: resourceRoots(extension) };
    this.#listeners = [
      webview.onDidReceiveMessage((message: unknown) => this.#receive(message)),
      panel.onDidChangeViewState(() => {
        // It is made anew when it shows again, and says so.
        if (!panel.visible) this.#page = 'absent';
      }),
      document.onDidChange((summary) => {
        this.#send({
          ...{ v: TRACE_VERSION, type: 'summary' },
          summary: summaryModel(summary, document.reading),
        });
        this.#answers.readOn();
      }),
      document.onDidRenew(() => {
        if (this.#page === 'absent') return;
        this.#answers.forgetViews();
        void this.#begin();
      }),
    ];
    webview.html = pageHtml(webview, extension, vscode.l10n.t('Trace {0}', document.name), {
      script: 'trace.js',
      style: 'trace.css',
    });
  }

  /** Where the cursor stands; undefined before the page has said so. */
  get selection(): TraceSelection | undefined {
    return this.#selection;
  }

  /** What the filter of the page lets through; empty for all. */
  get where(): string {
    return this.#answers.where;
  }

  /**
   * Moves the cursor to a row of the trace. With the focus the editor comes to the front. What the page then says of its cursor has the
   * `token`.
   */
  goTo(row: number, focus: boolean, token?: number): void {
    if (focus) this.panel.reveal(this.panel.viewColumn, false);
    if (this.#page === 'open')
      this.#send({ v: TRACE_VERSION, type: 'goTo', row, focus, ...(token !== undefined && { token }) });
    else {
      this.#row = row;
      this.#takesFocus ||= focus;
    }
  }

  /** Has the page do something, once it is there. */
  act(action: TraceAction): void {
    this.#whenOpen({ v: TRACE_VERSION, type: 'act', action });
  }

  useFilter(text: string): void {
    this.#whenOpen({ v: TRACE_VERSION, type: 'useFilter', text });
  }

  showBookmarks(): void {
    const rows = [...this.listener.bookmarks(this.document)];
    this.#send({ v: TRACE_VERSION, type: 'bookmarks', rows });
  }

  dispose(): void {
    for (const each of this.#listeners) each.dispose();
    this.#answers.dispose();
  }

  /** Questions of each page are numbered from the first on. */
  #freshAnswers(): TraceAnswers {
    const answers: TraceAnswers = new TraceAnswers(
      this.document,
      `${this.#prefix}.${++this.#pages}`,
      (message) => {
        if (this.#answers === answers && this.#page !== 'absent') this.#post(message);
      },
    );
    return answers;
  }

  #whenOpen(message: ToTraceView): void {
    if (this.#page === 'open') this.#post(message);
    else this.#waiting.push(message);
  }

  #send(message: ToTraceView): void {
    if (this.#page === 'open') this.#post(message);
  }

  #post(message: ToTraceView): void {
    void this.panel.webview.postMessage(message);
  }

  #receive(value: unknown): void {
    const message = readFromTraceView(value);
    if (!message) return;
    switch (message.type) {
      case 'ready':
        this.#answers.dispose();
        this.#answers = this.#freshAnswers();
        this.#post({ v: TRACE_VERSION, type: 'opening', strings: traceStrings() });
        void this.#begin();
        return;
      case 'select': {
        // It is told of scrolling, too.
        const isMoved = message.row !== this.#selection?.row;
        this.#selection = message;
        if (isMoved) this.listener.select(this, message);
        return;
      }
      case 'command':
      case 'bookmark':
        this.listener.request(this, message);
        return;
      case 'copyText':
        void vscode.env.clipboard.writeText(message.text);
        return;
      default:
        void this.#answers.answer(message);
    }
  }

  /** Tells the page of the trace, once it is open. */
  async #begin(): Promise<void> {
    this.#page = 'opening';
    const opening = ++this.#openings;
    const opened = await this.#opened();
    // Hidden meanwhile, or begun again.
    if (opening !== this.#openings || this.#isHidden) return;
    this.#post(opened);
    if (opened.type !== 'opened') return;
    this.#row = null;
    this.#page = 'open';
    if (this.#takesFocus && this.panel.active) this.act('rows');
    this.#takesFocus = false;
    for (const each of this.#waiting.splice(0)) this.#post(each);
  }

  get #isHidden(): boolean {
    return this.#page === 'absent';
  }

  async #opened(): Promise<ToTraceView> {
    const strings = traceStrings();
    try {
      const summary = await this.document.open();
      return {
        ...{ v: TRACE_VERSION, type: 'opened', strings, row: this.#row },
        summary: summaryModel(summary, this.document.reading),
        bookmarks: [...this.listener.bookmarks(this.document)],
      };
    } catch (error) {
      const { code, message, hint } = failureOf(error);
      const failure = { code, message, ...(hint !== undefined && { hint }) };
      return { v: TRACE_VERSION, type: 'refused', failure, strings };
    }
  }
}
