/** A view's own page without an editor around it: its real bundle and style sheet, and an editor's side of the talk. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Page } from 'playwright-core';
import { root, type openBrowser } from './harness';
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

export interface ViewPage {
  readonly page: Page;
  /** What the page complained about: errors, and what its content security policy kept it from. */
  readonly complaints: readonly string[];
  /** A message of the host; resolves when the page has taken it. */
  post(message: unknown): Promise<void>;
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

/** The style of the root element, as VS Code sets it. */
export const themeStyle = (theme: Theme): string =>
  Object.entries({ ...themes[theme].variables, ...FONTS })
    .map(([name, value]) => `${name}:${value}`)
    .join(';');

export const themeClass = (theme: Theme): string => themes[theme].className;

function document(view: string, theme: Theme, state: unknown): string {
  // What a sheet imports is written in its place: a page of its own has no folder to load from.
  const css = readFileSync(path.join(root, `media/${view}.css`), 'utf8').replaceAll(
    /@import url\('([^']+)'\);/g,
    (_, file: string) => readFileSync(path.join(root, 'media', file), 'utf8'),
  );
  const script = readFileSync(path.join(root, `dist/webview/${view}.js`), 'utf8');
  const policy = `default-src 'none'; style-src 'nonce-${NONCE}'; script-src 'nonce-${NONCE}'`;
  return `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta http-equiv="Content-Security-Policy" content="${policy}">
    <title>${view}</title>
    <style nonce="${NONCE}">:root{${themeStyle(theme)}}</style>
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
  <body class="${themeClass(theme)}"><script nonce="${NONCE}">${script}</script></body>
</html>`;
}

/** @param view  the name of its bundle and style sheet */
export async function openViewPage(
  browser: Browser,
  view: string,
  options: PageOptions = {},
): Promise<ViewPage> {
  const { theme = 'dark', width = 600, state, forcedColors = false } = options;
  const page = await browser.context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => complaints.push(message.text()));
  await page.setViewportSize({ width, height: 900 });
  await page.emulateMedia({ forcedColors: forcedColors ? 'active' : 'none' });
  await page.setContent(document(view, theme, state));
  return {
    page,
    complaints,
    post: (message) =>
      page.evaluate(
        (data) =>
          new Promise<void>((done) => {
            addEventListener('message', () => setTimeout(done), { once: true });
            postMessage(data, '*');
          }),
        message,
      ),
    sent: () => page.evaluate<unknown[]>('talk.sent'),
    state: () => page.evaluate('talk.state'),
    close: () => page.close(),
  };
}
