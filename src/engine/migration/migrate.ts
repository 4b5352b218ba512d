import { Machine } from '../machine/machine';
import { type MachineOperation } from '../machine/operation';
import { assert, failure, success, type Result } from '../result';
import { type MissSample } from '../traffic/misses';
import { FRAME_BYTES, formatSize } from '../values';
import { checkJob, deviceStatesOf, generatorsOf, leavesOf, modelOf, sourceSeed } from './job';
import { type CheckedJob, type MigrationJob } from './job';
import { type LeafMap } from './leafMap';
import { MachineSource, RefusedOperation } from './machineSource';
import { missesWith } from './misses';
import { CANCELLED_EARLY, precopy, type MigrationProgress, type PrecopyOutcome } from './precopy';
import { type MigrationResult } from './result';
import { type DirtySource } from './source';
import { type MigrationSpec } from './spec';

/** What came of a job. */
export interface Migrated {
  readonly result: MigrationResult;
  /** What was done to the machine, in order; empty by the model, which does not touch it. */
  readonly operations: readonly MachineOperation[];
}

/** Where a migration stands, and what there is of it for who gives it up here. */
export interface MigratingProgress extends Omit<MigrationProgress, 'soFar'> {
  readonly soFar: () => Migrated;
}

type Migrating<T> = Generator<MigratingProgress, T, void>;

/** Bounds of what is done request by request on a machine. */
const MOST_MACHINE_BYTES = 2 ** 32;
const MOST_REQUESTS = 2e6;

/** Migrates, and gives way with progress. Fails with `migration/...`, and as `checkSpec` and `makeGenerator` do. */
export function* migrate(job: MigrationJob): Migrating<Result<Migrated>> {
  const checked = checkJob(job);
  if (!checked.ok) return checked;
  const unfit = job.by === 'model' ? undefined : whyNoMachine(checked.value);
  if (unfit && job.by === 'machine') return unfit;
  const isTry = job.by !== 'model' && !unfit;
  const hidden = hiddenFrom(checked.value.checked);
  if (unfit && hidden !== '') return hides(hidden, unfit.failure.message);
  // The model tells how long it takes, and so how much there is to do.
  const modelWhy = `${unfit?.failure.message ?? 'The model was asked for.'}${hidden === '' ? '' : ` It takes hardware and driver to be right: ${hidden} change nothing.`}`;
  const modelled = yield* isTry
    ? waiting(byModel(checked.value, ''), nothingYet(job, 'machine'))
    : byModel(checked.value, modelWhy);
  if (!modelled.ok) return modelled;
  const tooMuch = isTry ? whyTooMuch(checked.value, modelled.value) : undefined;
  if (isTry && !tooMuch) {
    const why =
      job.by === 'machine'
        ? 'The machine was asked for.'
        : 'The machine is small enough to do every request.';
    return yield* byMachine(checked.value, why);
  }
  if (tooMuch && job.by === 'machine') return tooMuch;
  if (tooMuch && hidden !== '') return hides(hidden, tooMuch.failure.message);
  const byWhy = tooMuch?.failure.message ?? modelled.value.byWhy;
  return success({ result: { ...modelled.value, byWhy }, operations: [] });
}

/** What is wrong with a machine on purpose, and what the model would not show. */
function hiddenFrom({ spec, rules }: CheckedJob['checked']): string {
  const { mistakes = [] } = rules;
  const faults = spec.driverFaults ?? [];
  return [
    ...(faults.length > 0 ? [`driver faults (${faults.join(', ')})`] : []),
    ...(mistakes.length > 0 ? [`mistakes of the hardware (${mistakes.join(', ')})`] : []),
  ].join(' and ');
}

const hides = (hidden: string, why: string) =>
  failure(
    'migration/hidden',
    `The machine has ${hidden}, which only the machine itself shows, and it is not for this one: ${why}`,
    'Make it smaller; or say "by: model", which takes hardware and driver to be right.',
  );

const noMachine = (message: string) =>
  failure('migration/no-machine', message, 'Let the model do it, or change what is too much.');

function whyNoMachine({ job, domain }: CheckedJob) {
  const { machine, spec } = job;
  if (!(machine instanceof Machine) || !domain)
    return noMachine('There is no machine yet, but a specification.');
  if (machine.layout.bytes > MOST_MACHINE_BYTES) {
    const most = formatSize(MOST_MACHINE_BYTES);
    const message = `${formatSize(machine.layout.bytes)} of memory are more than the ${most} that are migrated request by request.`;
    return noMachine(message);
  }
  return spec.vcpus.rate > 0 && !machine.spec.cpu
    ? noMachine('vCPUs write, and the machine has no CPUs: its specification says no "cpu".')
    : undefined;
}

function whyTooMuch({ job }: CheckedJob, { total, preparation }: MigrationResult) {
  const generators = generatorsOf(job);
  if (!generators.ok) return generators;
  const rates = generators.value.map(
    ({ bytesPerAccess }, index) => (job.sources[index]?.traffic.rate ?? 0) / bytesPerAccess,
  );
  const rate = rates.reduce((all, each) => all + each, job.spec.vcpus.rate / FRAME_BYTES);
  const requests = Math.ceil(rate * (total + preparation));
  if (requests <= MOST_REQUESTS) return undefined;
  const most = MOST_REQUESTS.toLocaleString('en');
  return noMachine(
    `It takes about ${requests.toLocaleString('en')} requests, and ${most} are made one by one at most.`,
  );
}

function* byModel(checked: CheckedJob, why: string): Migrating<Result<MigrationResult>> {
  const leaves = yield* waiting(leavesOf(checked), nothingYet(checked.job, 'model'));
  if (!leaves.ok) return leaves;
  const source = modelOf(checked, leaves.value);
  if (!source.ok) return source;
  const before = leaves.value.copy();
  return yield* measured(checked, source.value, before, () => leaves.value, ['model', why]);
}

function* byMachine(checked: CheckedJob, why: string): Migrating<Result<Migrated>> {
  const { job, domain } = checked;
  const { machine, spec } = job;
  assert(machine instanceof Machine && domain, 'the machine was looked at');
  const leaves = yield* waiting(leavesOf(checked), nothingYet(job, 'machine'));
  const generators = generatorsOf(job);
  if (!leaves.ok) return leaves;
  if (!generators.ok) return generators;
  const devices = job.sources.map((source, index) => ({
    ...{ source, seed: sourceSeed(job, index) },
    accessesPerSecond: (source.traffic.rate ?? 0) / (generators.value[index]?.bytesPerAccess ?? 1),
  }));
  const { running, stopped } = deviceStatesOf(machine.spec);
  const source = new MachineSource({
    ...{ machine, domain, devices, spec, leaves: leaves.value.copy() },
    deviceState: { running, stopped },
  });
  try {
    const result = yield* measured(checked, source, leaves.value, () => source.leafMap, ['machine', why]);
    return result.ok ? success({ result: result.value, operations: source.operations }) : result;
  } catch (error) {
    if (!(error instanceof RefusedOperation)) throw error;
    return failure('migration/refused', `The machine refused to ${error.operation}: ${error.message}`);
  }
}

/** Rounds, with what the IOTLB makes of the pages before and during them. */
function* measured(
  { job, checked }: CheckedJob,
  source: DirtySource,
  before: LeafMap,
  during: () => LeafMap,
  [by, byWhy]: readonly [MigrationResult['by'], string],
): Migrating<Result<MigrationResult>> {
  const leavesBefore = before.bySize;
  const missesBefore = yield* waiting(missesWith(checked, job, before), nothingYet(job, by));
  if (missesBefore?.ok === false) return missesBefore;
  let missesDuring: Result<MissSample> | undefined;
  const resultOf = (outcome: PrecopyOutcome): MigrationResult => {
    const samples = {
      before: missesBefore?.value,
      during: missesDuring?.ok === true ? missesDuring.value : undefined,
    };
    const leaves = { before: leavesBefore, after: source.bySize };
    return { ...figuresOf(outcome, job.spec), leaves, iotlb: iotlbOf(samples, outcome, job), by, byWhy };
  };
  const rounds = precopy(source, job.spec);
  for (;;) {
    const next = rounds.next();
    if (next.done === true) {
      if (missesDuring?.ok === false) return missesDuring;
      return success(resultOf(next.value));
    }
    const { value } = next;
    const progress: MigratingProgress = {
      ...value,
      soFar: () => ({ result: resultOf(value.soFar()), operations: value.operations }),
    };
    // Pages become large again at the end: what they are now is what devices met.
    if (value.phase === 'end') missesDuring ??= yield* waiting(missesWith(checked, job, during()), progress);
    yield progress;
  }
}

function figuresOf(
  outcome: PrecopyOutcome,
  { downtimeLimit }: MigrationSpec,
): Omit<MigrationResult, 'leaves' | 'iotlb' | 'by' | 'byWhy'> {
  const { rounds, converged, why, preparation, total, blackout, time, requests } = outcome;
  const { sent, deviceState, deviceStateInBlackout, written, reported, over, lost } = outcome;
  return {
    ...{ rounds, converged, why, downtimeLimit, preparation, total, blackout, time, requests },
    bytes: { sent, deviceState, deviceStateInBlackout, written, reported, over, lost },
    amplification: written === 0 ? 1 : reported / written,
  };
}

function iotlbOf(
  { before, during }: { readonly before: MissSample | undefined; readonly during: MissSample | undefined },
  { total }: PrecopyOutcome,
  { sources }: MigrationJob,
): MigrationResult['iotlb'] {
  // Of one that was given up only the pages before are known.
  if (!before || !during) return { missesBefore: 0, missesDuring: 0, missesAdded: 0, sampled: 0 };
  const rate = sources.reduce((all, { traffic }) => all + (traffic.rate ?? 0), 0);
  const added = during.missesPerRequest - before.missesPerRequest;
  return {
    missesBefore: before.missesPerRequest * 1e6,
    missesDuring: during.missesPerRequest * 1e6,
    missesAdded: added * (rate / before.bytesPerRequest) * total,
    sampled: before.requests,
  };
}

/** Work in slices, with the same progress at each. */
function* waiting<T>(slices: Generator<unknown, T, void>, progress: MigratingProgress): Migrating<T> {
  for (;;) {
    const slice = slices.next();
    if (slice.done === true) return slice.value;
    yield progress;
  }
}

/** Before anything was done. */
const nothingYet = ({ spec }: MigrationJob, by: MigrationResult['by']): MigratingProgress => ({
  ...{ phase: 'preparation', round: 0, pending: 0, sent: 0, elapsed: 0, linkSeconds: 0, fraction: 0 },
  ...{ rounds: [], operations: [] },
  soFar: () => ({
    operations: [],
    result: {
      ...{ rounds: [], converged: false, why: CANCELLED_EARLY, downtimeLimit: spec.downtimeLimit },
      ...{ preparation: 0, total: 0, blackout: null, time: {}, requests: 0, amplification: 1 },
      bytes: { sent: 0, deviceState: 0, deviceStateInBlackout: 0, written: 0, reported: 0, over: 0, lost: 0 },
      leaves: { before: {}, after: {} },
      iotlb: { missesBefore: 0, missesDuring: 0, missesAdded: 0, sampled: 0 },
      ...{ by, byWhy: CANCELLED_EARLY },
    },
  }),
});
