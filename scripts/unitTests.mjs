// The unit and conformance tests as one file: engine and tests call each other directly there, which takes well over a third off
// the time that the same tests take when every module is loaded for itself. `npm run test:unit` runs them file by file.
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { root } from './lib/paths.mjs';

const FOLDERS = ['test/unit', 'test/conformance'];
/** Beside the packages, so that imports of these are found from there. */
const BUNDLE = path.join(root, 'node_modules/.cache/iopte-tests/unit.cjs');

const files = FOLDERS.flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `./${path.posix.join(folder, name.split(path.sep).join('/'))}`),
).sort();

/** These ask the module loader itself, or are about scripts: they stay files of their own. */
const alone = files.filter((file) => {
  const text = readFileSync(path.join(root, file), 'utf8');
  return text.includes('require.resolve') || file.startsWith('./test/unit/scripts/');
});

const together = files.filter((file) => !alone.includes(file));

/** In one file every module would have the place of that file. */
const places = {
  name: 'places',
  setup({ onLoad }) {
    onLoad({ filter: /\.[cm]?[jt]s$/ }, ({ path: file }) => {
      if (file.includes('node_modules')) return undefined;
      const text = readFileSync(file, 'utf8');
      const named = ['__dirname', '__filename'].filter((name) => text.includes(name));
      if (named.length === 0) return undefined;
      const values = { __dirname: path.dirname(file), __filename: file };
      const lines = named.map((name) => `const ${name} = ${JSON.stringify(values[name])};`).join(' ');
      // On the first line, so that stack traces stay right.
      return { contents: lines + text, loader: file.endsWith('ts') ? 'ts' : 'js' };
    });
  },
};

mkdirSync(path.dirname(BUNDLE), { recursive: true });
await build({
  stdin: { contents: together.map((file) => `import '${file}';`).join('\n'), resolveDir: root },
  outfile: BUNDLE,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  packages: 'external',
  sourcemap: 'inline',
  plugins: [places],
  logLevel: 'warning',
});
const mocha = path.join(root, 'node_modules/mocha/bin/mocha.js');
const given = process.argv.slice(2);
const args = ['--enable-source-maps', mocha, '--no-config', '--require', 'tsx/cjs', '--timeout', '20000'];
const child = spawn(process.execPath, [...args, ...given, BUNDLE, ...alone], { cwd: root, stdio: 'inherit' });
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal ? 1 : 0);
});
