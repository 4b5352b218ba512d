/** Migrations in the workbench: their charts beside each other, and back after the window was closed. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Page } from 'playwright-core';
import {
  accessibilityProblems,
  choose,
  openWorkbench,
  runCommand,
  screenshot,
  treeRow,
  untilKept,
  webview,
  type Workbench,
} from './harness';
import { input } from './person';

const FAILS = `version: 2
title: A request too few
machine: { vendor: vt-d, memory: 64M }
devices:
  nic: { requester: 00:02.0 }
domains:
  guest: { maps: guest, pages: [4K], devices: [nic] }
steps:
  - dma: { iova: 0x10000, length: 64 }
expect:
  requests: 2
`;

describe('results of scenarios, in the workbench', () => {
  let workbench: Workbench;
  let page: Page;
  before(async () => {
    workbench = await openWorkbench({
      folder: 'samples',
      width: 1400,
      height: 900,
      settings: {
        'workbench.colorTheme': 'Default Dark Modern',
        'window.commandCenter': false,
        'workbench.startupEditor': 'none',
      },
    });
    page = workbench.page;
    assert.ok(workbench.folder);
    writeFileSync(path.join(workbench.folder, 'fails.iopte.yaml'), FAILS);
  });
  after(() => workbench.close());
  // Each test goes on where the one before ended.
  let lost = false;
  beforeEach(function () {
    if (lost) this.skip();
  });
  afterEach(async function () {
    lost ||= this.currentTest?.isFailed() ?? false;
    if (this.currentTest?.isFailed()) await screenshot(page, 'failed-migration');
  });

  async function openFile(name: string): Promise<void> {
    await page.keyboard.press('Control+P');
    await input(page).fill(name);
    await page.locator('.quick-input-list .monaco-list-row.focused', { hasText: name }).waitFor();
    await page.keyboard.press('Enter');
    await page.locator('.tab.active', { hasText: name }).waitFor({ timeout: 20_000 });
    // Until its lenses are there the extension may not know of the editor, and would ask for a scenario.
    await page.locator('.codelens-decoration', { hasText: 'Run' }).first().waitFor({ timeout: 30_000 });
  }

  async function runVariant(name: string): Promise<void> {
    await runCommand(page, 'IOPTE: Run Scenario with Variant');
    await choose(page, name);
    await treeRow(page, `migrate-1tb (${name})`).waitFor({ timeout: 60_000 });
  }

  it('draw the rounds of migrations side by side, for everyone', async () => {
    await openFile('migrate-1tb.iopte.yaml');
    await runVariant('as-is');
    await runVariant('split-eagerly-2m');
    await runCommand(page, 'Notifications: Clear All Notifications');
    await runCommand(page, 'IOPTE: Show Scenario Results');
    const results = await webview(page, '.chart');
    await page.locator('.tab', { hasText: 'Scenario Results' }).click();
    await runCommand(page, 'View: Maximize Editor Group and Hide Side Bars');
    await results.locator('.chart').nth(1).focus();
    await page.keyboard.press('ArrowRight');
    await results.locator('.said', { hasText: 'Round 2: ' }).waitFor();
    assert.deepEqual(await accessibilityProblems(results), []);
    await page.waitForTimeout(500);
    await screenshot(page, 'migration-results', { docs: true });
  });

  it('come back with the window, the cursor where it was', async () => {
    await untilKept(page, '"cursors":{"1":1}');
    await page.reload();
    const results = await webview(page, '.chart', 60_000);
    assert.deepEqual(await results.locator('.card h2').allInnerTexts(), [
      ...['as-is', 'split-eagerly-2m', 'as-is', 'split-eagerly-2m'],
    ]);
    await results.locator('.said', { hasText: 'Round 2: ' }).waitFor();
    await runCommand(page, 'View: Close Editor');
  });

  it('lead from what failed to its line', async () => {
    await openFile('fails.iopte.yaml');
    // It has no variants, and so there is nothing to choose.
    await runCommand(page, 'IOPTE: Run Scenario with Variant');
    await treeRow(page, 'fails').first().waitFor({ timeout: 60_000 });
    await runCommand(page, 'IOPTE: Show Scenario Results');
    const results = await webview(page, '.failures');
    await results.getByRole('button', { name: 'line 11' }).press('Enter');
    await page.locator('.statusbar-item', { hasText: /Ln 11, Col/ }).waitFor();
  });

  it('fetch nothing from outside this machine', () => {
    assert.deepEqual(workbench.blocked, []);
  });
});
