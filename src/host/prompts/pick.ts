import * as vscode from 'vscode';
import { ask, type Answer, type Place } from './steps';

export interface Choice<T> extends vscode.QuickPickItem {
  readonly value: T;
}

export interface PickQuestion<T> {
  readonly placeholder: string;
  /** May still be under way: the list shows that it is busy. */
  readonly choices: readonly Choice<T>[] | Promise<readonly Choice<T>[]>;
  /** The choice that has the focus first. */
  isLast?(choice: Choice<T>): boolean;
  /** Makes a choice of what was typed, where more than the list is allowed; a text says what is wrong with it. */
  other?(text: string): Choice<T> | string;
}

/** A row of the list: a choice, or what is wrong with the text. */
export type PickItem<T> = Choice<T> | (vscode.QuickPickItem & { readonly value?: undefined });

/** The rows for what was typed: the choices, and the text as one more where it is not among them. */
export function pickItems<T>(
  choices: readonly Choice<T>[],
  typed: string,
  other: PickQuestion<T>['other'],
): readonly PickItem<T>[] {
  const text = typed.trim();
  if (text === '' || !other || choices.some(({ label }) => label === text)) return choices;
  const made = other(text);
  if (typeof made !== 'string') return [...choices, made];
  // A part of what a choice says is no mistake: it narrows the list.
  const part = text.toLowerCase();
  const narrows = choices.some(({ label, description = '', detail = '' }) =>
    [label, description, detail].some((each) => each.toLowerCase().includes(part)),
  );
  return narrows ? choices : [...choices, { label: `$(error) ${made}`, alwaysShow: true }];
}

/** Asks to choose one of a list. A list that cannot be read rejects. */
export async function askPick<T>(question: PickQuestion<T>, place: Place): Promise<Answer<T>> {
  const input = vscode.window.createQuickPick<PickItem<T>>();
  input.placeholder = question.placeholder;
  input.matchOnDescription = true;
  input.matchOnDetail = true;
  input.busy = true;
  let choices: readonly Choice<T>[] = [];
  const show = (text: string): void => {
    input.items = pickItems(choices, text, question.other?.bind(question));
  };
  const answered = ask<T>(input, place, (answer) => [
    input.onDidChangeValue((text) => {
      if (question.other) show(text);
    }),
    input.onDidAccept(() => {
      const [chosen] = input.selectedItems;
      if (chosen && 'value' in chosen && chosen.value !== undefined) answer(chosen.value);
    }),
  ]);
  try {
    choices = await question.choices;
  } catch (error) {
    input.hide();
    throw error;
  }
  show(input.value);
  const last = choices.find((choice) => question.isLast?.(choice));
  if (last) input.activeItems = [last];
  input.busy = false;
  return answered;
}
