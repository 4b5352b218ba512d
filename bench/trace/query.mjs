// npm run bench:trace-query -- [--quick] [--strict] [--file FILE]: filters over 10^7 rows, all and the first that match, beside plain loops
// in C over the same columns. With a file also over the rows of a text. Nothing here is a test.
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';

const HOME = import.meta.dirname;
const OUT = path.join(HOME, '..', '..', 'out', 'bench');

/** Bundles the benchmark as the command line is bundled: what is measured is the code that is shipped. */
async function build() {
  const require = createRequire(import.meta.url);
  const webpack = require('webpack');
  const configure = require('../../webpack.config.js');
  const shipped = configure({}, { mode: 'production' }).find(({ name }) => name === 'node');
  const output = { ...shipped.output, path: path.join(OUT, 'traceQuery') };
  const entry = { bench: { import: path.join(HOME, 'query.ts'), library: { type: 'commonjs2' } } };
  const stats = await promisify(webpack)({ ...shipped, entry, output, plugins: [] });
  if (stats.hasErrors()) throw new Error(stats.toString('errors-only'));
  return require(path.join(output.path, 'bench.js'));
}

const option = (name) => process.argv.includes(`--${name}`);
const { bench } = await build();
process.exitCode = await bench({
  rows: option('quick') ? 1e6 : 1e7,
  rounds: option('quick') ? 3 : 5,
  strict: option('strict'),
  ...(option('file') && { file: process.argv[process.argv.indexOf('--file') + 1] }),
  home: HOME,
  out: OUT,
});
