import assert from 'node:assert/strict';
import { type Page } from 'playwright-core';
import {
  accessibilityProblems,
  answer,
  choose,
  openWorkbench,
  pick,
  runCommand,
  screenshot,
  treeRow,
  untilPage,
  type Workbench,
} from './harness';
import {
  entryTitled,
  expandTo,
  focused,
  input,
  moveTo,
  prompt,
  step,
  useTheme,
  walk,
  widenSideBar,
} from './person';

describe('inspecting a sample, no folder open', () => {
  let workbench: Workbench;
  let page: Page;

  before(async () => {
    workbench = await openWorkbench({
      width: 1280,
      height: 960,
      settings: {
        'workbench.colorTheme': 'Default Dark Modern',
        // What pictures of the documentation need not show.
        'breadcrumbs.enabled': false,
        'editor.minimap.enabled': false,
        // No title bar, which says that the extension is under development: it is empty without these two.
        'window.commandCenter': false,
        'workbench.layoutControl.enabled': false,
      },
    });
    page = workbench.page;
  });
  after(() => workbench.close());
  // One person's walk: each test goes on where the one before ended.
  let lost = false;
  beforeEach(function () {
    if (lost) this.skip();
  });
  afterEach(async function () {
    lost ||= this.currentTest?.isFailed() ?? false;
    if (this.currentTest?.isFailed()) await screenshot(page, `failed-${this.currentTest.title.slice(0, 40)}`);
    // A prompt that a failed test left open would take the next one's keys.
    for (let left = 3; left > 0 && (await prompt(page).count()) > 0; left--)
      await page.keyboard.press('Escape');
  });

  it('opens from the command palette', async () => {
    await runCommand(page, 'IOPTE: Open Sample');
    await pick(page, 'vtd-3level-1g');
    await treeRow(page, 'dmar0').waitFor({ timeout: 30_000 });
    assert.match(await treeRow(page, 'dmar0').innerText(), /VT-d legacy, 11 devices, 9 domains/);
  });

  it('is read down to an IOPTE with the keyboard alone', async () => {
    await runCommand(page, 'IOPTE: Focus on Domains View');
    await page.locator('.pane-body .monaco-list:focus-within').waitFor();
    await page.keyboard.press('Home');
    await focused(page).waitFor();
    await expandTo(page, 'dmar0');
    await expandTo(page, '00:07.0');
    await expandTo(page, 'DID 9');
    await expandTo(page, '0x0..0x40000000');
    await expandTo(page, '→ 0x14a000000');
    await page.keyboard.press('Enter');
    const frame = await entryTitled(page, 'level 2');
    assert.equal((await frame.locator('.word-value').innerText()).replace(/\s/g, ''), '0x000000014a000083');
  });

  it('shows the bits and fields of the IOPTE', async () => {
    const frame = await entryTitled(page, 'level 2');
    const bits = await frame.locator('.diagram .digit').allInnerTexts();
    assert.equal(BigInt(`0b${bits.join('')}`), 0x14a000083n);
    const row = frame.locator('tbody tr', { hasText: 'ADDR' });
    assert.match(await row.innerText(), /51:21[\s\S]*0x14a000000/);
    assert.match(await frame.locator('header').innerText(), /0x200000 – 0x400000/);
    assert.ok((await frame.locator('tbody tr').count()) >= 10);
    assert.equal(await frame.locator('.problems').count(), 0);
    await screenshot(page, 'entry-narrow', { docs: true, of: page.locator('.part.sidebar') });
  });

  it('copies the word as hexadecimal, decimal and binary', async () => {
    const frame = await entryTitled(page, 'level 2');
    for (const [name, text] of [
      ['Hex', '0x14a000083'],
      ['Decimal', '5536481411'],
      ['Binary', `0b${0x14a000083n.toString(2).padStart(64, '0')}`],
    ] as const) {
      await frame.getByRole('button', { name: `as ${name}` }).click();
      await untilPage(page, async (expected) => (await navigator.clipboard.readText()) === expected, text);
    }
  });

  it('moves through the fields with arrow keys', async () => {
    const frame = await entryTitled(page, 'level 2');
    await frame.locator('.diagram [tabindex="0"]').focus();
    await page.keyboard.press('End');
    assert.match(await frame.locator('.detail').innerText(), /^R bit 0 = 0x1 = 0b1/);
    assert.match((await frame.locator('tbody tr').last().getAttribute('class')) ?? '', /active/);
  });

  it('fits the side bar at its default width', async () => {
    const frame = await entryTitled(page, 'level 2');
    const width = await frame.evaluate<number>('innerWidth');
    assert.ok(width <= 320, `the view is ${String(width)} px wide`);
    assert.equal(await frame.evaluate('document.documentElement.scrollWidth'), width);
    assert.equal(await frame.locator('.bit-row').count(), 8);
  });

  it('walks a request that translates', async () => {
    await walk(page, '00:07.0', '0x40001000');
    await treeRow(page, '→ 0x100001000').waitFor({ timeout: 20_000 });
    await treeRow(page, 'SS-PDPE, level 3').click();
    const frame = await entryTitled(page, 'level 3');
    assert.equal((await frame.locator('.word-value').innerText()).replace(/\s/g, ''), '0x0000000100000083');
  });

  it('walks a request that is refused, and says why and at which level', async () => {
    await walk(page, '00:07.0', '0x5000');
    const result = treeRow(page, 'Refused: not-present, level 1');
    await result.waitFor({ timeout: 20_000 });
    assert.match(await result.innerText(), /Read of 0x5000 is refused/);
    const walkPane = page.locator('.pane', { has: page.locator('.pane-header[aria-label^="Walk"]') });
    await screenshot(page, 'walk-refused', { of: walkPane });
  });

  it('opens every step of a walk with the keyboard', async () => {
    await runCommand(page, 'IOPTE: Focus on Walk View');
    await page.keyboard.press('Home');
    await moveTo(page, 'Context entry');
    await page.keyboard.press('Enter');
    const frame = await entryTitled(page, 'Context entry');
    assert.equal(await frame.locator('.diagram').count(), 2);
    await expandTo(page, 'SSPTPTR');
  });

  it('refuses wrong input in each prompt and says what is right', async () => {
    const message = page.locator('.quick-input-widget .quick-input-message');
    await runCommand(page, 'IOPTE: Go to IOVA');
    await page.locator('.quick-input-title', { hasText: 'Go to IOVA' }).waitFor();
    await input(page).fill('zz');
    await message.filter({ hasText: 'An IOVA is a number' }).waitFor();
    await page.keyboard.press('Enter');
    assert.equal(await prompt(page).count(), 1);
    await page.keyboard.press('Escape');

    await runCommand(page, 'IOPTE: Walk IOVA');
    await step(page, '1/3');
    await choose(page, '00:07.0');
    await step(page, '2/3');
    await input(page).fill('0x1ffffffffffffffff');
    await message.filter({ hasText: 'at most 64 bits' }).waitFor();
    await page.keyboard.press('Escape');

    await runCommand(page, 'IOPTE: Filter');
    await input(page).fill('perm = rx and dirty');
    await page.locator('.quick-input-list .monaco-list-row', { hasText: '⟦rx⟧' }).waitFor();
    await screenshot(page, 'filter', { docs: true, of: prompt(page) });
    await page.keyboard.press('Escape');
    await prompt(page).waitFor({ state: 'hidden' });
  });

  it('changes nothing when a prompt is cancelled', async () => {
    await runCommand(page, 'IOPTE: Walk IOVA');
    await step(page, '1/3');
    await choose(page, '00:07.0');
    await step(page, '2/3');
    await page.keyboard.press('Escape');
    await treeRow(page, 'Refused: not-present, level 1').waitFor();
    await runCommand(page, 'IOPTE: Open Sample');
    await page.keyboard.press('Escape');
    assert.equal(await treeRow(page, 'vtd-4level').count(), 0);
  });

  it('goes to an IOVA of the selected domain', async () => {
    await runCommand(page, 'IOPTE: Go to IOVA');
    await page.locator('.quick-input-title', { hasText: 'Go to IOVA' }).waitFor();
    await answer(page, '0x40000000');
    await page.locator('.monaco-list-row.selected', { hasText: '0x40000000' }).waitFor({ timeout: 20_000 });
  });

  it('shows only what a filter asks for', async () => {
    await runCommand(page, 'IOPTE: Filter');
    await choose(page, 'size >= 1G', 'Apply size >= 1G');
    const rows = treeRow(page, /^0x/);
    await page.waitForFunction(
      () => document.querySelectorAll('.pane-body .monaco-list-row[aria-level="5"]').length === 1,
    );
    const shown = (await rows.allInnerTexts()).join(' ');
    for (const part of [/^0x40000000/, /1G/, /→ 0x100000000/]) assert.match(shown, part);
    await runCommand(page, 'IOPTE: Clear Filter');
    await treeRow(page, '0x0..0x40000000').waitFor({ timeout: 20_000 });
  });

  for (const [theme, kind, name] of [
    ['Dark Modern', 'vs-dark', 'dark'],
    ['Dark High Contrast', 'hc-black', 'high-contrast'],
    ['Light Modern', 'vs', 'light'],
  ] as const) {
    it(`gives axe-core nothing to find in the Entry view: ${name}`, async () => {
      await useTheme(page, theme, kind);
      await page.locator('.pane-body .monaco-list-row', { hasText: 'dmar0' }).first().waitFor();
      const frame = await entryTitled(page, 'level 3');
      await frame.locator('.diagram [tabindex="0"]').focus();
      assert.deepEqual(await accessibilityProblems(frame), []);
      await screenshot(page, `inspect-${name}`);
    });
  }

  it('opens the description of the image', async () => {
    await runCommand(page, 'IOPTE: Open Description');
    const editor = page.locator('.editor-instance', { hasText: 'RTADDR' });
    await editor.locator('.monaco-editor.focused').waitFor({ timeout: 20_000 });
  });

  for (const [theme, kind, name] of [
    ['Light Modern', 'vs', 'light'],
    ['Dark Modern', 'vs-dark', 'dark'],
  ] as const) {
    it(`looks as README shows it: ${name}`, async () => {
      await useTheme(page, theme, kind);
      await widenSideBar(page, 560);
      await walk(page, '00:07.0', '0x40001000');
      await treeRow(page, '→ 0x100001000').waitFor({ timeout: 20_000 });
      await runCommand(page, 'IOPTE: Focus on Walk View');
      await page.keyboard.press('Home');
      await moveTo(page, 'SS-PDPE, level 3');
      await page.keyboard.press('Enter');
      const frame = await entryTitled(page, 'level 3');
      await frame.locator('.bit-row').nth(3).waitFor();
      assert.equal(await frame.locator('.bit-row').count(), 4);
      await frame.getByRole('button', { name: 'PS, bit 7' }).hover();
      await screenshot(page, `overview-${name}`, { docs: true });
    });
  }

  it('shows what each field of an entry means', async () => {
    for (const view of ['Domains', 'Walk']) {
      const header = page.locator(`.pane-header[aria-label^="${view}"]`);
      await header.locator('.title').click();
      await page.locator(`.pane-header[aria-label^="${view}"][aria-expanded="false"]`).waitFor();
    }
    const frame = await entryTitled(page, 'level 3');
    await widenSideBar(page, 700);
    const row = frame.locator('tbody tr', { hasText: 'maps a 1G page' });
    await row.hover();
    await frame.locator('tbody tr.active', { hasText: 'maps a 1G page' }).waitFor();
    assert.equal(await frame.locator('tbody tr').count(), 15);
    await screenshot(page, 'entry-fields', { docs: true, of: page.locator('.part.sidebar') });
  });

  it('fetches nothing from outside this machine', () => {
    assert.deepEqual(workbench.blocked, []);
  });
});

describe('inspecting a sample in the web worker host', () => {
  let workbench: Workbench;

  before(async () => {
    workbench = await openWorkbench({ host: 'web' });
  });
  after(() => workbench.close());

  it('walks a request and shows an entry that it met', async () => {
    const { page } = workbench;
    await runCommand(page, 'IOPTE: Open Sample');
    await pick(page, 'vtd-4level');
    await treeRow(page, 'dmar0').waitFor({ timeout: 30_000 });
    await walk(page, '00:02.0', '0xffed8000');
    await treeRow(page, '→ 0x9d61000').waitFor({ timeout: 20_000 });
    await treeRow(page, 'Context entry').click();
    const frame = await entryTitled(page, 'Context entry');
    const words = await frame.locator('.word-value').allInnerTexts();
    assert.deepEqual(
      words.map((word) => word.replace(/\s/g, '')),
      ['0x0000000003436001', '0x0000000000000402'],
    );
    assert.deepEqual(workbench.blocked, []);
  });
});
