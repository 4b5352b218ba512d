import * as path from 'node:path';
import type * as vscode from 'vscode';
import { startEngine } from '../../inspection/node/startEngine';
import { activate as activateHost } from '../activate';
import type { IopteApi } from '../api';
import { createFile } from './createFile';
import { prepareTerminals } from './terminals';

/** Entry point in the Node extension host: the engine runs in a worker thread and reads ranges of files. */
export function activate(context: vscode.ExtensionContext): IopteApi {
  return activateHost(context, {
    kind: 'node',
    startEngine: ({ globalStorageUri }) =>
      startEngine({
        cacheDirectory: path.join(globalStorageUri.fsPath, 'inflated'),
        workerPath: path.join(__dirname, 'engineWorker.js'),
      }),
    prepareTerminals,
    createFile,
  });
}
