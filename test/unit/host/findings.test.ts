import assert from 'node:assert/strict';
import { newFindings } from '../../../src/host/commands/machine/findings';

describe('what a warning says of the ledger', () => {
  it('is what an operation added, by kind', () => {
    const before = { 'lost-dirty': 1, 'stale-use': 0 };
    const after = { 'lost-dirty': 2, 'stale-use': 3, 'corrupt-slot': 0, 'use-after-free': 1 };
    assert.equal(newFindings(before, after), 'lost-dirty, stale-use × 3, use-after-free');
  });

  it('is nothing when nothing was added, or only pages were reported that nobody wrote', () => {
    assert.equal(newFindings({ 'lost-dirty': 2 }, { 'lost-dirty': 2, 'over-report': 512 }), '');
    assert.equal(newFindings({}, {}), '');
  });
});
