import * as vscode from 'vscode';
import { startEngine } from '../../src/inspection/web/startEngine';
import { equal, ok } from './assert';
import { describeRestoring } from './restoring';
import { EXTENSION } from './support';
import { type Crash } from './windows';

async function realWorker(): Promise<Uint8Array> {
  const extension = vscode.extensions.getExtension(EXTENSION);
  ok(extension);
  const file = vscode.Uri.joinPath(extension.extensionUri, 'dist', 'engineWorker.js');
  return vscode.workspace.fs.readFile(file);
}

/** The real worker behind a listener that throws, which is how a browser's worker is lost. */
function crashingWorker({ method, nth }: Crash, worker: Uint8Array): Uint8Array {
  const isIt = method === undefined ? 'true' : `event.data.method === '${method}'`;
  const crash = `let asked = 0;
    addEventListener('message', (event) => {
      if (!(${isIt}) || ++asked !== ${String(nth)}) return;
      event.stopImmediatePropagation();
      throw new Error('a crash');
    });\n`;
  return new TextEncoder().encode(crash + new TextDecoder().decode(worker));
}

describeRestoring({
  canReadPaths: false,
  start: async (crash) => {
    const worker = await realWorker();
    const client = await startEngine({ workerSource: crash ? crashingWorker(crash, worker) : worker });
    equal(client.where, 'worker');
    return client;
  },
});
