// What a layer is made of: checks that are one named test, suites that name their own, one after the other.
import path from 'node:path';
import { root } from './paths.mjs';
import { run } from './processes.mjs';

const node = process.execPath;
/** A program of node_modules. */
export const tool = (file) => path.join(root, 'node_modules', file);
const lineReporter = path.join(root, 'scripts/lib/lineReporter.cjs');

/** A check that is one named test: it passes when the program exits with 0 and `accept` finds nothing missing. */
export const check =
  (name, args, { seconds, accept = () => undefined }) =>
  async (report) => {
    const { code, lines } = await run(node, args, { cwd: root, seconds });
    const missing = code === 0 ? accept(lines.join('\n')) : `exit ${code}`;
    if (missing) report.fail(name, [missing, ...lines.slice(-200)]);
    else report.pass(name);
  };

/** A suite that prints its tests by name and `N passed, N failed` at the end. */
export const suite =
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

/** mocha's program and its arguments, printing a line a test. */
export const mocha = (...args) => [tool('mocha/bin/mocha.js'), '--reporter', lineReporter, ...args];

/** For `check`: the program has to have looked at a number of files. */
export const atLeast = (pattern, least) => (output) =>
  Number(pattern.exec(output)?.[1] ?? 0) >= least ? undefined : `fewer than ${least} files were looked at`;

/** One after the other, whatever becomes of the one before. */
export const inTurn =
  (...steps) =>
  async (report) => {
    for (const step of steps) await step(report);
  };
