import * as vscode from 'vscode';
import { RequestError } from '../../../inspection/protocol';
import type { ResultsModel } from '../../../webview/messages/resultsMessages';
import { roundsMissing } from '../../../webview/messages/resultsModel';
import { comparisonMarkdown, roundsCsv } from '../../../webview/messages/resultsTables';
import type { App, Command } from '../../app';
import { resultsStrings } from '../../scenarios/resultsStrings';
import { baseName } from '../../source';
import { givenValues } from '../targets';
import { writeFile } from './newScenario';

/** Writes every round of the migrations that Scenario Results shows. Takes `{target}`, or asks where to. */
export const exportResultsCsv: Command = {
  id: 'iopte.exportResultsCsv',
  async run(app, arg) {
    const shown = shownResults(app);
    if (shown.runs.every(({ migration }) => !migration)) throw noRounds();
    const missing = roundsMissing(shown);
    const lacks =
      missing === 0
        ? undefined
        : vscode.l10n.t(
            '{0} rounds are not in it: they were left out when the window was reloaded. Run the scenario again to have them.',
            missing,
          );
    await save(arg, shown, 'csv', () => Promise.resolve(new TextEncoder().encode(roundsCsv(shown))), lacks);
  },
};

/** Writes the charts of Scenario Results as a picture. Takes `{target}`, or asks where to. */
export const exportResultsPng: Command = {
  id: 'iopte.exportResultsPng',
  async run(app, arg) {
    const shown = shownResults(app);
    await save(arg, shown, 'png', async () => {
      const png = await app.scenarios.presenter.panel.picture();
      if (!png) throw noRounds();
      return png;
    });
  },
};

/** Copies the figures of Scenario Results as a table. */
export const copyResultsMarkdown: Command = {
  id: 'iopte.copyResultsMarkdown',
  run: (app) => vscode.env.clipboard.writeText(comparisonMarkdown(shownResults(app), resultsStrings())),
};

function shownResults({ scenarios: { presenter } }: App): ResultsModel {
  const { shown } = presenter.panel;
  if (shown) return shown;
  throw new RequestError({
    code: 'scenario/no-results-shown',
    message: vscode.l10n.t('No results of scenarios are shown.'),
    hint: vscode.l10n.t('Run a scenario, and then "IOPTE: Show Scenario Results".'),
  });
}

const noRounds = (): RequestError =>
  new RequestError({
    code: 'scenario/no-rounds',
    message: vscode.l10n.t('The results that are shown have no migration, and so no rounds.'),
    hint: vscode.l10n.t('"IOPTE: Export Scenario Results" writes the figures of every run.'),
  });

/**
 * Asks for the place first: what is written may take a while to make.
 * @param lacks  what is not in it, to be said
 */
async function save(
  arg: unknown,
  { runs: [first] }: ResultsModel,
  ending: 'csv' | 'png',
  made: () => Promise<Uint8Array>,
  lacks?: string,
): Promise<void> {
  const given = givenValues(arg)['target'];
  const [folder] = vscode.workspace.workspaceFolders ?? [];
  const name = `${first?.file ?? 'results'}-rounds.${ending}`;
  const target =
    given instanceof vscode.Uri
      ? given
      : await vscode.window.showSaveDialog({
          title:
            ending === 'csv' ? vscode.l10n.t('Export Rounds as CSV') : vscode.l10n.t('Export Charts as PNG'),
          filters: ending === 'csv' ? { CSV: ['csv'] } : { PNG: ['png'] },
          ...(folder && { defaultUri: vscode.Uri.joinPath(folder.uri, name) }),
        });
  if (!target) return;
  await writeFile(target, await made());
  const open = vscode.l10n.t('Open');
  const said = vscode.l10n.t('Exported {0}.', baseName(target));
  const show = lacks === undefined ? vscode.window.showInformationMessage : vscode.window.showWarningMessage;
  void show(lacks === undefined ? said : `${said} ${lacks}`, open).then((chosen) =>
    chosen === open ? vscode.commands.executeCommand('vscode.open', target) : undefined,
  );
}
