// The picture of the rooms in docs/architecture.md, drawn from what the sources import.
//   node scripts/picture.mjs [--write]    without --write: fails when the picture is not the present one
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './lib/paths.mjs';

const file = path.join(root, 'docs', 'architecture.md');
const BLOCK = /(```mermaid\n)([\s\S]*?)(```)/;
/** Rooms within rooms that stand for themselves: their rules differ from the room's. */
const PARTS = /^src\/(inspection\/(?:node|web|worker)|host\/(?:node|web)|webview\/messages)\//;

const roomOf = (source) => (PARTS.exec(source) ?? /^src\/([^/]+)\//.exec(source))?.[1];

/** From each room to the rooms it imports, both in a fixed order. */
function edges() {
  const cruiser = path.join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const args = [cruiser, 'src', '--config', '.dependency-cruiser.cjs', '--output-type', 'json'];
  const { modules } = JSON.parse(execFileSync(process.execPath, args, { cwd: root, maxBuffer: 1 << 28 }));
  const found = new Set();
  for (const { source, dependencies } of modules) {
    for (const { resolved } of dependencies) {
      const [from, to] = [roomOf(source), roomOf(resolved)];
      if (from && to && from !== to) found.add(`${from} ${to}`);
    }
  }
  return [...found].sort().map((edge) => edge.split(' '));
}

const drawn = edges();
const id = (room) => room.replace('/', '_');
const rooms = [...new Set(drawn.flat())].sort();
const picture = [
  'flowchart TB',
  ...rooms.map((room) => `  ${id(room)}["${room}"]`),
  ...drawn.map(([from, to]) => `  ${id(from)} --> ${id(to)}`),
  '',
].join('\n');

const text = readFileSync(file, 'utf8');
const present = BLOCK.exec(text)?.[2];
if (process.argv.includes('--write')) writeFileSync(file, text.replace(BLOCK, `$1${picture}$3`));
else if (present !== picture) {
  console.error(
    'docs/architecture.md shows other imports than the sources have: node scripts/picture.mjs --write',
  );
  process.exit(1);
}
