import * as vscode from 'vscode';
import type { ScenarioOutcome } from '../../../inspection/protocol';
import type { App, Command } from '../../app';
import type { Inspection } from '../../inspections';
import { requestOptions, withProgressIfLong, type LongTask } from '../../progress';
import { askPick, type Choice } from '../../prompts/pick';
import { failureText, showFailure } from '../../scenarios/failures';
import { stemOf } from '../../scenarios/files';
import type { ScenarioRun } from '../../scenarios/results';
import { namedVariant, variantsOf, verdict, type Runnable } from '../../scenarios/runner';
import { withTimeLeft } from '../../scenarios/timeLeft';
import { activeScenario, givenScenario, targetScenario, type GivenScenario } from './target';

/** The machines of the first so many variants open: each takes memory. */
const MOST_OPENED = 4;

/** Runs a scenario: every variant of it, or the one that is given. Takes a file, or `{uri, variant}`; else it asks which. */
export const runScenario: Command = {
  id: 'iopte.runScenario',
  async run(app, ...args) {
    const given = givenScenario(args);
    const uri = await targetScenario(app, given);
    if (!uri) return;
    const ready = await app.scenarios.runner.prepare(uri);
    const { variant } = given;
    const variants =
      variant === undefined ? variantsOf(ready.outline) : [namedVariant(ready.outline, variant)];
    await runVariants(app, ready, variants);
  },
};

/** Asks for the variant, too. */
export const runScenarioVariant: Command = {
  id: 'iopte.runScenarioVariant',
  async run(app, ...args) {
    const given = givenScenario(args);
    const active: GivenScenario = { ...given, uri: given.uri ?? activeScenario() };
    const uri = await targetScenario(app, active, vscode.l10n.t('Run Scenario with Variant'));
    if (!uri) return;
    const ready = await app.scenarios.runner.prepare(uri);
    const variant =
      given.variant === undefined ? await askVariant(ready) : namedVariant(ready.outline, given.variant);
    if (variant !== undefined) await runVariants(app, ready, [variant]);
  },
};

/** Undefined when the question was dismissed; a scenario without variants has only itself. */
async function askVariant({ outline, uri }: Runnable): Promise<string | null | undefined> {
  if (outline.variants.length === 0) return null;
  const choices = outline.variants.map(({ name, about }): Choice<string> => ({
    label: name,
    value: name,
    ...(about !== undefined && { detail: about }),
  }));
  const place = { title: vscode.l10n.t('Run {0} with Variant', stemOf(uri)), step: 1, of: 1 };
  const answer = await askPick({ placeholder: vscode.l10n.t('Variant'), choices }, place);
  return answer.kind === 'value' ? answer.value : undefined;
}

/** Runs variants one after the other, opens their machines, and says what they came to. */
async function runVariants(app: App, ready: Runnable, variants: readonly (string | null)[]): Promise<void> {
  const { runner } = app.scenarios;
  runner.forgetFailures(ready.uri);
  const runs: ScenarioRun[] = [];
  let shown: Inspection | undefined;
  let isWrong = false;
  await withProgressIfLong(vscode.l10n.t('Running {0}', stemOf(ready.uri)), async (task) => {
    const report = withTimeLeft((progress) => {
      task.report(progress);
    });
    for (const [index, variant] of variants.entries()) {
      const options = {
        ...requestOptions(partOf(task, report, variant, index, variants.length)),
        open: index < MOST_OPENED,
      };
      const { outcome, inspection } = await runner.run(ready, variant, options);
      runs.push({ uri: ready.uri, text: ready.text, outcome, set: {} });
      // The first that failed is what is looked at, else the last.
      if (!isWrong) shown = inspection ?? shown;
      isWrong ||= !outcome.passed;
      if (outcome.cancelled) break;
    }
  });
  tell(app, ready, runs);
  // A migration is looked at as a chart.
  if (runs.some(({ outcome }) => outcome.migration)) app.scenarios.presenter.show(runs);
  // The text that was run keeps the focus.
  if (shown) await app.domains.reveal(shown, [], { focus: false });
}

/** One run of several as a part of the whole. */
export function partOf(
  { signal }: LongTask,
  report: LongTask['report'],
  name: string | null,
  index: number,
  of: number,
): LongTask {
  return {
    signal,
    report: ({ message, fraction = 0 }) => {
      report({
        message: of === 1 || name === null ? message : `${name}: ${message}`,
        fraction: (index + fraction) / of,
      });
    },
  };
}

/** Says what runs came to, with ways to what is wrong and to all figures. Does not wait for the message to be read. */
function tell(app: App, ready: Runnable, runs: readonly ScenarioRun[]): void {
  const bad = runs.filter(({ outcome }) => !outcome.passed);
  const [worst] = bad.flatMap(({ outcome }) => outcome.failures);
  const show = bad.length > 0 ? vscode.window.showWarningMessage : vscode.window.showInformationMessage;
  const actions = [
    ...(worst
      ? [
          {
            title: vscode.l10n.t('Show Problem'),
            run: () => showFailure(ready.uri, ready.text, worst),
          },
        ]
      : []),
    { title: vscode.l10n.t('Show Results'), run: () => app.scenarios.presenter.show(runs) },
  ];
  void show(summary(ready, runs), ...actions.map(({ title }) => title))
    .then((chosen) => actions.find(({ title }) => title === chosen)?.run())
    .then(undefined, (error: unknown) => app.reporter.report(error));
}

/** `split: broken passed, fixed: expected lost: 0, but 2.` */
export function summary({ uri }: Pick<Runnable, 'uri'>, runs: readonly ScenarioRun[]): string {
  const said = runs.map(({ outcome }) => {
    const [first] = outcome.failures;
    const result =
      first && !outcome.cancelled ? `${verdict(outcome)}: ${failureText(first)}` : verdict(outcome);
    return outcome.variant === null ? result : `${outcome.variant} ${result}`;
  });
  return `${stemOf(uri)}: ${said.join('; ')}${migrationText(runs.map(({ outcome }) => outcome))}`;
}

/** Of a single migration: how it went. */
function migrationText([outcome, ...others]: readonly ScenarioOutcome[]): string {
  return outcome?.migration && others.length === 0 ? `. ${outcome.migration.why}` : '';
}
