/** A trace in the real workbench, in both hosts, by keyboard alone. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type Frame, type Page } from 'playwright-core';
import {
  accessibilityProblems,
  choose,
  openContainer,
  openWorkbench,
  root,
  runCommand,
  screenshot,
  treeRow,
  webview,
  type Workbench,
} from './harness';
import { prompt } from './person';

const SAMPLE = 'vtd-dma.ftrace.txt.gz';
/** The rows of the sample as its text has them: what is no comment is a row. */
const LINES = gunzipSync(readFileSync(path.join(root, 'samples/traces', SAMPLE)))
  .toString('utf8')
  .trimEnd()
  .split('\n')
  .filter((line) => !line.startsWith('#'));
const isUnmap = (line: string): boolean => line.includes(' unmap: ');

for (const host of ['node', 'web'] as const) {
  describe(`a trace in the editor, by keyboard: ${host} host`, () => {
    let workbench: Workbench;
    let page: Page;
    let view: Frame;
    let lost = false;
    before(async () => {
      workbench = await openWorkbench({
        ...{ host, folder: 'samples', width: 1500, height: 900 },
        settings: {
          'workbench.startupEditor': 'none',
          'window.commandCenter': false,
          // Where the sample stands on this machine is nobody's business in a picture.
          'breadcrumbs.enabled': false,
        },
      });
      page = workbench.page;
    });
    after(() => workbench.close());
    // One person's work: each test goes on where the one before ended.
    beforeEach(function () {
      if (lost) this.skip();
    });
    afterEach(async function () {
      lost ||= this.currentTest?.isFailed() ?? false;
      if (this.currentTest?.isFailed()) await screenshot(page, `failed-trace-${host}`);
      for (let left = 3; left > 0 && (await prompt(page).count()) > 0; left--)
        await page.keyboard.press('Escape');
    });

    const status = () => view.locator('.status');
    const untilStatus = (text: string) =>
      view.locator('.status', { hasText: text }).waitFor({ timeout: 20_000 });
    /** The row under the cursor, as it is numbered in the trace, and its line. */
    const current = async (): Promise<{ readonly row: number; readonly line: string }> => {
      const row = view.locator('.body .row.current:visible');
      const number = await row.locator('.col-row').innerText();
      return {
        row: Number(number.replaceAll(',', '')),
        line: (await row.locator('.col-line').textContent()) ?? '',
      };
    };
    const untilRow = async (wanted: number): Promise<void> => {
      const number = view.locator('.body .row.current:not(.op-loading):visible .col-row', {
        hasText: new RegExp(`^${wanted.toLocaleString('en-US')}$`),
      });
      await number.waitFor({ timeout: 20_000 });
    };
    const focusedLabel = async (label: string): Promise<void> => {
      await view.locator(`:focus[aria-label="${label}"]`).waitFor({ timeout: 20_000 });
    };

    const focusRows = async (): Promise<void> => {
      await runCommand(page, 'IOPTE: Focus Rows of Trace');
      // The palette gives the keyboard back after it has closed.
      await view.locator('[role="grid"]:focus').waitFor({ timeout: 20_000 });
      await page.locator('.quick-input-widget').waitFor({ state: 'hidden', timeout: 20_000 });
    };

    it('opens a sample, and shows all of its rows', async () => {
      await runCommand(page, 'IOPTE: Open Sample');
      await choose(page, SAMPLE);
      view = await webview(page, '.grid', 60_000);
      await untilStatus(`${LINES.length.toLocaleString('en-US')} rows`);
      const grid = view.getByRole('grid');
      assert.equal(await grid.getAttribute('aria-rowcount'), String(LINES.length + 1));
      await focusRows();
      await untilRow(1);
      assert.equal((await current()).line.trim(), LINES[0]?.trim());
      await page.keyboard.press('Control+End');
      await untilRow(LINES.length);
      assert.equal((await current()).line.trim(), LINES.at(-1)?.trim());
      await page.keyboard.press('Control+Home');
      await untilRow(1);
    });

    it('completes a filter and says what is wrong with one', async () => {
      await runCommand(page, 'IOPTE: Filter Trace');
      await focusedLabel('Filter');
      await page.keyboard.type('oper');
      await view.getByRole('option', { name: /^operation/ }).waitFor({ timeout: 20_000 });
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      await page.keyboard.type('= ');
      await view.getByRole('option', { name: /^unmap/ }).waitFor({ timeout: 20_000 });
      await page.keyboard.type('unmop');
      await page.keyboard.press('Enter');
      await view.locator('#filter-problem:visible').waitFor({ timeout: 20_000 });
      assert.equal(await view.locator('.mirror .error').innerText(), 'unmop');
    });

    it('filters', async () => {
      // The workbench selects all by itself, and later.
      await page.keyboard.press('Home');
      await page.keyboard.press('Shift+End');
      await page.keyboard.type('operation = unmap');
      await page.keyboard.press('Enter');
      const left = LINES.filter(isUnmap).length;
      assert.ok(left > 0 && left < LINES.length);
      await untilStatus(`${left.toLocaleString('en-US')} of ${LINES.length.toLocaleString('en-US')} rows`);
      await focusRows();
      await page.keyboard.press('Control+Home');
      await untilRow(LINES.findIndex(isUnmap) + 1);
      await page.keyboard.press('Control+End');
      await untilRow(LINES.lastIndexOf(LINES.filter(isUnmap).at(-1) ?? '') + 1);
      await runCommand(page, 'IOPTE: Filter Trace');
      await focusedLabel('Filter');
      await page.keyboard.press('Home');
      await page.keyboard.press('Shift+End');
      await page.keyboard.press('Delete');
      await page.keyboard.press('Enter');
      await view.locator('.status', { hasText: / of / }).waitFor({ state: 'hidden' });
    });

    it('searches with Control+F and F3', async () => {
      await focusRows();
      await page.keyboard.press('Control+Home');
      await untilRow(1);
      await page.keyboard.press('Control+f');
      await focusedLabel('Search rows');
      await page.keyboard.type('dma_unmap');
      await page.keyboard.press('Enter');
      const hits = LINES.flatMap((line, index) => (line.includes('dma_unmap') ? [index + 1] : []));
      assert.ok(hits.length > 2);
      await untilRow(hits[0] ?? 0);
      await page.keyboard.press('F3');
      await untilRow(hits[1] ?? 0);
      await page.keyboard.press('Shift+F3');
      await untilRow(hits[0] ?? 0);
      await page.keyboard.press('Shift+F3');
      await untilRow(hits.at(-1) ?? 0);
    });

    it('goes to a row, a time and an IOVA with Control+G', async () => {
      const go = async (place: string, row: number): Promise<void> => {
        await page.keyboard.press('Control+g');
        await focusedLabel('Go to row, time or IOVA');
        await page.keyboard.type(place);
        await page.keyboard.press('Enter');
        await untilRow(row);
      };
      await go('1000', 1000);
      await go('2', 2);
      const time = (line: string): number => Number(/ (\d+\.\d{6}): /.exec(line)?.[1] ?? Number.NaN);
      await go('80.531105', LINES.findIndex((line) => time(line) >= 80.531105) + 1);
      await go('1', 1);
      await go(
        '0xffe2a000',
        LINES.findIndex((line, index) => index > 0 && line.includes('iova=0x00000000ffe2a000')) + 1,
      );
    });

    it('copies rows as TSV', async () => {
      await focusRows();
      await page.keyboard.press('Control+Home');
      await untilRow(1);
      for (const key of ['Shift+ArrowDown', 'Shift+ArrowDown', 'Control+c']) await page.keyboard.press(key);
      await view.getByRole('status').filter({ hasText: 'Rows copied: 3' }).waitFor({ timeout: 20_000 });
      const text = await page.evaluate(() => navigator.clipboard.readText());
      const [head, ...rows] = text.trimEnd().split(/\r?\n/);
      assert.match(head ?? '', /^row\ttime\t/);
      assert.deepEqual(
        rows.map((row) => row.split('\t')[0]),
        ['1', '2', '3'],
      );
    });

    it('groups by device', async () => {
      await runCommand(page, 'IOPTE: Group Trace');
      await focusedLabel('Group by');
      const first = view.locator('.groups tbody tr').first();
      await first.waitFor({ timeout: 20_000 });
      const rows = await view.locator('.groups tbody tr .counted').allInnerTexts();
      const sum = rows.reduce((all, each) => all + Number(each.replaceAll(',', '')), 0);
      assert.equal(sum, LINES.length);
      await screenshot(page, `trace-groups-${host}`);
      await page.keyboard.press('Escape');
    });

    it('has nothing for axe-core to find, and asks nothing of the network', async () => {
      await page.keyboard.press('Control+g');
      await focusedLabel('Go to row, time or IOVA');
      await page.keyboard.type('500');
      await page.keyboard.press('Enter');
      await untilRow(500);
      await page.keyboard.press('Enter');
      await view.getByRole('button', { name: 'Replay to Here' }).waitFor({ timeout: 20_000 });
      assert.deepEqual(await accessibilityProblems(view), []);
      assert.deepEqual(workbench.blocked, []);
    });

    it('builds the tables as they stood at a row', async () => {
      await runCommand(page, 'IOPTE: Replay to Here');
      await openContainer(page);
      await treeRow(page, '@ row 500').first().waitFor({ timeout: 60_000 });
      await screenshot(page, host === 'node' ? 'trace-editor' : 'trace-editor-web', {
        docs: host === 'node',
      });
    });

    it('comes back as it was', async () => {
      await runCommand(page, 'View: Close Primary Side Bar');
      await runCommand(page, 'Developer: Reload Webviews');
      // The page that was there may still go while it is looked at.
      await page.waitForTimeout(2000);
      view = await webview(page, '.grid', 60_000);
      await untilRow(500);
      assert.match(await status().innerText(), new RegExp(`^${LINES.length.toLocaleString('en-US')} rows`));
    });
  });
}
