import { assert } from '../result';
import { type Steps } from '../steps';

/** What comes by itself in front of step `at` of others, from 0; at their end, when there are not so many. */
export interface Between<Step> {
  readonly at: number;
  readonly steps: () => Iterable<Step>;
}

/** Runs steps, and others between them. Who stops to take steps closes all of them. */
export function* betweenSteps<Step, Result>(
  steps: Steps<Step, Result>,
  others: readonly Between<Step>[],
): Steps<Step, Result> {
  const result: { value?: Result } = {};
  const told = (function* (): Steps<Step, void> {
    result.value = yield* steps;
  })();
  let index = 0;
  for (const other of others) if (other.at === index) yield* other.steps();
  for (const step of told) {
    yield step;
    index++;
    for (const other of others) if (other.at === index) yield* other.steps();
  }
  for (const other of others) if (other.at > index) yield* other.steps();
  assert('value' in result, 'steps that ended have a result');
  return result.value;
}
