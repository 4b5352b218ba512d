import * as vscode from 'vscode';

/** Puts `iopte` on the PATH of integrated terminals. The editor's own runtime runs it, so nothing has to be installed. */
export function prepareTerminals({
  extensionPath,
  environmentVariableCollection,
}: vscode.ExtensionContext): void {
  const bin = vscode.Uri.joinPath(vscode.Uri.file(extensionPath), 'media', 'bin').fsPath;
  const separator = process.platform === 'win32' ? ';' : ':';
  const collection = environmentVariableCollection;
  collection.description = vscode.l10n.t('Adds the `iopte` command line of IOPTE Inspector');
  collection.prepend('PATH', `${bin}${separator}`);
  collection.replace('IOPTE_NODE', process.execPath);
}
