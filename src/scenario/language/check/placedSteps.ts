import { type Step } from '../schema/steps';
import { type Path } from '../source/node';

/** A step of a scenario, and where it is. */
export interface PlacedStep {
  readonly step: Step;
  readonly path: Path;
  /** How often it is done, by the repeats around it. */
  readonly times: number;
}

/** Every step, those in others included. */
export function* placedSteps(
  steps: readonly Step[],
  path: Path = ['steps'],
  times = 1,
): Generator<PlacedStep> {
  for (const [index, step] of steps.entries()) yield* placed(step, [...path, index], times);
}

function* placed(step: Step, path: Path, times: number): Generator<PlacedStep> {
  yield { step, path, times };
  const { repeat, during } = step;
  if (repeat) yield* placedSteps(repeat.steps, [...path, 'repeat', 'steps'], times * repeat.times);
  if (!during) return;
  yield* placed(during.step, [...path, 'during', 'step'], times);
  for (const [index, moment] of during.moments.entries()) {
    yield* placedSteps(moment.steps, [...path, 'during', 'moments', index, 'steps'], times);
  }
}
