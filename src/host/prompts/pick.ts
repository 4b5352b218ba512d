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
  /** Makes a choice of what was typed, where more than the list is allowed. */
  other?(text: string): Choice<T> | undefined;
}

/** Asks to choose one of a list. A list that cannot be read rejects. */
export async function askPick<T>(question: PickQuestion<T>, place: Place): Promise<Answer<T>> {
  const input = vscode.window.createQuickPick<Choice<T>>();
  input.placeholder = question.placeholder;
  input.matchOnDescription = true;
  input.matchOnDetail = true;
  input.busy = true;
  let choices: readonly Choice<T>[] = [];
  const show = (text: string): void => {
    const other = text.trim() === '' ? undefined : question.other?.(text.trim());
    input.items = other ? [...choices, other] : choices;
  };
  const answered = ask<T>(input, place, (answer) => [
    input.onDidChangeValue((text) => {
      if (question.other) show(text);
    }),
    input.onDidAccept(() => {
      const [chosen] = input.selectedItems;
      if (chosen) answer(chosen.value);
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
