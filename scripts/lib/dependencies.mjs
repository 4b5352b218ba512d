// node_modules, kept in step with package-lock.json.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { must, npmCommand } from './processes.mjs';
import { root } from './paths.mjs';

const stamp = path.join(root, 'node_modules', '.iopte-lock-hash');

/** Runs `npm ci` when package-lock.json is not the one that was installed. */
export async function ensureDependencies(log) {
  const hash = createHash('sha256')
    .update(readFileSync(path.join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash)
    return log('node_modules is in step with package-lock.json');
  log('npm ci: package-lock.json is new or has changed');
  const { command, args, env } = npmCommand([
    'ci',
    '--no-audit',
    '--no-fund',
    '--no-progress',
    '--loglevel=error',
  ]);
  await must('npm ci', command, args, { cwd: root, env, seconds: 600 });
  writeFileSync(stamp, hash);
}
