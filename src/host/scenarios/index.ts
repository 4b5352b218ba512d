import type * as vscode from 'vscode';
import type { EngineHost } from '../engineHost';
import type { Inspections } from '../inspections';
import { ScenarioChecks } from './checks';
import { registerScenarioHelp } from './completion';
import { ScenarioDiagnostics } from './diagnostics';
import { ScenarioFailures } from './failures';
import { ScenarioLens } from './lens';
import { ScenarioResults } from './results';
import { ResultsPanel } from './resultsPanel';
import { ResultsPresenter } from './resultsPresenter';
import { ScenarioRunner } from './runner';
import { registerScenarioTasks } from './tasks';
import { ScenarioTests } from './testing';

/** Everything about scenario files: their language, running them, and what runs came to. */
export class Scenarios implements vscode.Disposable {
  readonly checks: ScenarioChecks;
  readonly failures = new ScenarioFailures();
  readonly results = new ScenarioResults();
  readonly presenter: ResultsPresenter;
  readonly runner: ScenarioRunner;
  readonly tests: ScenarioTests;
  private readonly disposables: { dispose(): unknown }[];

  constructor(
    engine: EngineHost,
    inspections: Inspections,
    log: vscode.LogOutputChannel,
    extension: vscode.Uri,
  ) {
    const { failures, results } = this;
    this.checks = new ScenarioChecks(engine);
    this.presenter = new ResultsPresenter(results, new ResultsPanel(extension), log);
    const batch = engine.another();
    this.runner = new ScenarioRunner(engine, batch, inspections, this.checks, results, failures, log);
    this.tests = new ScenarioTests(this.checks, this.runner, log);
    this.disposables = [
      ...[this.runner, this.checks, failures, results, this.presenter, this.tests],
      ...[new ScenarioDiagnostics(this.checks, log), new ScenarioLens(this.checks)],
      ...[registerScenarioHelp(engine), registerScenarioTasks(this.runner)],
    ];
  }

  dispose(): void {
    for (const each of this.disposables) each.dispose();
  }
}
