import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { LayerReport, wallTime } from '../../../scripts/lib/report.mjs';
import { atLeast, check, suite } from '../../../scripts/lib/steps.mjs';

const root = path.join(__dirname, '../../..');

/** Runs a program of this text as a suite, and gives what was counted. */
async function countSuite(program: string, seconds = 30): Promise<LayerReport> {
  const report = new LayerReport('suite');
  await suite('the suite', ['-e', program], { seconds })(report);
  return report;
}

describe('layers of npm test', () => {
  it('count the named tests of a suite', async () => {
    const { passed, failed, skipped, failures } = await countSuite(
      `console.log('ok   a > b\\nskip c\\nFAIL d > e\\n     why\\n1 passed, 1 failed'); process.exit(1)`,
    );
    assert.deepEqual(
      { passed, failed, skipped, failures },
      { passed: 1, failed: 1, skipped: 1, failures: ['d > e'] },
    );
  });

  it('fail when a suite has no tests', async () => {
    assert.deepEqual((await countSuite(`console.log('0 passed, 0 failed')`)).failures, [
      'the suite has tests',
    ]);
  });

  it('fail when a suite dies before its end', async () => {
    const { failures } = await countSuite(`console.log('ok   a'); process.kill(process.pid, 'SIGKILL')`);
    assert.deepEqual(failures, ['the suite comes to its end']);
  });

  it('fail when a suite says nothing', async () => {
    assert.deepEqual((await countSuite('')).failures, ['the suite comes to its end']);
  });

  it('fail when a suite counts otherwise than it prints', async () => {
    const { failures } = await countSuite(`console.log('ok   a\\n2 passed, 0 failed')`);
    assert.deepEqual(failures, ['the suite comes to its end']);
  });

  it('fail when a suite exits badly though its tests pass', async () => {
    const { failures } = await countSuite(`console.log('ok   a\\n1 passed, 0 failed'); process.exitCode = 3`);
    assert.deepEqual(failures, ['the suite ends well']);
  });

  it('end a suite that hangs', async () => {
    const { failures } = await countSuite(
      `require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
       console.log('ok   a')`,
      1,
    );
    assert.deepEqual(failures, ['the suite comes to its end']);
  });

  it('take a check as one test', async () => {
    const report = new LayerReport('check');
    await check('good', ['-e', ''], { seconds: 30 })(report);
    await check('bad', ['-e', 'process.exit(2)'], { seconds: 30 })(report);
    await check('blind', ['-e', `console.log('(0 modules)')`], {
      seconds: 30,
      accept: atLeast(/\((\d+) modules/, 1),
    })(report);
    assert.equal(report.passed, 1);
    assert.deepEqual(report.failures, ['bad', 'blind']);
  });

  it('count time that two of them share once', () => {
    const spans = [
      [10, 20],
      [0, 5],
      [12, 30],
      [13, 14],
    ] as const;
    assert.equal(wallTime(spans), 25);
  });
});

describe('npm test', () => {
  const npmTest = (...args: string[]) =>
    spawnSync(process.execPath, ['scripts/test.mjs', ...args], { cwd: root, encoding: 'utf8' });

  it('refuses a layer that is not there', () => {
    const { status, stderr } = npmTest('--only', 'units');
    assert.equal(status, 2);
    assert.match(stderr, /there is no layer units[\s\S]*layers: packages/);
  });

  it('refuses an option that is not there', () => {
    assert.equal(npmTest('--onyl', 'unit').status, 2);
  });
});
