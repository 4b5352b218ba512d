import { type Steps } from '../../../steps';

const NO_STEPS: readonly never[] = [];

/** A result that takes no step. */
export function* immediately<Step, Result>(result: Result): Steps<Step, Result> {
  yield* NO_STEPS;
  return result;
}
