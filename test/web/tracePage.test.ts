import assert from 'node:assert/strict';
import { accessibilityProblems, openBrowser, screenshot } from './harness';
import { NEEDLE, openTracePage, type TraceOptions, type TracePage } from './trace/scriptedHost';
import { strings } from './trace/strings';
import { themeClass, themeStyle, type Theme } from './viewPage';

const ROWS = 100_000_000;
const ROW_HEIGHT = 22;

describe('trace editor in a page of its own', () => {
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
  const grid = ({ page }: TracePage) => page.getByRole('grid');
  const filter = ({ page }: TracePage) => page.getByRole('combobox', { name: 'Filter', exact: true });
  const search = ({ page }: TracePage) => page.getByRole('textbox', { name: 'Search rows' });
  const goTo = ({ page }: TracePage) => page.getByRole('textbox', { name: 'Go to row, time or IOVA' });
  const said = ({ page }: TracePage) => page.getByRole('status');
  const status = ({ page }: TracePage) => page.locator('.status');
  const focusGrid = (view: TracePage) => grid(view).focus();

  /** Rows that show, from the top: their numbers as written, and where they stand below the head, in pixels. */
  const shown = async (
    view: TracePage,
  ): Promise<readonly { readonly row: number; readonly top: number }[]> => {
    await view.settled();
    return view.page.locator('.body .row:visible').evaluateAll((elements) => {
      const body = document.querySelector('.body')?.getBoundingClientRect().top ?? 0;
      return elements
        .map((element) => ({
          row: Number(element.querySelector('.col-row')?.textContent?.replaceAll(',', '')),
          top: element.getBoundingClientRect().top - body,
        }))
        .sort((one, other) => one.top - other.top);
    });
  };
  /** The cell that screen readers are told of, and its row. */
  const current = async (view: TracePage): Promise<{ readonly row: number; readonly text: string }> => {
    await view.settled();
    return grid(view).evaluate((element) => {
      const cell = document.getElementById(element.getAttribute('aria-activedescendant') ?? '');
      const index = cell?.closest('[role="row"]')?.getAttribute('aria-rowindex');
      // The head is the first row.
      return { row: Number(index) - 1, text: cell?.textContent ?? '' };
    });
  };
  const selected = (view: TracePage) => view.page.locator('.body .row[aria-selected="true"]:visible');
  const until = async (view: TracePage, holds: () => Promise<boolean>, what: string): Promise<void> => {
    for (let tries = 0; tries < 100; tries++) {
      if (await holds()) return;
      await view.page.waitForTimeout(30);
    }
    assert.fail(what);
  };
  const untilSaid = (view: TracePage, text: RegExp): Promise<void> =>
    until(view, async () => text.test(await said(view).innerText()), `nobody says ${String(text)}`);

  describe('grid', () => {
    it('says that it is ready, and shows the first rows', async () => {
      const view = await open();
      assert.deepEqual((await view.sent())[0], { v: 1, type: 'ready' });
      assert.equal(await grid(view).getAttribute('aria-rowcount'), String(ROWS + 1));
      const rows = await shown(view);
      assert.deepEqual(rows[0], { row: 1, top: 0 });
      assert.deepEqual(rows[5], { row: 6, top: 5 * ROW_HEIGHT });
      const first = await view.page.locator('.body .row[aria-rowindex="2"]').innerText();
      for (const text of [
        '81492.000000',
        'kworker/u8:2-1000',
        '0xffffe000',
        '2 MiB',
        '0x120000000',
        'read write',
      ])
        assert.ok(first.includes(text), `${text} in ${first}`);
    });

    it('reaches the last of 10^8 rows, whole and at the bottom', async () => {
      const view = await open();
      await focusGrid(view);
      await view.page.keyboard.press('Control+End');
      const rows = await shown(view);
      const last = rows.at(-1);
      assert.equal(last?.row, ROWS);
      const height = await view.page.locator('.body').evaluate((body) => body.clientHeight);
      assert.ok(
        Math.abs((last?.top ?? 0) + ROW_HEIGHT - height) < 1,
        `${String(last?.top)} of ${String(height)}`,
      );
      assert.deepEqual(await current(view), { row: ROWS, text: '100,000,000' });
      await view.page.keyboard.press('Control+Home');
      assert.equal((await shown(view))[0]?.row, 1);
    });

    it('puts any row exactly at the top, and each below it where it belongs', async () => {
      for (const top of [0, 1, 199, 200, 12_345_678, 77_777_777.5, ROWS - 1000]) {
        const state = { v: 1, filter: '', top, anchor: 3, cursor: 3, column: 'iova', hidden: ['space'] };
        const view = await open({ state: { ...state, widths: {}, time: 'absolute', details: false } });
        const rows = await shown(view);
        rows.forEach(({ row, top: at }, index) => {
          assert.equal(row, Math.floor(top) + 1 + index);
          assert.ok(Math.abs(at - (Math.floor(top) + index - top) * ROW_HEIGHT) < 0.01);
        });
        await view.close();
        opened.pop();
      }
    });

    it('is dragged to its end and back by the scrollbar', async () => {
      const view = await open();
      const bar = view.page.getByRole('scrollbar');
      const box = await bar.boundingBox();
      assert.ok(box);
      const { mouse } = view.page;
      await mouse.move(box.x + 7, box.y + 4);
      await mouse.down();
      await mouse.move(box.x + 7, box.y + box.height / 2, { steps: 4 });
      const middle = (await shown(view))[0]?.row ?? 0;
      assert.ok(Math.abs(middle / ROWS - 0.5) < 0.05, String(middle));
      await mouse.move(box.x + 7, box.y + box.height + 40, { steps: 4 });
      assert.equal((await shown(view)).at(-1)?.row, ROWS);
      await mouse.move(box.x + 7, box.y - 40, { steps: 4 });
      await mouse.up();
      assert.equal((await shown(view))[0]?.row, 1);
      // Below the thumb a click is a page.
      await mouse.click(box.x + 7, box.y + box.height - 10);
      const second = (await shown(view))[0]?.row ?? 0;
      assert.ok(second > 20 && second < 60, String(second));
    });

    it('scrolls by the wheel in parts of rows', async () => {
      const view = await open();
      await grid(view).hover();
      await view.page.mouse.wheel(0, 33);
      const rows = await shown(view);
      assert.deepEqual(rows[0], { row: 2, top: -ROW_HEIGHT / 2 });
    });

    it('asks for rows where it stands, not for those it was dragged past', async () => {
      const view = await open({ delay: 300 });
      await focusGrid(view);
      const before = (await view.sentOf('rows')).length;
      const box = await view.page.getByRole('scrollbar').boundingBox();
      assert.ok(box);
      await view.page.mouse.move(box.x + 7, box.y + 4);
      await view.page.mouse.down();
      await view.page.mouse.move(box.x + 7, box.y + box.height - 40, { steps: 50 });
      await view.page.mouse.up();
      await view.settled();
      const asked = (await view.sentOf('rows')).length - before;
      assert.ok(asked < 75, `${String(asked)} questions for 50 steps`);
      const tooMany = (await view.sentOf('rows')).filter(({ count }) => Number(count) > 200);
      assert.deepEqual(tooMany, []);
    });

    it('shows markup of a trace as text', async () => {
      const view = await open();
      await goTo(view).fill('501');
      await goTo(view).press('Enter');
      await view.settled();
      const line = view.page.locator('.body .op-unknown .col-line').first();
      assert.equal(await line.innerText(), '<img src=x onerror="document.title=1"> <b>not a line</b>');
      assert.equal(await view.page.locator('img, b').count(), 0);
      await focusGrid(view);
      await view.page.keyboard.press('Enter');
      assert.match(await view.page.locator('.details pre').innerText(), /^<img src=x/);
      assert.equal(await view.page.title(), 'trace');
      assert.deepEqual(view.complaints, []);
    });

    it('marks unknown lines and lost events by icon and word', async () => {
      const view = await open();
      await goTo(view).fill('751');
      await goTo(view).press('Enter');
      await view.settled();
      const lost = view.page.locator('.body .op-lost');
      assert.match(await lost.innerText(), /lost\s+250 events lost here/);
      assert.ok((await lost.locator('.mark path').getAttribute('d')) !== '');
    });
  });

  describe('keyboard and selection', () => {
    it('moves from cell to cell, by pages and to the ends', async () => {
      const view = await open();
      await focusGrid(view);
      const { keyboard } = view.page;
      assert.deepEqual(await current(view), { row: 1, text: '1' });
      for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight']) await keyboard.press(key);
      assert.deepEqual(await current(view), { row: 3, text: '81492.000003' });
      await keyboard.press('End');
      assert.match((await current(view)).text, /^2 map: IOMMU/);
      await keyboard.press('Home');
      await keyboard.press('PageDown');
      const { row } = await current(view);
      assert.ok(row > 30 && row < 45, String(row));
      await keyboard.press('PageUp');
      assert.equal((await current(view)).row, 3);
    });

    it('selects a range with Shift, and copies it', async () => {
      const view = await open();
      await focusGrid(view);
      const { keyboard } = view.page;
      await keyboard.press('ArrowDown');
      for (let count = 0; count < 4; count++) await keyboard.press('Shift+ArrowDown');
      assert.equal(await selected(view).count(), 5);
      assert.match(await status(view).innerText(), /5 rows selected/);
      await keyboard.press('Control+c');
      const [copy] = await view.sentOf('copy');
      assert.deepEqual([copy?.['first'], copy?.['count']], [1, 5]);
      await untilSaid(view, /Rows copied: 5/);
      await keyboard.press('Escape');
      assert.equal(await selected(view).count(), 1);
    });

    it('refuses to copy more than the clipboard should hold', async () => {
      const view = await open();
      await focusGrid(view);
      await view.page.keyboard.press('Control+a');
      await view.page.keyboard.press('Control+c');
      await untilSaid(view, /At most 100,000 rows/);
      assert.deepEqual(await view.sentOf('copy'), []);
    });

    it('selects by the mouse, and tells the host where the cursor rests', async () => {
      const view = await open();
      const row = (index: number) => view.page.locator(`.body .row[aria-rowindex="${String(index + 1)}"]`);
      await row(4).click();
      await row(8).click({ modifiers: ['Shift'] });
      assert.equal(await selected(view).count(), 5);
      await view.page.waitForTimeout(250);
      const last = (await view.sentOf('select')).at(-1);
      assert.deepEqual(last, { v: 1, type: 'select', gen: 0, index: 7, row: 7, first: 3, count: 5 });
      const context = JSON.parse((await row(4).getAttribute('data-vscode-context')) ?? '') as unknown;
      assert.deepEqual(context, {
        ...{ webviewSection: 'traceRow', preventDefaultContextMenuItems: true },
        ...{ traceRow: 3, traceIova: '0xffff8000' },
      });
    });

    it('opens the details of a row, and acts on it', async () => {
      const view = await open();
      await focusGrid(view);
      await view.page.keyboard.press('ArrowDown');
      await view.page.keyboard.press('Enter');
      const details = view.page.getByRole('region', { name: 'Whole Row' });
      const text = await details.innerText();
      for (const part of ['Row 2 · unmap', '[0xffffc000, 0xffffd000)', '4 KiB (0x1000)', '1 unmap: IOMMU'])
        assert.ok(text.includes(part), `${part} in ${text}`);
      await view.page.keyboard.press('ArrowDown');
      await until(
        view,
        async () => (await details.innerText()).includes('Row 3'),
        'details follow the cursor',
      );
      await details.getByRole('button', { name: 'Replay to Here' }).press('Enter');
      await details.getByRole('button', { name: 'History of This IOVA' }).click();
      assert.deepEqual(
        (await view.sentOf('command')).map(({ command, row, iova }) => [command, row, iova]),
        [
          ['replay', 2, '0xffffa000'],
          ['history', 2, '0xffffa000'],
        ],
      );
      await details.getByRole('button', { name: 'Add Bookmark' }).click();
      assert.deepEqual(await view.sentOf('bookmark'), [{ v: 1, gen: 0, type: 'bookmark', row: 2 }]);
      await view.post({ v: 1, type: 'bookmarks', rows: [2] });
      await untilSaid(view, /Row 3 has a bookmark/);
      assert.equal(await view.page.locator('.body .bookmarked').count(), 1);
      await view.page.keyboard.press('Escape');
      assert.equal(await details.count(), 0);
    });

    it('hides, shows and sizes columns, and keeps that with the place', async () => {
      const view = await open();
      await view.page.getByRole('button', { name: 'Columns' }).press('Enter');
      await view.page.getByRole('checkbox', { name: 'Task' }).uncheck();
      await view.page.getByRole('checkbox', { name: 'Space' }).check();
      await view.page.keyboard.press('Escape');
      const heads = async (of: TracePage) => of.page.getByRole('columnheader').allInnerTexts();
      assert.ok(!(await heads(view)).includes('Task') && (await heads(view)).includes('Space'));
      await focusGrid(view);
      const width = async (of: TracePage) =>
        (await of.page.getByRole('columnheader', { name: 'Row' }).boundingBox())?.width ?? 0;
      const before = await width(view);
      for (let count = 0; count < 3; count++) await view.page.keyboard.press('Alt+Shift+ArrowRight');
      assert.equal(await width(view), before + 48);
      await view.page.getByRole('combobox', { name: 'Time' }).selectOption('delta');
      await goTo(view).fill('5,000,000');
      await goTo(view).press('Enter');
      await until(view, async () => (await current(view)).row === 5_000_000, 'goes to the row');
      await view.page.waitForTimeout(250);
      const again = await open({ state: await view.state() });
      assert.deepEqual(await heads(again), await heads(view));
      assert.equal(await width(again), before + 48);
      assert.equal((await current(again)).row, 5_000_000);
      assert.deepEqual(await shown(again), await shown(view));
      const time = again.page.locator('.body .row.current .col-time');
      assert.equal(await time.innerText(), '+0.000001');
    });

    it('is sized by dragging the edge of a head, and fitted by a double click', async () => {
      const view = await open();
      const head = view.page.getByRole('columnheader', { name: 'Device' });
      const before = await head.boundingBox();
      const handle = await head.locator('.handle').boundingBox();
      assert.ok(before && handle);
      await view.page.mouse.move(handle.x + 4, handle.y + 8);
      await view.page.mouse.down();
      await view.page.mouse.move(handle.x + 64, handle.y + 8, { steps: 3 });
      await view.page.mouse.up();
      assert.equal((await head.boundingBox())?.width, before.width + 60);
      await head.locator('.handle').dblclick();
      assert.equal((await head.boundingBox())?.width, before.width);
    });
  });

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
      const alert = view.page.getByRole('alert').filter({ visible: true });
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
      await view.page.getByText('The engine is busy.').waitFor();
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
        /maps, .* unmaps, .* faults; most maps at row 40,/,
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

    it('goes from bookmark to bookmark', async () => {
      const view = await open({ bookmarks: [9, 5_000_000] });
      const next = (action: string) => view.post({ v: 1, type: 'act', action });
      for (const row of [10, 5_000_001, 10]) {
        await next('nextBookmark');
        await until(view, async () => (await current(view)).row === row, `bookmark at ${String(row)}`);
      }
    });
  });

  describe('looks', () => {
    it('has room at 300 pixels, and follows a change of width', async () => {
      const view = await open({ width: 300 });
      await view.page.getByRole('button', { name: 'Group', exact: true }).click();
      await focusGrid(view);
      await view.page.keyboard.press('Enter');
      for (const width of [300, 700, 1300, 300]) {
        await view.page.setViewportSize({ width, height: 900 });
        await view.settled();
        const sideways = await view.page.evaluate('document.documentElement.scrollWidth - innerWidth');
        assert.ok(Number(sideways) <= 0, `${String(sideways)} px too wide at ${String(width)}`);
        assert.ok(((await grid(view).boundingBox())?.height ?? 0) > 150);
      }
    });

    it('ignores messages and saved states of another shape', async () => {
      const view = await open({ state: { v: 99, filter: 'of another version' } });
      for (const message of ['text', null, { v: 2, type: 'opened' }, { v: 1, type: 'rows', rows: [5] }])
        await view.post(message);
      assert.equal((await shown(view))[0]?.row, 1);
      assert.deepEqual(view.complaints, []);
    });

    it('says why a trace cannot be shown', async () => {
      const view = await open();
      const failure = { code: 'trace/unknown-format', message: 'Not a trace.', hint: 'Open one of these.' };
      await view.post({ v: 1, type: 'refused', failure, strings });
      assert.match(await view.page.locator('main').innerText(), /Not a trace\.\s+Open one of these\./);
    });

    for (const theme of ['dark', 'light', 'high-contrast', 'high-contrast-light'] satisfies Theme[]) {
      it(`gives axe-core nothing to find: ${theme}, narrow and wide`, async () => {
        for (const width of [300, 1300]) {
          const view = await open({ theme, width, bookmarks: [5, 740, 30_000_000] });
          await goTo(view).fill('745');
          await goTo(view).press('Enter');
          await until(view, async () => (await current(view)).row === 745, 'goes to the row');
          await view.page.keyboard.press('Shift+ArrowDown');
          assert.deepEqual(await accessibilityProblems(view.page), [], `rows at ${String(width)}`);
          await screenshot(view.page, `trace-${theme}-${String(width)}`);
          await view.page.keyboard.press('Enter');
          await view.page.getByRole('button', { name: 'Group', exact: true }).click();
          await view.page.locator('.groups tbody tr').first().waitFor();
          await view.page.getByRole('button', { name: 'Actions' }).click();
          assert.deepEqual(await accessibilityProblems(view.page), [], `panels at ${String(width)}`);
          await screenshot(view.page, `trace-panels-${theme}-${String(width)}`);
          assert.deepEqual(view.complaints, []);
        }
      });
    }

    it('keeps its marks where the system forces its own colours', async () => {
      const view = await open({ forcedColors: true });
      assert.deepEqual(await accessibilityProblems(view.page), []);
      await screenshot(view.page, 'trace-forced-colors');
      const outline = await view.page
        .locator('.body .row.current')
        .evaluate((element) => getComputedStyle(element).outlineStyle);
      assert.equal(outline, 'solid');
    });
  });

  describe('speed', () => {
    it('answers scrolls and jumps over 10^8 rows within 100 ms', async () => {
      const view = await open();
      const times = await view.page.evaluate(async () => {
        const bar = document.querySelector('[role="scrollbar"]');
        const box = bar?.getBoundingClientRect();
        const rowsAreThere = (): boolean =>
          document.querySelectorAll('.op-loading:not([hidden])').length === 0;
        const found: number[] = [];
        for (let jump = 0; jump < 60; jump++) {
          const before = document.querySelector('.body .row:not([hidden]) .col-row')?.textContent;
          const start = performance.now();
          const y = (box?.top ?? 0) + 60 + ((jump * 367) % 720);
          const event = {
            clientX: (box?.left ?? 0) + 4,
            clientY: y,
            bubbles: true,
            shiftKey: true,
            pointerId: 1,
          };
          try {
            bar?.dispatchEvent(new PointerEvent('pointerdown', event));
          } catch {
            // No pointer to capture: the jump is made all the same.
          }
          do await new Promise(requestAnimationFrame);
          while (
            !rowsAreThere() ||
            document.querySelector('.body .row:not([hidden]) .col-row')?.textContent === before
          );
          found.push(performance.now() - start);
        }
        return found;
      });
      // What else the machine does meanwhile is not the page's: the best of three rounds counts, nine of ten of its jumps.
      const rounds = [0, 20, 40].map((from) =>
        times.slice(from, from + 20).sort((one, other) => one - other),
      );
      const best = Math.min(...rounds.map((round) => round[17] ?? Infinity));
      console.log(`        nine of ten jumps are answered within ${best.toFixed(0)} ms`);
      assert.ok(best < 100, `${String(best)} ms`);
    });
  });
});
