// `npm run fuzz`: the fuzz suites for longer than `npm test` gives them. They are the unit tests that read FUZZ_SECONDS.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ensureDependencies } from './lib/dependencies.mjs';
import { root } from './lib/paths.mjs';
import { run } from './lib/processes.mjs';

const HELP = `usage: npm run fuzz -- [--seconds N] [--seed N] [--grep TEXT]

  --seconds N   for each suite (default 60); FUZZ_SECONDS says the same
  --seed N      first seed (default: random, printed); FUZZ_SEED says the same. A failure names the seed that shows it.
  --grep TEXT   only tests whose name contains it`;

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: 'string', default: process.env.FUZZ_SECONDS ?? '60' },
        seed: { type: 'string', default: process.env.FUZZ_SEED ?? String(Math.floor(Math.random() * 1e6)) },
        grep: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    for (const name of ['seconds', 'seed']) {
      if (!/^\d+$/.test(values[name])) throw new Error(`--${name} ${values[name]} is not a whole number`);
    }
    return values;
  } catch (error) {
    console.error(`${error.message}\n\n${HELP}`);
    process.exit(2);
  }
}

const { seconds, seed, grep, help } = readOptions();
if (help) {
  console.log(HELP);
  process.exit(0);
}
await ensureDependencies(console.log);
const suites = readdirSync(path.join(root, 'test'), { recursive: true })
  .map((name) => path.join('test', name))
  .filter(
    (name) =>
      name.endsWith('.test.ts') && readFileSync(path.join(root, name), 'utf8').includes('FUZZ_SECONDS'),
  );
if (suites.length === 0) {
  console.error('no suite reads FUZZ_SECONDS');
  process.exit(1);
}
console.log(`FUZZ_SEED=${seed} FUZZ_SECONDS=${seconds}: ${suites.join(' ')}`);
const { code } = await run(
  process.execPath,
  [
    path.join(root, 'node_modules/mocha/bin/mocha.js'),
    ...['--no-config', '--require', 'tsx/cjs', '--timeout', String((Number(seconds) + 60) * 1000)],
    ...[
      '--reporter',
      path.join(root, 'scripts/lib/lineReporter.cjs'),
      ...(grep ? ['--fgrep', grep] : []),
      ...suites,
    ],
  ],
  {
    cwd: root,
    seconds: suites.length * (Number(seconds) * 4 + 120),
    env: { ...process.env, FUZZ_SEED: seed, FUZZ_SECONDS: seconds },
    onLine: (line) => console.log(line),
  },
);
process.exit(code);
