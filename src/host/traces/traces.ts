import * as vscode from 'vscode';
import type { TraceCommand } from '../../webview/messages/traceMessages';
import type { BookmarkStore } from '../bookmarkStore';
import type { EngineHost } from '../engineHost';
import type { Reporter } from '../errors';
import { rowsWithBookmarks } from './traceBookmarks';
import { TraceEditors } from './traceEditors';
import { TraceMemory } from './traceMemory';
import type { TraceIntent, TracePanel, TraceSelection } from './tracePanel';

/** What traces need of the rest of the host. */
interface TraceContext {
  readonly engine: EngineHost;
  readonly reporter: Reporter;
  readonly bookmarks: BookmarkStore;
  readonly state: vscode.Memento;
  readonly extension: vscode.Uri;
  readonly canReadPaths: boolean;
  /** The cursor of an editor moved to a row. */
  readonly selected: (panel: TracePanel, selection: TraceSelection) => void;
}

/** Commands that the page's buttons and menus stand for. */
const COMMANDS: Readonly<Record<Exclude<TraceCommand, 'stopReading' | 'readOn' | 'openText'>, string>> = {
  replay: 'iopte.replayTrace',
  history: 'iopte.showIovaHistory',
  lifetimes: 'iopte.showTraceLifetimes',
  findings: 'iopte.showTraceFindings',
  export: 'iopte.exportTrace',
  split: 'iopte.splitTraceBySpaces',
  bookmarks: 'iopte.listTraceBookmarks',
};

/** Traces: their editors, what is kept of them, and what their pages ask for. */
export class Traces implements vscode.Disposable {
  readonly memory: TraceMemory;
  readonly editors: TraceEditors;
  readonly #disposables: readonly { dispose(): unknown }[];

  constructor({ engine, reporter, bookmarks, state, extension, canReadPaths, selected }: TraceContext) {
    this.memory = new TraceMemory(state);
    this.editors = new TraceEditors({
      ...{ engine, reporter, extension, canReadPaths, memory: this.memory },
      listener: {
        request: (panel, intent) => {
          this.#request(panel, intent);
        },
        select: selected,
        bookmarks: ({ id }) => rowsWithBookmarks(bookmarks.all, id),
      },
    });
    this.#disposables = [
      this.editors,
      bookmarks.onDidChange(() => {
        for (const panel of this.editors.panels) panel.showBookmarks();
      }),
    ];
  }

  dispose(): void {
    for (const each of this.#disposables) each.dispose();
  }

  #request({ document }: TracePanel, intent: TraceIntent): void {
    const about = { trace: document.id };
    if (intent.type === 'bookmark') {
      void vscode.commands.executeCommand('iopte.toggleTraceBookmark', { ...about, row: intent.row });
      return;
    }
    const { command, row, iova } = intent;
    if (command === 'stopReading') document.stopReading();
    else if (command === 'readOn') document.readOn();
    else if (command === 'openText')
      void vscode.commands.executeCommand('vscode.openWith', document.uri, 'default');
    else
      void vscode.commands.executeCommand(COMMANDS[command], {
        ...about,
        ...(row !== null && { row }),
        ...(iova !== null && { iova }),
      });
  }
}
