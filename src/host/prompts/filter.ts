import * as vscode from 'vscode';
import type { Completion, TextProblem } from '../../inspection/protocol';

/** What the filter prompt needs of the engine. */
export interface FilterLanguage {
  check(where: string): Promise<readonly TextProblem[]>;
  complete(where: string, offset: number): Promise<readonly Completion[]>;
}

interface FilterItem extends vscode.QuickPickItem {
  /** The filter's text once this item is taken. */
  readonly text: string;
  /** `apply` ends the question; `insert` completes the text and goes on. */
  readonly act: 'apply' | 'insert' | 'none';
}

/** Marks what an error is about, at its exact place: `perm = ⟦rx⟧ and dirty`. */
export function markProblem(text: string, { start, end }: Pick<TextProblem, 'start' | 'end'>): string {
  return `${text.slice(0, start)}⟦${text.slice(start, end)}⟧${text.slice(end)}`;
}

/** Items for a text: what is wrong with it or that it can be applied, then how it can go on, then earlier filters. */
export function filterItems(
  text: string,
  problems: readonly TextProblem[],
  completions: readonly Completion[],
  earlier: readonly string[],
): readonly FilterItem[] {
  const error = problems.find(({ severity }) => severity === 'error') ?? problems[0];
  const first: FilterItem =
    error?.severity === 'error'
      ? {
          label: `$(error) ${error.message}`,
          description: vscode.l10n.t('column {0}', error.start + 1),
          detail: [markProblem(text, error), error.hint].filter(Boolean).join('   '),
          alwaysShow: true,
          act: 'none',
          text,
        }
      : {
          label:
            text === ''
              ? vscode.l10n.t('$(clear-all) Show everything')
              : vscode.l10n.t('$(filter) Apply {0}', text),
          ...(error && { detail: error.message }),
          alwaysShow: true,
          act: 'apply',
          text,
        };
  const next = completions
    .map((completion): FilterItem => ({
      label: completion.text,
      description: completion.detail,
      alwaysShow: true,
      act: 'insert',
      text: text.slice(0, completion.start) + completion.text + text.slice(completion.end),
    }))
    .filter((item) => item.text !== text);
  const before = (text === '' ? earlier : []).map((where): FilterItem => ({
    label: `$(history) ${where}`,
    alwaysShow: true,
    act: 'apply',
    text: where,
  }));
  return text === '' ? [first, ...before, ...next] : [first, ...next];
}

/** The item that Enter takes: the likeliest way on where that mends the text, which it does only at the text's end. */
export function activeItem(
  text: string,
  problems: readonly TextProblem[],
  [first, next]: readonly FilterItem[],
): FilterItem | undefined {
  const error = problems.find(({ severity }) => severity === 'error');
  return error && next && error.end >= text.trimEnd().length ? next : first;
}

/**
 * Asks for a filter. Every keystroke is checked by the engine; the first item says what is wrong and where, the others
 * complete the text. Undefined when the user gave up.
 */
export function askFilter(
  language: FilterLanguage,
  value: string,
  earlier: readonly string[],
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const input = vscode.window.createQuickPick<FilterItem>();
    input.title = vscode.l10n.t('Filter IOPTEs');
    input.placeholder = 'perm = rw and size >= 2M and iova in 0x1000..0x2000 and not dirty';
    input.ignoreFocusOut = true;
    input.value = value;
    let chosen: string | undefined;
    let newest = 0;
    /** The text that the items are about: a quick typist accepts before the engine has answered. */
    let shown: string | undefined;
    let acceptOnceShown = false;
    const take = (item: FilterItem | undefined): void => {
      if (item?.act === 'insert') retype(item.text);
      if (item?.act !== 'apply') return;
      chosen = item.text;
      input.hide();
    };
    const update = async (text: string): Promise<void> => {
      const mine = ++newest;
      input.busy = true;
      const [problems, completions] = await Promise.all([
        language.check(text),
        language.complete(text, text.length),
      ]);
      if (mine !== newest) return;
      const items = filterItems(text, problems, completions, earlier);
      input.items = items;
      const active = activeItem(text, problems, items);
      if (active) input.activeItems = [active];
      input.busy = false;
      shown = text;
      if (acceptOnceShown) take(items[0]);
      acceptOnceShown = false;
    };
    const fail = (error: unknown): void => {
      reject(error instanceof Error ? error : new Error(String(error)));
      input.hide();
    };
    const retype = (text: string): void => {
      input.value = text;
      update(text).catch(fail);
    };
    input.onDidChangeValue((text) => {
      update(text).catch(fail);
    });
    input.onDidAccept(() => {
      if (shown === input.value) take(input.selectedItems[0]);
      else acceptOnceShown = true;
    });
    input.onDidHide(() => {
      resolve(chosen);
      input.dispose();
    });
    input.show();
    update(value).catch(fail);
  });
}
