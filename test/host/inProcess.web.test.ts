import * as vscode from 'vscode';
import { connect } from '../../src/inspection/client';
import { startInProcess } from '../../src/inspection/web/inProcess';
import { deepEqual, equal, ok } from './assert';
import { EXTENSION } from './support';

/** What a host that refuses workers is left with, in a host that forbids what browsers forbid there. */
describe('the engine without a worker', () => {
  it('is evaluated by the extension host itself, and answers', async () => {
    const extension = vscode.extensions.getExtension(EXTENSION);
    ok(extension);
    const file = vscode.Uri.joinPath(extension.extensionUri, 'dist', 'engineWorker.js');
    const client = connect(await startInProcess(await vscode.workspace.fs.readFile(file)));
    equal(client.where, 'in-process');
    deepEqual(await client.request('checkFilter', { where: 'perm = rw' }), []);
    const [problem] = await client.request('checkFilter', { where: 'perm = ' });
    equal(problem?.severity, 'error');
    await client.dispose();
  });
});
