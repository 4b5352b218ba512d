// A copy of the samples that a test may write to.
import { cpSync, rmSync } from 'node:fs';
import path from 'node:path';
import { root, scratchDir } from './paths.mjs';

/** Copies samples/ to a folder of its own; `remove` takes it away again. */
export function sampleWorkspace() {
  const scratch = scratchDir('ws');
  const folder = path.join(scratch, 'samples');
  cpSync(path.join(root, 'samples'), folder, { recursive: true });
  return { folder, remove: () => rmSync(scratch, { recursive: true, force: true }) };
}
