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
  readonly #answers: TraceAnswers;
  readonly #listeners: vscode.Disposable[];
  /** Messages to a page that has not asked yet would be lost. */
  #ready = false;
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
    this.#answers = new TraceAnswers(document, `p${number}`, (message) => {
      this.#send(message);
    });
    const { webview } = panel;
    webview.options = { enableScripts: true, localResourceRoots: resourceRoots(extension) };
    this.#listeners = [
      webview.onDidReceiveMessage((message: unknown) => this.#receive(message)),
      panel.onDidChangeViewState(() => {
        // It is made anew when it shows again, and says so.
        if (!panel.visible) this.#ready = false;
      }),
      document.onDidChange((summary) => {
        this.#send({
          ...{ v: TRACE_VERSION, type: 'summary' },
          summary: summaryModel(summary, document.reading),
        });
        this.#answers.readOn();
      }),
      document.onDidRenew(() => {
        if (this.#ready) void this.#begin();
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

  /** Moves the cursor to a row of the trace. With the focus the editor comes to the front. */
  goTo(row: number, focus: boolean): void {
    if (focus) this.panel.reveal(this.panel.viewColumn, false);
    if (this.#ready) this.#send({ v: TRACE_VERSION, type: 'goTo', row, focus });
    else this.#row = row;
  }

  /** Has the page do something, once it is there. */
  act(action: TraceAction): void {
    this.#whenReady({ v: TRACE_VERSION, type: 'act', action });
  }

  useFilter(text: string): void {
    this.#whenReady({ v: TRACE_VERSION, type: 'useFilter', text });
  }

  showBookmarks(): void {
    const rows = [...this.listener.bookmarks(this.document)];
    this.#send({ v: TRACE_VERSION, type: 'bookmarks', rows });
  }

  /** The rows of the view that are selected, as TSV with their names on top. */
  selectedText(): Promise<{ readonly text: string; readonly rows: number }> {
    const { first, count } = this.#selection ?? { first: 0, count: 0 };
    return this.#answers.textOf(first, count);
  }

  dispose(): void {
    for (const each of this.#listeners) each.dispose();
    this.#answers.dispose();
  }

  #whenReady(message: ToTraceView): void {
    if (this.#ready) this.#send(message);
    else this.#waiting.push(message);
  }

  #send(message: ToTraceView): void {
    if (this.#ready) void this.panel.webview.postMessage(message);
  }

  #receive(value: unknown): void {
    const message = readFromTraceView(value);
    if (!message) return;
    switch (message.type) {
      case 'ready':
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

  async #begin(): Promise<void> {
    this.#answers.forgetViews();
    this.#ready = true;
    const strings = traceStrings();
    this.#send({ v: TRACE_VERSION, type: 'opening', strings });
    try {
      const summary = await this.document.open();
      const row = this.#row;
      this.#row = null;
      this.#send({
        ...{ v: TRACE_VERSION, type: 'opened', strings, row },
        summary: summaryModel(summary, this.document.reading),
        bookmarks: [...this.listener.bookmarks(this.document)],
      });
      if (this.#takesFocus && this.panel.active) this.act('rows');
      this.#takesFocus = false;
      for (const each of this.#waiting.splice(0)) this.#send(each);
    } catch (error) {
      const { code, message, hint } = failureOf(error);
      const failure = { code, message, ...(hint !== undefined && { hint }) };
      this.#send({ v: TRACE_VERSION, type: 'refused', failure, strings });
    }
  }
}
