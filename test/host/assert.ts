/** Assertions for suites that run in both hosts: the web worker host has no node:assert. */

function show(value: unknown): string {
  if (value === undefined) return 'undefined';
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? `${String(part)}n` : part,
  );
}

/** Asserts that a value is truthy, and narrows it. */
export function ok(value: unknown, message = 'expected something truthy'): asserts value {
  if (!value) throw new Error(message);
}

/** Asserts that two values are the same (`Object.is`). */
export function equal<T>(actual: T, expected: T, message = 'not equal'): void {
  if (!Object.is(actual, expected))
    throw new Error(`${message}: ${show(actual)}, expected ${show(expected)}`);
}

/** Asserts that two values print alike: for plain data, bigint included. */
export function deepEqual(actual: unknown, expected: unknown, message = 'not equal'): void {
  if (show(actual) !== show(expected))
    throw new Error(`${message}: ${show(actual)}, expected ${show(expected)}`);
}

/** Asserts that a text matches. */
export function match(actual: string, pattern: RegExp, message = 'no match'): void {
  if (!pattern.test(actual)) throw new Error(`${message}: ${show(actual)} against ${String(pattern)}`);
}

/** Asserts that a promise rejects, and gives the reason. */
export async function rejects(
  promise: PromiseLike<unknown>,
  message = 'expected a rejection',
): Promise<unknown> {
  try {
    await promise;
  } catch (reason) {
    return reason;
  }
  throw new Error(message);
}

/** Waits until a condition holds; fails after `milliseconds`. */
export async function until(
  what: string,
  holds: () => boolean | PromiseLike<boolean>,
  milliseconds = 10_000,
): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${String(milliseconds)} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
