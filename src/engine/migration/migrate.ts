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
import { precopy, type MigrationProgress, type PrecopyOutcome } from './precopy';
import { type MigrationResult } from './result';
import { type DirtySource } from './source';
import { type MigrationSpec } from './spec';

/** What came of a job. */
export interface Migrated {
  readonly result: MigrationResult;
  /** What was done to the machine, in order; empty by the model, which does not touch it. */
  readonly operations: readonly MachineOperation[];
}

type Migrating<T> = Generator<MigrationProgress, T, void>;

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
  // The model tells how long it takes, and so how much there is to do.
  const modelled = yield* isTry ? waiting(byModel(checked.value)) : byModel(checked.value);
  if (!modelled.ok) return modelled;
  const tooMuch = isTry ? whyTooMuch(checked.value, modelled.value) : undefined;
  if (isTry && !tooMuch) return yield* byMachine(checked.value);
  return tooMuch && job.by === 'machine' ? tooMuch : success({ result: modelled.value, operations: [] });
}

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

function* byModel(checked: CheckedJob): Migrating<Result<MigrationResult>> {
  const leaves = yield* waiting(leavesOf(checked));
  if (!leaves.ok) return leaves;
  const source = modelOf(checked, leaves.value);
  if (!source.ok) return source;
  const before = leaves.value.copy();
  return yield* measured(checked, source.value, before, () => leaves.value, 'model');
}

function* byMachine(checked: CheckedJob): Migrating<Result<Migrated>> {
  const { job, domain } = checked;
  const { machine, spec } = job;
  assert(machine instanceof Machine && domain, 'the machine was looked at');
  const leaves = yield* waiting(leavesOf(checked));
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
    const result = yield* measured(checked, source, leaves.value, () => source.leafMap, 'machine');
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
  by: MigrationResult['by'],
): Migrating<Result<MigrationResult>> {
  const missesBefore = missesWith(checked, job, before);
  if (missesBefore?.ok === false) return missesBefore;
  let missesDuring: ReturnType<typeof missesWith>;
  const rounds = precopy(source, job.spec);
  for (;;) {
    const next = rounds.next();
    if (next.done === true) {
      if (missesDuring?.ok === false) return missesDuring;
      const samples = { before: missesBefore?.value, during: missesDuring?.value };
      const leaves = { before: before.bySize, after: source.bySize };
      return success({
        ...resultOf(next.value, job.spec),
        leaves,
        iotlb: iotlbOf(samples, next.value, job),
        by,
      });
    }
    // Pages become large again at the end: what they are now is what devices met.
    if (next.value.phase === 'end') missesDuring ??= missesWith(checked, job, during());
    yield next.value;
  }
}

function resultOf(
  outcome: PrecopyOutcome,
  { downtimeLimit }: MigrationSpec,
): Omit<MigrationResult, 'leaves' | 'iotlb' | 'by'> {
  const { rounds, converged, why, preparation, total, blackout, time } = outcome;
  const { sent, deviceState, deviceStateInBlackout, written, reported, over, lost } = outcome;
  return {
    ...{ rounds, converged, why, downtimeLimit, preparation, total, blackout, time },
    bytes: { sent, deviceState, deviceStateInBlackout, written, reported, over, lost },
    amplification: written === 0 ? 1 : reported / written,
  };
}

function iotlbOf(
  { before, during }: { readonly before: MissSample | undefined; readonly during: MissSample | undefined },
  { total }: PrecopyOutcome,
  { sources }: MigrationJob,
): MigrationResult['iotlb'] {
  const share = (sample: MissSample | undefined): number => sample?.missesPerRequest ?? 0;
  const rate = sources.reduce((all, { traffic }) => all + (traffic.rate ?? 0), 0);
  const requests = before ? (rate / before.bytesPerRequest) * total : 0;
  return {
    missesBefore: share(before) * 1e6,
    missesDuring: share(during) * 1e6,
    missesAdded: (share(during) - share(before)) * requests,
    sampled: before?.requests ?? 0,
  };
}

function* waiting<T>(slices: Generator<unknown, T, void>): Migrating<T> {
  for (;;) {
    const slice = slices.next();
    if (slice.done === true) return slice.value;
    yield PREPARING;
  }
}

const PREPARING: MigrationProgress = {
  ...{ phase: 'preparation', round: 0, pending: 0, sent: 0, elapsed: 0, secondsLeft: 0 },
  ...{ rounds: [], operations: [] },
};
