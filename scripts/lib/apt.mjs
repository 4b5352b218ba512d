// Debian packages, where we are root and there is apt; anywhere else nothing is installed behind the user's back.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { run } from './processes.mjs';

/** Whether a program is on the PATH. */
export const onPath = (program) =>
  (process.env.PATH ?? '')
    .split(path.delimiter)
    .some((folder) => folder && existsSync(path.join(folder, program)));

/** Whether packages can be installed at all. */
export const canInstall = () => process.getuid?.() === 0 && onPath('apt-get');

/** apt takes one at a time, and lanes of `npm test` run side by side. */
let last = Promise.resolve();

/**
 * Installs Debian packages.
 * @returns whether they are there now; the reason is logged when not.
 */
export function aptPackages(names, log) {
  const installed = last.then(() => install(names, log));
  last = installed.then(
    () => undefined,
    () => undefined,
  );
  return installed;
}

async function install(names, log) {
  if (names.length === 0) return true;
  if (!canInstall()) {
    log(`not installed, for want of root or apt: ${names.join(' ')}`);
    return false;
  }
  log(`apt-get install ${names.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const wait = ['-o', 'DPkg::Lock::Timeout=120', '-qq'];
  const steps = [
    ['update', ...wait],
    ['install', '-y', '--no-install-recommends', ...wait, ...names],
  ];
  for (const args of steps) {
    const { code, lines } = await run('apt-get', args, { env, seconds: 300 });
    if (code !== 0) {
      log(`apt-get ${args[0]} failed (exit ${code}): ${lines.slice(-3).join(' | ')}`);
      return false;
    }
  }
  return true;
}
