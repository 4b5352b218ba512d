// One line a test, in every layer and in both hosts: `ok   suite > test`, `FAIL suite > test`, and the sum at the end.
'use strict';

class LineReporter {
  /** @param options.reporterOptions.print  where the lines go; the console unless told */
  constructor(runner, options) {
    const print = options?.reporterOptions?.print ?? ((line) => console.log(line));
    const counts = { passed: 0, failed: 0 };
    const name = (test) => test.titlePath().join(' > ');
    runner.on('pass', (test) => {
      counts.passed++;
      print(`ok   ${name(test)}${test.duration >= 1000 ? ` (${test.duration} ms)` : ''}`);
    });
    runner.on('pending', (test) => print(`skip ${name(test)}`));
    runner.on('fail', (test, error) => {
      counts.failed++;
      print(`FAIL ${name(test)}`);
      const text = String(error.stack ?? error.message ?? error);
      for (const line of text.split('\n').slice(0, 40)) print(`     ${line}`);
    });
    runner.on('end', () => print(`${counts.passed} passed, ${counts.failed} failed`));
  }
}

module.exports = LineReporter;
