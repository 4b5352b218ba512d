import * as path from 'node:path';
import * as vscode from 'vscode';
import { startEngine } from '../../src/inspection/node/startEngine';
import { describeRestoring } from './restoring';
import { EXTENSION, inFolder, writeText } from './support';
import { type Crash } from './windows';

const realWorker = (): string =>
  path.join(vscode.extensions.getExtension(EXTENSION)?.extensionPath ?? '', 'dist', 'engineWorker.js');

/** The real worker behind a listener that ends the thread. */
async function crashingWorker({ method, nth }: Crash): Promise<string> {
  const name = `crashing-${method ?? 'any'}-${String(nth)}.cjs`;
  await writeText(
    name,
    `let asked = 0;
     require('node:worker_threads').parentPort.on('message', (message) => {
       if (${method === undefined ? 'true' : `message.method === '${method}'`} && ++asked === ${String(nth)}) process.exit(3);
     });
     require(${JSON.stringify(realWorker())});`,
  );
  return inFolder(name).fsPath;
}

describeRestoring({
  canReadPaths: true,
  start: async (crash) => startEngine({ workerPath: crash ? await crashingWorker(crash) : realWorker() }),
});
