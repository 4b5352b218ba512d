import * as vscode from 'vscode';
import { DESCRIPTION_SUFFIX, RequestError } from '../../inspection/protocol';
import type { Command } from '../app';
import { samples, traceSamples } from '../samples';
import { openUri } from './openMemoryImage';

/** Opens one of the images or traces that come with the extension; needs no folder. */
export const openSample: Command = {
  id: 'iopte.openSample',
  async run(app, given) {
    const traces = traceSamples();
    const known = [...samples(), ...traces];
    const name = typeof given === 'string' ? given : await askForSample();
    if (name === undefined) return;
    if (!known.some((sample) => sample.name === name)) {
      throw new RequestError({
        code: 'host/no-sample',
        message: vscode.l10n.t('There is no sample {0}.', name),
        hint: vscode.l10n.t('The samples are: {0}.', known.map((sample) => sample.name).join(', ')),
      });
    }
    const folder = vscode.Uri.joinPath(app.context.extensionUri, 'samples');
    if (traces.some((sample) => sample.name === name))
      await app.traces.editors.show(vscode.Uri.joinPath(folder, 'traces', name));
    else await openUri(app, vscode.Uri.joinPath(folder, `${name}${DESCRIPTION_SUFFIX}`));
  },
};

async function askForSample(): Promise<string | undefined> {
  const items = [...samples(), ...traceSamples()].map(({ name, detail }) => ({ label: name, detail }));
  const placeHolder = vscode.l10n.t('Memory images, reduced to their tables, and traces');
  const chosen = await vscode.window.showQuickPick(items, { placeHolder, matchOnDetail: true });
  return chosen?.label;
}
