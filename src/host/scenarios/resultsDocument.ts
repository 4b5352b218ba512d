import * as vscode from 'vscode';
import type { ScenarioRun } from './results';
import { resultsMarkdown } from './resultsTable';

const SCHEME = 'iopte-results';

/** What runs came to, side by side, as a document that nobody can change. */
export class ResultsDocument implements vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<vscode.Uri>();
  private readonly registered: vscode.Disposable;
  private readonly uri = vscode.Uri.from({
    scheme: SCHEME,
    path: `/${vscode.l10n.t('Scenario Results')}.md`,
  });
  private text = '';

  constructor() {
    this.registered = vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
      onDidChange: this.changes.event,
      provideTextDocumentContent: () => this.text,
    });
  }

  /** Shows these runs in the place of those before. */
  async show(runs: readonly ScenarioRun[]): Promise<void> {
    this.text = resultsMarkdown(runs);
    this.changes.fire(this.uri);
    const document = await vscode.workspace.openTextDocument(this.uri);
    await vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.Beside, preview: true });
  }

  dispose(): void {
    this.registered.dispose();
    this.changes.dispose();
  }
}
