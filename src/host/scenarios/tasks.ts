import * as vscode from 'vscode';
import { signalOf } from '../cancel';
import { failureOf, isCancelled, sentence } from '../errors';
import { failureRange, whatFailed } from './failures';
import { findScenarios, stemOf } from './files';
import {
  namedVariant,
  ScenarioError,
  variantsOf,
  verdict,
  type Runnable,
  type ScenarioRunner,
} from './runner';

const TASK_TYPE = 'iopte';
const MATCHER = '$iopte';
/** As the command line exits: passed, an expectation failed, it could not be run. */
const [PASSED, FAILED, UNUSABLE] = [0, 1, 2];

interface ScenarioTaskDefinition extends vscode.TaskDefinition {
  readonly scenario: string;
  readonly variant?: string;
}

/** Tasks that run a scenario: one for each file of the workspace, and those of tasks.json. */
export function registerScenarioTasks(runner: ScenarioRunner): vscode.Disposable {
  return vscode.tasks.registerTaskProvider(TASK_TYPE, {
    provideTasks: async (token) => {
      const found = await findScenarios(token);
      return found.map((uri) => {
        const folder = vscode.workspace.getWorkspaceFolder(uri);
        const scenario = vscode.workspace.asRelativePath(uri, false);
        return taskOf(runner, { type: TASK_TYPE, scenario }, folder ?? vscode.TaskScope.Workspace);
      });
    },
    resolveTask: ({ definition, scope }) =>
      isScenarioTask(definition)
        ? taskOf(runner, definition, scope ?? vscode.TaskScope.Workspace)
        : undefined,
  });
}

const isScenarioTask = (definition: vscode.TaskDefinition): definition is ScenarioTaskDefinition =>
  definition.type === TASK_TYPE &&
  typeof definition['scenario'] === 'string' &&
  (definition['variant'] === undefined || typeof definition['variant'] === 'string');

function taskOf(
  runner: ScenarioRunner,
  definition: ScenarioTaskDefinition,
  scope: NonNullable<vscode.Task['scope']>,
): vscode.Task {
  const { scenario, variant } = definition;
  const name = variant === undefined ? scenario : `${scenario} (${variant})`;
  // Its variables are resolved by then.
  const execution = new vscode.CustomExecution((resolved) =>
    Promise.resolve(new ScenarioTerminal(runner, isScenarioTask(resolved) ? resolved : definition, scope)),
  );
  const task = new vscode.Task(definition, scope, name, TASK_TYPE, execution, MATCHER);
  task.group = vscode.TaskGroup.Test;
  task.detail = vscode.l10n.t('Run the scenario {0}', stemOf(vscode.Uri.file(`/${scenario}`)));
  return task;
}

/** The terminal of a task: lines that the problem matcher reads. */
class ScenarioTerminal implements vscode.Pseudoterminal {
  private readonly written = new vscode.EventEmitter<string>();
  private readonly closed = new vscode.EventEmitter<number>();
  private readonly cancelling = new vscode.CancellationTokenSource();
  readonly onDidWrite = this.written.event;
  readonly onDidClose = this.closed.event;

  constructor(
    private readonly runner: ScenarioRunner,
    private readonly definition: ScenarioTaskDefinition,
    private readonly scope: NonNullable<vscode.Task['scope']>,
  ) {}

  open(): void {
    void this.run().then((code) => {
      this.closed.fire(code);
    });
  }

  close(): void {
    this.cancelling.cancel();
  }

  private line(text: string): void {
    this.written.fire(`${text}\r\n`);
  }

  private async run(): Promise<number> {
    const { scenario, variant } = this.definition;
    try {
      const ready = await this.runner.prepare(this.uriOf(scenario));
      const names =
        variant === undefined ? variantsOf(ready.outline) : [namedVariant(ready.outline, variant)];
      let code = PASSED;
      for (const name of names) {
        if (!(await this.runVariant(ready, name))) code = FAILED;
        if (this.cancelling.token.isCancellationRequested) return FAILED;
      }
      return code;
    } catch (error) {
      this.line(isCancelled(error) ? vscode.l10n.t('cancelled') : this.said(error));
      return UNUSABLE;
    }
  }

  private async runVariant(ready: Runnable, variant: string | null): Promise<boolean> {
    const began = Date.now();
    const { outcome } = await this.runner.run(ready, variant, { signal: signalOf(this.cancelling.token) });
    // The problem matcher shows what is printed here; a second list of the same problems would be no help.
    this.runner.forgetFailures(ready.uri);
    const name = `${this.definition.scenario}${variant === null ? '' : ` (${variant})`}`;
    for (const failure of outcome.failures) {
      const { line, character } = failureRange(ready.text, failure).start;
      const { expected, actual } = failure;
      this.line(
        `${this.definition.scenario}:${line + 1}:${character + 1}: error: ` +
          `${variant === null ? '' : `${variant}: `}expected ${whatFailed(failure)}: ${expected}, got ${actual}`,
      );
    }
    this.line(`${name}: ${verdict(outcome)} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    return outcome.passed;
  }

  /** What keeps the scenario from running, as the problem matcher reads it. */
  private said(error: unknown): string {
    const { scenario } = this.definition;
    if (!(error instanceof ScenarioError)) return `${scenario}:1:1: error: ${sentence(failureOf(error))}`;
    const { line, character } = error.range.start;
    return `${scenario}:${line + 1}:${character + 1}: error: ${error.said}`;
  }

  /** Relative to the task's folder. */
  private uriOf(scenario: string): vscode.Uri {
    const folders = vscode.workspace.workspaceFolders ?? [];
    const folder = typeof this.scope === 'object' ? this.scope : folders[0];
    const path = scenario.replaceAll('\\', '/');
    if (/^(?:\/|[a-z]:\/)/i.test(path) || !folder)
      return (folder?.uri ?? vscode.Uri.file('/')).with({ path: vscode.Uri.file(path).path });
    return vscode.Uri.joinPath(folder.uri, path);
  }
}
