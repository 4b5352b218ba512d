import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { readScenario } from '../../../../src/scenario/language/read';
import { runText } from './bench';
import { randomScenario, textOf } from './randomScenario';

describe('random scenarios', () => {
  it('run to their end, and tell what went wrong where', function () {
    this.timeout(60_000);
    let [run, failed] = [0, 0];
    fc.assert(
      fc.property(randomScenario, (random) => {
        const text = textOf(random);
        const { scenario } = readScenario(text).variant(null);
        if (!scenario) return;
        run++;
        const lines = text.split('\n').length;
        const { outcome } = runText(text);
        assert.equal(outcome.passed, outcome.failures.length === 0);
        for (const { line, start, end, what, expected, actual } of outcome.failures) {
          assert.ok(line >= 3 && line <= lines, `line ${line}`);
          assert.ok(start <= end && end <= text.length);
          assert.ok(
            what !== '' && expected !== '' && actual !== '',
            JSON.stringify({ what, expected, actual }),
          );
        }
        if (!outcome.passed) failed++;
      }),
      { numRuns: 30, seed: 5 },
    );
    assert.ok(run > 20, `${run} of 30 can be read`);
    assert.ok(failed > 5, `${failed} fail`);
  });
});
