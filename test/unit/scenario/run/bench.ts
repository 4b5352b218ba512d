import assert from 'node:assert/strict';
import { readScenario } from '../../../../src/scenario/language/read';
import { type ScenarioOutcome } from '../../../../src/scenario/outcome';
import { runScenario, type RunOptions, type ScenarioRun } from '../../../../src/scenario/run/run';

export interface BenchOptions extends Partial<Pick<RunOptions, 'files' | 'isCancelled'>> {
  readonly variant?: string | null;
  readonly set?: Readonly<Record<string, string>>;
  readonly onProgress?: (message: string, fraction: number | undefined) => void;
}

/** Runs a text that has no errors. */
export function runText(text: string, options: BenchOptions = {}): ScenarioRun {
  const { variant = null, set = {}, onProgress, ...rest } = options;
  const { scenario, problems, places } = readScenario(text).variant(variant, set);
  assert.ok(scenario, JSON.stringify(problems));
  const running = runScenario(scenario, { file: 'test', variant, places, clock: () => 0, ...rest });
  for (;;) {
    const step = running.next();
    if (step.done === true) return step.value;
    onProgress?.(step.value.message, step.value.fraction);
  }
}

/** A machine of 16M with one device and one domain by pages of 4K; lines from 8 on are what is given. */
export const withSteps = (rest: string, domain = 'pages: [4K], dirtyTracking: on', machine = ''): string =>
  `version: 2
title: A test
machine: { vendor: vt-d, memory: 16M${machine} }
devices:
  nic: { requester: 00:02.0 }
domains: { vm: { ${domain}, devices: [nic] } }
# from here on
${rest}`;

export const FIRST_LINE = 8;

/** What went wrong, in short. */
export const failuresOf = ({ failures }: ScenarioOutcome) =>
  failures.map(({ line, what, expected, actual }) => ({ line, what, expected, actual }));

/** Runs it, and nothing goes wrong. */
export function passes(text: string, options: BenchOptions = {}): ScenarioRun {
  const run = runText(text, options);
  assert.deepEqual(failuresOf(run.outcome), []);
  assert.equal(run.outcome.passed, true);
  return run;
}

/** Runs it, and one thing goes wrong. */
export function fails(
  text: string,
  line: number,
  what: string,
  expected: string,
  actual: string,
): ScenarioRun {
  const run = runText(text);
  assert.deepEqual(failuresOf(run.outcome), [{ line, what, expected, actual }]);
  assert.equal(run.outcome.passed, false);
  return run;
}
