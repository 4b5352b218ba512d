// The layers of `npm test`, in the order they are reported.
import path from 'node:path';
import { ensureDependencies } from './dependencies.mjs';
import { ensureHost } from './hostInstall.mjs';
import { root } from './paths.mjs';
import { run } from './processes.mjs';

const node = process.execPath;
const tool = (file) => path.join(root, 'node_modules', file);
const lineReporter = path.join(root, 'scripts/lib/lineReporter.cjs');

/** A check that is one named test: it passes when the program exits with 0 and `accept` finds nothing missing. */
const check =
  (name, args, { seconds, accept = () => undefined }) =>
  async (report) => {
    const { code, lines } = await run(node, args, { cwd: root, seconds });
    const missing = code === 0 ? accept(lines.join('\n')) : `exit ${code}`;
    if (missing) report.fail(name, [missing, ...lines.slice(-200)]);
    else report.pass(name);
  };

/** A suite that prints its tests by name and `N passed, N failed` at the end. */
const suite =
  (name, args, { seconds, env = {} }) =>
  async (report) => {
    const before = { passed: report.passed, failed: report.failed };
    const { code, lines } = await run(node, args, {
      cwd: root,
      seconds,
      env: { ...process.env, ...env },
      onLine: (line) => report.suiteLine(line),
    });
    const passed = report.passed - before.passed;
    const failed = report.failed - before.failed;
    const sum = lines.findLast((line) => /^\d+ passed, \d+ failed$/.test(line));
    if (sum !== `${passed} passed, ${failed} failed`)
      report.fail(`${name} comes to its end`, [`it said: ${sum ?? 'nothing'}`]);
    else if (passed + failed === 0)
      report.fail(`${name} has tests`, ['no test ran: is the file pattern wrong?']);
    else if (code !== 0 && failed === 0)
      report.fail(`${name} ends well`, [`exit ${code} though no test failed`]);
  };

const mocha = (...args) => [tool('mocha/bin/mocha.js'), '--reporter', lineReporter, ...args];
const atLeast = (pattern, least) => (output) =>
  Number(pattern.exec(output)?.[1] ?? 0) >= least ? undefined : `fewer than ${least} files were looked at`;

/** One after the other, whatever becomes of the one before. */
const inTurn =
  (...steps) =>
  async (report) => {
    for (const step of steps) await step(report);
  };

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
      check('the bundles build', [tool('webpack/bin/webpack.js'), '--mode', 'production'], { seconds: 180 }),
      check(
        'the in-host suites build',
        [tool('webpack/bin/webpack.js'), '--env', 'tests', '--mode', 'development'],
        {
          seconds: 180,
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
        seconds: 240,
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
    name: 'unit',
    group: 'unit and conformance',
    lane: 'checks',
    needs: ['build'],
    run: suite('unit and conformance', mocha(), { seconds: 300 }),
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
    run: suite('browser', mocha('--config', 'test/web/.mocharc.cjs'), { seconds: 420 }),
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
