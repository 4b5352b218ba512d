import * as vscode from 'vscode';
import { DESCRIPTION_SUFFIX } from '../../../inspection/protocol';
import type { Command } from '../../app';
import { requestOptions, withProgressIfLong } from '../../progress';
import { baseName, folderOf } from '../../source';
import { givenValues } from '../targets';
import { targetMade } from './target';

/**
 * Saves a machine's memory, or that of tables replayed from a trace, as an ELF core with its description beside it: it opens again
 * equal. Takes `{uri}`, or asks.
 */
export const saveMachine: Command = {
  id: 'iopte.saveMachine',
  async run(app, arg) {
    const inspection = targetMade(app, arg);
    const given = givenValues(arg)['uri'];
    const uri = given instanceof vscode.Uri ? given : await askWhere(inspection.title);
    if (!uri) return;
    const name = baseName(uri);
    const title = vscode.l10n.t('Saving {0}', inspection.title);
    const { image, description } = await withProgressIfLong(title, (task) =>
      app.inspections.ask(inspection, 'saveMachine', { name }, requestOptions(task)),
    );
    const beside = vscode.Uri.joinPath(folderOf(uri), `${name.replace(/\.elf$/i, '')}${DESCRIPTION_SUFFIX}`);
    await vscode.workspace.fs.writeFile(uri, image);
    await vscode.workspace.fs.writeFile(beside, new TextEncoder().encode(description));
    const open = vscode.l10n.t('Open');
    void vscode.window
      .showInformationMessage(vscode.l10n.t('Saved {0} and {1}.', name, baseName(beside)), open)
      .then((chosen) => chosen && vscode.commands.executeCommand('iopte.openMemoryImage', beside));
  },
};

function askWhere(title: string): Thenable<vscode.Uri | undefined> {
  const [folder] = vscode.workspace.workspaceFolders ?? [];
  const name = `${title.toLowerCase().replace(/[^a-z0-9]+/g, '-')}.elf`;
  return vscode.window.showSaveDialog({
    title: vscode.l10n.t('Save as Image'),
    filters: { [vscode.l10n.t('ELF cores')]: ['elf'] },
    ...(folder && { defaultUri: vscode.Uri.joinPath(folder.uri, name) }),
  });
}
