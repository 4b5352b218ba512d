// The unit and conformance tests, bundled: engine and tests call each other directly there, which takes well over a third off
// the time that the same tests take when every module is loaded for itself. `npm run test:unit` runs them file by file.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { root } from './lib/paths.mjs';

const FOLDERS = ['test/unit', 'test/conformance'];
/** Beside the packages, so that imports of these are found from there. */
const BUNDLES = path.join(root, 'node_modules/.cache/iopte-tests');
/** Processes at a time. */
const AT_ONCE = 2;
const SUM = /^(\d+) passed, (\d+) failed$/;

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

/**
 * Parts that run in a process each, the longest first, so that the last ones fill both cores. A million requests are alone: in
 * a process that has seen every format the same code is less than half as fast.
 */
const PARTS = [
  { name: 'others', holds: /./ },
  { name: 'engine', holds: /^\.\/test\/(unit\/engine|conformance\/emulator)\// },
  { name: 'programs', holds: /^\.\/test\/(unit\/cli|conformance\/scenarios)\// },
  { name: 'trace', holds: /^\.\/test\/(unit\/trace\/|conformance\/trace)/ },
  { name: 'large', holds: /\/largeDomain\.test\.ts$/ },
];
/** Of the parts that hold a file, the last has it. */
const partOf = (file) => PARTS.findLast(({ holds }) => holds.test(file)).name;
const parts = PARTS.map(({ name }) => ({
  name,
  bundled: together.filter((file) => partOf(file) === name),
  files: alone.filter((file) => partOf(file) === name),
}));

async function bundle({ name, bundled }) {
  const outfile = path.join(BUNDLES, `${name}.cjs`);
  await build({
    stdin: { contents: bundled.map((file) => `import '${file}';`).join('\n'), resolveDir: root },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    packages: 'external',
    sourcemap: 'inline',
    plugins: [places],
    logLevel: 'warning',
  });
  return outfile;
}

/** Runs a part and prints what it says but its sum; gives passed, failed and the exit code. */
async function runPart(part) {
  const outfile = await bundle(part);
  const mocha = path.join(root, 'node_modules/mocha/bin/mocha.js');
  const reporter = path.join(root, 'scripts/lib/lineReporter.cjs');
  const options = ['--no-config', '--require', 'tsx/cjs', '--timeout', '20000', '--reporter', reporter];
  const args = ['--enable-source-maps', mocha, ...options, ...process.argv.slice(2), outfile, ...part.files];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  const sum = { passed: 0, failed: 0 };
  for await (const line of createInterface({ input: child.stdout })) {
    const found = SUM.exec(line);
    if (!found) console.log(line);
    else Object.assign(sum, { passed: Number(found[1]), failed: Number(found[2]) });
  }
  const code = child.exitCode ?? (await once(child, 'exit'))[0];
  return { ...sum, code: code ?? 1 };
}

mkdirSync(BUNDLES, { recursive: true });
const waiting = [...parts];
const results = [];
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let part = waiting.shift(); part; part = waiting.shift()) results.push(await runPart(part));
  }),
);
const passed = results.reduce((sum, result) => sum + result.passed, 0);
const failed = results.reduce((sum, result) => sum + result.failed, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = results.some(({ code }) => code !== 0) ? 1 : 0;
