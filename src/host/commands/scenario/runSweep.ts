import * as vscode from 'vscode';
import { RequestError } from '../../../inspection/protocol';
import type { App, Command } from '../../app';
import { failureOf, isCancelled, sentence } from '../../errors';
import { requestOptions, withProgress } from '../../progress';
import { askPick, type Choice } from '../../prompts/pick';
import { askInSteps, type Step } from '../../prompts/steps';
import { askText } from '../../prompts/text';
import { stemOf } from '../../scenarios/files';
import type { ScenarioRun } from '../../scenarios/results';
import type { Impossible } from '../../scenarios/resultsTable';
import { namedVariant, ScenarioError, variantsOf, type Runnable } from '../../scenarios/runner';
import { withTimeLeft } from '../../scenarios/timeLeft';
import { givenText, givenValues } from '../targets';
import { exportRuns } from './results';
import { partOf } from './run';
import { parseSettings, productOf, type Setting } from './settings';
import { activeScenario, givenScenario, targetScenario } from './target';

interface Answers {
  readonly variants?: readonly (string | null)[];
  readonly settings?: readonly Setting[];
}

/** Runs a scenario for every combination of settings. Takes `{uri, variant, settings: "machine.memory=64M,1G"}`, or asks. */
export const runSweep: Command = {
  id: 'iopte.runSweep',
  async run(app, ...args) {
    const given = givenScenario(args);
    const named = { ...given, uri: given.uri ?? activeScenario() };
    const uri = await targetScenario(app, named, vscode.l10n.t('Run Sweep'));
    if (!uri) return;
    const ready = await app.scenarios.runner.prepare(uri);
    const typed = givenText(givenValues(args[0]), 'settings');
    const all = variantsOf(ready.outline);
    const count = given.variant === undefined ? all.length : 1;
    const settings = typed === undefined ? undefined : parseSettings(typed, count);
    if (typeof settings === 'string')
      throw new RequestError({ code: 'scenario/settings', message: settings });
    const known: Answers = {
      ...(settings && { settings }),
      ...(given.variant !== undefined && { variants: [namedVariant(ready.outline, given.variant)] }),
      ...(all.length === 1 && { variants: all }),
      ...(given.variant === undefined && settings && { variants: all }),
    };
    const title = vscode.l10n.t('Run Sweep of {0}', stemOf(uri));
    const answers = await askInSteps<Answers>(title, known, [askVariants(all), askSettings(ready)]);
    if (answers?.variants && answers.settings) await sweep(app, ready, answers.variants, answers.settings);
  },
};

async function sweep(
  app: App,
  ready: Runnable,
  variants: readonly (string | null)[],
  settings: readonly Setting[],
): Promise<void> {
  const plan = variants.flatMap((variant) => productOf(settings).map((set) => ({ variant, set })));
  const runs: ScenarioRun[] = [];
  const impossible: Impossible[] = [];
  let first: Error | undefined;
  await withProgress(vscode.l10n.t('Sweep of {0}', stemOf(ready.uri)), async (task) => {
    const report = withTimeLeft((progress) => {
      task.report(progress);
    });
    for (const [index, { variant, set }] of plan.entries()) {
      // What there is of a sweep that was cancelled is shown, too.
      if (task.signal.aborted || runs.at(-1)?.outcome.cancelled === true) break;
      const place = vscode.l10n.t('run {0} of {1}', index + 1, plan.length);
      const options = { ...requestOptions(partOf(task, report, place, index, plan.length)), set };
      report({ message: place, fraction: index / plan.length });
      try {
        const one = await app.scenarios.runner.prepareWith(ready, variant, set);
        const { outcome } = await app.scenarios.runner.run(one, variant, options);
        runs.push({ uri: ready.uri, text: ready.text, outcome, set });
      } catch (error) {
        if (isCancelled(error)) break;
        first ??= error instanceof Error ? error : new Error(String(error));
        const why = error instanceof ScenarioError ? error.said : sentence(failureOf(error));
        impossible.push({ uri: ready.uri, variant, set, why });
      }
    }
  });
  // A setting that no combination can have is a mistake.
  if (runs.length === 0 && first) throw first;
  if (runs.length > 0) app.scenarios.presenter.show(runs);
  tell(app, ready, runs, impossible);
}

/** Says what a sweep came to, with a way to the table. Does not wait for the message to be read. */
function tell(
  { reporter }: App,
  { uri }: Runnable,
  runs: readonly ScenarioRun[],
  impossible: readonly Impossible[],
): void {
  if (runs.length === 0) return;
  const passed = runs.filter(({ outcome }) => outcome.passed).length;
  const said = vscode.l10n.t('{0}: {1} of {2} runs passed.', stemOf(uri), passed, runs.length);
  const [worst] = impossible;
  const not = worst
    ? ` ${vscode.l10n.t('{0} could not run: {1}: {2}', impossible.length, settingsText(worst), worst.why)}`
    : '';
  const show = worst ? vscode.window.showWarningMessage : vscode.window.showInformationMessage;
  const asCsv = vscode.l10n.t('Export as CSV');
  void show(`${said}${not}`, asCsv)
    .then((chosen) => (chosen === asCsv ? exportRuns(runs, stemOf(uri), undefined, impossible) : undefined))
    .then(undefined, (error: unknown) => reporter.report(error));
}

const settingsText = ({ variant, set }: Impossible): string =>
  [
    ...(variant === null ? [] : [variant]),
    ...Object.entries(set).map(([path, value]) => `${path}=${value}`),
  ].join(' ');

const askVariants =
  (all: readonly (string | null)[]): Step<Answers> =>
  async (state, place) => {
    if (state.variants) return 'skip';
    const choices: readonly Choice<readonly (string | null)[]>[] = [
      { label: vscode.l10n.t('All variants'), value: all },
      ...all.map((name) => ({ label: name ?? '', value: [name] })),
    ];
    const answer = await askPick({ placeholder: vscode.l10n.t('Variant'), choices }, place);
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, variants: answer.value } } : answer;
  };

const askSettings =
  ({ outline }: Runnable): Step<Answers> =>
  async (state, place) => {
    if (state.settings) return 'skip';
    const count = state.variants?.length ?? 1;
    const question = {
      prompt: vscode.l10n.t(
        'Paths in the scenario with their values: machine.memory=64M,1G parameters.page=0x1000',
      ),
      placeholder: outline.migrates ? 'migrate.link=25Gbps,100Gbps' : 'machine.seed=1,2,3',
      check: (text: string): string | undefined => {
        const settings = parseSettings(text, count);
        return typeof settings === 'string' ? settings : undefined;
      },
    };
    const answer = await askText(question, place);
    if (answer.kind !== 'value') return answer;
    const settings = parseSettings(answer.value, count);
    return typeof settings === 'string'
      ? { kind: 'cancel' }
      : { kind: 'value', value: { ...state, settings } };
  };
