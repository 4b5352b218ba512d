// The .vsix: built and packed the one way that `npm run package`, `npm start` and the tests use.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ensureDependencies } from './dependencies.mjs';
import { root } from './paths.mjs';
import { must } from './processes.mjs';

const node = process.execPath;
const tool = (file) => path.join(root, 'node_modules', file);

/** The file that `packExtension` writes. */
export function vsixFile() {
  const { name, version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  return path.join(root, `${name}-${version}.vsix`);
}

/** Installs what the build needs, and bundles into dist/. */
export async function build(log) {
  await ensureDependencies(log);
  log('building dist/');
  await must('the build', node, [tool('webpack/bin/webpack.js'), '--mode', 'production'], {
    cwd: root,
    seconds: 300,
  });
}

/** Packs dist/ and the rest into the .vsix; a warning of vsce is an error. */
export async function packExtension(log) {
  const vsix = vsixFile();
  const lines = await must(
    'vsce package',
    node,
    [tool('@vscode/vsce/vsce'), 'package', '--no-dependencies', '--out', vsix],
    { cwd: root, seconds: 120 },
  );
  const warnings = lines.filter((line) => /warn/i.test(line) && !/npm warn/i.test(line));
  if (warnings.length > 0) throw new Error(`vsce warns:\n${lines.join('\n')}`);
  log(`packed ${path.basename(vsix)}`);
  return vsix;
}
