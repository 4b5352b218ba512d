import * as vscode from 'vscode';
import { RequestError } from '../../../inspection/protocol';
import type { App, Command } from '../../app';
import { nameOf, stemOf } from '../../scenarios/files';
import type { ScenarioRun } from '../../scenarios/results';
import { resultsCsv, type Impossible } from '../../scenarios/resultsTable';
import { baseName } from '../../source';
import { givenValues } from '../targets';
import { writeFile } from './newScenario';
import { activeScenario, givenScenario } from './target';

/** Shows what the runs of a scenario came to: of the one given, or in front, or of all. */
export const showScenarioResults: Command = {
  id: 'iopte.showScenarioResults',
  run: (app, ...args) => {
    app.scenarios.presenter.show(runsOf(app, args));
  },
};

/** Writes them as CSV. Takes `{uri, target}`, or asks where to. */
export const exportScenarioResults: Command = {
  id: 'iopte.exportScenarioResults',
  async run(app, ...args) {
    const runs = runsOf(app, args);
    const [first] = runs;
    const target = givenValues(args[0])['target'];
    const name = first ? stemOf(first.uri) : 'scenarios';
    await exportRuns(runs, name, target instanceof vscode.Uri ? target : undefined);
  },
};

function runsOf({ scenarios: { results } }: App, args: readonly unknown[]): readonly ScenarioRun[] {
  const { uri, variant } = givenScenario(args);
  const active = activeScenario();
  const named = uri && results.of(uri);
  const inFront = active && results.of(active);
  const found = named ?? (inFront && inFront.length > 0 ? inFront : results.all);
  const runs = found.filter(({ outcome }) => variant === undefined || outcome.variant === variant);
  if (runs.length > 0) return runs;
  throw new RequestError({
    code: 'scenario/no-results',
    message: uri
      ? vscode.l10n.t('{0} was not run yet.', nameOf(uri))
      : vscode.l10n.t('No scenario was run yet.'),
    hint: vscode.l10n.t('Run one with "IOPTE: Run Scenario".'),
  });
}

export async function exportRuns(
  runs: readonly ScenarioRun[],
  name: string,
  given: vscode.Uri | undefined,
  impossible: readonly Impossible[] = [],
): Promise<void> {
  const [folder] = vscode.workspace.workspaceFolders ?? [];
  const target =
    given ??
    (await vscode.window.showSaveDialog({
      title: vscode.l10n.t('Export Scenario Results'),
      filters: { CSV: ['csv'] },
      ...(folder && { defaultUri: vscode.Uri.joinPath(folder.uri, `${name}.csv`) }),
    }));
  if (!target) return;
  await writeFile(target, new TextEncoder().encode(resultsCsv(runs, impossible)));
  const open = vscode.l10n.t('Open');
  void vscode.window
    .showInformationMessage(
      vscode.l10n.t('Exported {0} runs to {1}.', runs.length + impossible.length, baseName(target)),
      open,
    )
    .then((chosen) => (chosen === open ? vscode.commands.executeCommand('vscode.open', target) : undefined));
}
