/** What a person does in the workbench, in more than one suite. */
import assert from 'node:assert/strict';
import { type Frame, type Page } from 'playwright-core';
import { answer, choose, pick, runCommand, webview } from './harness';

export const input = (page: Page) => page.locator('.quick-input-widget input[type="text"]');
export const prompt = (page: Page) => page.locator('.quick-input-widget:visible');
export const focused = (page: Page) =>
  page.locator('.pane-body .monaco-list:focus-within .monaco-list-row.focused');

/** Waits for the step of a question in several steps, so that an answer does not go to the step before. */
export const step = (page: Page, place: string) =>
  page.locator('.quick-input-title', { hasText: `(${place})` }).waitFor({ timeout: 20_000 });

/** Walks a read from the palette. */
export async function walk(page: Page, device: string, iova: string): Promise<void> {
  await runCommand(page, 'IOPTE: Walk IOVA');
  await step(page, '1/3');
  await choose(page, device);
  await step(page, '2/3');
  await answer(page, iova);
  await step(page, '3/3');
  await pick(page, 'Read');
}

const focusedText = async (page: Page): Promise<string> => (await focused(page).allInnerTexts()).join();

/** Presses the down arrow until the focused row of the tree has this text. */
export async function moveTo(page: Page, text: string): Promise<void> {
  for (let step = 0; step < 80; step++) {
    if ((await focusedText(page)).includes(text)) return;
    await page.keyboard.press('ArrowDown');
    await page.waitForTimeout(50);
  }
  assert.fail(`no row with ${text} below`);
}

/** Opens the focused row, goes on to its first child as soon as that is there, and from there to a row with this text. */
export async function expandTo(page: Page, below: string): Promise<void> {
  const before = await focusedText(page);
  for (let wait = 0; (await focusedText(page)) === before; wait++) {
    assert.ok(wait < 100, `${before} does not open`);
    await page.keyboard.press('ArrowRight');
    await page.waitForTimeout(100);
  }
  await moveTo(page, below);
}

/** The Entry view once it shows an entry with this title. */
export async function entryTitled(page: Page, title: string): Promise<Frame> {
  const frame = await webview(page, 'main h1');
  await frame.locator('h1', { hasText: title }).waitFor({ timeout: 20_000 });
  return frame;
}

/** Takes a theme as a user does; `kind` is the class it gives the workbench. */
export async function useTheme(page: Page, name: string, kind: string): Promise<void> {
  // The palette has two commands of that name, so the key of the one is pressed where a tree has the focus.
  await runCommand(page, 'IOPTE: Focus on Domains View');
  await page.locator('.pane-body .monaco-list:focus-within').waitFor();
  await page.keyboard.press('Control+K');
  await page.keyboard.press('Control+T');
  const row = page.locator('.quick-input-list .monaco-list-row.focused', { hasText: name });
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'Monokai' }).first().waitFor();
  await input(page).fill(name);
  await row.waitFor();
  await page.keyboard.press('Enter');
  await page.locator(`.monaco-workbench.${kind}`).waitFor({ timeout: 20_000 });
}

/** Drags the edge of the side bar until it is this wide. */
export async function widenSideBar(page: Page, width: number): Promise<void> {
  const bar = await page.locator('.part.sidebar').boundingBox();
  assert.ok(bar);
  await page.mouse.move(bar.x + bar.width, bar.y + 300);
  await page.mouse.down();
  await page.mouse.move(bar.x + width, bar.y + 300, { steps: 5 });
  await page.mouse.up();
}
