/** The Entry view's own page without an editor around it: the real bundle and style sheet, and an editor's side of the talk. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Page } from 'playwright-core';
import { type EntryDetails } from '../../../src/inspection/protocol';
import { entryModel } from '../../../src/webview/messages/entryModel';
import { root, type openBrowser } from '../harness';
import { strings } from './strings';
import themes from './themes.json';

type Browser = Awaited<ReturnType<typeof openBrowser>>;
export type Theme = keyof typeof themes;

export interface PageOptions {
  readonly theme?: Theme;
  readonly width?: number;
  /** What the view saved before it was hidden. */
  readonly state?: unknown;
  readonly forcedColors?: boolean;
}

export interface EntryPage {
  readonly page: Page;
  /** What the page complained about: errors, and what its content security policy kept it from. */
  readonly complaints: readonly string[];
  show(details: EntryDetails | undefined, generation?: number): Promise<void>;
  /** Messages to the host. */
  sent(): Promise<readonly unknown[]>;
  state(): Promise<unknown>;
  close(): Promise<void>;
}

const NONCE = 'c29tZSBub25jZQ';
const FONTS = {
  '--vscode-font-family': 'system-ui, "DejaVu Sans", sans-serif',
  '--vscode-font-size': '13px',
  '--vscode-editor-font-family': '"DejaVu Sans Mono", monospace',
};

function document(theme: Theme, state: unknown): string {
  const { className, variables } = themes[theme];
  const themeStyle = Object.entries({ ...variables, ...FONTS })
    .map(([name, value]) => `${name}:${value}`)
    .join(';');
  const css = readFileSync(path.join(root, 'media/entry.css'), 'utf8');
  const script = readFileSync(path.join(root, 'dist/webview/entry.js'), 'utf8');
  const policy = `default-src 'none'; style-src 'nonce-${NONCE}'; script-src 'nonce-${NONCE}'`;
  return `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta http-equiv="Content-Security-Policy" content="${policy}">
    <title>Entry</title>
    <style nonce="${NONCE}">:root{${themeStyle}}</style>
    <style nonce="${NONCE}">${css}</style>
    <script nonce="${NONCE}">
      const talk = { sent: [], state: ${JSON.stringify(state)} };
      window.acquireVsCodeApi = () => ({
        postMessage: (message) => talk.sent.push(message),
        getState: () => talk.state,
        setState: (state) => (talk.state = state),
      });
    </script>
  </head>
  <body class="${className}"><script nonce="${NONCE}">${script}</script></body>
</html>`;
}

export async function openEntryPage(browser: Browser, options: PageOptions = {}): Promise<EntryPage> {
  const { theme = 'dark', width = 600, state, forcedColors = false } = options;
  const page = await browser.context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => complaints.push(message.text()));
  await page.setViewportSize({ width, height: 900 });
  await page.emulateMedia({ forcedColors: forcedColors ? 'active' : 'none' });
  await page.setContent(document(theme, state));
  return {
    page,
    complaints,
    show: async (details, generation = 1) => {
      const entry = details ? entryModel(details) : null;
      const message = { v: 1, type: 'show', generation, entry, strings };
      await page.evaluate(
        (data) =>
          new Promise<void>((done) => {
            addEventListener('message', () => setTimeout(done), { once: true });
            postMessage(data, '*');
          }),
        message,
      );
    },
    sent: () => page.evaluate<unknown[]>('talk.sent'),
    state: () => page.evaluate('talk.state'),
    close: () => page.close(),
  };
}
