/** Drives a real VS Code workbench in a real browser, as a person would. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { source as axeSource, type AxeResults, type RunOptions } from 'axe-core';
import { type Frame, type Locator, type Page } from 'playwright-core';
import { openBrowser, type BrowserOptions } from '../../scripts/lib/browser.mjs';
import { installVsix, remoteUri, startCodeServer, workbenchUrl } from '../../scripts/lib/codeServer.mjs';
import { sampleWorkspace } from '../../scripts/lib/workspace.mjs';

export { openBrowser } from '../../scripts/lib/browser.mjs';
export { startCodeServer, workbenchUrl } from '../../scripts/lib/codeServer.mjs';

/** The checkout. */
export const root = path.resolve(__dirname, '../..');
const shots = path.join(root, 'shots');
const images = path.join(root, 'docs', 'images');

export interface WorkbenchOptions extends BrowserOptions {
  /** The packaged extension, installed first; absent: the checkout's dist/, as an extension under development. */
  readonly vsix?: string;
  /** Folder to open; `samples`: a copy of samples/ that the test may write to; absent: an empty window. */
  readonly folder?: string;
  /** User settings. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Which extension host runs it: Node (default), or the browser's web worker. */
  readonly host?: 'node' | 'web';
}

export interface Workbench {
  readonly page: Page;
  /** The folder that is open. */
  readonly folder: string | undefined;
  /** Addresses outside this machine that the window tried to fetch. */
  readonly blocked: readonly string[];
  /** What the host printed. */
  readLog(): string;
  close(): Promise<void>;
}

/** Starts a host and a browser and waits until the workbench stands. */
export async function openWorkbench(options: WorkbenchOptions = {}): Promise<Workbench> {
  const { vsix, folder: wanted, settings = {}, host: kind = 'node', ...browserOptions } = options;
  const cleanUp: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  };
  try {
    const copy = wanted === 'samples' ? sampleWorkspace() : undefined;
    if (copy) cleanUp.push(() => copy.remove());
    const folder = copy?.folder ?? wanted;

    const extensionsDir = mkdtempSync(path.join(tmpdir(), 'iopte-ext-'));
    cleanUp.push(() => rmSync(extensionsDir, { recursive: true, force: true }));
    if (vsix !== undefined) await installVsix(vsix, extensionsDir);

    const kindSetting =
      kind === 'web' ? { 'remote.extensionKind': { 'iopte.iopte-inspector': ['web'] } } : {};
    const host = await startCodeServer({
      testDriver: true,
      settings: { ...kindSetting, ...settings },
      extensionsDir,
    });
    cleanUp.push(() => host.stop());
    const browser = await openBrowser(browserOptions);
    cleanUp.push(() => browser.close());

    const payload = vsix === undefined ? [['extensionDevelopmentPath', remoteUri(host, root)] as const] : [];
    await browser.page.goto(workbenchUrl(host, { ...(folder === undefined ? {} : { folder }), payload }));
    await browser.page.locator('.monaco-workbench .statusbar').waitFor({ timeout: 60_000 });
    return { page: browser.page, folder, blocked: browser.blocked, readLog: () => host.readLog(), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Whether it becomes true in this time. */
const inTime = (waiting: Promise<unknown>): Promise<boolean> =>
  waiting.then(
    () => true,
    () => false,
  );

/**
 * Runs a command from the command palette, by its full title: `IOPTE: Open Sample`. Opens the palette again when it was
 * opened before the extension was known, or was closed by something else that took the focus.
 */
export async function runCommand(page: Page, title: string): Promise<void> {
  const input = page.locator('.quick-input-widget input[type="text"]');
  const row = page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first();
  for (let attempt = 1; attempt <= 6; attempt++) {
    await page.keyboard.press('F1');
    const listed = async (): Promise<void> => {
      await input.fill(`>${title}`, { timeout: 5000 });
      await row.waitFor({ timeout: attempt < 4 ? 3000 : 10_000 });
      await input.press('Enter', { timeout: 5000 });
    };
    if (await inTime(listed())) {
      await paletteLeft(page, `>${title}`);
      return;
    }
    await page.keyboard.press('Escape');
  }
  throw new Error(`the command palette has no ${title}`);
}

/** Waits until the palette that was accepted is gone: what is typed next must reach the list that the command opens. */
async function paletteLeft(page: Page, typed: string): Promise<void> {
  await page.waitForFunction((text) => {
    const input = document.querySelector<HTMLInputElement>('.quick-input-widget input[type="text"]');
    return !input?.offsetParent || input.value !== text;
  }, typed);
}

/** Takes the row with this text in the quick pick that is open. */
export async function pick(page: Page, text: string): Promise<void> {
  await page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first().click();
}

/** Waits until the page answers yes. (Playwright's `waitForFunction` takes the promise of a no for a yes.) */
export async function untilPage(
  page: Page,
  says: (text: string) => Promise<boolean>,
  text: string,
): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await page.evaluate(says, text))) {
    if (Date.now() > end) throw new Error(`the page does not come to ${text}`);
    await page.waitForTimeout(50);
  }
}

/** Whether the workbench has written this text to where it keeps the state of editors and extensions. */
async function isKept(text: string): Promise<boolean> {
  for (const { name = '' } of await indexedDB.databases()) {
    if (!name.startsWith('vscode-web-state-db')) continue;
    const kept = await new Promise<boolean>((resolve, reject) => {
      const opening = indexedDB.open(name);
      opening.onerror = () => {
        reject(new Error(`${name} cannot be read`));
      };
      opening.onsuccess = () => {
        const database = opening.result;
        const all = database.transaction('ItemTable').objectStore('ItemTable').getAll();
        all.onsuccess = () => {
          database.close();
          // States within states are quoted again.
          resolve(all.result.some((value) => String(value).replaceAll('\\', '').includes(text)));
        };
      };
    });
    if (kept) return true;
  }
  return false;
}

/**
 * Turns to another window, whereupon the workbench writes its state, and waits until this text is in it. What it writes while it
 * is being closed may come too late.
 */
export async function untilKept(page: Page, text: string): Promise<void> {
  await page.evaluate(async () => {
    // Boolean() is false; a function written here would refer to a helper of the transpiler that the page has not.
    Object.defineProperty(document, 'hasFocus', { configurable: true, value: Boolean });
    window.dispatchEvent(new FocusEvent('blur'));
    await new Promise((resolve) => setTimeout(resolve, 500));
    Reflect.deleteProperty(document, 'hasFocus');
    window.dispatchEvent(new FocusEvent('focus'));
  });
  await untilPage(page, isKept, text);
}

/** Types into the quick pick that is open, and accepts as soon as the row that has the focus shows this. */
export async function choose(page: Page, text: string, shown: string = text): Promise<void> {
  const input = page.locator('.quick-input-widget input[type="text"]');
  await input.fill(text);
  await page.locator('.quick-input-list .monaco-list-row.focused', { hasText: shown }).waitFor();
  await input.press('Enter');
}

/** Types into the input box that is open, and accepts. */
export async function answer(page: Page, text: string): Promise<void> {
  const input = page.locator('.quick-input-widget input[type="text"]');
  await input.waitFor();
  await input.fill(text);
  await input.press('Enter');
}

/** Shows the container IOPTE of the activity bar, whether or not it is shown already. */
export async function openContainer(page: Page): Promise<void> {
  const tab = page.locator('.activitybar .action-item', { has: page.locator('a[aria-label^="IOPTE"]') });
  await tab.waitFor({ timeout: 30_000 });
  if ((await tab.getAttribute('aria-expanded')) !== 'true') await tab.locator('a').click();
}

/** Rows of the trees in the side bar that have this text, without their doubles that stick to the top. */
export const treeRow = (page: Page, text: string | RegExp) =>
  page.locator('.pane-body .monaco-list-row:not(.monaco-tree-sticky-row)', { hasText: text });

/**
 * The extension's own document in a webview that shows: workbench > iframe.webview (VS Code's loader) > iframe#active-frame.
 * @param containing  selector of something in it, where more than one webview shows
 */
export async function webview(page: Page, containing = 'body', milliseconds = 30_000): Promise<Frame> {
  const end = Date.now() + milliseconds;
  for (;;) {
    for (const outer of await page.locator('iframe.webview.ready:visible').elementHandles()) {
      const loader = await outer.contentFrame();
      const inner = await loader?.$('iframe#active-frame');
      const frame = await inner?.contentFrame();
      if (frame && (await frame.$(containing))) return frame;
    }
    if (Date.now() > end) throw new Error(`no webview with ${containing} within ${String(milliseconds)} ms`);
    await page.waitForTimeout(100);
  }
}

/**
 * Takes a picture into shots/.
 * @param options.docs  a picture that README or docs/ show: taken over into docs/images/ when UPDATE_IMAGES is set
 *   (`npm test -- --update-images`)
 * @param options.of  the part of the page to take
 */
export async function screenshot(
  page: Page,
  name: string,
  options: { readonly docs?: boolean; readonly of?: Locator } = {},
): Promise<void> {
  mkdirSync(shots, { recursive: true });
  const file = path.join(shots, `${name}.png`);
  await (options.of ?? page).screenshot({ path: file, animations: 'disabled', caret: 'hide' });
  if (options.docs && process.env['UPDATE_IMAGES']) {
    mkdirSync(images, { recursive: true });
    copyFileSync(file, path.join(images, `${name}.png`));
  }
}

/**
 * What axe-core finds against WCAG 2.2 A and AA: one line a finding, so that an empty list is a pass.
 * @param target  a page or a webview's frame
 * @param within  selector of the part that is ours; the workbench around it is not
 */
export async function accessibilityProblems(target: Page | Frame, within = 'html'): Promise<string[]> {
  if (await target.evaluate(`typeof axe === 'undefined'`)) await target.evaluate(axeSource);
  const options: RunOptions = {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    resultTypes: ['violations'],
  };
  const { violations } = await target.evaluate(
    async ({ selector, run }) => {
      const { axe } = globalThis as unknown as {
        axe: { run(selector: string, options: RunOptions): Promise<AxeResults> };
      };
      return axe.run(selector, run);
    },
    { selector: within, run: options },
  );
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map((node) => `${id}: ${help}: ${node.html.slice(0, 200)}`),
  );
}
