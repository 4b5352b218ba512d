// npm run bench -- [--quick] [--json] [--strict] [--seed N]: our figures against our own C limit, in one run.
// Nothing here is a test: a test never asserts a time.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';

const USAGE = `npm run bench -- [--quick] [--json] [--strict] [--seed N]

  --quick   1 M leaves and fewer rounds instead of 16 M leaves
  --json    one JSON object a line: {"bench", "ratio", "goal", "ours", "limit", "unit"}
  --strict  exit code 1 when a goal is missed, not only when checksums differ
  --seed N  another domain and other requests
`;

function parse(words) {
  const options = { quick: false, json: false, strict: false, seed: 1 };
  for (let at = 0; at < words.length; at++) {
    const word = words[at];
    if (word === '--quick' || word === '--json' || word === '--strict') options[word.slice(2)] = true;
    else if (word === '--seed' && /^[0-9]{1,9}$/.test(words[at + 1] ?? ''))
      options.seed = Number(words[++at]);
    else return undefined;
  }
  return options;
}

const options = parse(process.argv.slice(2));
if (!options) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else if (!existsSync(new URL('../node_modules/tsx', import.meta.url))) {
  process.stderr.write('The packages are not installed. Run npm ci first, or npm test once.\n');
  process.exitCode = 2;
} else {
  const require = createRequire(import.meta.url);
  require('tsx/cjs');
  const { bench } = require('./bench.ts');
  process.exitCode = await bench(options, import.meta.dirname);
}
