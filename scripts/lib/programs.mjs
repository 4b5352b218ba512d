// Programs that tests run and Node does not bring. A test whose program is not there says so and is skipped.
import { spawnSync } from 'node:child_process';
import { aptPackages } from './apt.mjs';

/** Whether `parallel` is GNU's: moreutils has another program of that name. */
export function hasGnuParallel() {
  const { status, stdout } = spawnSync('parallel', ['--version'], { encoding: 'utf8' });
  return status === 0 && stdout.startsWith('GNU parallel');
}

/** Installs what is missing where apt can. */
export async function ensurePrograms(log) {
  if (!hasGnuParallel()) await aptPackages(['parallel'], log);
}
