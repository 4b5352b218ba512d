import * as vscode from 'vscode';
import { htmlText } from '../plainText';

/** Both hosts have Web Crypto as a global; no room of ours has its types. */
declare const crypto: { getRandomValues(bytes: Uint8Array): Uint8Array };

const newNonce = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join(
    '',
  );

export interface PageFiles {
  /** In dist/webview. */
  readonly script: string;
  /** In media. */
  readonly style: string;
}

/** The only folders a page of ours may load from. */
export function resourceRoots(extension: vscode.Uri): vscode.Uri[] {
  return [vscode.Uri.joinPath(extension, 'dist'), vscode.Uri.joinPath(extension, 'media')];
}

/** An empty page that may run one script and use one style sheet, and load nothing else. */
export function pageHtml(
  webview: vscode.Webview,
  extension: vscode.Uri,
  title: string,
  { script, style }: PageFiles,
): string {
  const nonce = newNonce();
  const scriptUri = webview.asWebviewUri(vscode.Uri.joinPath(extension, 'dist', 'webview', script));
  const styleUri = webview.asWebviewUri(vscode.Uri.joinPath(extension, 'media', style));
  const policy = `default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="${htmlText(vscode.env.language)}">
  <head>
    <meta charset="utf-8">
    <meta http-equiv="Content-Security-Policy" content="${policy}">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <link rel="stylesheet" href="${styleUri.toString()}">
    <title>${htmlText(title)}</title>
  </head>
  <body>
    <script nonce="${nonce}" src="${scriptUri.toString()}"></script>
  </body>
</html>`;
}
