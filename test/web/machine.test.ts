/** An emulated machine, by keyboard alone. */
import assert from 'node:assert/strict';
import { type Page } from 'playwright-core';
import { answer, choose, openWorkbench, runCommand, screenshot, treeRow, type Workbench } from './harness';
import {
  entryTitled,
  expandTo,
  focused,
  input,
  moveTo,
  prompt,
  step,
  useTheme,
  widenSideBar,
} from './person';

describe('an emulated machine, by keyboard alone', () => {
  let workbench: Workbench;
  let page: Page;
  before(async () => {
    workbench = await openWorkbench({
      width: 1000,
      height: 1000,
      settings: {
        'workbench.colorTheme': 'Default Dark Modern',
        'window.commandCenter': false,
        'workbench.layoutControl.enabled': false,
      },
    });
    page = workbench.page;
  });
  after(() => workbench.close());
  // One person's work: each test goes on where the one before ended.
  let lost = false;
  beforeEach(function () {
    if (lost) this.skip();
  });
  afterEach(async function () {
    lost ||= this.currentTest?.isFailed() ?? false;
    if (this.currentTest?.isFailed()) await screenshot(page, 'failed-machine');
    for (let left = 3; left > 0 && (await prompt(page).count()) > 0; left--)
      await page.keyboard.press('Escape');
  });

  /** What a question says is wrong with what was typed. */
  const refused = (text: RegExp): Promise<void> =>
    page.locator('.quick-input-message', { hasText: text }).waitFor({ timeout: 10_000 });

  /** Waits for a message, and puts all of them away. */
  async function told(text: RegExp): Promise<void> {
    await page.locator('.statusbar .codicon-bell-dot').waitFor({ timeout: 30_000 });
    // A driven workbench shows no message by itself.
    await runCommand(page, 'Notifications: Show Notifications');
    const messages = page.locator('.notifications-center .notification-list-item');
    await messages.filter({ hasText: text }).first().waitFor();
    await runCommand(page, 'Notifications: Clear All Notifications');
    await messages.first().waitFor({ state: 'detached' });
  }

  /** Waits for a row of a view that a screen reader reads so, in part. */
  const spoken = (part: string): Promise<void> =>
    page.locator(`.pane-body .monaco-list-row[aria-label*="${part}"]`).first().waitFor({ timeout: 20_000 });

  async function inject(request: string): Promise<void> {
    await runCommand(page, 'IOPTE: Inject DMA Trace');
    await choose(page, 'Type', 'Type a request');
    await answer(page, request);
  }

  /** Goes down the tree of the machine with the arrow keys, to a row of its tables. */
  async function goTo(leaf: string): Promise<void> {
    await runCommand(page, 'IOPTE: Focus on Domains View');
    await page.locator('.pane-body .monaco-list:focus-within').waitFor();
    await page.keyboard.press('Home');
    await focused(page).waitFor();
    await expandTo(page, 'iommu0');
    await expandTo(page, '00:02.0');
    await expandTo(page, 'DID 1');
    await expandTo(page, 'level 3 table');
    await expandTo(page, leaf);
  }

  it('is made by answering five questions, the wrong answers refused', async () => {
    await runCommand(page, 'IOPTE: New Emulated Machine');
    await step(page, '1/5');
    await choose(page, 'Intel');
    await step(page, '2/5');
    await choose(page, 'second stage');
    await step(page, '3/5');
    await answer(page, 'a lot');
    await refused(/A size: 512M, 64G, 2T/);
    await answer(page, '4G');
    await step(page, '4/5');
    await choose(page, 'Every size');
    await step(page, '5/5');
    await choose(page, 'On');
    await treeRow(page, 'Intel VT-d 4G').waitFor({ timeout: 30_000 });
    await spoken('Emulated machine Intel VT-d 4G, emulated, 0 operations');
  });

  it('is not made when the questions are dismissed', async () => {
    await runCommand(page, 'IOPTE: New Emulated Machine');
    await step(page, '1/5');
    await choose(page, 'AMD');
    await step(page, '2/5');
    await page.keyboard.press('Escape');
    await prompt(page).waitFor({ state: 'hidden' });
    assert.equal(await treeRow(page, 'AMD-Vi').count(), 0);
  });

  it('takes a typed request: A and D in Domains, a translation in IOTLB', async () => {
    await runCommand(page, 'IOPTE: Inject DMA Trace');
    await choose(page, 'Type', 'Type a request');
    await answer(page, '00:02.0 fetch 0x40000000');
    await refused(/"access" is "fetch", and not "read", "write" or "atomic"/);
    await answer(page, '00:02.0 write 0x40000000 64');
    await told(/1 request/);
    await spoken('IOVA 0x40000000 to 0x2040000000, 1G, RW AD DID 1 iommu0');
    await goTo('1G RW AD');
    await spoken('emulated, 1 operation');
  });

  it('records a refused request in Faults', async () => {
    await inject('00:02.0 write 0xc0000000 64');
    await told(/refused/);
    await spoken('00:02.0, write, 0xc0000000, iommu0');
  });

  it('splits the page of the row, asked only for size and protocol', async () => {
    await goTo('1G RW AD');
    await page.keyboard.press('Shift+F10');
    const menu = page.locator('.context-view .monaco-menu');
    await menu.waitFor();
    const item = menu.locator('.action-item.focused', { hasText: 'Split IOPTE' });
    for (let down = 0; down < 40 && (await item.count()) === 0; down++)
      await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await step(page, '1/2');
    await choose(page, '2M');
    await step(page, '2/2');
    await choose(page, 'The safe one');
    await told(/2M pages at 0x40000000/);
    await spoken('3 operations');
  });

  it('says the errno of what the driver refuses', async () => {
    await runCommand(page, 'IOPTE: Unmap');
    await answer(page, '0x0');
    await step(page, '2/2');
    await answer(page, '4K');
    await told(/E[A-Z]{4,}: /);
  });

  it('reads and clears dirty pages into Results', async () => {
    await runCommand(page, 'IOPTE: Read and Clear Dirty');
    await spoken('0x40000000..0x80000000, 1G dirty');
    await told(/dirty pages of 4K reported and made clean/);
  });

  it('marks what is cached and what memory no longer says', async () => {
    await inject('00:03.0 write 0x140000000 8192');
    await told(/1 request: 1 landed/);
    await goTo('1G RW AD');
    await page.keyboard.press('Enter');
    await entryTitled(page, 'level 3');
    await runCommand(page, 'IOPTE: Write Word');
    await step(page, '1/2');
    await page.keyboard.press('Enter');
    await step(page, '2/2');
    await answer(page, '0x0');
    await told(/Wrote 0x0 to 0x\w+\. The ledger found: lost-dirty\./);
    await spoken('stale: Memory refuses this page now');
    await runCommand(page, 'IOPTE: Show Only Stale Translations');
    await page.locator('.pane-header[aria-label^="IOTLB"]', { hasText: 'only stale ones' }).waitFor();
    await runCommand(page, 'IOPTE: Show All Cached Translations');
    await page.locator('.pane-header[aria-label^="IOTLB"]', { hasText: 'entries' }).waitFor();
  });

  it('is drawn in a wide and in a narrow side bar, and in high contrast', async () => {
    for (const view of ['Entry', 'Walk', 'Bookmarks']) await fold(view);
    await runCommand(page, 'IOPTE: Focus on Ledger View');
    await widenSideBar(page, 640);
    await giveDomainsRoom();
    await runCommand(page, 'IOPTE: Focus on Domains View');
    await page.keyboard.press('Home');
    await moveTo(page, '0x40000000..');
    await expandTo(page, '512 × 2M');
    await page.keyboard.press('Enter');
    const sideBar = page.locator('.part.sidebar');
    await page.mouse.move(960, 600);
    await page.locator('.monaco-hover:visible').waitFor({ state: 'detached' });
    await screenshot(page, 'machine-dark', { docs: true, of: sideBar });
    await widenSideBar(page, 348);
    await page.mouse.move(960, 600);
    await screenshot(page, 'machine-narrow', { of: sideBar });
    await widenSideBar(page, 640);
    await useTheme(page, 'Dark High Contrast', 'hc-black');
    await page.mouse.move(960, 600);
    await screenshot(page, 'machine-high-contrast', { of: sideBar });
  });

  it('is closed from the palette, and its views with it', async () => {
    await runCommand(page, 'IOPTE: Close');
    await page.locator('.pane-header[aria-label^="IOTLB"]').waitFor({ state: 'detached' });
    assert.equal(await input(page).isVisible(), false);
  });

  /** Drags the edge below Domains down: its rows are what a picture is about. */
  async function giveDomainsRoom(): Promise<void> {
    const below = await page.locator('.pane-header[aria-label^="Entry"]').boundingBox();
    assert.ok(below);
    await page.mouse.move(below.x + 200, below.y - 1);
    await page.mouse.down();
    await page.mouse.move(below.x + 200, below.y + 150, { steps: 5 });
    await page.mouse.up();
  }

  /** Folds a pane of the side bar, so that the others have its room. */
  async function fold(view: string): Promise<void> {
    const header = page.locator(`.pane-header[aria-label^="${view}"]`);
    if ((await header.getAttribute('aria-expanded')) === 'true') await header.locator('.title').click();
    await page.locator(`.pane-header[aria-label^="${view}"][aria-expanded="false"]`).waitFor();
  }
});
