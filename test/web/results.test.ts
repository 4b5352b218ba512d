import assert from 'node:assert/strict';
import { accessibilityProblems, openBrowser, screenshot } from './harness';
import { migrations, steps, sweep } from './results/outcomes';
import { openResultsPage, type ResultsPage } from './results/resultsPage';
import { themeClass, themeStyle, type PageOptions, type Theme } from './viewPage';

describe('Scenario Results in a page of its own', () => {
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  const opened: ResultsPage[] = [];
  const [asIs, split] = migrations();
  assert.ok(asIs && split);

  before(async () => {
    browser = await openBrowser();
  });
  after(() => browser.close());
  afterEach(async () => {
    for (const view of opened.splice(0)) await view.close();
  });

  const open = async (options?: PageOptions): Promise<ResultsPage> => {
    const view = await openResultsPage(browser, options);
    opened.push(view);
    return view;
  };
  const chart = ({ page }: ResultsPage) => page.getByRole('application');
  const said = ({ page }: ResultsPage) => page.getByRole('status');
  const ofType = async (view: ResultsPage, type: string) =>
    (await view.sent()).filter((message) => (message as { type: string }).type === type);
  /** How many pixels of a canvas differ from the one in its corner. */
  const painted = (view: ResultsPage): Promise<number> =>
    chart(view).evaluate((element) => {
      const canvas = element as HTMLCanvasElement;
      const data = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      let count = 0;
      for (let at = 3; at < data.length; at += 4) if (data[at] !== 0) count++;
      return count;
    });

  it('says that it is ready, and why nothing is shown', async () => {
    const view = await open();
    assert.deepEqual(await view.sent(), [{ v: 1, type: 'ready' }]);
    await view.notice('Run the scenario again.');
    assert.match(await view.page.locator('main').innerText(), /Run the scenario again\./);
  });

  it('shows a migration: that it converged and why, its chart, its figures, its rounds', async () => {
    const view = await open();
    await view.show([split]);
    const text = await view.page.locator('main').innerText();
    assert.match(text, /Converged\.\s+After round 4, 136 MiB were pending/);
    assert.ok((await painted(view)) > 10_000);
    const figures = await view.page.locator('.tile').allInnerTexts();
    const found = figures.map((each) => each.replace(/\n+/g, ': '));
    for (const each of ['Blackout: 56.7 ms', 'Downtime limit: 100 ms', 'Lost: 0 B', 'Amplification: 1×'])
      assert.ok(found.includes(each), found.join('; '));
    const rows = await view.page.locator('.rounds tbody tr').allInnerTexts();
    assert.equal(rows.length, 5);
    assert.match(rows[4] ?? '', /^5 blackout\s/);
    assert.match(text, /Link\s+7\.57 s · 95\.2 %/);
  });

  it('says of one that was given up why, and leads from what failed to its line', async () => {
    const view = await open();
    await view.show([asIs], 4);
    assert.match(
      await view.page.locator('.why').innerText(),
      /^Did not converge\.\s*After each round the same 14 GiB/,
    );
    await view.page.getByRole('button', { name: 'line 16' }).click();
    assert.deepEqual(await ofType(view, 'reveal'), [
      { v: 1, type: 'reveal', generation: 4, run: 0, failure: 0 },
    ]);
  });

  it('compares variants, and marks the best in words', async () => {
    const view = await open();
    await view.show([asIs, split]);
    const row = (name: string) => view.page.locator('.comparison tbody tr', { hasText: name });
    assert.match(await row('Total time').innerText(), /15\.1 s\s+7\.61 s best$/);
    assert.match(await row('Preparation').innerText(), /10 µs best\s+342 ms$/);
    assert.equal(await chart(view).count(), 2);
    const tops = await chart(view).evaluateAll((all) => all.map((each) => each.getBoundingClientRect().top));
    assert.equal(tops[0], tops[1], 'the charts stand side by side');
  });

  it('has a row for each run of a sweep, and shows the one that is picked', async () => {
    const view = await open();
    await view.show(sweep());
    assert.equal(await view.page.locator('.comparison tbody tr').count(), 13);
    assert.equal(await chart(view).count(), 1);
    await view.page
      .getByRole('button', { name: 'Show details of split · migrate.link=400Gbps' })
      .press('Enter');
    assert.match(await view.page.locator('.card h2').innerText(), /400Gbps/);
    const again = await open({ state: await view.state() });
    assert.match(await again.page.locator('.card h2').innerText(), /400Gbps/);
  });

  it('shows what steps wrote and reported where nothing moves', async () => {
    const view = await open();
    await view.show(steps());
    assert.equal(await chart(view).count(), 0);
    assert.match(await view.page.locator('.bars').innerText(), /Written\s+4 KiB\s+Reported dirty\s+4 KiB/);
    assert.match(
      await view.page.locator('.failures').innerText(),
      /expected requests: 7 requests, but 1 request/,
    );
  });

  it('moves from round to round with arrow keys, and says the round’s figures', async () => {
    const view = await open();
    await view.show([split]);
    const { keyboard } = view.page;
    await chart(view).focus();
    assert.match(await said(view).innerText(), /^Round 1: Began 0 s, Took 5\.51 s, Pending 16 GiB/);
    await keyboard.press('ArrowRight');
    assert.match(await said(view).innerText(), /^Round 2: .*Written 1\.27 GiB, Reported 1\.27 GiB/);
    assert.match((await view.page.locator('.rounds tr.current').innerText()).trim(), /^2\s/);
    await keyboard.press('End');
    await keyboard.press('ArrowRight');
    assert.match(await said(view).innerText(), /^Round 5, blackout: /);
    await keyboard.press('Home');
    await keyboard.press('ArrowLeft');
    assert.match(await said(view).innerText(), /^Round 1: /);
    const outline = await chart(view).evaluate((element) => getComputedStyle(element).outlineStyle);
    assert.equal(outline, 'solid');
  });

  it('takes the pointer’s round, and that of a row', async () => {
    const view = await open();
    await view.show([split]);
    await view.page.locator('.rounds tbody tr').nth(2).click();
    assert.match(await said(view).innerText(), /^Round 3: /);
    await chart(view).hover({ position: { x: 200, y: 100 } });
    assert.match(await said(view).innerText(), /^Round 1: /);
  });

  it('draws rounds by time or all alike, and comes back as it was', async () => {
    const view = await open();
    await view.show([split]);
    await view.page.getByRole('button', { name: 'By Round' }).press('Enter');
    await chart(view).focus();
    await view.page.keyboard.press('ArrowRight');
    await screenshot(view.page, 'results-by-round');
    const again = await open({ state: await view.state() });
    const pressed = again.page.getByRole('button', { name: 'By Round' });
    assert.equal(await pressed.getAttribute('aria-pressed'), 'true');
    assert.match(await said(again).innerText(), /^Round 2: /);
    await again.show([split], 7);
    assert.match(await said(again).innerText(), /^Round 2: /);
  });

  it('ignores messages and saved states of another shape', async () => {
    const view = await open({ state: { v: 99, results: 'of another version' } });
    await view.show([split], 5);
    for (const message of [
      'text',
      null,
      { v: 2, type: 'show' },
      { v: 1, type: 'show', results: { runs: [5] } },
    ])
      await view.post(message);
    // Of before what is shown.
    await view.show([asIs], 3);
    assert.equal(await view.page.locator('.card h2').innerText(), 'split');
    assert.deepEqual(view.complaints, []);
  });

  it('paints its charts as a PNG, with a background of their own', async () => {
    const view = await open();
    await view.show([asIs, split]);
    await view.post({ v: 1, type: 'paint', request: 5 });
    const find = `talk.sent.find(({ type, request }) => type === 'picture' && request === 5)`;
    // The page's policy forbids the text that waiting in it would evaluate again and again.
    while (!(await view.page.evaluate<boolean>(`${find} !== undefined`))) await view.page.waitForTimeout(50);
    const bytes = await view.page.evaluate<number[]>(`Array.from(${find}.png)`);
    const about = await view.page.evaluate(async (png) => {
      const image = await createImageBitmap(new Blob([new Uint8Array(png)], { type: 'image/png' }));
      const canvas = new OffscreenCanvas(image.width, image.height);
      const context = canvas.getContext('2d');
      context?.drawImage(image, 0, 0);
      const { data } = context?.getImageData(0, 0, image.width, image.height) ?? { data: [] };
      const colors = new Set<number>();
      let clear = 0;
      for (let at = 0; at < data.length; at += 4) {
        colors.add(((data[at] ?? 0) << 16) | ((data[at + 1] ?? 0) << 8) | (data[at + 2] ?? 0));
        if (data[at + 3] !== 255) clear++;
      }
      return { width: image.width, colors: colors.size, clear };
    }, bytes);
    assert.equal(about.width, (960 + 32) * 2);
    assert.ok(about.colors > 20, `${String(about.colors)} colours`);
    assert.equal(about.clear, 0);
  });

  it('has no picture where there is no chart', async () => {
    const view = await open();
    await view.show(steps());
    await view.post({ v: 1, type: 'paint', request: 1 });
    assert.deepEqual(await ofType(view, 'picture'), [{ v: 1, type: 'picture', request: 1, png: null }]);
  });

  it('asks for exports', async () => {
    const view = await open();
    await view.show([split]);
    for (const name of ['Export Rounds as CSV', 'Export Charts as PNG', 'Copy as Markdown'])
      await view.page.getByRole('button', { name }).click();
    const formats = (await ofType(view, 'export')).map((each) => (each as { format: string }).format);
    assert.deepEqual(formats, ['csv', 'png', 'markdown']);
  });

  it('is drawn anew in the colours of another theme', async () => {
    const view = await open();
    await view.show([split]);
    const corner = () =>
      chart(view).evaluate((element) => {
        const canvas = element as HTMLCanvasElement;
        // In the box of what the first round sent.
        return [...(canvas.getContext('2d')?.getImageData(200, 150, 1, 1).data ?? [])].join();
      });
    const dark = await corner();
    await view.page.evaluate(
      ({ style, className }) => {
        document.documentElement.style.cssText = style.replaceAll(';', ' !important;');
        document.body.className = className;
      },
      { style: `${themeStyle('high-contrast-light')};`, className: themeClass('high-contrast-light') },
    );
    await view.page.waitForTimeout(100);
    assert.notEqual(await corner(), dark);
  });

  it('has room at 300 pixels, and follows a change of width', async () => {
    const view = await open({ width: 300 });
    for (const outcomes of [[asIs, split], steps(), sweep()]) {
      await view.show(outcomes, 1 + outcomes.length);
      for (const width of [300, 700, 1300, 300]) {
        await view.page.setViewportSize({ width, height: 900 });
        await view.page.waitForTimeout(50);
        const sideways = await view.page.evaluate('document.documentElement.scrollWidth - innerWidth');
        assert.ok(Number(sideways) <= 0, `${String(sideways)} px too wide at ${String(width)}`);
      }
    }
  });

  it('needs nothing that its content security policy forbids', async () => {
    const view = await open();
    await view.show([asIs, split]);
    await view.show(steps(), 2);
    assert.deepEqual(view.complaints, []);
  });

  for (const theme of ['dark', 'light', 'high-contrast', 'high-contrast-light'] satisfies Theme[]) {
    it(`gives axe-core nothing to find: ${theme}, narrow and wide`, async () => {
      const narrow = { variants: [asIs, split], steps: steps() };
      const wide = { migration: [split], sweep: sweep() };
      for (const [width, shown] of [
        [300, narrow],
        [1100, wide],
      ] as const) {
        const view = await open({ theme, width });
        let generation = 0;
        for (const [name, outcomes] of Object.entries(shown)) {
          await view.show(outcomes, ++generation);
          if (name === 'migration') await chart(view).focus();
          assert.deepEqual(await accessibilityProblems(view.page), [], `${name} at ${String(width)}`);
          await screenshot(view.page, `results-${name}-${theme}-${String(width)}`);
        }
      }
    });
  }

  it('keeps its marks where the system forces its own colours', async () => {
    const view = await open({ forcedColors: true });
    await view.show([asIs, split]);
    assert.ok(
      (await chart(view).first().isVisible()) && (await view.page.locator('.best-mark').first().isVisible()),
    );
    assert.deepEqual(await accessibilityProblems(view.page), []);
  });
});
