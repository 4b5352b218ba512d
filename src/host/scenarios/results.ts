import * as vscode from 'vscode';
import type { ScenarioOutcome } from '../../inspection/protocol';

/** What a run came to, and of what it was one. */
export interface ScenarioRun {
  readonly uri: vscode.Uri;
  /** That was run. */
  readonly text: string;
  readonly outcome: ScenarioOutcome;
  /** What a sweep set; empty for a run of the file as it is. */
  readonly set: Readonly<Record<string, string>>;
}

/** The oldest are forgotten beyond this. */
const MOST_KEPT = 10_000;

/** The outcomes of this session, the last one for each file, variant and settings. */
export class ScenarioResults implements vscode.Disposable {
  private readonly runs = new Map<string, ScenarioRun>();
  private readonly changes = new vscode.EventEmitter<ScenarioRun>();
  /** A run is over. */
  readonly onDidChange = this.changes.event;

  get all(): readonly ScenarioRun[] {
    return [...this.runs.values()];
  }

  of(uri: vscode.Uri): readonly ScenarioRun[] {
    return this.all.filter((each) => each.uri.toString() === uri.toString());
  }

  add(run: ScenarioRun): void {
    const key = JSON.stringify([run.uri.toString(), run.outcome.variant, run.set]);
    // The newest stands last.
    this.runs.delete(key);
    this.runs.set(key, run);
    const [oldest] = this.runs.keys();
    if (oldest !== undefined && this.runs.size > MOST_KEPT) this.runs.delete(oldest);
    void vscode.commands.executeCommand('setContext', 'iopte:hasOutcomes', true);
    this.changes.fire(run);
  }

  dispose(): void {
    this.changes.dispose();
  }
}
