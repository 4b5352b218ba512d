import { failure, success, type Result } from '../result';
import { type MigrationSpec } from './spec';

export const MOST_ROUNDS = 10_000;
/** Seconds that anything may take: a day. */
const MOST_SECONDS = 86_400;
const MOST_BYTES = 2 ** 52;

interface Bound {
  readonly name: string;
  readonly value: number;
  readonly least: number;
  readonly most: number;
  readonly unit: string;
}

/** A specification that can be run, or what is wrong with it: `migration/bound`, `migration/contradiction`. */
export function checkMigration(spec: MigrationSpec): Result<MigrationSpec> {
  for (const { name, value, least, most, unit } of boundsOf(spec)) {
    if (value >= least && value <= most) continue;
    return failure('migration/bound', `${name} is ${value}: it is ${least} to ${most} ${unit}.`);
  }
  const { mostRounds, tracking, pages, firstRound, populated, vcpus } = spec;
  if (!Number.isInteger(mostRounds))
    return failure('migration/bound', `mostRounds is ${mostRounds}: rounds are whole.`);
  if (pages.policy !== 'as-is' && !isPowerOfTwo(pages.to))
    return failure('migration/bound', `Pages of ${pages.to} bytes are none: sizes are powers of two.`);
  if (firstRound === 'populated' && tracking.starts !== 'before-vcpus') {
    return failure(
      'migration/contradiction',
      `With tracking ${tracking.starts} nobody knows what devices wrote before, so a first round of populated memory loses it.`,
      'Start tracking before-vcpus, or send everything in the first round.',
    );
  }
  if (firstRound === 'everything' && populated > 0) {
    return failure(
      'migration/contradiction',
      `Of ${populated} populated bytes nothing depends when everything is sent.`,
      'Set firstRound to populated, or leave populated out.',
    );
  }
  if (tracking.starts !== 'warm-up' && tracking.warmUp > 0)
    return failure('migration/contradiction', `With tracking ${tracking.starts} there is no warm-up.`);
  if (tracking.starts !== 'before-vcpus' && tracking.ran > 0) {
    return failure(
      'migration/contradiction',
      `With tracking ${tracking.starts}, how long the machine ran before changes nothing.`,
      'Start tracking before-vcpus, or leave ran out.',
    );
  }
  if (vcpus.rate > 0 && vcpus.workingSet < 4096) {
    return failure(
      'migration/contradiction',
      `vCPUs that write ${vcpus.rate} bytes a second need a working set of a page at least.`,
    );
  }
  return success(spec);
}

function boundsOf({
  link,
  downtimeLimit,
  mostRounds,
  tracking,
  pages,
  populated,
  zeroPages,
  costs,
  vcpus,
}: MigrationSpec): Bound[] {
  const seconds = (name: string, value: number, most = MOST_SECONDS): Bound => ({
    ...{ name, value, least: 0, most, unit: 'seconds' },
  });
  const bytes = (name: string, value: number, least = 0): Bound => ({
    ...{ name, value, least, most: MOST_BYTES, unit: 'bytes' },
  });
  return [
    { name: 'link', value: link, least: 1, most: 1e15, unit: 'bytes a second' },
    seconds('downtimeLimit', downtimeLimit),
    { name: 'mostRounds', value: mostRounds, least: 1, most: MOST_ROUNDS, unit: 'rounds' },
    seconds('warmUp', tracking.warmUp),
    seconds('ran', tracking.ran),
    bytes('to', pages.to, 4096),
    bytes('populated', populated),
    { name: 'zeroPages', value: zeroPages, least: 0, most: 1, unit: 'of all pages' },
    seconds('scan', costs.scan, 1),
    seconds('flush', costs.flush, 1),
    seconds('split', costs.split, 1),
    seconds('collapse', costs.collapse, 1),
    { name: 'rate', value: vcpus.rate, least: 0, most: 1e15, unit: 'bytes a second' },
    bytes('workingSet', vcpus.workingSet),
  ];
}

const isPowerOfTwo = (value: number): boolean => Number.isInteger(Math.log2(value));
