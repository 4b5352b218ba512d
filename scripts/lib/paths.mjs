// Where things are: in the checkout, and in the cache that outlives it.
import { mkdtempSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

const caches = process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache');

/** The VS Code host lives outside node_modules, so that `npm ci` does not take it away. */
export const hostDir = path.resolve(
  process.env.VSCODE_HOST_DIR ?? path.join(caches, 'iopte-inspector', 'host'),
);

/** A new folder with a short name: the path of a unix socket in it must stay below 108 bytes. */
export const scratchDir = (prefix) => mkdtempSync(path.join(tmpdir(), `iopte-${prefix}-`));
