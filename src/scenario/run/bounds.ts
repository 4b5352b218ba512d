import { placedSteps } from '../language/check/placedSteps';
import { type Scenario } from '../language/schema/scenario';
import { type Step } from '../language/schema/steps';
import { type Mismatch, type Path } from './mismatch';
import { INTERVAL } from './traffic';

/** Steps of a run, those of repeats counted each time. */
export const MOST_STEPS = 1_000_000;
/** Requests that are told one by one, in steps and in files: all of them are kept with the machine, to be made again. */
export const MOST_SINGLE_REQUESTS = 2_000_000;
/** Requests of devices in a run. */
export const MOST_REQUESTS = 1e9;
/** Migrations of a run: each may take seconds. */
export const MOST_MIGRATIONS = 100;

/** How much steps ask for, repeats multiplied. */
export interface Effort {
  readonly steps: number;
  /** Requests that are told one by one. */
  readonly single: number;
  /** Requests of generators and of CPUs, as far as steps say how many. */
  readonly traffic: number;
  readonly migrations: number;
}

/** Lines of a file that a scenario names. */
export type LinesOf = (file: string) => number;

const UNREAD: LinesOf = () => 0;

type Asking = Pick<Scenario, 'steps' | 'devices' | 'migrate'>;

/** What all steps up to one come to, one step after the other; `linesOf` where files were read. */
export function* efforts(
  { steps, devices, migrate }: Asking,
  linesOf: LinesOf = UNREAD,
): Generator<{ readonly path: Path; readonly effort: Effort }> {
  let effort: Effort = { steps: 0, single: 0, traffic: 0, migrations: migrate ? 1 : 0 };
  for (const { step, path, times } of placedSteps(steps)) {
    effort = {
      steps: effort.steps + (step.repeat || step.during ? 0 : times),
      single: effort.single + times * singleOf(step, linesOf),
      traffic: effort.traffic + times * trafficOf(step, devices),
      migrations: effort.migrations + (step.migrate ? times : 0),
    };
    yield { path, effort };
  }
}

export function effortOf(asking: Asking, linesOf?: LinesOf): Effort {
  let last: Effort = { steps: 0, single: 0, traffic: 0, migrations: 0 };
  for (const { effort } of efforts(asking, linesOf)) last = effort;
  return last;
}

const pagesOf = (length: number): number => Math.max(1, Math.ceil(length / 4096));

function singleOf({ dma, replay }: Step, linesOf: LinesOf): number {
  if (replay) return linesOf(replay.file);
  const list = dma === undefined ? [] : Array.isArray(dma) ? dma : [dma];
  return list.reduce((sum, { count }) => sum + count, 0);
}

/** Requests of single ones' further pages, too. */
function trafficOf({ dma, cpu, traffic }: Step, devices: Scenario['devices']): number {
  if (dma !== undefined) {
    const list = Array.isArray(dma) ? dma : [dma];
    return list.reduce((sum, { count, length }) => sum + count * (pagesOf(length) - 1), 0);
  }
  if (cpu) return pagesOf(cpu.length);
  if (!traffic) return 0;
  if (traffic.requests !== undefined) return traffic.requests;
  const sources = traffic.traffic
    ? [traffic.traffic]
    : (traffic.devices ?? Object.keys(devices)).map((name) => devices[name]?.traffic);
  const each = traffic.traffic ? Math.max(1, traffic.devices?.length ?? 1) : 1;
  return sources.reduce(
    (sum, source) => sum + (source ? (each * (traffic.cycles ?? 0)) / (source.interval ?? INTERVAL) : 0),
    0,
  );
}

/** What is bounded, in the order in which it is told. */
const BOUNDS: readonly {
  readonly of: (effort: Effort) => number;
  readonly most: number;
  readonly what: string;
  readonly hint: string;
}[] = [
  {
    of: ({ steps }) => steps,
    most: MOST_STEPS,
    what: 'steps, repeats multiplied',
    hint: 'Repeat less often, or use traffic for many requests.',
  },
  {
    of: ({ single }) => single,
    most: MOST_SINGLE_REQUESTS,
    what: 'single requests',
    hint: 'Use traffic for many requests, or repeat less often.',
  },
  {
    of: ({ traffic, single }) => traffic + single,
    most: MOST_REQUESTS,
    what: 'requests',
    hint: 'Make fewer, or repeat less often.',
  },
  {
    of: ({ migrations }) => migrations,
    most: MOST_MIGRATIONS,
    what: 'migrations',
    hint: 'Repeat less often, or use variants.',
  },
];

/** Where a scenario asks for too much: the first step that does. */
export interface Excess {
  readonly path: Path;
  readonly what: string;
  readonly most: number;
  readonly asked: number;
  readonly hint: string;
}

/** Why a scenario is not begun; undefined: it is small enough. `asked` counts as far as that step. */
export function excessOf(asking: Asking, linesOf?: LinesOf): Excess | undefined {
  for (const { path, effort } of efforts(asking, linesOf))
    for (const { of, ...bound } of BOUNDS)
      if (of(effort) > bound.most) return { path, asked: of(effort), ...bound };
  return undefined;
}

export function tooMuch(asking: Asking, linesOf: LinesOf): Mismatch | undefined {
  const excess = excessOf(asking, linesOf);
  if (!excess) return undefined;
  const { path, what, most, asked } = excess;
  return {
    at: path,
    what: 'steps',
    expected: `at most ${most.toLocaleString('en')} ${what}`,
    actual: `${asked.toLocaleString('en')} ${what}`,
  };
}
