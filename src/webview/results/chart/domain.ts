import { type Axis, type MigrationModel } from '../../messages/resultsMessages';

/** What the axes of several charts span, so that they can be compared by eye. Seconds and bytes. */
export interface Domain {
  readonly total: number;
  /** Seconds before the first round. */
  readonly preparation: number;
  readonly bytes: { readonly low: number; readonly high: number };
  readonly downtime: { readonly low: number; readonly high: number };
}

/** A page, the least that is ever sent. */
const LEAST_BYTES = 4096;
const LEAST_SECONDS = 1e-6;

/** One for all these migrations. */
export function domainOf(migrations: readonly MigrationModel[]): Domain {
  const rounds = migrations.flatMap((each) => each.rounds);
  const bytes = rounds.flatMap(({ sent, written, reported, pending }) => [sent, written, reported, pending]);
  const seconds = [
    ...rounds.map(({ estimatedDowntime }) => estimatedDowntime),
    ...migrations.flatMap(({ downtimeLimit, blackout }) => [downtimeLimit, blackout ?? 0]),
  ];
  const ends = migrations.map(({ total, rounds: own }) => {
    const last = own.at(-1);
    return Math.max(total, last ? last.start + last.seconds : 0);
  });
  const preparation = greatest(migrations.map((each) => each.preparation));
  const total = greatest(ends);
  return {
    total,
    // Days of tracking before it would leave no room for the rounds.
    preparation: Math.min(preparation, total / 3),
    bytes: spanOf(bytes, LEAST_BYTES),
    downtime: spanOf(seconds, LEAST_SECONDS),
  };
}

const greatest = (values: readonly number[]): number =>
  values.reduce((most, each) => Math.max(most, each), 0);

/** From below the smallest that is more than nothing to above the greatest. */
function spanOf(values: readonly number[], least: number): { low: number; high: number } {
  const some = values.filter((value) => value > least);
  const high = Math.max(greatest(some), least * 4);
  const low = some.reduce((all, each) => Math.min(all, each), high / 4);
  return { low: Math.max(least, low / 2), high: high * 1.3 };
}

/** Rounds narrower than this say nothing on an axis of time. */
const READABLE_PIXELS = 3;

/** Time where most rounds would be seen on it, else all rounds in the same width. */
export function suitingAxis(migrations: readonly MigrationModel[], width: number): Axis {
  const { total, preparation } = domainOf(migrations);
  const seconds = migrations.flatMap(({ rounds }) => rounds.map((round) => round.seconds));
  const isSeen = (each: number): boolean => (each / (total + preparation)) * width >= READABLE_PIXELS;
  const seen = seconds.filter(isSeen).length;
  return seen * 2 >= seconds.length ? 'time' : 'rounds';
}
