import { type MigrationResult, type MigrationRound } from '../../../src/engine/migration/result';
import { type ScenarioOutcome } from '../../../src/scenario/outcome';
import { type RunModel } from '../../../src/webview/messages/resultsMessages';
import { runModel } from '../../../src/webview/messages/resultsModel';

const MIB = 2 ** 20;

/** Rounds of which each takes and sends half of the one before; the last one stands still. */
export function halvingRounds(count: number): MigrationRound[] {
  return Array.from({ length: count }, (_, index) => ({
    round: index + 1,
    blackout: index === count - 1,
    start: 16 * (1 - 0.5 ** index),
    seconds: 8 * 0.5 ** index,
    sent: 1024 * MIB * 0.5 ** index,
    pending: 1024 * MIB * 0.5 ** index,
    written: 256 * MIB * 0.5 ** index,
    reported: 512 * MIB * 0.5 ** index,
    splits: 0,
    estimatedDowntime: 4 * 0.5 ** index,
  }));
}

export function migrationOf(
  rounds: readonly MigrationRound[],
  more: Partial<MigrationResult> = {},
): MigrationResult {
  const last = rounds.at(-1);
  return {
    rounds,
    converged: last?.blackout === true,
    why: 'As it was made up.',
    downtimeLimit: 0.3,
    preparation: 0,
    total: (last?.start ?? 0) + (last?.seconds ?? 0),
    blackout: last?.blackout ? last.seconds : null,
    bytes: {
      ...{ sent: 2048 * MIB, deviceState: 0, deviceStateInBlackout: 0 },
      ...{ written: 512 * MIB, reported: 1024 * MIB, over: 512 * MIB, lost: 0 },
    },
    amplification: 2,
    leaves: { before: { 2097152: 512 }, after: { 4096: 262144 } },
    iotlb: { missesBefore: 10, missesDuring: 20, missesAdded: 1000, sampled: 100 },
    time: { link: 15, split: 1 },
    by: 'model',
    byWhy: 'The model was asked for.',
    requests: 0,
    ...more,
  };
}

/** A run of `moves.iopte.yaml` that came to this. */
export function runOf(
  variant: string | null,
  migration: MigrationResult | null,
  more: Partial<ScenarioOutcome> = {},
): RunModel {
  return runModel(
    'file:///moves.iopte.yaml',
    'moves',
    {},
    {
      ...{ file: 'moves.iopte.yaml', variant, title: 'It moves', passed: true, failures: [], requests: 5 },
      dirty: { written: 4096, reported: 8192, lost: 0, over: 4096 },
      ...{ faults: 0, seconds: 1, migration },
      ...more,
    },
  );
}
