import * as vscode from 'vscode';
import type { ResultOf } from '../../../inspection/protocol';
import type { Command } from '../../app';
import { requestOptions, withProgressIfLong } from '../../progress';
import { stemOf } from '../../scenarios/files';
import { baseName, folderOf } from '../../source';
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
    const saved = (stem?: string): Promise<ResultOf<'machineAsScenario'>> =>
      withProgressIfLong(label, (task) => {
        const params = { title: inspection.title, ...(stem !== undefined && { stem }) };
        return app.inspections.ask(inspection, 'machineAsScenario', params, requestOptions(task));
      });
    const first = await saved();
    const given = givenValues(arg)['uri'];
    const count = Object.keys(first.files).length;
    const name = inspection.title
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '');
    // What it names must stand beside it, so that it needs a place.
    const asked = count > 0 && !given ? await askScenarioFile(label, name) : undefined;
    const uri = given instanceof vscode.Uri ? given : asked;
    if (!uri) {
      if (count === 0) await showScenario(first.text, undefined, name);
      return;
    }
    const { text, files } = count === 0 ? first : await saved(stemOf(uri));
    const all = new Map(
      Object.entries(files).map(([file, bytes]) => [vscode.Uri.joinPath(folderOf(uri), file), bytes]),
    );
    // The dialog that names a file has asked for that one.
    const others = asked ? all : new Map([...all, [uri, new TextEncoder().encode(text)]]);
    if (!(await mayReplace(label, others))) return;
    for (const [file, bytes] of all) await writeFile(file, bytes);
    await showScenario(text, uri, name);
  },
};

/** Asks before what is there is written over, unless it is the same. */
async function mayReplace(label: string, files: ReadonlyMap<vscode.Uri, Uint8Array>): Promise<boolean> {
  const names: string[] = [];
  for (const [file, bytes] of files) {
    const before = await vscode.workspace.fs.readFile(file).then(undefined, () => undefined);
    const isSame = before?.length === bytes.length && before.every((byte, index) => byte === bytes[index]);
    if (before && !isSame) names.push(baseName(file));
  }
  if (names.length === 0) return true;
  const replace = vscode.l10n.t('Replace');
  const options = { modal: true, detail: vscode.l10n.t('What is in them now is lost.') };
  const question = vscode.l10n.t('{0}: replace {1}?', label, names.join(', '));
  return (await vscode.window.showWarningMessage(question, options, replace)) === replace;
}
