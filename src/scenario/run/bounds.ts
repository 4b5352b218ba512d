import { type Scenario } from '../language/schema/scenario';
import { type Step } from '../language/schema/steps';
import { type Mismatch } from './mismatch';

/** Steps of a run, those of repeats counted each time. */
export const MOST_STEPS = 1_000_000;
/** Requests that are told one by one: all of them are kept with the machine, to be made again. */
export const MOST_SINGLE_REQUESTS = 2_000_000;
/** Requests of devices in a run. */
export const MOST_REQUESTS = 1e9;

/** How much steps ask for, repeats multiplied. */
export interface Effort {
  readonly steps: number;
  /** Requests that are told one by one. */
  readonly single: number;
  /** Requests of generators, as far as steps say how many. */
  readonly traffic: number;
}

const NONE: Effort = { steps: 0, single: 0, traffic: 0 };

const add = (one: Effort, other: Effort, times = 1): Effort => ({
  steps: one.steps + other.steps * times,
  single: one.single + other.single * times,
  traffic: one.traffic + other.traffic * times,
});

export const effortOf = (steps: readonly Step[]): Effort =>
  steps.reduce((sum, step) => add(sum, effortOfStep(step)), NONE);

function effortOfStep({ dma, traffic, repeat, during }: Step): Effort {
  if (repeat) return add(NONE, effortOf(repeat.steps), repeat.times);
  if (during) {
    const meanwhile = during.moments.reduce((sum, { steps }) => add(sum, effortOf(steps)), NONE);
    return add(meanwhile, effortOfStep(during.step));
  }
  const requests = dma === undefined ? [] : Array.isArray(dma) ? dma : [dma];
  const single = requests.reduce((sum, { count }) => sum + count, 0);
  return { steps: 1, single, traffic: traffic?.requests ?? 0 };
}

/** Why a scenario is not begun; undefined: it is small enough. */
export function tooMuch({ steps }: Pick<Scenario, 'steps'>): Mismatch | undefined {
  const effort = effortOf(steps);
  const over = (what: string, most: number, asked: number): Mismatch | undefined =>
    asked <= most
      ? undefined
      : {
          at: ['steps'],
          what: 'steps',
          expected: `at most ${most.toLocaleString('en')} ${what}`,
          actual: `${asked.toLocaleString('en')} ${what}`,
        };
  return (
    over('steps, repeats multiplied', MOST_STEPS, effort.steps) ??
    over('single requests', MOST_SINGLE_REQUESTS, effort.single) ??
    over('requests of traffic', MOST_REQUESTS, effort.traffic)
  );
}
