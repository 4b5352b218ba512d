import assert from 'node:assert/strict';
import { contextEntry, largePage } from './entry/entries';
import { openEntryPage, type EntryPage, type PageOptions, type Theme } from './entry/entryPage';
import { accessibilityProblems, openBrowser, screenshot } from './harness';

describe('Entry view in a page of its own', () => {
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  const opened: EntryPage[] = [];

  before(async () => {
    browser = await openBrowser();
  });
  after(() => browser.close());
  afterEach(async () => {
    for (const view of opened.splice(0)) await view.close();
  });

  const open = async (options?: PageOptions): Promise<EntryPage> => {
    const view = await openEntryPage(browser, options);
    opened.push(view);
    return view;
  };
  const button = (view: EntryPage, name: string) =>
    view.page.getByRole('toolbar').getByRole('button', { name });
  const copies = async (view: EntryPage) =>
    (await view.sent()).filter((message) => (message as { type: string }).type === 'copy');

  it('says that it is ready, and that nothing is selected', async () => {
    const view = await open();
    assert.deepEqual(await view.sent(), [{ v: 1, type: 'ready' }]);
    await view.show(undefined);
    assert.match(await view.page.locator('main').innerText(), /^No entry selected\./);
  });

  it('shows every bit and every field of a leaf', async () => {
    const view = await open();
    await view.show(largePage());
    assert.equal(await view.page.locator('h1').innerText(), 'SS-PDE, level 2 (2M page)');
    assert.equal(
      (await view.page.locator('.word-value').innerText()).replace(/\s/g, ''),
      '0x0000000158a00083',
    );
    const bits = await view.page.locator('.diagram .digit').allInnerTexts();
    assert.equal(BigInt(`0b${bits.join('')}`), 0x158a00083n);
    const numbers = await view.page.locator('.diagram .number').allInnerTexts();
    assert.deepEqual(
      numbers,
      Array.from({ length: 64 }, (_, index) => String(63 - index)),
    );
    const rows = await view.page.locator('tbody tr').allInnerTexts();
    assert.equal(rows.length, 15);
    assert.deepEqual(rows[3]?.split(/\s*[\t\n]\s*/), [
      '51:21',
      'ADDR',
      ', address',
      '0xac5',
      'page at 0x158a00000',
      'VT-d 4.1 §9.8',
    ]);
  });

  it('numbers the bits of a second word from 64', async () => {
    const view = await open();
    await view.show(contextEntry());
    const headings = await view.page.locator('h2').allInnerTexts();
    assert.deepEqual(headings, ['Word 0', 'Word 1']);
    const numbers = await view.page.locator('.diagram .number').allInnerTexts();
    assert.deepEqual([numbers[0], numbers[63], numbers[64], numbers[127]], ['63', '0', '127', '64']);
    assert.equal(await button(view, 'DID, bits 87:72, value 0x4, domain 4').count(), 1);
  });

  it('puts problems first, in words, and leads to their bits', async () => {
    const view = await open();
    await view.show(largePage(true));
    const item = view.page.locator('.problems li');
    assert.match(
      await item.innerText(),
      /^Error: The page does not start.*\(bits 20:12\)\n+Hardware reports/s,
    );
    assert.equal(await view.page.locator('main > *').nth(1).getAttribute('class'), 'problems');
    assert.equal(await view.page.locator('.segment.faulty button, button.segment.faulty').count(), 1);
    await view.page.getByRole('button', { name: 'Show bits 20:12' }).click();
    const field = button(view, 'Reserved, bits 20:12');
    assert.equal(await field.getAttribute('aria-pressed'), 'true');
    assert.ok(await field.evaluate((element) => element.ownerDocument.activeElement === element));
  });

  it('is told what a screen reader should say when another entry is shown', async () => {
    const view = await open();
    await view.show(largePage(true));
    assert.equal(await view.page.getByRole('status').innerText(), 'SS-PDE, level 2 (2M page). Problems: 1');
  });

  it('moves between fields with arrow keys, pins with Enter and lets go with Escape', async () => {
    const view = await open();
    await view.show(largePage());
    const { keyboard } = view.page;
    await button(view, 'Ignored, bit 63').focus();
    await keyboard.press('End');
    await keyboard.press('ArrowLeft');
    const write = button(view, 'W, bit 1, value 1, writes allowed, permission, VT-d 4.1 §9.8');
    assert.equal(await write.getAttribute('tabindex'), '0');
    assert.equal(await view.page.locator('.diagram [tabindex="0"]').count(), 1);
    assert.match(await view.page.locator('.detail').innerText(), /^W bit 1 = 0x1 = 0b1 · writes allowed/);
    const row = view.page.locator('tbody tr', { hasText: 'writes allowed' });
    assert.match((await row.getAttribute('class')) ?? '', /active/);
    await keyboard.press('Enter');
    assert.equal(await write.getAttribute('aria-pressed'), 'true');
    assert.match((await row.getAttribute('class')) ?? '', /pinned/);
    await keyboard.press('Home');
    assert.match((await row.getAttribute('class')) ?? '', /pinned/);
    await keyboard.press('Escape');
    assert.equal(await write.getAttribute('aria-pressed'), 'false');
  });

  it('lights up a field in the diagram from its row, in every row of bits it stands in', async () => {
    const view = await open({ width: 300 });
    await view.show(largePage());
    await view.page.locator('tbody tr', { hasText: 'ADDR' }).hover();
    assert.equal(await view.page.locator('.segment.active').count(), 5);
    await view.page.locator('h1').hover();
    assert.equal(await view.page.locator('.segment.active').count(), 0);
  });

  it('asks for copies of the word and of a field', async () => {
    const view = await open();
    await view.show(contextEntry(), 7);
    await view.page.getByRole('button', { name: 'Copy Word 1 as Decimal' }).click();
    await button(view, 'SSPTPTR').focus();
    await view.page.keyboard.press('c');
    assert.deepEqual(await copies(view), [
      { v: 1, type: 'copy', generation: 7, word: 1, field: null, format: 'decimal' },
      { v: 1, type: 'copy', generation: 7, word: 0, field: 0, format: 'hex' },
    ]);
  });

  it('comes back from hiding with its entry and the pinned field', async () => {
    const first = await open();
    await first.show(largePage());
    await button(first, 'PS, bit 7').click();
    const again = await open({ state: await first.state() });
    assert.equal(await button(again, 'PS, bit 7').getAttribute('aria-pressed'), 'true');
    await again.show(largePage(), 9);
    assert.equal(await button(again, 'PS, bit 7').getAttribute('aria-pressed'), 'true');
    await again.show(contextEntry(), 10);
    assert.equal(await again.page.locator('.pinned').count(), 0);
  });

  it('ignores messages and saved states of another shape', async () => {
    const view = await open({ state: { v: 0, shown: 'something else' } });
    await view.show(largePage());
    for (const message of [
      'text',
      null,
      { v: 2, type: 'show' },
      { v: 1, type: 'show', entry: { title: 5 } },
    ]) {
      await view.page.evaluate((data) => postMessage(data, '*'), message);
    }
    await view.page.waitForTimeout(50);
    assert.equal(await view.page.locator('h1').innerText(), 'SS-PDE, level 2 (2M page)');
    assert.deepEqual(view.complaints, []);
  });

  it('fits its bits in rows of 8, 16 and 32, and follows a change of width', async () => {
    const view = await open({ width: 300 });
    await view.show(contextEntry());
    for (const [width, rows] of [
      [300, 16],
      [600, 8],
      [1100, 4],
    ] as const) {
      await view.page.setViewportSize({ width, height: 900 });
      await view.page.waitForFunction(
        (count) => document.querySelectorAll('.bit-row').length === count,
        rows,
      );
      const sideways = await view.page.evaluate('document.documentElement.scrollWidth - innerWidth');
      assert.ok(Number(sideways) <= 0, `${String(sideways)} px too wide at ${String(width)}`);
    }
  });

  it('needs nothing that its content security policy forbids', async () => {
    const view = await open();
    await view.show(largePage(true));
    await view.show(contextEntry(), 2);
    assert.deepEqual(view.complaints, []);
  });

  for (const theme of ['dark', 'light', 'high-contrast', 'high-contrast-light'] satisfies Theme[]) {
    it(`gives axe-core nothing to find: ${theme}, narrow and wide, with problems and without`, async () => {
      const check = async (width: number): Promise<void> => {
        const view = await open({ theme, width });
        for (const [name, details] of [
          ['empty', undefined],
          ['problem', largePage(true)],
          ['context', contextEntry()],
        ] as const) {
          await view.show(details);
          if (name === 'problem') await button(view, 'ADDR').focus();
          assert.deepEqual(await accessibilityProblems(view.page), [], `${name} at ${String(width)}`);
          await screenshot(view.page, `entry-${name}-${theme}-${String(width)}`);
        }
      };
      await Promise.all([300, 600].map(check));
    });
  }

  it('keeps its marks where the system forces its own colours', async () => {
    const view = await open({ forcedColors: true });
    await view.show(largePage(true));
    await button(view, 'ADDR').focus();
    const outline = await button(view, 'ADDR').evaluate((element) => getComputedStyle(element).outlineStyle);
    assert.equal(outline, 'solid');
    assert.deepEqual(await accessibilityProblems(view.page), []);
  });
});
