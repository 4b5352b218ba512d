import * as vscode from 'vscode';
import { startEngine } from '../../inspection/web/startEngine';
import { activate as activateHost } from '../activate';
import type { IopteApi } from '../api';

/** Entry point in the web worker extension host: the engine's one file is read and started from its bytes. */
export function activate(context: vscode.ExtensionContext): IopteApi {
  return activateHost(context, {
    kind: 'web',
    startEngine: async ({ extensionUri }, log) => {
      const file = vscode.Uri.joinPath(extensionUri, 'dist', 'engineWorker.js');
      return startEngine({
        workerSource: new Uint8Array(await vscode.workspace.fs.readFile(file)),
        log: (message) => {
          log.warn(message);
        },
      });
    },
  });
}
