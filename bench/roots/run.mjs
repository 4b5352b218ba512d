// npm run bench:roots -- [--quick]: the search for roots against its limit in C, in one run. Nothing here is a test.
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';

const HOME = import.meta.dirname;
const ROOT = path.join(HOME, '..', '..');
const OUT = path.join(ROOT, 'out', 'bench');
const GUEST = path.join(ROOT, 'test', 'fixtures', 'corpus', 'vtd-sm-sl-share.elf.gz');

/** Bundles the benchmark as the command line is bundled: what is measured is the code that is shipped. */
async function build() {
  const require = createRequire(import.meta.url);
  const webpack = require('webpack');
  const configure = require('../../webpack.config.js');
  const shipped = configure({}, { mode: 'production' }).find(({ name }) => name === 'node');
  const output = { ...shipped.output, path: path.join(OUT, 'roots') };
  const entry = { bench: { import: path.join(HOME, 'rootScan.ts'), library: { type: 'commonjs2' } } };
  const stats = await promisify(webpack)({ ...shipped, entry, output, plugins: [] });
  if (stats.hasErrors()) throw new Error(stats.toString('errors-only'));
  return require(path.join(output.path, 'bench.js'));
}

const quick = process.argv.includes('--quick');
const { bench } = await build();
process.exitCode = await bench(quick ? 128 : 1024, GUEST, HOME, OUT);
