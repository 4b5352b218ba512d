// The layers of `npm test`, in the order they are reported.
import { ensureDependencies } from './dependencies.mjs';
import { ensureHost } from './hostInstall.mjs';
import { ensurePrograms, hasGnuParallel } from './programs.mjs';
import { atLeast, check, inTurn, mocha, suite, tool } from './steps.mjs';

/**
 * @typedef {object} Layer
 * @property {string} name    for --only and --skip
 * @property {string} group   row of the time table
 * @property {'checks' | 'hosts'} lane   layers of one lane run one after the other, the lanes side by side: two cores
 * @property {string[]} needs layers that have to be good before this one can run
 * @property {(report: import('./report.mjs').LayerReport) => Promise<void>} run
 */

/** @type {Layer[]} */
export const layers = [
  {
    name: 'packages',
    group: 'set-up',
    lane: 'checks',
    needs: [],
    run: async (report) => {
      await ensureDependencies((text) => report.line(`     ${text}`));
      report.pass('packages are installed as package-lock.json says');
    },
  },
  {
    name: 'vscode',
    group: 'set-up',
    lane: 'hosts',
    needs: [],
    run: async (report) => {
      await ensureHost((text) => report.line(`     ${text}`));
      report.pass('a VS Code host and a browser are set up');
    },
  },
  {
    name: 'build',
    group: 'build',
    lane: 'checks',
    needs: ['packages'],
    run: inTurn(
      check('the bundles build', [tool('webpack/bin/webpack.js'), '--mode', 'production'], { seconds: 300 }),
      check(
        'the in-host suites build',
        [tool('webpack/bin/webpack.js'), '--env', 'tests', '--mode', 'development'],
        {
          seconds: 300,
        },
      ),
    ),
  },
  {
    name: 'format',
    group: 'lint and types',
    lane: 'checks',
    needs: ['packages'],
    run: check('format: prettier changes nothing', [tool('prettier/bin/prettier.cjs'), '--check', '.'], {
      seconds: 120,
    }),
  },
  {
    name: 'lint',
    group: 'lint and types',
    lane: 'checks',
    needs: ['packages'],
    run: check(
      'lint: eslint has nothing to say',
      [tool('eslint/bin/eslint.js'), '.', '--max-warnings', '0'],
      {
        seconds: 400,
      },
    ),
  },
  {
    name: 'types',
    group: 'lint and types',
    lane: 'checks',
    needs: ['packages'],
    run: check('types: every room checks', [tool('typescript/bin/tsc'), '-b'], { seconds: 240 }),
  },
  {
    name: 'architecture',
    group: 'lint and types',
    lane: 'checks',
    needs: ['packages'],
    run: inTurn(
      check(
        'architecture: nobody imports what is above or beside',
        [tool('dependency-cruiser/bin/dependency-cruise.mjs'), 'src', '--config', '.dependency-cruiser.cjs'],
        { seconds: 120, accept: atLeast(/\((\d+) modules/, 50) },
      ),
      check('architecture: the picture shows the rooms as they are', ['scripts/picture.mjs'], {
        seconds: 120,
      }),
    ),
  },
  {
    name: 'dead-code',
    group: 'lint and types',
    lane: 'checks',
    needs: ['packages'],
    run: check('dead code: knip finds none', [tool('knip/bin/knip.js')], { seconds: 120 }),
  },
  {
    name: 'programs',
    group: 'set-up',
    lane: 'checks',
    needs: [],
    run: async (report) => {
      await ensurePrograms((text) => report.line(`     ${text}`));
      const name = 'GNU parallel is there, for the test of docs/sweeps.md';
      if (hasGnuParallel()) report.pass(name);
      else report.suiteLine(`skip ${name}: apt cannot install it here`);
    },
  },
  {
    name: 'unit',
    group: 'unit and conformance',
    lane: 'checks',
    needs: ['build', 'programs'],
    run: suite('unit and conformance', ['scripts/unitTests.mjs'], {
      seconds: 1200,
    }),
  },
  {
    name: 'node-host',
    group: 'both hosts',
    lane: 'hosts',
    needs: ['build', 'vscode'],
    run: suite('the Node host', ['scripts/hostTests.mjs', 'node'], { seconds: 300 }),
  },
  {
    name: 'web-host',
    group: 'both hosts',
    lane: 'hosts',
    needs: ['build', 'vscode'],
    run: suite('the web worker host', ['scripts/hostTests.mjs', 'web'], { seconds: 300 }),
  },
  {
    name: 'browser',
    group: 'browser',
    lane: 'hosts',
    needs: ['build', 'vscode'],
    run: suite('browser', mocha('--config', 'test/web/.mocharc.cjs'), { seconds: 780 }),
  },
  {
    name: 'package',
    group: 'package',
    lane: 'hosts',
    needs: ['build', 'vscode'],
    run: inTurn(
      check('npm run package: vsce packs without a warning', ['scripts/package.mjs', '--no-build'], {
        seconds: 120,
      }),
      suite('package', mocha('--config', 'test/package/.mocharc.cjs'), { seconds: 180 }),
    ),
  },
  {
    name: 'start',
    group: 'start',
    lane: 'hosts',
    needs: ['build', 'vscode'],
    run: suite('start', mocha('--config', 'test/start/.mocharc.cjs'), { seconds: 240 }),
  },
];

/** Seconds on two cores. */
export const budgets = {
  'set-up': 180,
  build: 60,
  'lint and types': 75,
  'unit and conformance': 150,
  'both hosts': 75,
  browser: 120,
  package: 30,
  start: 60,
  all: 720,
};
