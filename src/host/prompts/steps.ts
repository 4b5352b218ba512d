import * as vscode from 'vscode';

/** What became of one question: an answer, a step back, or no more questions. */
export type Answer<T> =
  { readonly kind: 'value'; readonly value: T } | { readonly kind: 'back' } | { readonly kind: 'cancel' };

/** Where a question stands in its row, for the title and the back button. */
export interface Place {
  readonly title: string;
  readonly step: number;
  readonly of: number;
}

/** Asks one thing and gives what is known afterwards; `skip` when it is known already. */
export type Step<State> = (state: State, place: Place) => Promise<Answer<State> | 'skip'>;

/**
 * Asks a row of questions, which may depend on the answers so far, with a way back to each one that was really asked. Undefined
 * when the user gave up.
 */
export async function askInSteps<State>(
  title: string,
  first: State,
  questions: readonly Step<State>[] | ((state: State) => readonly Step<State>[]),
): Promise<State | undefined> {
  /** States before each question asked, with its index. */
  const asked: { index: number; state: State }[] = [];
  let state = first;
  for (let index = 0; ;) {
    const steps = typeof questions === 'function' ? questions(state) : questions;
    const step = steps[index];
    if (!step) return state;
    const answer = await step(state, {
      title,
      step: asked.length + 1,
      of: asked.length + steps.length - index,
    });
    if (answer === 'skip') {
      index++;
    } else if (answer.kind === 'value') {
      asked.push({ index, state });
      state = answer.value;
      index++;
    } else if (answer.kind === 'back') {
      const before = asked.pop();
      if (!before) return undefined;
      ({ index, state } = before);
    } else {
      return undefined;
    }
  }
}

/** The parts of QuickPick and InputBox that a question in a row of questions needs. */
interface Question extends vscode.QuickInput {
  buttons: readonly vscode.QuickInputButton[];
  readonly onDidTriggerButton: vscode.Event<vscode.QuickInputButton>;
}

/** Shows a question until it is answered, left by its back button, or dismissed. */
export function ask<T>(
  input: Question,
  place: Place,
  listen: (answer: (value: T) => void) => readonly vscode.Disposable[],
): Promise<Answer<T>> {
  return new Promise((resolve) => {
    const listening: vscode.Disposable[] = [];
    const end = (answer: Answer<T>): void => {
      resolve(answer);
      for (const each of listening) each.dispose();
      input.dispose();
    };
    input.title = place.title;
    if (place.of > 1) {
      input.step = place.step;
      input.totalSteps = place.of;
    }
    if (place.step > 1) input.buttons = [vscode.QuickInputButtons.Back];
    input.ignoreFocusOut = true;
    listening.push(
      input.onDidTriggerButton(() => {
        end({ kind: 'back' });
      }),
      input.onDidHide(() => {
        end({ kind: 'cancel' });
      }),
      ...listen((value) => {
        end({ kind: 'value', value });
      }),
    );
    input.show();
  });
}
