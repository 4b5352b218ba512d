import * as vscode from 'vscode';
import { formatSize } from '../../inspection/protocol';
import type { Command } from '../app';

export const showLog: Command = {
  id: 'iopte.showLog',
  run: (app) => {
    app.log.show();
  },
};

/** Ends the engine; the next question starts a new one with everything that was open. */
export const restartEngine: Command = {
  id: 'iopte.restartEngine',
  run: (app) => app.engine.end(),
};

/** Throws out what is kept on disk to open files faster: unpacked images and indexes of traces. */
export const clearCaches: Command = {
  id: 'iopte.clearCaches',
  async run(app) {
    const { files, bytes } = await app.engine.ask('clearCaches', {});
    const said =
      files === 0
        ? vscode.l10n.t('Nothing was kept.')
        : vscode.l10n.t('Cleared: {0} files, {1}.', files, formatSize(bytes));
    void vscode.window.showInformationMessage(said);
  },
};
