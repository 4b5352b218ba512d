import { type CheckedSpec, checkSpec } from '../machine/checkSpec';
import { pageShiftsOf } from '../machine/choices';
import { DeviceSides } from '../machine/deviceSides';
import { type MachineHwpt } from '../machine/domains';
import { Machine } from '../machine/machine';
import { type TrafficOperation } from '../machine/operation';
import { type MachineSpec } from '../machine/spec';
import { failure, success, type Result } from '../result';
import { makeGenerator } from '../traffic/index';
import { type TrafficGenerator } from '../traffic/generator';
import { streamSeed } from '../traffic/runs';
import { formatSize, parseDevice } from '../values';
import { checkMigration } from './check';
import { LeafMap, leavesBy, MOST_BLOCKS } from './leafMap';
import { ModelSource } from './modelSource';
import { BLOCK_PAGES } from './pageSet';
import { type Slices } from './source';
import { type MigrationSpec } from './spec';
import { surveyLeaves } from './survey';

/** What is to be migrated, and how. */
export interface MigrationJob {
  /** As it stands, set up; or what it is made from: then its pages are those of `mapping`. */
  readonly machine: Machine | MachineSpec;
  /** What devices do meanwhile. Those without a rate do nothing by themselves. */
  readonly sources: TrafficOperation['sources'];
  readonly spec: MigrationSpec;
  /** auto: the machine where it is one and small enough, else the model. */
  readonly by: 'auto' | 'machine' | 'model';
  /** Of the sources, each with its place in the list added. */
  readonly seed: number;
}

/** A job of which all parts fit together. */
export interface CheckedJob {
  readonly job: MigrationJob;
  readonly checked: CheckedSpec;
  /** Where the devices' writes are tracked; undefined: the machine is not made. */
  readonly domain: MachineHwpt | undefined;
}

/** Fails with `migration/...`, or as `checkSpec` does. */
export function checkJob(job: MigrationJob): Result<CheckedJob> {
  const { machine } = job;
  const spec = checkMigration(job.spec);
  if (!spec.ok) return spec;
  const checked = checkSpec(machine instanceof Machine ? machine.spec : machine);
  if (!checked.ok) return checked;
  const sizes = pageShiftsOf(checked.value.choice).map((shift) => 2 ** shift);
  const { policy, to } = job.spec.pages;
  if (policy !== 'as-is' && !sizes.includes(to)) {
    const have = sizes.map((size) => formatSize(size)).join(', ');
    const message = `These tables have no pages of ${formatSize(to)} to split to.`;
    return failure('migration/page-size', message, `They have ${have}.`);
  }
  const { layout } = checked.value;
  if (job.spec.populated > layout.bytes) {
    const message = `Of ${formatSize(layout.bytes)} of memory, ${formatSize(job.spec.populated)} cannot have been touched.`;
    return failure('migration/contradiction', message, 'Make populated smaller.');
  }
  if ((layout.regions.at(-1)?.endPage ?? 0) > MOST_BLOCKS * BLOCK_PAGES) {
    const message = `A guest of ${formatSize(layout.bytes)} is larger than migrations are modelled.`;
    return failure('migration/too-large', message, 'Give it less than 8T.');
  }
  const domain =
    machine instanceof Machine ? domainOf(machine, job.sources) : checkDevices(machine, job.sources);
  return domain.ok ? success({ job, checked: checked.value, domain: domain.value }) : domain;
}

const UNTRACKED = 'Give the machine dirtyTracking off or on: without it nobody knows what devices write.';

/** Of a machine that is not made yet: all devices share its first domain. */
function checkDevices(
  { devices, dirtyTracking }: MachineSpec,
  sources: MigrationJob['sources'],
): Result<undefined> {
  if (dirtyTracking === 'none')
    return failure('migration/untracked', 'The machine does not track dirty pages.', UNTRACKED);
  const known = devices.map(({ requester }) => parseDevice(requester)?.requester);
  const stranger = sources.find(({ requester }) => !known.includes(parseDevice(requester)?.requester));
  return stranger ? unattached(stranger.requester) : success(undefined);
}

const unattached = (requester: string) =>
  failure(
    'migration/device',
    `${requester} is attached to no page table of the machine, so nothing tracks what it writes.`,
    'Attach it, or leave its traffic out.',
  );

function domainOf(machine: Machine, sources: MigrationJob['sources']): Result<MachineHwpt> {
  const ids = new Set<number>();
  for (const { requester, pasid = null } of sources) {
    const id = parseDevice(requester)?.requester;
    const found = machine.devices.find((device) => device.requester === id && device.pasid === pasid);
    if (typeof found?.to !== 'number') return unattached(requester);
    ids.add(found.to);
  }
  const [first = machine.domains[0]?.id ?? 0, ...more] = ids;
  if (more.length > 0) {
    const message = `The sources write through domains ${[first, ...more].join(', ')}: the model has one.`;
    return failure('migration/several-domains', message, 'Attach them to one domain.');
  }
  const domain = machine.hwpts.get(first);
  if (!domain) return failure('migration/domain', `Domain ${first} is a guest's own, or there is none.`);
  return domain.tracking === 'none'
    ? failure('migration/untracked', `Domain ${first} does not track dirty pages.`, UNTRACKED)
    : success(domain);
}

/** Leaves as the tables have them, or as mapping by the specification would make them. */
export function* leavesOf({ job, checked, domain }: CheckedJob): Slices<Result<LeafMap>> {
  if (job.machine instanceof Machine && domain) return yield* surveyLeaves(job.machine, domain);
  const { layout, choice, pageShifts, spec } = checked;
  const shifts = pageShifts ?? pageShiftsOf(choice);
  return success(LeafMap.of(spec.mapping.what === 'guest' ? leavesBy(layout.regions, shifts) : []));
}

/** The seed of the traffic of a source: that of an operation with this source alone. */
export const sourceSeed = (job: MigrationJob, index: number): number => job.seed + index;

/** The generators of the sources; fails as `makeGenerator` does. */
export function generatorsOf(job: MigrationJob): Result<TrafficGenerator[]> {
  const generators: TrafficGenerator[] = [];
  for (const [index, { traffic }] of job.sources.entries()) {
    const made = makeGenerator(traffic, streamSeed(sourceSeed(job, index), 0));
    if (!made.ok) return made;
    generators.push(made.value);
  }
  return success(generators);
}

/** The job as a model over leaves. */
export function modelOf({ job, checked }: CheckedJob, leaves: LeafMap): Result<ModelSource> {
  const generators = generatorsOf(job);
  if (!generators.ok) return generators;
  const { spec, layout } = checked;
  const devices = generators.value.map((traffic, index) => ({
    traffic,
    rate: job.sources[index]?.traffic.rate ?? 0,
  }));
  const { running, stopped, writesBack } = deviceStatesOf(spec);
  return success(
    new ModelSource({
      ...{ regions: layout.regions, leaves, devices, writesBack, spec: job.spec },
      deviceState: { running, stopped },
      seed: job.seed,
    }),
  );
}

/** Bytes of the states of all devices that migrate, and what they write back. */
export function deviceStatesOf(spec: MachineSpec) {
  const sides = new DeviceSides(spec);
  const writesBack: { page: number; when: 'stop' | 'save' }[] = [];
  let [running, stopped] = [0, 0];
  for (const { requester } of spec.devices) {
    const parsed = parseDevice(requester);
    const side = parsed && sides.get(parsed.requester);
    if (!side?.migration) continue;
    const { preCopyBytes, stopCopyBytes, writesBack: when, features } = side.migration.model;
    // A device without PRE_COPY has all of its state in the blackout.
    running += features.preCopy ? preCopyBytes : 0;
    stopped += stopCopyBytes + (features.preCopy ? 0 : preCopyBytes);
    if (side.writeBackTo !== undefined && when !== 'never')
      writesBack.push({ page: Number(side.writeBackTo / 4096n), when });
  }
  return { running, stopped, writesBack };
}
