import { CommanderError } from 'commander';
import { CANCELLED, ENGINE_LOST, RequestError, type Failure, type TextProblem } from '../inspection/protocol';

/** Exit codes, as docs/cli.md lists them. */
export const EXIT = { ok: 0, badInput: 1, badUsage: 2, cancelled: 130 } as const;
/** Those of `iopte diff`, which are those of diff: 2 also for bad input. */
export const DIFF_EXIT = { equal: 0, different: 1, trouble: 2 } as const;
/** Those of `iopte run` and `iopte sweep`: 1 is an answer, 2 also bad input. */
export const RUN_EXIT = { passed: 0, failed: 1, trouble: 2 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An error that ends the program with a message for people. */
export class CliError extends Error {
  constructor(
    readonly exitCode: ExitCode,
    message: string,
    /** What to do next: one or more lines. */
    readonly hint?: string,
  ) {
    super(message);
    this.name = 'CliError';
  }
}

export const badInput = (message: string, hint?: string): CliError =>
  new CliError(EXIT.badInput, message, hint);
export const badUsage = (message: string, hint?: string): CliError =>
  new CliError(EXIT.badUsage, message, hint);
export const cancelled = (): CliError => new CliError(EXIT.cancelled, 'cancelled');
export function fromFailure(failure: Failure): CliError {
  if (failure.code === CANCELLED) return cancelled();
  // The failure's own hint is for editors, which start the engine again.
  const hint = failure.code === ENGINE_LOST ? 'run the command again, with less in memory' : failure.hint;
  return badInput(failure.message, hint);
}

/** The same error with another exit code where it is about bad input. */
export function withExitCode(thrown: unknown, exitCode: ExitCode): unknown {
  const error = thrown instanceof RequestError ? fromFailure(thrown.failure) : thrown;
  return error instanceof CliError && error.exitCode === EXIT.badInput
    ? new CliError(exitCode, error.message, error.hint)
    : error;
}

/** Thrown when the reader of standard output has gone (`iopte list x | head`): ends the program quietly. */
export class OutputClosed extends Error {}

export interface Ending {
  readonly exitCode: ExitCode;
  /** What to write on standard error; empty: nothing. */
  readonly text: string;
}

/** How the program ends when this was thrown. */
export function endingOf(thrown: unknown): Ending {
  if (thrown instanceof OutputClosed) return { exitCode: EXIT.ok, text: '' };
  if (thrown instanceof CommanderError) {
    // Commander has written its message (or the help that was asked for) already.
    return { exitCode: thrown.exitCode === 0 ? EXIT.ok : EXIT.badUsage, text: '' };
  }
  const error = thrown instanceof RequestError ? fromFailure(thrown.failure) : thrown;
  if (error instanceof CliError) {
    return { exitCode: error.exitCode, text: errorText(error.message, error.hint) };
  }
  const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    exitCode: EXIT.badInput,
    text: errorText(
      `internal error: ${why}`,
      'this is a bug in iopte: please report it with the command you ran',
    ),
  };
}

/** `iopte: message` with a hint line for each line of the hint. */
export function errorText(message: string, hint?: string): string {
  const hints = hint === undefined ? [] : hint.split('\n');
  return [
    `iopte: ${message}`,
    ...hints.map((line, index) => (index === 0 ? `hint: ${line}` : `      ${line}`)),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/** Characters of a line that are shown around the place of a problem. */
const SHOWN = 100;
const CUT = '...';

/**
 * Points at the place of a problem:
 *
 *     perm = rv and size >= 2M
 *            ^^
 *
 * Of a long line only what is around the place.
 */
export function pointAt(text: string, problem: Pick<TextProblem, 'start' | 'end'>): string {
  const start = Math.min(problem.start, text.length);
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const lineEnd = text.indexOf('\n', start);
  const line = text.slice(lineStart, lineEnd === -1 ? text.length : lineEnd);
  const column = start - lineStart;
  const from = Math.max(0, Math.min(column - SHOWN / 2, line.length - SHOWN));
  const to = Math.min(line.length, from + SHOWN);
  const before = from > 0 ? CUT : '';
  const shown = before + line.slice(from, to) + (to < line.length ? CUT : '');
  // Tabs stay tabs, so that the caret stands under its character.
  const indent = (before + line.slice(from, column)).replaceAll(/[^\t]/g, ' ');
  const width = Math.max(1, Math.min(problem.end - problem.start, to - column));
  return `  ${shown}\n  ${indent}${'^'.repeat(width)}`;
}

/** 1-based line and column of an offset, as editors and compilers write them. */
export function positionOf(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: offset - (before.lastIndexOf('\n') + 1) + 1 };
}
