import * as vscode from 'vscode';
import { type RunModel } from '../../webview/messages/resultsMessages';
import { runModel } from '../../webview/messages/resultsModel';
import { showFailure } from './failures';
import { stemOf } from './files';
import type { ScenarioResults, ScenarioRun } from './results';
import type { ResultsPanel } from './resultsPanel';

/** Brings runs into the Scenario Results panel, keeps them up to date there, and leads from what failed to the text. */
export class ResultsPresenter implements vscode.Disposable {
  readonly #results: ScenarioResults;
  readonly #disposables: readonly { dispose(): unknown }[];

  constructor(
    results: ScenarioResults,
    readonly panel: ResultsPanel,
    log: vscode.LogOutputChannel,
  ) {
    this.#results = results;
    this.#disposables = [
      panel,
      // What is shown and runs again is shown as it is now.
      results.onDidChange((run) => {
        this.#renew(run);
      }),
      panel.onDidRequest((intent) => {
        if (intent.kind === 'reveal')
          this.#reveal(intent.run, intent.failure).catch((error: unknown) => {
            log.error(`A failed expectation cannot be shown: ${String(error)}`);
          });
        else void vscode.commands.executeCommand(EXPORTS[intent.format]);
      }),
    ];
  }

  /** Shows these runs in the place of those before. */
  show(runs: readonly ScenarioRun[]): void {
    this.panel.show({ runs: runs.map(toModel) });
  }

  dispose(): void {
    for (const each of this.#disposables) each.dispose();
  }

  #renew(run: ScenarioRun): void {
    const { shown } = this.panel;
    const renewed = toModel(run);
    if (shown?.runs.some((each) => isSame(each, renewed)))
      this.panel.update({ runs: shown.runs.map((each) => (isSame(each, renewed) ? renewed : each)) });
  }

  async #reveal(run: number, failure: number): Promise<void> {
    const shown = this.panel.shown?.runs[run];
    const failed = shown?.failures[failure];
    if (!shown || !failed) return;
    const uri = vscode.Uri.parse(shown.uri, true);
    const ran = this.#results.of(uri).find((each) => isSame(toModel(each), shown));
    await showFailure(uri, ran?.text, failed);
  }
}

const EXPORTS = {
  csv: 'iopte.exportResultsCsv',
  png: 'iopte.exportResultsPng',
  markdown: 'iopte.copyResultsMarkdown',
} as const;

const toModel = ({ uri, outcome, set }: ScenarioRun): RunModel =>
  runModel(uri.toString(), stemOf(uri), set, outcome);

const keyOf = ({ uri, variant, set }: RunModel): string => JSON.stringify([uri, variant, set]);
const isSame = (one: RunModel, other: RunModel): boolean => keyOf(one) === keyOf(other);
