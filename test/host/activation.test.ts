import * as vscode from 'vscode';
import { equal, ok } from './assert';

describe('extension', () => {
  it('is found and activates', async () => {
    const extension = vscode.extensions.getExtension('iopte.iopte-inspector');
    ok(extension, 'VS Code does not know iopte.iopte-inspector');
    await extension.activate();
    equal(extension.isActive, true);
  });

  it('offers its commands under the category IOPTE', async () => {
    const commands = await vscode.commands.getCommands(true);
    ok(
      commands.some((command) => command.startsWith('iopte.')),
      'no command begins with "iopte."',
    );
  });
});
