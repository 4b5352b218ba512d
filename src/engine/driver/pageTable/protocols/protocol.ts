import { type Steps } from '../../../steps';
import { done, refused, type Outcome } from '../../errno';
import { type SoftwareStep } from '../../softwareStep';

/** next: the step is done; again: someone else changed what was read, so the protocol begins anew. */
export type StepResult = 'next' | 'again' | { readonly refused: Outcome<never> };

/** One step of a protocol: one atomic action on each entry that it is about. */
export type ProtocolStep<Context> = (context: Context) => Steps<SoftwareStep, StepResult>;

/** Times that a protocol begins anew before it gives up. */
const MOST_TRIES = 1000;

/** Does the steps of a protocol in order. EBUSY when others keep interfering. */
export function* runProtocol<Context>(
  steps: readonly ProtocolStep<Context>[],
  context: Context,
): Steps<SoftwareStep, Outcome<null>> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const ended = yield* runOnce(steps, context);
    if (ended === 'next') return done(null);
    if (ended !== 'again') return ended.refused;
  }
  return refused('EBUSY', 'others keep changing the entry');
}

function* runOnce<Context>(
  steps: readonly ProtocolStep<Context>[],
  context: Context,
): Steps<SoftwareStep, StepResult> {
  for (const step of steps) {
    const result = yield* step(context);
    if (result !== 'next') return result;
  }
  return 'next';
}

/** How an outcome ends a step. */
export const resultOf = (outcome: Outcome<unknown>): StepResult =>
  outcome.ok ? 'next' : { refused: outcome };
