// npm run bench -- [--quick] [--json] [--figures] [--strict] [--only FORMAT] [--seed N]: our figures against our own C limit, in one run.
// Nothing here is a test: a test never asserts a time.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';

const HOME = import.meta.dirname;
const OUT = path.join(HOME, '..', 'out', 'bench');

const USAGE = `npm run bench -- [--quick] [--json] [--figures] [--strict] [--only FORMAT] [--seed N]

  --quick    1 M leaves and fewer rounds instead of 16 M leaves
  --json     one JSON object a line: {"bench", "ratio", "goal", "ours", "limit", "unit"}
  --figures  also times that are compared with nothing: opening, first answers of the tree and the list
  --strict   exit code 1 when a goal is missed, not only when results differ
  --only F   one format: vtd, x86, amd, arm, riscv or nested
  --seed N   another domain and other requests
`;

const FORMATS = ['vtd', 'x86', 'amd', 'arm', 'riscv', 'nested'];
const SWITCHES = ['--quick', '--json', '--figures', '--strict'];

function parse(words) {
  const options = { quick: false, json: false, figures: false, strict: false, seed: 1 };
  for (let at = 0; at < words.length; at++) {
    const word = words[at];
    if (SWITCHES.includes(word)) options[word.slice(2)] = true;
    else if (word === '--only' && FORMATS.includes(words[at + 1])) options.only = words[++at];
    else if (word === '--seed' && /^[0-9]{1,9}$/.test(words[at + 1] ?? ''))
      options.seed = Number(words[++at]);
    else return undefined;
  }
  return options;
}

/** Bundles the benchmarks as the command line is bundled: what is measured is the code that is shipped. */
async function build() {
  const require = createRequire(import.meta.url);
  const webpack = require('webpack');
  const configure = require('../webpack.config.js');
  const shipped = configure({}, { mode: 'production' }).find(({ name }) => name === 'node');
  const output = { ...shipped.output, path: path.join(OUT, 'bundle') };
  const bench = { import: path.join(HOME, 'bench.ts'), library: { type: 'commonjs2' } };
  const entry = { bench, engineWorker: shipped.entry.engineWorker };
  const stats = await promisify(webpack)({ ...shipped, entry, output, plugins: [] });
  if (stats.hasErrors()) throw new Error(stats.toString('errors-only'));
  return require(path.join(output.path, 'bench.js'));
}

const options = parse(process.argv.slice(2));
if (!options) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else if (!existsSync(path.join(HOME, '..', 'node_modules', 'webpack'))) {
  process.stderr.write('The packages are not installed. Run npm ci first, or npm test once.\n');
  process.exitCode = 2;
} else {
  const { bench } = await build();
  process.exitCode = await bench(options, HOME, OUT);
}
