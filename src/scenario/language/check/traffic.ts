import { type CheckedSpec } from '../../../engine/machine/checkSpec';
import { type Failure } from '../../../engine/result';
import { makeGenerator } from '../../../engine/traffic/index';
import { type ScenarioProblem } from '../../outcome';
import { generatorOf, largestPart, type Traffic } from '../../run/traffic';
import { error } from '../problems';
import { type Scenario } from '../schema/scenario';
import { keyRangeAt, nodeAt, type Path, rangeAt, type SourceMap } from '../source/node';
import { placedSteps } from './placedSteps';

/** Generators as the engine would make them: its own rules, each at the field that it is about. */
export function checkTraffic(
  root: SourceMap,
  { devices, machine, steps }: Scenario,
  { layout }: Pick<CheckedSpec, 'layout'>,
): readonly ScenarioProblem[] {
  const all = largestPart(layout);
  const wrong = (traffic: Traffic | undefined, path: Path): readonly ScenarioProblem[] => {
    // What a file has is known when it is read.
    if (!traffic || traffic.kind === 'trace') return [];
    const made = makeGenerator(generatorOf(traffic, all), machine.seed);
    return made.ok ? [] : [told(root, path, made.failure)];
  };
  return [
    ...Object.entries(devices).flatMap(([name, { traffic }]) => wrong(traffic, ['devices', name, 'traffic'])),
    ...[...placedSteps(steps)].flatMap(({ step, path }) =>
      wrong(step.traffic?.traffic, [...path, 'traffic', 'traffic']),
    ),
  ];
}

/** Fields that ask for room. */
const TAKE_ROOM = ['memory', 'entries', 'depth', 'run', 'buffer', 'block'];

function told(root: SourceMap, path: Path, { code, message, hint }: Failure): ScenarioProblem {
  const [, named = ''] = /"([a-z.]+)"/i.exec(message) ?? [];
  const paths: Path[] = [
    named.split('.'),
    ...(code === 'traffic/memory' ? TAKE_ROOM.map((key) => [key]) : []),
  ];
  const field = paths.find((each) => each[0] !== '' && nodeAt(root, [...path, ...each]));
  const at = [...path, ...(field ?? [])];
  return error(nodeAt(root, at)?.kind === 'scalar' ? rangeAt(root, at) : keyRangeAt(root, at), message, hint);
}
