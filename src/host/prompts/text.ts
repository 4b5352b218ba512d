import * as vscode from 'vscode';
import { ask, type Answer, type Place } from './steps';

export interface TextQuestion {
  readonly prompt: string;
  readonly placeholder: string;
  readonly value?: string | undefined;
  /** What is wrong with the text and what is expected; undefined when it is good. */
  check(text: string): string | undefined;
}

/** Asks for a line of text, checked while it is typed; it cannot be accepted while something is wrong with it. */
export function askText(question: TextQuestion, place: Place): Promise<Answer<string>> {
  const input = vscode.window.createInputBox();
  input.prompt = question.prompt;
  input.placeholder = question.placeholder;
  input.value = question.value ?? '';
  const check = (): string | undefined => question.check(input.value.trim());
  return ask<string>(input, place, (answer) => [
    input.onDidChangeValue((text) => {
      input.validationMessage = text.trim() === '' ? undefined : check();
    }),
    input.onDidAccept(() => {
      input.validationMessage = check();
      if (input.validationMessage === undefined) answer(input.value.trim());
    }),
  ]);
}
