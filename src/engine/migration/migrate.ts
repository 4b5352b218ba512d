import { success, type Result } from '../result';
import { type MissSample } from '../traffic/misses';
import { checkJob, leavesOf, modelOf, type CheckedJob, type MigrationJob } from './job';
import { type LeafMap } from './leafMap';
import { missesWith } from './misses';
import { precopy, type MigrationProgress, type PrecopyOutcome } from './precopy';
import { type MigrationResult } from './result';
import { type DirtySource } from './source';
import { type MigrationSpec } from './spec';

/** Migrates: gives way with progress. Fails with `migration/...`, and as `checkSpec` and `makeGenerator` do. */
export function* migrate(job: MigrationJob): Generator<MigrationProgress, Result<MigrationResult>, void> {
  const checked = checkJob(job);
  if (!checked.ok) return checked;
  return yield* byModel(checked.value);
}

function* byModel(checked: CheckedJob): Generator<MigrationProgress, Result<MigrationResult>, void> {
  const leaves = yield* waiting(leavesOf(checked));
  if (!leaves.ok) return leaves;
  const source = modelOf(checked, leaves.value);
  if (!source.ok) return source;
  const before = leaves.value.copy();
  return yield* measured(checked, source.value, before, () => leaves.value, 'model');
}

/** Rounds, with what the IOTLB makes of the pages before and during them. */
export function* measured(
  { job, checked }: CheckedJob,
  source: DirtySource,
  before: LeafMap,
  during: () => LeafMap,
  by: MigrationResult['by'],
): Generator<MigrationProgress, Result<MigrationResult>, void> {
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
      return success({ ...resultOf(next.value, job.spec), leaves, iotlb: iotlbOf(samples, next.value, job), by });
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

function* waiting<T>(slices: Generator<void, T, void>): Generator<MigrationProgress, T, void> {
  for (;;) {
    const slice = slices.next();
    if (slice.done === true) return slice.value;
    yield {
      ...{ phase: 'preparation', round: 0, pending: 0, sent: 0, elapsed: 0, secondsLeft: 0, rounds: [] },
    };
  }
}
