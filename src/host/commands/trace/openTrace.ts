import * as vscode from 'vscode';
import type { Command } from '../../app';
import { givenUris } from '../openMemoryImage';

/** Endings that traces have; what a file is, its content says. */
const ENDINGS = ['iotrace', 'trace', 'ftrace', 'txt', 'log', 'dat', 'csv', 'jsonl', 'bitmap', 'gz'];

/** Opens traces in the trace editor: those given (from the explorer), else asks for files. */
export const openTrace: Command = {
  id: 'iopte.openTrace',
  async run(app, ...args) {
    const given = givenUris(args);
    const uris = given.length > 0 ? given : await askForFiles();
    for (const uri of uris) await app.traces.editors.show(uri);
  },
};

async function askForFiles(): Promise<readonly vscode.Uri[]> {
  const chosen = await vscode.window.showOpenDialog({
    title: vscode.l10n.t('Open Trace'),
    openLabel: vscode.l10n.t('Open'),
    canSelectMany: true,
    filters: {
      [vscode.l10n.t('Traces')]: ENDINGS,
      [vscode.l10n.t('All files')]: ['*'],
    },
  });
  return chosen ?? [];
}
