import { failure, type Result } from '../result';
import { descriptorRing } from './descriptorRing';
import { shown } from './fields';
import { type TrafficGenerator } from './generator';
import { gpuBulk } from './gpuBulk';
import { nvme } from './nvme';
import { requestList } from './requests';
import { rxRing } from './rxRing';
import { type TrafficKind, type TrafficSpec } from './spec';

/** One entry a generator. */
const GENERATORS: {
  readonly [Kind in TrafficKind['kind']]: (
    spec: Extract<TrafficKind, { kind: Kind }>,
    seed: number,
  ) => Result<TrafficGenerator>;
} = {
  'rx-ring': rxRing,
  nvme,
  'gpu-bulk': gpuBulk,
  'descriptor-ring': descriptorRing,
  requests: requestList,
};

export const TRAFFIC_KINDS = Object.keys(GENERATORS) as readonly TrafficKind['kind'][];

/**
 * The generator of a specification, which may come from a file: every field is checked. Fails with `traffic/kind`,
 * `traffic/field` or `traffic/memory`. The same specification and the same seed give the same accesses.
 */
export function makeGenerator(spec: TrafficSpec, seed: number): Result<TrafficGenerator> {
  const given: Partial<Record<keyof TrafficSpec, unknown>> =
    typeof (spec as unknown) === 'object' && (spec as unknown) !== null ? spec : {};
  const { kind, rate, interval } = given;
  if (!TRAFFIC_KINDS.some((known) => known === kind))
    return failure(
      'traffic/kind',
      `${kind === undefined ? 'Traffic without a kind' : shown(kind)} is no traffic that devices make here.`,
      `It is one of ${TRAFFIC_KINDS.join(', ')}.`,
    );
  if (rate !== undefined && !(Number.isFinite(rate) && Number(rate) >= 0))
    return failure(
      'traffic/field',
      `${spec.kind}: "rate" is ${shown(rate)}.`,
      'It is bytes a second; 0: as fast as it is asked to.',
    );
  if (interval !== undefined && !(Number.isSafeInteger(interval) && Number(interval) >= 1))
    return failure(
      'traffic/field',
      `${spec.kind}: "interval" is ${shown(interval)}.`,
      'It is a whole number of cycles from 1 on.',
    );
  const make = GENERATORS[spec.kind] as (spec: TrafficKind, seed: number) => Result<TrafficGenerator>;
  return make(spec, seed);
}
