import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Page } from 'playwright-core';
import {
  answer,
  choose,
  openContainer,
  openWorkbench,
  pick,
  runCommand,
  screenshot,
  treeRow,
  untilKept,
  webview,
  type Workbench,
} from './harness';

const input = (page: Page) => page.locator('.quick-input-widget input[type="text"]');

/** Waits for a step of a question in several steps, so that an answer does not go to the step before. */
const step = (page: Page, place: string) =>
  page.locator('.quick-input-title', { hasText: `(${place})` }).waitFor({ timeout: 20_000 });

/** A view of the side bar. */
const pane = (page: Page, name: string) =>
  page.locator('.pane', { has: page.locator(`.pane-header[aria-label^="${name}"]`) });

/** Opens a file by its menu in the explorer. */
async function openFromExplorer(page: Page, name: string): Promise<void> {
  await runCommand(page, 'File: Focus on Files Explorer');
  const row = page.locator('.explorer-viewlet .monaco-list-row', { hasText: name });
  const item = page.locator('.context-view .action-label', { hasText: 'Open in IOPTE Inspector' });
  await row.click({ button: 'right' });
  await item.hover();
  await page.keyboard.press('Enter');
  await item.waitFor({ state: 'hidden' });
}

describe('opening an image of one’s own', () => {
  let workbench: Workbench;
  let page: Page;
  const file = (name: string): string => path.join(workbench.folder ?? '', name);

  before(async () => {
    workbench = await openWorkbench({ folder: 'samples' });
    page = workbench.page;
    await openContainer(page); // so that the extension is known
    copyFileSync(file('vtd-4level.elf.gz'), file('own.elf.gz'));
    writeFileSync(
      file('broken.iopte.json'),
      '{\n  "version": 1,\n  "image": "vtd-4level.elf.gz",\n  "iommus": 5\n}\n',
    );
  });
  after(() => workbench.close());
  afterEach(async function () {
    if (this.currentTest?.isFailed()) await screenshot(page, `failed-${this.currentTest.title.slice(0, 40)}`);
  });

  it('shows the container with its views, each with what to do first', async () => {
    // The buttons come from package.json; what Entry says comes from an extension that runs.
    const button = (view: string, name: string) =>
      pane(page, view).getByRole('button', { name, exact: true });
    await button('Domains', 'Open Sample').waitFor({ timeout: 30_000 });
    await button('Domains', 'Open Memory Image').waitFor();
    await button('Walk', 'Open Sample').waitFor();
    const entry = await webview(page, 'main');
    await entry.locator('main', { hasText: 'No entry selected.' }).waitFor({ timeout: 20_000 });
    assert.equal(await page.getByText('There is no data provider').count(), 0);
    await screenshot(page, 'container');
  });

  it('has a walkthrough of five steps', async () => {
    await runCommand(page, 'Welcome: Open Walkthrough');
    await pick(page, 'Get Started with IOPTE Inspector');
    const steps = page.locator('.gettingStartedContainer .getting-started-step');
    await steps.nth(4).waitFor({ timeout: 20_000 });
    assert.equal(await steps.count(), 5);
    await page.locator('.gettingStartedContainer', { hasText: 'Walk a DMA request' }).waitFor();
    await screenshot(page, 'walkthrough');
    await runCommand(page, 'View: Close Editor');
  });

  it('asks from the explorer’s menu for kind and registers, checks while typing, and goes back', async () => {
    await openFromExplorer(page, 'own.elf.gz');
    await step(page, '1/6');
    await pick(page, 'Intel VT-d');
    await step(page, '2/6');
    await input(page).fill('RTADDR');
    await page.locator('.quick-input-message', { hasText: 'at most 64 bits' }).waitFor();
    await page.locator('.quick-input-left-action-bar .action-label').click();
    await step(page, '1/6');
    await pick(page, 'Intel VT-d');
    await step(page, '2/6');
    await answer(page, '0x2f8f000');
    for (const place of ['3/6', '4/6', '5/6']) {
      await step(page, place);
      await answer(page, '');
    }
    await step(page, '6/6');
    await pick(page, 'write own.iopte.json');
    await treeRow(page, 'iommu0').waitFor({ timeout: 30_000 });
    assert.match(await treeRow(page, 'iommu0').innerText(), /11 devices, 9 domains/);
  });

  it('wrote the description beside the image', () => {
    const description: unknown = JSON.parse(readFileSync(file('own.iopte.json'), 'utf8'));
    assert.deepEqual(description, {
      version: 1,
      image: 'own.elf.gz',
      iommus: [{ name: 'iommu0', kind: 'vt-d', segment: 0, registers: { RTADDR: '0x2f8f000' } }],
    });
  });

  it('completes a filter with the keyboard and narrows the tree', async () => {
    await runCommand(page, 'IOPTE: Filter');
    await page.locator('.quick-input-title', { hasText: 'Filter IOPTEs' }).waitFor();
    await input(page).fill('perm = r and siz');
    await page.locator('.quick-input-list .monaco-list-row', { hasText: '⟦siz⟧' }).waitFor();
    await page.keyboard.press('Enter');
    await page.waitForFunction(
      () =>
        document.querySelector<HTMLInputElement>('.quick-input-widget input')?.value === 'perm = r and size',
    );
    await choose(page, 'perm = r', 'Apply perm = r');
    await page.locator('.pane-body .message', { hasText: 'Filter: perm = r' }).waitFor();
  });

  it('is all there again after the window was loaded anew', async () => {
    await untilKept(page, '"where":"perm = r"');
    await page.reload();
    await openContainer(page);
    await treeRow(page, 'iommu0').waitFor({ timeout: 60_000 });
    await page.locator('.pane-body .message', { hasText: 'Filter: perm = r' }).waitFor();
  });

  it('is closed, and opened again from the recent images', async () => {
    await runCommand(page, 'IOPTE: Close');
    // A list that opens before the views have settled is closed again when one of them takes the focus.
    await pane(page, 'Domains').getByRole('button', { name: 'Open Sample', exact: true }).waitFor();
    await runCommand(page, 'IOPTE: Open Recent Image');
    await page.locator('.quick-input-widget input[placeholder="Recent memory images"]').waitFor();
    await choose(page, 'own.');
    await treeRow(page, 'iommu0').waitFor({ timeout: 30_000 });
  });

  it('says what is wrong with a description and shows the place', async () => {
    await openFromExplorer(page, 'broken.iopte.json');
    // The bell of the status bar has a dot once there is a message; a driven workbench shows none by itself.
    await page.locator('.statusbar .codicon-bell-dot').waitFor();
    await runCommand(page, 'Notifications: Show Notifications');
    const message = page.locator('.notifications-center .notification-list-item', {
      hasText: 'line 4, column 13',
    });
    await message.locator('.monaco-button', { hasText: 'Open Description' }).click();
    await page.locator('.editor-instance .view-line', { hasText: '"iommus": 5' }).waitFor();
    await page.locator('.statusbar', { hasText: /Ln 4, Col/ }).waitFor();
  });

  it('has the command line in its terminals', async () => {
    await runCommand(page, 'Terminal: Create New Terminal');
    await page.locator('.terminal-wrapper.active .xterm-helper-textarea').waitFor({ state: 'attached' });
    const answered = (): boolean =>
      existsSync(file('cli.json')) && readFileSync(file('cli.json'), 'utf8') !== '';
    // A shell that is still starting may lose what is typed.
    for (let attempt = 1; attempt <= 4 && !answered(); attempt++) {
      await page.keyboard.type('iopte inspect own.iopte.json --json > cli.json\n');
      for (let wait = 0; wait < 50 && !answered(); wait++) await page.waitForTimeout(100);
    }
    assert.match(readFileSync(file('cli.json'), 'utf8'), /"iommu0"/);
  });

  it('fetches nothing from outside this machine', () => {
    assert.deepEqual(workbench.blocked, []);
  });
});
