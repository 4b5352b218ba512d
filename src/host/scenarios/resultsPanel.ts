import * as vscode from 'vscode';
import { RequestError } from '../../inspection/protocol';
import {
  type ExportFormat,
  readFromResultsView,
  readResultsState,
  RESULTS_VERSION,
  type ResultsModel,
  type ShowResults,
  type ToResultsView,
} from '../../webview/messages/resultsMessages';
import { forPage, roundsMissing } from '../../webview/messages/resultsModel';
import { pageHtml, resourceRoots } from '../views/webviewPage';
import { resultsStrings } from './resultsStrings';

/** A page that is there paints within this. */
const PAINTED_WITHIN_MS = 20_000;
/** The first bytes of every PNG (ISO 15948, section 5.2). */
const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** What the user asks for on the page. */
export type ResultsIntent =
  | { readonly kind: 'reveal'; readonly run: number; readonly failure: number }
  | { readonly kind: 'export'; readonly format: ExportFormat };

/**
 * The **Scenario Results** panel among the editors; there is one. It keeps what it shows in the page's state, which comes back with the
 * window.
 */
export class ResultsPanel implements vscode.Disposable, vscode.WebviewPanelSerializer {
  static readonly id = 'iopte.scenarioResults';

  readonly #intents = new vscode.EventEmitter<ResultsIntent>();
  readonly onDidRequest = this.#intents.event;
  readonly #registered: vscode.Disposable;

  #panel: vscode.WebviewPanel | undefined;
  /** Messages to a page that has not asked yet would be lost. */
  #ready = false;
  #shown: ResultsModel | undefined;
  /** Why nothing is shown. */
  #notice: string | null = null;
  #generation = 0;
  #request = 0;
  readonly #paintings = new Map<number, (png: Uint8Array | null) => void>();
  #whenReady: (() => void)[] = [];

  constructor(private readonly extension: vscode.Uri) {
    this.#registered = vscode.window.registerWebviewPanelSerializer(ResultsPanel.id, this);
  }

  /** With all of their rounds; undefined: nothing is shown. */
  get shown(): ResultsModel | undefined {
    return this.#shown;
  }

  get isOpen(): boolean {
    return this.#panel !== undefined;
  }

  /** Shows results in the place of those before, in the panel that there is or in a new one beside the editor. */
  show(results: ResultsModel): void {
    const column = this.#panel?.viewColumn ?? vscode.ViewColumn.Beside;
    if (this.#panel) this.#panel.reveal(column, true);
    else {
      const where = { viewColumn: column, preserveFocus: true };
      this.#adopt(
        vscode.window.createWebviewPanel(ResultsPanel.id, vscode.l10n.t('Scenario Results'), where),
      );
    }
    this.update(results);
  }

  /** Shows newer results where the panel is, without bringing it to the front. */
  update(results: ResultsModel): void {
    this.#shown = results;
    this.#notice = null;
    this.#generation++;
    this.#post();
  }

  /** The charts as a PNG; null when there are none. */
  async picture(): Promise<Uint8Array | null> {
    const panel = this.#panel;
    if (!panel) return null;
    // A page that is hidden is not there.
    if (!panel.visible) panel.reveal(panel.viewColumn, true);
    const request = ++this.#request;
    let timer: unknown;
    const painted = new Promise<Uint8Array | null>((resolve, reject) => {
      this.#paintings.set(request, resolve);
      timer = setTimeout(() => {
        reject(notPainted());
      }, PAINTED_WITHIN_MS);
    });
    try {
      this.#afterReady(() => {
        this.#send({ v: RESULTS_VERSION, type: 'paint', request });
      });
      return await painted;
    } finally {
      clearTimeout(timer);
      this.#paintings.delete(request);
    }
  }

  /** Takes a panel over that was open when the window was closed, with what its page kept. */
  deserializeWebviewPanel(panel: vscode.WebviewPanel, kept: unknown): Promise<void> {
    const state = readResultsState(kept);
    this.#panel?.dispose();
    this.#shown = state?.results ?? undefined;
    this.#notice = state?.results
      ? null
      : vscode.l10n.t(
          'These results were kept by another version of the extension, or none were there yet. Run the scenario again to see them.',
        );
    this.#generation++;
    this.#adopt(panel);
    return Promise.resolve();
  }

  dispose(): void {
    this.#registered.dispose();
    this.#panel?.dispose();
    this.#intents.dispose();
  }

  #adopt(panel: vscode.WebviewPanel): void {
    this.#panel = panel;
    this.#ready = false;
    const icon = (theme: string): vscode.Uri =>
      vscode.Uri.joinPath(this.extension, 'media', 'language', `scenario-${theme}.svg`);
    panel.iconPath = { light: icon('light'), dark: icon('dark') };
    this.#tell();
    const { webview } = panel;
    webview.options = { enableScripts: true, localResourceRoots: resourceRoots(this.extension) };
    const listeners = [
      webview.onDidReceiveMessage((message: unknown) => this.#receive(message)),
      panel.onDidChangeViewState(() => {
        // It is made anew when it shows again, and says so.
        if (!panel.visible) this.#ready = false;
      }),
    ];
    panel.onDidDispose(() => {
      for (const each of listeners) each.dispose();
      if (this.#panel !== panel) return;
      this.#panel = undefined;
      this.#ready = false;
      this.#whenReady = [];
      this.#shown = undefined;
      this.#tell();
    });
    webview.html = pageHtml(webview, this.extension, vscode.l10n.t('Scenario Results'), {
      script: 'results.js',
      style: 'results.css',
    });
  }

  #post(): void {
    const message: ShowResults = {
      ...{ v: RESULTS_VERSION, type: 'show', generation: this.#generation, notice: this.#notice },
      results: this.#shown ? forPage(this.#shown) : null,
      strings: resultsStrings(!this.#shown || roundsMissing(this.#shown) === 0),
    };
    this.#send(message);
  }

  #send(message: ToResultsView): void {
    if (this.#panel && this.#ready) void this.#panel.webview.postMessage(message);
  }

  #afterReady(task: () => void): void {
    if (this.#ready) task();
    else this.#whenReady.push(task);
  }

  #tell(): void {
    void vscode.commands.executeCommand('setContext', 'iopte:showsResults', this.isOpen);
  }

  #receive(value: unknown): void {
    const message = readFromResultsView(value);
    if (message?.type === 'ready') {
      this.#ready = true;
      this.#post();
      for (const each of this.#whenReady.splice(0)) each();
    } else if (message?.type === 'picture')
      this.#paintings.get(message.request)?.(isPng(message.png) ? message.png : null);
    else if (message?.type === 'export') this.#intents.fire({ kind: 'export', format: message.format });
    // The user may have clicked just before other results were shown.
    else if (message?.type === 'reveal' && message.generation === this.#generation)
      this.#intents.fire({ kind: 'reveal', run: message.run, failure: message.failure });
  }
}

const isPng = (bytes: Uint8Array | null): boolean =>
  bytes !== null && PNG_SIGNATURE.every((byte, index) => bytes[index] === byte);

const notPainted = (): RequestError =>
  new RequestError({
    code: 'scenario/no-picture',
    message: vscode.l10n.t('The charts were not painted in time.'),
    hint: vscode.l10n.t('Bring Scenario Results to the front, and export again.'),
  });
