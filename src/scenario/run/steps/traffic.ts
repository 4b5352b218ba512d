import { type MachineOperation, type TrafficOperation } from '../../../engine/machine/operation';
import { makeGenerator } from '../../../engine/traffic/index';
import { type TrafficSpec } from '../../../engine/traffic/spec';
import { INTERVAL } from '../traffic';
import { type Planned, type Planner, type Scene, wrong } from './planned';

/** Requests of one operation: at least so many, and a step is at most so many operations. */
const LEAST_OF_ONE = 20_000;
const MOST_PARTS = 32;

type Source = TrafficOperation['sources'][number];

export const traffic: Planner<'traffic'> = ({ devices, requests, cycles, traffic: instead }, scene) => {
  const names = devices ?? (instead ? scene.names.deviceNames.slice(0, 1) : scene.traffic.names);
  if (names.length === 0) return wrong(['devices'], 'devices that have traffic', 'none has');
  const sources: Source[] = [];
  for (const name of names) {
    const requester = scene.names.device(name, ['devices']);
    const spec = scene.traffic.of(name, instead);
    if ('expected' in spec) return spec;
    sources.push({ requester, traffic: spec });
  }
  if (requests !== undefined) return { operations: parts(scene, sources, requests), judge: noneRefused };
  if (cycles === undefined) return wrong([], 'requests or cycles', 'neither says how much');
  const dealt = sources.map(({ traffic: each, ...rest }) => ({ ...rest, traffic: byInterval(each, scene) }));
  const made = dealt.reduce(
    (sum, { traffic: { interval = INTERVAL } }) => sum + Math.floor(cycles / interval),
    0,
  );
  return { operations: parts(scene, dealt, made), judge: noneRefused, cycles };
};

/** A source whose rate is one request an interval, in bytes a cycle: so they are dealt out. */
function byInterval(spec: TrafficSpec, { traffic: { seed } }: Scene): TrafficSpec {
  const generator = makeGenerator(spec, seed);
  const bytes = generator.ok ? generator.value.bytesPerAccess : 1;
  return { ...spec, rate: bytes / (spec.interval ?? INTERVAL) };
}

/** In several operations: what is given up is given up between two of them. */
function parts(scene: Scene, sources: readonly Source[], requests: number): MachineOperation[] {
  const most = Math.max(LEAST_OF_ONE, Math.ceil(requests / MOST_PARTS));
  const { seed } = scene.traffic;
  const operations: MachineOperation[] = [];
  for (let left = requests; left > 0; left -= most) {
    const count = Math.min(left, most);
    const skip = scene.traffic.goesOn(sources, count);
    operations.push({ kind: 'traffic', sources, requests: count, seed, ...(skip > 0 ? { skip } : {}) });
  }
  return operations;
}

/** Generators know where they may write: a request that is refused is one that nobody expects. */
const noneRefused: NonNullable<Planned['judge']> = (reports) => {
  const refused = reports.reduce((sum, { counts }) => sum + (counts['refused'] ?? 0), 0);
  if (refused === 0) return [];
  const first = reports.flatMap((report) => report.refused ?? [])[0];
  const why = first ? `, the first: ${first.fault}` : '';
  const actual = `${refused.toLocaleString('en')} refused${why}`;
  return [{ at: [], what: 'traffic', expected: 'all requests land', actual }];
};
