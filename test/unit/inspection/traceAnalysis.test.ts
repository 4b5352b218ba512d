import assert from 'node:assert/strict';
import { TraceAnalysis } from '../../../src/inspection/traces/analysis';
import { FINDING_KINDS } from '../../../src/trace/replay/findingKinds';
import { TestTrace } from '../../builders/trace';
import { finish, map, unmap } from '../trace/replay/replayed';

const DISK = '0000:00:02.0';

describe('address spaces and mappings of a trace that is still read', () => {
  it('are of the rows that there were when they were asked for, in every pass', () => {
    const table = new TestTrace([map(100, 1, 5000, { device: DISK }), map(101, 1, 5001, { device: DISK })], {
      chunkRows: 1,
    });
    const analysis = new TraceAnalysis(table);
    const work = analysis.analysed({ by: 'auto' });
    work.next();
    work.next();
    table.add([unmap(100, 1, { device: DISK }), map(200, 1, 6000, { device: 'another' })]);
    const early = finish(work);
    assert.equal(early.replay.rows, 2);
    assert.deepEqual(early.told.names, [DISK]);
    assert.equal(early.replay.table.complete, false);
    assert.deepEqual(
      early.replay.findingPage(FINDING_KINDS, 0, 10).findings.map(({ kind, row }) => [kind, row]),
      [
        ['leak', 0],
        ['leak', 1],
      ],
    );
    table.complete = true;
    const whole = finish(analysis.analysed({ by: 'auto' }));
    assert.equal(whole.replay.rows, 4);
    assert.equal(whole.replay.table.complete, true);
    assert.equal(early.replay.table.complete, false);
  });

  it('are told apart by 64 rules at most', () => {
    const rules = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ name: `rule ${index}`, where: `row = ${index + 1}` }));
    const rows = Array.from({ length: 70 }, (_, index) => map(index, 1, index));
    const tell = (count: number) =>
      finish(new TraceAnalysis(new TestTrace(rows)).analysed({ by: 'rules', rules: rules(count) }));
    const { told } = tell(64);
    assert.deepEqual([told.spaceOf(0), told.spaceOf(63), told.name(told.spaceOf(64))], [0, 63, 'other']);
    assert.throws(() => tell(65), /1 to 64 rules, not 65/);
  });
});
