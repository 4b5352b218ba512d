import * as vscode from 'vscode';
import {
  RequestError,
  type Params,
  type TraceId,
  type TraceSummary,
  type TraceViewId,
} from '../../inspection/protocol';
import type { EngineHost } from '../engineHost';
import type { Reporter } from '../errors';
import { readTrace } from '../source';
import { TraceDocument, traceIdOf } from './traceDocument';
import type { TraceMemory } from './traceMemory';
import { TracePanel, type TracePanelListener } from './tracePanel';

/** What the editors of traces need of the rest of the host. */
interface EditorContext {
  readonly engine: EngineHost;
  readonly memory: TraceMemory;
  readonly reporter: Reporter;
  readonly extension: vscode.Uri;
  /** Whether the engine reads ranges of local files itself. */
  readonly canReadPaths: boolean;
  readonly listener: TracePanelListener;
}

/** The editors of traces: which traces are open, in which editors, and which of them commands mean. */
export class TraceEditors implements vscode.CustomReadonlyEditorProvider<TraceDocument>, vscode.Disposable {
  static readonly viewType = 'iopte.trace';

  readonly #documents = new Map<TraceId, TraceDocument>();
  readonly #panels = new Set<TracePanel>();
  readonly #allowedSizes = new Map<string, number>();
  readonly #registered: vscode.Disposable;
  /** The editor that was active last. */
  #current: TracePanel | undefined;
  #numbers = 0;
  readonly #told = new Map<string, boolean>();
  /** The editor that is being opened leaves the focus where it is. */
  #isQuiet = false;

  constructor(private readonly context: EditorContext) {
    this.#registered = vscode.window.registerCustomEditorProvider(TraceEditors.viewType, this, {
      supportsMultipleEditorsPerDocument: true,
    });
  }

  /** The editor that commands mean when they are given none. */
  get current(): TracePanel | undefined {
    return this.#current;
  }

  get panels(): readonly TracePanel[] {
    return [...this.#panels];
  }

  find(trace: TraceId): TraceDocument | undefined {
    return this.#documents.get(trace);
  }

  /** The editors of a trace, the one used last first. */
  panelsOf(trace: TraceId): readonly TracePanel[] {
    const all = this.panels.filter(({ document }) => document.id === trace);
    return all.sort((one, other) => Number(other === this.#current) - Number(one === this.#current));
  }

  openCustomDocument(uri: vscode.Uri): TraceDocument {
    const { engine, memory, reporter } = this.context;
    const id = traceIdOf(uri);
    const document = new TraceDocument(uri, memory.spacesOf(id), {
      engine,
      fail: (error) => {
        reporter.report(error);
      },
      changed: (changed) => {
        this.#offerReload(changed);
      },
      closed: (closed) => {
        if (this.#documents.get(id) !== closed) return;
        this.#documents.delete(id);
        engine.closeTrace(id).catch((error: unknown) => reporter.report(error));
      },
    });
    this.#documents.set(id, document);
    document.onDidChange(() => {
      this.#tellContext();
    });
    return document;
  }

  resolveCustomEditor(document: TraceDocument, webviewPanel: vscode.WebviewPanel): void {
    const { extension, listener } = this.context;
    const options = { number: ++this.#numbers, extension, takesFocus: !this.#isQuiet };
    const panel = new TracePanel(document, webviewPanel, options, listener);
    this.#panels.add(panel);
    if (webviewPanel.active) this.#use(panel);
    webviewPanel.onDidChangeViewState(() => {
      if (webviewPanel.active) this.#use(panel);
    });
    webviewPanel.onDidDispose(() => {
      this.#panels.delete(panel);
      if (this.#current === panel) this.#use(this.panels.at(-1));
      panel.dispose();
    });
  }

  /** Brings the editor of a trace to the front, or opens one; gives it once it is there. */
  async show(uri: vscode.Uri, row?: number, preserveFocus = false): Promise<TracePanel> {
    const id = traceIdOf(uri);
    const [known] = this.panelsOf(id);
    if (known) {
      known.panel.reveal(known.panel.viewColumn, preserveFocus);
      if (row !== undefined) known.goTo(row, !preserveFocus);
      return known;
    }
    this.#isQuiet = preserveFocus;
    try {
      await vscode.commands.executeCommand('vscode.openWith', uri, TraceEditors.viewType, { preserveFocus });
    } finally {
      this.#isQuiet = false;
    }
    const [opened] = this.panelsOf(id);
    if (!opened) {
      throw new RequestError({
        code: 'host/no-editor',
        message: vscode.l10n.t('{0} was not opened.', uri.toString(true)),
        hint: vscode.l10n.t('Check that the file is there and may be read.'),
      });
    }
    if (row !== undefined) opened.goTo(row, !preserveFocus);
    return opened;
  }

  /** What the engine needs to open a trace: also one that only tables were replayed from. */
  async traceParams(trace: TraceId): Promise<Params<'traceOpen'>> {
    const { canReadPaths } = this.context;
    const file = await readTrace(vscode.Uri.parse(trace, true), canReadPaths, this.#allowedSizes);
    return { trace, file };
  }

  traceViews(trace: TraceId): ReadonlyMap<TraceViewId, string> | undefined {
    return this.#documents.get(trace)?.views;
  }

  isTraceStopped(trace: TraceId): boolean {
    return this.#documents.get(trace)?.isStopped === true;
  }

  traceOpened(trace: TraceId, summary: TraceSummary): void {
    this.#documents.get(trace)?.opened(summary);
  }

  traceRows(trace: TraceId): number {
    return this.#documents.get(trace)?.mostRows ?? 0;
  }

  traceRestored(trace: TraceId, summary: TraceSummary): void {
    this.#documents.get(trace)?.restored(summary);
  }

  #use(panel: TracePanel | undefined): void {
    this.#current = panel;
    this.#tellContext();
  }

  /** What reading commands are offered for the editor that they mean. */
  #tellContext(): void {
    const document = this.#current?.document;
    const contexts = {
      'iopte:traceReading': document?.reading === true,
      'iopte:traceStopped': document?.isStopped === true,
    };
    for (const [name, value] of Object.entries(contexts)) {
      if (this.#told.get(name) === value) continue;
      this.#told.set(name, value);
      void vscode.commands.executeCommand('setContext', name, value);
    }
  }

  #offerReload(document: TraceDocument): void {
    const { reporter } = this.context;
    const run = (): void => {
      document.reload().catch((error: unknown) => reporter.report(error));
    };
    reporter.warn(
      {
        code: 'trace/changed',
        message: vscode.l10n.t('The file {0} has changed since it was read.', document.name),
        hint: vscode.l10n.t('What is shown may be wrong until it is read anew.'),
      },
      [{ label: vscode.l10n.t('Reload'), run }],
    );
  }

  dispose(): void {
    this.#registered.dispose();
  }
}
