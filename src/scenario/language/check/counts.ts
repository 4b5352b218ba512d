import { type ScenarioProblem } from '../../outcome';
import { error } from '../problems';
import { MOST_REQUESTS, MOST_STEPS } from '../../run/bounds';
import { INTERVAL } from '../../run/traffic';
import { type Scenario } from '../schema/scenario';
import { keyRangeAt, type Path, rangeAt, type SourceMap } from '../source/node';
import { type PlacedStep, placedSteps } from './placedSteps';

/** Operations in each other. */
const MOST_DEEP = 4;

/** A run comes to its end: what it does is counted before it begins. */
export function checkCounts(root: SourceMap, { steps, devices }: Scenario): readonly ScenarioProblem[] {
  let [done, requests] = [0, 0];
  const problems: ScenarioProblem[] = [];
  for (const placed of placedSteps(steps)) {
    const { path, step, times } = placed;
    if (!step.repeat && !step.during) done += times;
    requests += times * requestsOf(placed, devices);
    const deep = path.filter((key) => key === 'during').length;
    if (step.during && deep >= MOST_DEEP) {
      problems.push(
        error(
          keyRangeAt(root, [...path, 'during']),
          `during is in ${deep} others; ${MOST_DEEP} may be in each other.`,
          'Nest less.',
        ),
      );
    }
    if (done > MOST_STEPS) {
      const message = `The scenario would do more than ${MOST_STEPS.toLocaleString('en')} steps.`;
      return [
        ...problems,
        error(outerRepeat(root, path), message, 'Repeat less often, or use traffic for many requests.'),
      ];
    }
    if (requests > MOST_REQUESTS) {
      const message = `The scenario would make more than ${MOST_REQUESTS.toLocaleString('en')} requests.`;
      return [...problems, error(outerRepeat(root, path), message, 'Make fewer, or repeat less often.')];
    }
  }
  return problems;
}

function requestsOf({ step }: PlacedStep, devices: Scenario['devices']): number {
  const { dma, traffic, cpu } = step;
  const list = dma === undefined ? [] : Array.isArray(dma) ? dma : [dma];
  const written = list.reduce(
    (sum, { count, length }) => sum + count * Math.max(1, Math.ceil(length / 4096)),
    0,
  );
  const ofCpu = cpu ? Math.max(1, Math.ceil(cpu.length / 4096)) : 0;
  if (!traffic) return written + ofCpu;
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

/** How often the outermost repeat around a step goes, or the step. */
function outerRepeat(root: SourceMap, path: Path) {
  const at = path.indexOf('repeat');
  return at < 0 ? keyRangeAt(root, path) : rangeAt(root, [...path.slice(0, at + 1), 'times']);
}
