import * as vscode from 'vscode';
import { DESCRIPTION_SUFFIX } from '../../inspection/protocol';

/** A link above an image description that opens it. */
export function registerCodeLens(): vscode.Disposable {
  return vscode.languages.registerCodeLensProvider(
    { pattern: `**/*${DESCRIPTION_SUFFIX}` },
    {
      provideCodeLenses: (document) => [
        new vscode.CodeLens(new vscode.Range(0, 0, 0, 0), {
          title: vscode.l10n.t('Open in IOPTE Inspector'),
          command: 'iopte.openInInspector',
          arguments: [document.uri],
        }),
      ],
    },
  );
}
