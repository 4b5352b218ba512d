// npm run bench:trace -- [--quick] [--strict] [--large] [--file FILE]: indexing a trace against its limit in C, and against the usual
// way with lines and regular expressions, in one run. Nothing here is a test.
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';

const HOME = import.meta.dirname;
const ROOT = path.join(HOME, '..', '..');
const OUT = path.join(ROOT, 'out', 'bench');
const TRACE = path.join(ROOT, 'test', 'fixtures', 'corpus', 'vtd-sm-fl-share.ftrace.txt.gz');

/** Bundles the benchmark as the command line is bundled: what is measured is the code that is shipped. */
async function build() {
  const require = createRequire(import.meta.url);
  const webpack = require('webpack');
  const configure = require('../../webpack.config.js');
  const shipped = configure({}, { mode: 'production' }).find(({ name }) => name === 'node');
  const output = { ...shipped.output, path: path.join(OUT, 'trace') };
  const entry = { bench: { import: path.join(HOME, 'traceText.ts'), library: { type: 'commonjs2' } } };
  const stats = await promisify(webpack)({ ...shipped, entry, output, plugins: [] });
  if (stats.hasErrors()) throw new Error(stats.toString('errors-only'));
  return require(path.join(output.path, 'bench.js'));
}

const option = (name) => process.argv.includes(`--${name}`);
const file = option('file') ? process.argv[process.argv.indexOf('--file') + 1] : TRACE;
const { bench } = await build();
process.exitCode = await bench({
  file,
  megabytes: option('quick') ? 64 : 192,
  rounds: option('quick') ? 3 : 7,
  strict: option('strict'),
  large: option('large'),
  home: HOME,
  out: OUT,
});
