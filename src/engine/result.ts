/** What went wrong, where and what to do. Crosses every border of the product unchanged. */
export interface Failure {
  /** Stable, for programs: `image/truncated`. */
  readonly code: string;
  /** What is wrong and where, in one sentence. */
  readonly message: string;
  /** What to do next. */
  readonly hint?: string;
}

/** Bad input is a value; a bug is an exception. */
export type Result<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure };

export const success = <T>(value: T): Result<T> => ({ ok: true, value });

export function failure(
  code: string,
  message: string,
  hint?: string,
): { readonly ok: false; readonly failure: Failure } {
  return { ok: false, failure: hint === undefined ? { code, message } : { code, message, hint } };
}

/** For states that cannot be reached unless the product itself is wrong. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`internal error: ${message}`);
}
