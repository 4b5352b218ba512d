import * as vscode from 'vscode';
import type { Command } from '../../app';
import { requestOptions, withProgressIfLong } from '../../progress';
import { folderOf } from '../../source';
import { targetMachine } from '../machine/target';
import { givenValues } from '../targets';
import { askScenarioFile, showScenario, writeFile } from './newScenario';

/**
 * Writes a machine and all that was done to it as a scenario: a new document, or files where long traces of DMA stand beside it.
 * Takes `{inspection, uri}`.
 */
export const saveScenario: Command = {
  id: 'iopte.saveScenario',
  async run(app, arg) {
    const inspection = targetMachine(app, arg);
    const label = vscode.l10n.t('Save Machine as Scenario');
    const { text, files } = await withProgressIfLong(label, (task) =>
      app.inspections.ask(inspection, 'machineAsScenario', { title: inspection.title }, requestOptions(task)),
    );
    const given = givenValues(arg)['uri'];
    const traces = Object.entries(files);
    const name = inspection.title
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '');
    // What it names must stand beside it, so that it needs a place.
    const needsPlace = traces.length > 0;
    const asked = needsPlace && !given ? await askScenarioFile(label, name) : undefined;
    const uri = given instanceof vscode.Uri ? given : asked;
    if (!uri && needsPlace) return;
    if (uri)
      for (const [file, bytes] of traces) await writeFile(vscode.Uri.joinPath(folderOf(uri), file), bytes);
    await showScenario(text, uri, name);
  },
};
