import * as vscode from 'vscode';
import { CANCELLED, RequestError, type Failure } from '../inspection/protocol';
import { plainText } from './plainText';

/** An action a message offers. */
export interface Action {
  readonly label: string;
  run(): unknown;
}

/** A failure together with what its message offers to do. */
export class ActionableError extends RequestError {
  constructor(
    failure: Failure,
    readonly actions: readonly Action[],
  ) {
    super(failure);
  }
}

export const isCancelled = (error: unknown): boolean =>
  error instanceof vscode.CancellationError || (error instanceof RequestError && error.code === CANCELLED);

/** What a thrown thing says. A bug has no code of its own. */
export const failureOf = (error: unknown): Failure =>
  error instanceof RequestError
    ? error.failure
    : { code: 'internal', message: error instanceof Error ? error.message : String(error) };

/** What is wrong and what to do next, in one text. */
export const sentence = ({ message, hint }: Failure): string => (hint ? `${message} ${hint}` : message);

/** Shows what went wrong, and keeps it in the log. */
export class Reporter {
  constructor(private readonly log: vscode.LogOutputChannel) {}

  /** Shows an error with what to do next, and does not wait for the answer. A cancelled task says nothing. */
  report(error: unknown): Failure {
    const failure = failureOf(error);
    if (isCancelled(error)) return failure;
    this.log.error(`${failure.code}: ${sentence(failure)}`);
    if (error instanceof Error && !(error instanceof RequestError)) this.log.error(error);
    const actions = error instanceof ActionableError ? error.actions : [];
    void this.show(vscode.window.showErrorMessage, failure, actions);
    return failure;
  }

  warn(failure: Failure, actions: readonly Action[]): void {
    this.log.warn(`${failure.code}: ${sentence(failure)}`);
    void this.show(vscode.window.showWarningMessage, failure, actions);
  }

  private async show(
    present: (message: string, ...items: string[]) => Thenable<string | undefined>,
    failure: Failure,
    actions: readonly Action[],
  ): Promise<void> {
    const showLog: Action = {
      label: vscode.l10n.t('Show Log'),
      run: () => {
        this.log.show();
      },
    };
    const all = [...actions, showLog];
    const chosen = await present(plainText(sentence(failure)), ...all.map(({ label }) => label));
    await all.find(({ label }) => label === chosen)?.run();
  }
}
