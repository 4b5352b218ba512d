import * as vscode from 'vscode';
import type { ResultOf } from '../../inspection/protocol';
import type { EngineHost } from '../engineHost';

export type Checked = ResultOf<'checkScenario'>;

interface Kept {
  readonly version: number;
  readonly checked: Promise<Checked>;
}

/** What the engine says of the scenarios that are open, asked for once for each state of a text. */
export class ScenarioChecks implements vscode.Disposable {
  private readonly kept = new WeakMap<vscode.TextDocument, Kept>();
  private readonly done = new vscode.EventEmitter<{ document: vscode.TextDocument; checked: Checked }>();
  /** A text was looked at that is still as it was. */
  readonly onDidCheck = this.done.event;

  constructor(private readonly engine: Pick<EngineHost, 'ask'>) {}

  of(document: vscode.TextDocument): Promise<Checked> {
    const { version } = document;
    const before = this.kept.get(document);
    if (before?.version === version) return before.checked;
    const checked = this.ofText(document.getText());
    this.kept.set(document, { version, checked });
    checked.then(
      (result) => {
        if (document.version === version && !document.isClosed) this.done.fire({ document, checked: result });
      },
      // It may be asked again.
      () => this.kept.delete(document),
    );
    return checked;
  }

  /** With settings: of one variant as a run with them would take it. */
  ofText(
    text: string,
    run?: { readonly variant: string | null; readonly set: Readonly<Record<string, string>> },
  ): Promise<Checked> {
    return this.engine.ask('checkScenario', { text, ...run });
  }

  dispose(): void {
    this.done.dispose();
  }
}
