/** Scenarios in the editor, by keyboard: written, checked, run, stopped. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Page } from 'playwright-core';
import {
  answer,
  choose,
  openWorkbench,
  runCommand,
  screenshot,
  treeRow,
  webview,
  type Workbench,
} from './harness';
import { input, prompt, step, useTheme } from './person';

const FAILS = `version: 2
title: A write that nobody reports
machine: { vendor: vt-d, memory: 64M }
devices:
  nic: { requester: 00:02.0 }
domains:
  guest: { maps: guest, pages: [4K], dirtyTracking: on, devices: [nic] }
steps:
  - dirtyTracking: { enable: true }
  - dma: { iova: 0x10000, length: 64 }
  # Here a report is missing.
expect: { requests: 1 }
variants:
  unreported: { expect: { requests: 2 } }
  reported:
    about: With the report
    steps:
      - dma: { iova: 0x10000, length: 64 }
      - readDirty: {}
`;

const LONG = `version: 2
title: A run that takes long
machine: { vendor: vt-d, memory: 1G }
devices:
  nic: { requester: 00:02.0 }
domains:
  guest: { maps: guest, pages: [4K], dirtyTracking: on, devices: [nic] }
steps:
  - dma: { iova: 0x10000, length: 64 }
  - repeat: { times: 150000, steps: [{ readDirty: {} }] }
`;

describe('a scenario, by keyboard', () => {
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
        'testing.automaticallyOpenPeekView': 'never',
        'testing.automaticallyOpenTestResults': 'neverOpen',
      },
    });
    page = workbench.page;
    assert.ok(workbench.folder);
    writeFileSync(path.join(workbench.folder, 'fails.iopte.yaml'), FAILS);
    writeFileSync(path.join(workbench.folder, 'long.iopte.yaml'), LONG);
  });
  after(() => workbench.close());
  // One person's work: each test goes on where the one before ended.
  let lost = false;
  beforeEach(function () {
    if (lost) this.skip();
  });
  afterEach(async function () {
    lost ||= this.currentTest?.isFailed() ?? false;
    if (this.currentTest?.isFailed()) await screenshot(page, 'failed-scenario');
    for (let left = 3; left > 0 && (await prompt(page).count()) > 0; left--)
      await page.keyboard.press('Escape');
  });

  const editor = () => page.locator('.editor-group-container.active .monaco-editor').first();
  const marks = () => page.locator('.editor-group-container.active .squiggly-error');
  const lens = (text: string) =>
    page.locator('.editor-group-container.active .codelens-decoration a', { hasText: text });

  async function focusEditor(): Promise<void> {
    await runCommand(page, 'View: Focus Active Editor Group');
    await editor().locator('.view-lines').waitFor();
  }

  async function openFile(name: string): Promise<void> {
    await page.keyboard.press('Control+P');
    await input(page).fill(name);
    await page.locator('.quick-input-list .monaco-list-row.focused', { hasText: name }).waitFor();
    await page.keyboard.press('Enter');
    await page.locator('.tab.active', { hasText: name }).waitFor({ timeout: 20_000 });
    await focusEditor();
  }

  /** Waits for a message, and takes one of its actions, or puts all messages away. */
  async function told(text: RegExp, action?: string): Promise<void> {
    // A driven workbench shows no message by itself.
    await runCommand(page, 'Notifications: Show Notifications');
    const message = page.locator('.notifications-center .notification-list-item', { hasText: text }).first();
    await message.waitFor({ timeout: 60_000 });
    if (action === undefined) await runCommand(page, 'Notifications: Clear All Notifications');
    else await message.locator('.monaco-button', { hasText: action }).click();
  }

  it('begins with a template, in the language of scenarios, with nothing wrong in it', async () => {
    await runCommand(page, 'IOPTE: New Scenario');
    await prompt(page).waitFor();
    await page.locator('.quick-input-list .monaco-list-row').first().waitFor({ timeout: 30_000 });
    await screenshot(page, 'scenario-templates');
    await page.keyboard.press('Enter');
    await page.locator('.statusbar-item', { hasText: 'IOPTE Scenario' }).waitFor({ timeout: 20_000 });
    await lens('Run').first().waitFor({ timeout: 30_000 });
    assert.equal(await marks().count(), 0);
    await screenshot(page, 'scenario-new', { docs: true });
  });

  it('completes what is typed, and says what a wrong key is', async () => {
    await focusEditor();
    await page.keyboard.press('Control+End');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Home');
    await page.keyboard.type('par');
    const widget = page.locator('.suggest-widget.visible');
    await widget.locator('.monaco-list-row', { hasText: 'parameters' }).waitFor({ timeout: 20_000 });
    await screenshot(page, 'scenario-completion');
    await page.keyboard.press('Escape');
    await page.keyboard.type('amters: {}');
    await marks().first().waitFor({ timeout: 20_000 });
    await page.keyboard.press('F8');
    const problem = page.locator('.marker-widget', { hasText: 'Did you mean "parameters"?' });
    await problem.waitFor();
    await screenshot(page, 'scenario-problem');
    await page.keyboard.press('Escape');
    for (let undone = 0; (await marks().count()) > 0 && undone < 20; undone++) {
      await page.keyboard.press('Control+Z');
      await page.waitForTimeout(400);
    }
    assert.equal(await marks().count(), 0);
  });

  it('says what a word means', async () => {
    await focusEditor();
    await page.keyboard.press('Control+Home');
    await page.keyboard.press('Control+K');
    await page.keyboard.press('Control+I');
    await page.locator('.monaco-hover:visible', { hasText: /version/i }).waitFor({ timeout: 20_000 });
    await screenshot(page, 'scenario-hover');
    await page.keyboard.press('Escape');
  });

  it('is run by the link above its title, and its machine stands in Domains', async () => {
    await openFile('fails.iopte.yaml');
    await lens('Run All Variants').click();
    await treeRow(page, 'fails (unreported)').waitFor({ timeout: 60_000 });
    await treeRow(page, 'fails (reported)').waitFor();
  });

  it('shows where an expectation fails, and leads there', async () => {
    await marks().first().waitFor({ timeout: 20_000 });
    await screenshot(page, 'scenario-failed', { docs: true });
    await told(/unreported.*expected requests: 2.*, but 1/, 'Show Problem');
    await page.locator('.statusbar-item', { hasText: /Ln 14, Col/ }).waitFor();
    await runCommand(page, 'Notifications: Clear All Notifications');
  });

  it('shows the results side by side', async () => {
    await runCommand(page, 'IOPTE: Show Scenario Results');
    await page.locator('.tab.active', { hasText: /Results/ }).waitFor({ timeout: 20_000 });
    const frame = await webview(page, 'table');
    await frame.locator('h1', { hasText: 'A write that nobody reports' }).waitFor();
    await screenshot(page, 'scenario-results');
    await runCommand(page, 'View: Revert and Close Editor');
  });

  it('is chosen from what is open, what the folder has, and what ships', async () => {
    await openFile('fails.iopte.yaml');
    const rows = page.locator('.quick-input-list .monaco-list-row');
    await page.keyboard.press('F1');
    await input(page).fill('>IOPTE: Run Scenario');
    // Run Scenario with Variant is a row of the same words.
    await rows.filter({ hasText: 'IOPTE: Run Scenario...' }).click();
    await rows.filter({ hasText: 'fails' }).first().waitFor({ timeout: 20_000 });
    await screenshot(page, 'scenario-choice');
    await choose(page, 'first-vtd');
    await treeRow(page, 'first-vtd').first().waitFor({ timeout: 60_000 });
    await runCommand(page, 'Notifications: Clear All Notifications');
  });

  it('is a test of the Test Explorer, with its variants', async () => {
    await openFile('fails.iopte.yaml');
    await runCommand(page, 'Testing: Focus on Test Explorer View');
    const row = (text: string) => page.locator('.test-explorer .monaco-list-row', { hasText: text });
    await row('fails').first().waitFor({ timeout: 30_000 });
    await focusEditor();
    await runCommand(page, 'Test: Run Tests in Current File');
    const failed = (name: string) =>
      page.locator(`.test-explorer .monaco-list-row[aria-label*="${name}"][aria-label*="Failed"]`);
    await failed('A write that nobody reports').waitFor({ timeout: 60_000 });
    await row('fails').click();
    await page.keyboard.press('ArrowRight');
    await failed('unreported').waitFor();
    assert.equal(await failed('With the report').count(), 0);
    await page.mouse.move(900, 700);
    await screenshot(page, 'scenario-tests', { docs: true });
  });

  it('is a task, whose terminal says what failed', async () => {
    await page.keyboard.press('Control+P');
    await prompt(page).waitFor();
    await choose(page, 'task iopte', 'iopte');
    await choose(page, 'fails.iopte', 'fails.iopte.yaml');
    const terminal = page.locator('.terminal-wrapper.active');
    await terminal.waitFor({ timeout: 30_000 });
    await page.locator('.part.panel .title-actions .codicon-error').first().waitFor({ timeout: 30_000 });
    await page.locator('.part.panel .badge', { hasText: '1' }).first().waitFor();
    await screenshot(page, 'scenario-task');
    await page.keyboard.press('Control+J');
    await terminal.waitFor({ state: 'hidden' });
  });

  it('is stopped by the button of its message', async () => {
    await openFile('long.iopte.yaml');
    await lens('Run').first().click();
    await page.waitForTimeout(1500);
    await runCommand(page, 'Notifications: Show Notifications');
    const message = page.locator('.notifications-center .notification-list-item', {
      hasText: 'Running long',
    });
    await message.waitFor({ timeout: 20_000 });
    await page.waitForTimeout(3000);
    await screenshot(page, 'scenario-progress');
    await message.locator('.monaco-button', { hasText: 'Cancel' }).click();
    await told(/long: cancelled/);
    await treeRow(page, 'long').first().waitFor();
  });

  it('is swept over settings that are asked for, the wrong ones refused', async () => {
    await openFile('fails.iopte.yaml');
    await runCommand(page, 'IOPTE: Run Sweep');
    await choose(page, 'All variants');
    await step(page, '2/2');
    await answer(page, 'memory');
    await page.locator('.quick-input-message', { hasText: /is no setting/ }).waitFor();
    await answer(page, 'machine.memory=64M,128M machine.seed=1,2');
    await page.locator('.tab.active', { hasText: /Results/ }).waitFor({ timeout: 60_000 });
    await page.waitForTimeout(1000);
    await screenshot(page, 'scenario-sweep');
    await runCommand(page, 'View: Revert and Close Editor');
  });

  it('is drawn in high contrast', async () => {
    await useTheme(page, 'Dark High Contrast', 'hc-black');
    await openFile('fails.iopte.yaml');
    await screenshot(page, 'scenario-high-contrast');
  });

  it('fetches nothing from outside this machine', () => {
    assert.deepEqual(workbench.blocked, []);
  });
});
