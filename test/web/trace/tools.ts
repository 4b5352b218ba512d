/** What tests see of the trace page, and how they wait for it. */
import assert from 'node:assert/strict';
import { type TracePage } from './scriptedHost';

export const grid = ({ page }: TracePage) => page.getByRole('grid');
export const filter = ({ page }: TracePage) => page.getByRole('combobox', { name: 'Filter', exact: true });
export const search = ({ page }: TracePage) => page.getByRole('textbox', { name: 'Search rows' });
export const goTo = ({ page }: TracePage) => page.getByRole('textbox', { name: 'Go to row, time or IOVA' });
export const said = ({ page }: TracePage) => page.getByRole('status');
export const status = ({ page }: TracePage) => page.locator('.status');
export const focusGrid = (view: TracePage) => grid(view).focus();

/** Rows that show, from the top: their numbers as written, and where they stand below the head, in pixels. */
export const shown = async (
  view: TracePage,
): Promise<readonly { readonly row: number; readonly top: number }[]> => {
  await view.settled();
  return view.page.locator('.body .row:visible').evaluateAll((elements) => {
    const body = document.querySelector('.body')?.getBoundingClientRect().top ?? 0;
    return elements
      .map((element) => ({
        row: Number(element.querySelector('.col-row')?.textContent.replaceAll(',', '')),
        top: element.getBoundingClientRect().top - body,
      }))
      .sort((one, other) => one.top - other.top);
  });
};
/** The cell that screen readers are told of, and its row. */
export const current = async (view: TracePage): Promise<{ readonly row: number; readonly text: string }> => {
  await view.settled();
  return grid(view).evaluate((element) => {
    const cell = document.getElementById(element.getAttribute('aria-activedescendant') ?? '');
    const index = cell?.closest('[role="row"]')?.getAttribute('aria-rowindex');
    // The head is the first row.
    return { row: Number(index) - 1, text: cell?.textContent ?? '' };
  });
};
export const selected = (view: TracePage) => view.page.locator('.body .row[aria-selected="true"]:visible');
export const until = async (view: TracePage, holds: () => Promise<boolean>, what: string): Promise<void> => {
  for (let tries = 0; tries < 100; tries++) {
    if (await holds()) return;
    await view.page.waitForTimeout(30);
  }
  assert.fail(what);
};
export const untilSaid = (view: TracePage, text: RegExp): Promise<void> =>
  until(view, async () => text.test(await said(view).innerText()), `nobody says ${String(text)}`);
