import * as vscode from 'vscode';
import { type EntryDetails } from '../../inspection/protocol';
import {
  type CopyMessage,
  ENTRY_VERSION,
  readFromEntryView,
  type ShowMessage,
} from '../../webview/messages/entryMessages';
import { copyText, entryModel } from '../../webview/messages/entryModel';
import { entryStrings } from './entryStrings';
import { pageHtml, resourceRoots } from './webviewPage';

/** The **Entry** view: the selected entry as a bit diagram with every field. */
export class EntryView implements vscode.WebviewViewProvider, vscode.Disposable {
  static readonly id = 'iopte.entry';

  readonly #copyRequests = new vscode.EventEmitter<string>();
  /** The text that the user wants on the clipboard. */
  readonly onDidRequestCopy = this.#copyRequests.event;

  #view: vscode.WebviewView | undefined;
  /** Messages to a page that has not asked yet would be lost. */
  #ready = false;
  #details: EntryDetails | undefined;
  #generation = 0;

  constructor(private readonly extension: vscode.Uri) {}

  resolveWebviewView(view: vscode.WebviewView): void {
    this.#view = view;
    this.#ready = false;
    view.webview.options = { enableScripts: true, localResourceRoots: resourceRoots(this.extension) };
    const listener = view.webview.onDidReceiveMessage((message: unknown) => this.#receive(message));
    view.onDidDispose(() => {
      listener.dispose();
      if (this.#view === view) this.#view = undefined;
    });
    view.webview.html = pageHtml(view.webview, this.extension, vscode.l10n.t('Entry'), {
      script: 'entry.js',
      style: 'entry.css',
    });
  }

  /** Shows an entry, or that none is selected. Kept until the view is opened. */
  show(details: EntryDetails | undefined): void {
    this.#details = details;
    this.#generation++;
    this.#post();
  }

  dispose(): void {
    this.#copyRequests.dispose();
  }

  #post(): void {
    if (!this.#view || !this.#ready) return;
    const message: ShowMessage = {
      v: ENTRY_VERSION,
      type: 'show',
      generation: this.#generation,
      entry: this.#details ? entryModel(this.#details) : null,
      strings: entryStrings(this.#details),
    };
    void this.#view.webview.postMessage(message);
  }

  #receive(value: unknown): void {
    const message = readFromEntryView(value);
    if (message?.type === 'ready') {
      this.#ready = true;
      this.#post();
    } else if (message?.type === 'copy') this.#copy(message);
  }

  #copy(message: CopyMessage): void {
    // The user may have clicked just before another entry was shown.
    if (!this.#details || message.generation !== this.#generation) return;
    const text = copyText(this.#details, message);
    if (text !== undefined) this.#copyRequests.fire(text);
  }
}
