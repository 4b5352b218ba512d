import assert from 'node:assert/strict';
import { accessibilityProblems, openBrowser, screenshot } from './harness';
import { NEEDLE, openTracePage, ROWS, type TraceOptions, type TracePage } from './trace/scriptedHost';
import { themeClass, themeStyle } from './viewPage';
import { current, filter, goTo, grid, search, shown, status, until, untilSaid } from './trace/tools';

describe('boxes and panels of the trace editor in a page of its own', () => {
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  const opened: TracePage[] = [];

  before(async () => {
    browser = await openBrowser();
  });
  after(() => browser.close());
  afterEach(async () => {
    for (const view of opened.splice(0)) await view.close();
  });

  const open = async (options?: TraceOptions): Promise<TracePage> => {
    const view = await openTracePage(browser, options);
    opened.push(view);
    return view;
  };

  describe('filter, search, go to', () => {
    it('completes while one types', async () => {
      const view = await open();
      await filter(view).pressSequentially('op');
      const options = view.page.getByRole('option');
      await options.first().waitFor();
      assert.deepEqual(await options.locator('.what').allInnerTexts(), ['operation', 'op']);
      await filter(view).press('ArrowDown');
      const active = await filter(view).getAttribute('aria-activedescendant');
      assert.equal(await view.page.locator(`#${active ?? ''} .what`).innerText(), 'operation');
      await screenshot(view.page, 'trace-completion');
      assert.deepEqual(await accessibilityProblems(view.page), []);
      await filter(view).press('Enter');
      assert.equal(await filter(view).inputValue(), 'operation ');
      await filter(view).press('Escape');
      assert.equal(await filter(view).getAttribute('aria-expanded'), 'false');
    });

    it('underlines and says what is wrong, and does not filter by it', async () => {
      const view = await open();
      await filter(view).fill('cpu = 1 and bogus = 2');
      const alert = view.page.locator('#filter-problem:visible');
      await alert.waitFor();
      assert.equal(await alert.innerText(), 'column 13: There is no field "bogus".');
      assert.equal(await view.page.locator('.mirror .error').innerText(), 'bogus');
      await filter(view).press('Enter');
      await view.page.waitForTimeout(100);
      assert.deepEqual(await view.sentOf('filter'), []);
      assert.equal(await filter(view).getAttribute('aria-invalid'), 'true');
    });

    it('filters, keeps the cursor where it was, and comes back', async () => {
      const view = await open();
      await goTo(view).fill('50,000,123');
      await goTo(view).press('Enter');
      await until(view, async () => (await current(view)).row === 50_000_123, 'goes to the row');
      await filter(view).fill('op = fault');
      await filter(view).press('Enter');
      await untilSaid(view, /100,000 of 100,000,000 rows/);
      const rows = await shown(view);
      assert.ok(rows.some(({ row }) => row === 50_001_000));
      assert.ok(rows.every(({ row }) => row % 1000 === 0));
      // Row 50,001,000 is the next that faults: the 50,001st.
      assert.deepEqual((await current(view)).row, 50_001);
      assert.match(await status(view).innerText(), /^100,000 of 100,000,000 rows/);
      await view.page.getByRole('button', { name: 'Clear Filter' }).click();
      await until(view, async () => (await current(view)).row === 50_001_000, 'all rows again');
    });

    it('stays where one went while the filter ran', async () => {
      const view = await open({ delay: 600 });
      await goTo(view).fill('50,000,123');
      await goTo(view).press('Enter');
      await until(view, async () => (await current(view)).row === 50_000_123, 'goes to the row');
      await filter(view).fill('op = fault');
      await filter(view).press('Enter');
      await until(view, async () => (await view.sentOf('filter')).length === 1, 'filters');
      const [{ id, gen } = {}] = await view.sentOf('filter');
      await view.post({ v: 1, type: 'filtered', id, gen, matched: 1000, scanned: 1_000_000, done: false });
      await grid(view).press('Control+Home');
      await grid(view).press('ArrowDown');
      await untilSaid(view, /100,000 of 100,000,000 rows/);
      await view.page.waitForTimeout(1300);
      assert.equal((await current(view)).row, 2);
    });

    it('says that a filter leaves nothing', async () => {
      const view = await open();
      await filter(view).fill('row < 0');
      await filter(view).press('Enter');
      await view.page.getByText('No row matches the filter.').waitFor();
      assert.equal(await view.page.locator('.body .row:visible').count(), 0);
      assert.deepEqual(await accessibilityProblems(view.page), []);
    });

    it('goes back to the filter before when one fails', async () => {
      const view = await open();
      await filter(view).fill('cpu = 99');
      await filter(view).press('Enter');
      await view.page.locator('#filter-problem', { hasText: 'The engine is busy.' }).waitFor();
      await view.settled();
      assert.equal((await shown(view))[0]?.row, 1);
    });

    it('drops answers of a filter that is no more', async () => {
      const view = await open();
      await view.post({
        ...{ v: 1, type: 'filtered', id: 1, gen: 7, matched: 1, scanned: 1, done: true },
      });
      await filter(view).fill('op = fault');
      await filter(view).press('Enter');
      await untilSaid(view, /100,000 of/);
      for (let id = 0; id < 40; id++)
        await view.post({ v: 1, type: 'rows', id, gen: 0, first: 0, rows: [], total: 5, complete: true });
      assert.equal(await grid(view).getAttribute('aria-rowcount'), '100001');
    });

    it('searches both ways, around the ends, and says so', async () => {
      const view = await open();
      await search(view).fill('needle');
      await search(view).press('Enter');
      await until(view, async () => (await current(view)).row === NEEDLE + 1, 'finds the row');
      await search(view).press('Enter');
      await untilSaid(view, /Row 77,777,777, searched on from the start/);
      await search(view).press('Shift+Enter');
      await untilSaid(view, /Row 77,777,777, searched on from the end/);
      await search(view).fill('nowhere');
      await search(view).press('Enter');
      await untilSaid(view, /Not found/);
      await view.post({ v: 1, type: 'act', action: 'findPrevious' });
      const last = (await view.sentOf('find')).at(-2);
      assert.deepEqual([last?.['query'], last?.['backwards']], [{ text: 'nowhere' }, true]);
    });

    it('goes to rows, times and addresses, and refuses what is none', async () => {
      const view = await open();
      const go = async (text: string): Promise<void> => {
        await goTo(view).fill(text);
        await goTo(view).press('Enter');
      };
      await go('99,999,999');
      await until(view, async () => (await current(view)).row === 99_999_999, 'a row');
      await go('81492.003');
      await until(view, async () => (await current(view)).row === 2001, 'a time as traced');
      await go('+6ms');
      await until(view, async () => (await current(view)).row === 4001, 'a time since the first row');
      await go('0xDEAD000');
      await until(view, async () => (await current(view)).row === NEEDLE + 1, 'an address');
      const [first, second] = (await view.sentOf('seek')).slice(-2);
      assert.deepEqual(
        [first?.['place'], second?.['place']],
        [{ time: 6_000_000 }, { iova: '0xdead000', after: 4001 }],
      );
      await go('somewhere');
      await view.page.locator('#goto-problem', { hasText: /^Write a row/ }).waitFor();
      await go('0xbad');
      await view.page.locator('#goto-problem', { hasText: 'No row is there.' }).waitFor();
    });

    it('takes the focus where commands of the editor send it', async () => {
      const view = await open();
      const focused = () =>
        view.page.evaluate(
          () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.role,
        );
      for (const [action, label] of [
        ['filter', 'Filter'],
        ['search', 'Search rows'],
        ['goTo', 'Go to row, time or IOVA'],
        ['group', 'Group by'],
        ['rows', 'Rows of ftrace.txt'],
      ] as const) {
        await view.post({ v: 1, type: 'act', action });
        assert.equal(await focused(), label);
      }
      await view.post({ v: 1, type: 'goTo', row: 1_000_000, focus: true });
      await until(view, async () => (await current(view)).row === 1_000_001, 'goes where the host says');
    });
  });

  describe('groups, density, status', () => {
    it('counts groups, and filters by one', async () => {
      const view = await open();
      await view.page.getByRole('button', { name: 'Group', exact: true }).press('Enter');
      const rows = view.page.locator('.groups tbody tr');
      await rows.first().waitFor();
      assert.match(
        await rows.first().innerText(),
        /0000:00:1f\.2\s+60,000\s+20,000\s+10,000\s+78\.1 MiB\s+1\s+99,999/,
      );
      await view.page.getByRole('combobox', { name: 'Group by' }).selectOption('size');
      await view.page.getByRole('button', { name: 'Show only 0000:3b:00.0' }).press('Enter');
      await until(view, async () => (await view.sentOf('filter')).length === 1, 'filters');
      assert.equal(await filter(view).inputValue(), 'device = "0000:3b:00.0"');
      const [asked] = (await view.sentOf('groups')).slice(1);
      assert.equal(asked?.['by'], 'size');
    });

    it('paints where maps, unmaps and faults are dense, in the colours of the theme', async () => {
      const view = await open();
      const strip = view.page.getByRole('img');
      const colour = (x: number, y: number): Promise<string> =>
        strip.evaluate(
          (element, at) => {
            const canvas = element as HTMLCanvasElement;
            const place = [Math.floor(canvas.width * at.x), Math.floor(canvas.height * at.y)] as const;
            const data = canvas.getContext('2d')?.getImageData(place[0], place[1], 1, 1).data ?? [];
            return [...data].join();
          },
          { x, y },
        );
      const painted = (name: string): Promise<string> =>
        view.page.evaluate((paint) => {
          const probe = document.createElement('span');
          probe.className = `probe paint-${paint}`;
          document.body.append(probe);
          const canvas = new OffscreenCanvas(1, 1).getContext('2d');
          if (canvas) canvas.fillStyle = getComputedStyle(probe).color;
          canvas?.fillRect(0, 0, 1, 1);
          probe.remove();
          return [...(canvas?.getImageData(0, 0, 1, 1).data ?? [])].join();
        }, name);
      const [maps, unmaps, faults] = [
        await painted('maps'),
        await painted('unmaps'),
        await painted('faults'),
      ];
      assert.equal(new Set([maps, unmaps, faults]).size, 3);
      // Two fifths of the rows map and two fifths unmap, but in the fifth tenth of them all map.
      assert.equal(await colour(0.2, 0.3), maps);
      assert.equal(await colour(0.6, 0.3), unmaps);
      assert.equal(await colour(0.9, 0.45), maps);
      assert.equal(await colour(0.9, 0.75), faults);
      assert.notEqual(await colour(0.9, 0.3), faults);
      assert.match(
        (await strip.getAttribute('aria-label')) ?? '',
        /maps, .* unmaps, .* faults; most maps 40 % of the way down/,
      );
      await view.page.evaluate(
        ({ style, className }) => {
          document.documentElement.style.cssText = style;
          document.body.className = className;
        },
        { style: themeStyle('light'), className: themeClass('light') },
      );
      await view.page.waitForTimeout(100);
      assert.equal(await colour(0.2, 0.3), await painted('maps'));
      assert.notEqual(await painted('maps'), maps);
    });

    it('jumps where the strip is clicked, and shows where the grid and bookmarks are', async () => {
      const view = await open({ bookmarks: [25_000_000] });
      const strip = view.page.locator('.density');
      const box = await strip.boundingBox();
      assert.ok(box);
      await view.page.mouse.click(box.x + 10, box.y + box.height * 0.75);
      const row = (await shown(view))[0]?.row ?? 0;
      assert.ok(Math.abs(row / ROWS - 0.75) < 0.002, String(row));
      const middle = async (selector: string): Promise<number> => {
        const of = await view.page.locator(selector).boundingBox();
        return ((of?.y ?? 0) + (of?.height ?? 0) / 2 - box.y) / box.height;
      };
      assert.ok(Math.abs((await middle('.density .frame')) - 0.75) < 0.005);
      assert.ok(Math.abs((await middle('.tick')) - 0.25) < 0.005);
    });

    it('tells how far reading came, and stops it', async () => {
      const rows = { rows: 1_000_000, complete: false, reading: true, bytes: 1000, read: 450 };
      const view = await open({ rows: 2_000_000, summary: rows });
      assert.match(await status(view).innerText(), /1,000,000 rows\s+reading, 45 %/);
      await view.page.getByRole('button', { name: 'Stop Reading' }).press('Enter');
      assert.equal((await view.sentOf('command'))[0]?.['command'], 'stopReading');
    });

    it('lists problems, and filters by lines that nobody understood', async () => {
      const view = await open();
      await view.page.getByRole('button', { name: 'Problems: 1' }).press('Enter');
      const list = view.page.getByRole('region', { name: 'Problems' });
      assert.match(await list.innerText(), /Warning: Time runs backwards\. Clocks of CPUs differ\. row 42/);
      assert.deepEqual(await accessibilityProblems(view.page), []);
      await list.getByRole('button', { name: 'row 42' }).press('Enter');
      await until(view, async () => (await current(view)).row === 42, 'goes to the row');
      await view.page.getByRole('button', { name: 'Not understood: 3' }).click();
      await untilSaid(view, /100,000 of/);
      assert.equal(await filter(view).inputValue(), 'op = unknown');
    });

    it('offers to tell devices apart where the trace does not', async () => {
      const view = await open({ summary: { namesDevices: false } });
      assert.match(await status(view).innerText(), /The trace does not name devices\./);
      await status(view).getByRole('button', { name: 'Split…' }).click();
      assert.equal((await view.sentOf('command'))[0]?.['command'], 'split');
    });

    it('keeps its buttons while more is read', async () => {
      const reading = { rows: 1_000_000, complete: false, reading: true, bytes: 1000, read: 450 };
      const view = await open({ rows: 2_000_000, summary: reading });
      const stop = view.page.getByRole('button', { name: 'Stop Reading' });
      await stop.focus();
      const element = await stop.elementHandle();
      const summary = { ...view.summary, ...reading, read: 900, rows: 1_500_000 };
      await view.post({ v: 1, type: 'summary', summary });
      assert.match(await status(view).innerText(), /1,500,000 rows\s+reading, 90 %/);
      assert.ok(await element.evaluate((each) => each === document.activeElement));
      await view.post({ v: 1, type: 'summary', summary: { ...summary, reading: false } });
      assert.equal(
        await element.evaluate((each) => each === document.activeElement && each.textContent),
        'Read On',
      );
    });

    it('goes through groups by arrow keys', async () => {
      const view = await open();
      await view.page.getByRole('button', { name: 'Group', exact: true }).press('Enter');
      const rows = view.page.locator('.groups tbody tr');
      await rows.first().waitFor();
      await rows.first().getByRole('button').first().focus();
      for (const key of ['ArrowDown', 'ArrowRight', 'ArrowRight', 'Enter'])
        await view.page.keyboard.press(key);
      await until(
        view,
        async () => (await current(view)).row === 100_000,
        'goes to the last row of the group',
      );
    });

    it('marks what was searched for, and filters by a cell', async () => {
      const view = await open();
      await search(view).fill('needle');
      await search(view).press('Enter');
      await until(view, async () => (await current(view)).row === NEEDLE + 1, 'finds the row');
      const marked = () =>
        view.page.evaluate(() => [...(CSS.highlights.get('found-row') ?? [])].map(String).join());
      await until(view, async () => (await marked()) === 'needle', 'marks the text');
      await view.post({ v: 1, type: 'act', action: 'copyLine' });
      const [copied] = await view.sentOf('copyText');
      assert.match(String(copied?.['text']), /^77777776 map: .* needle$/);
      await view.post({ v: 1, type: 'act', action: 'filterByValue' });
      assert.equal(await filter(view).inputValue(), 'row = 77777777');
    });

    it('tells that a filter hides the row that it was to go to, and where the wish came from', async () => {
      const view = await open();
      await filter(view).fill('op = fault');
      await filter(view).press('Enter');
      await untilSaid(view, /100,000 of/);
      await view.post({ v: 1, type: 'goTo', row: 5000, focus: false, token: 7 });
      await untilSaid(view, /hides row 5,001; .* row 6,000/);
      await view.page.waitForTimeout(250);
      const last = (await view.sentOf('select')).at(-1);
      assert.deepEqual([last?.['row'], last?.['token']], [5999, 7]);
      await grid(view).press('ArrowDown');
      await view.page.waitForTimeout(250);
      assert.equal((await view.sentOf('select')).at(-1)?.['token'], undefined);
    });

    it('goes from bookmark to bookmark', async () => {
      const view = await open({ bookmarks: [9, 5_000_000] });
      const next = (action: string) => view.post({ v: 1, type: 'act', action });
      for (const row of [10, 5_000_001, 10]) {
        await next('nextBookmark');
        await until(view, async () => (await current(view)).row === row, `bookmark at ${String(row)}`);
      }
    });
  });
});
