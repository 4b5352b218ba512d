import { type MigrationResult, type ScenarioOutcome } from '../../inspection/protocol';
import { type MigrationModel, type ResultsModel, type RunModel } from './resultsMessages';

/** Rounds that a page is sent for all runs together: a message of them stays below half a megabyte. */
const MOST_ROUNDS = 2000;
/** Rounds that are left of a migration, however many runs there are. */
const FEWEST_ROUNDS = 6;

/** A run as the page takes it, with all of its rounds. */
export function runModel(
  uri: string,
  file: string,
  set: Readonly<Record<string, string>>,
  outcome: ScenarioOutcome,
): RunModel {
  const { variant, title, passed, cancelled, failures, requests, dirty, faults, migration } = outcome;
  return {
    ...{ uri, file, variant, title, requests, dirty, faults, set: { ...set } },
    verdict: cancelled ? 'cancelled' : passed ? 'passed' : 'failed',
    failures: failures.map((each) => ({ ...each })),
    migration: migration && migrationModel(migration),
  };
}

function migrationModel(migration: MigrationResult): MigrationModel {
  const { rounds, converged, why, downtimeLimit, preparation, total, blackout } = migration;
  const { bytes, amplification, leaves, iotlb, time, by, byWhy } = migration;
  return {
    ...{
      converged,
      why,
      downtimeLimit,
      preparation,
      total,
      blackout,
      bytes,
      amplification,
      iotlb,
      by,
      byWhy,
    },
    rounds: rounds.map((round) => ({ ...round })),
    leftOut: 0,
    leaves: { before: { ...leaves.before }, after: { ...leaves.after } },
    time: { ...time },
  };
}

/** The same with so few rounds that a page can hold them: the first and the last ones of each migration. */
export function forPage({ runs }: ResultsModel): ResultsModel {
  const migrations = runs.filter(({ migration }) => migration).length;
  const most = Math.max(FEWEST_ROUNDS, Math.floor(MOST_ROUNDS / Math.max(1, migrations)));
  return {
    runs: runs.map((run) => ({ ...run, migration: run.migration && shortened(run.migration, most) })),
  };
}

/** Rounds that were left out and are nowhere any more: of results that came back with the window. */
export const roundsMissing = ({ runs }: ResultsModel): number =>
  runs.reduce((sum, { migration }) => sum + (migration?.leftOut ?? 0), 0);

function shortened(migration: MigrationModel, most: number): MigrationModel {
  const { rounds, leftOut } = migration;
  if (rounds.length <= most) return migration;
  const last = Math.floor(most / 2);
  const kept = [...rounds.slice(0, most - last), ...rounds.slice(rounds.length - last)];
  return { ...migration, rounds: kept, leftOut: leftOut + rounds.length - kept.length };
}
