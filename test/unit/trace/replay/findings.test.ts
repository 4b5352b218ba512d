import assert from 'node:assert/strict';
import { type RowFacts } from '../../../builders/trace';
import { FINDING_KINDS, type FindingKind } from '../../../../src/trace/replay/findingKinds';
import { Findings } from '../../../../src/trace/replay/findings';
import { LiveMappings } from '../../../../src/trace/replay/liveMappings';
import { RowRange } from '../../../../src/trace/replay/rowRange';
import { finish, map, replayed, unmap } from './replayed';

const device = '0000:00:02.0';
const other = '0000:00:03.0';
const MS = 1e6;

/** Kind, row and other row of what is found. */
function found(rows: readonly RowFacts[], kinds: readonly FindingKind[] = FINDING_KINDS) {
  const { replay } = replayed(rows.map((row) => ({ device, ...row })));
  const page = replay.findingPage(kinds, 0, 100);
  assert.equal(page.total, page.findings.length);
  return page.findings.map((each) => [each.kind, each.row, each.other]);
}

const flush = (page: number, pages: number, more: RowFacts = {}): RowFacts => ({
  ...{ operation: 'flush', iova: page * 4096, size: pages * 4096, task: 'dd', cpu: 0, ...more },
});

describe('findings of a replay', () => {
  it('a map over one that is still there, with the map that it meets', () => {
    assert.deepEqual(found([map(100, 4, 5000), map(102, 4, 6000), unmap(100, 6)]), [['double-map', 1, 0]]);
    assert.deepEqual(found([map(100, 4, 5000), map(102, 4, 6000, { device: other })], ['double-map']), []);
    assert.deepEqual(found([map(100, 4, 5000), map(104, 4, 6000)], ['double-map']), []);
  });

  it('a double map says when events were lost in between', () => {
    const lost: RowFacts = { operation: 'lost', count: 7 };
    const { replay } = replayed([
      map(100, 1, 5000, { device }),
      map(100, 1, 5000, { device }),
      lost,
      map(100, 1, 5000, { device }),
    ]);
    const { findings } = replay.findingPage(['double-map'], 0, 10);
    assert.deepEqual(
      findings.map((each) => [each.row, each.lost]),
      [
        [1, false],
        [3, true],
      ],
    );
  });

  describe('say when events were lost where their explanation would stand', () => {
    const lost: RowFacts = { operation: 'lost', count: 7 };
    const lostOf = (kind: FindingKind, rows: readonly RowFacts[]): readonly boolean[] => {
      const { replay } = replayed(rows.map((row) => ({ device, ...row })));
      return replay.findingPage([kind], 0, 10).findings.map((each) => each.lost);
    };

    it('unmaps: before them', () => {
      assert.deepEqual(lostOf('unmap-nothing', [unmap(9, 1), lost, unmap(9, 1)]), [false, true]);
      const short = unmap(100, 2, { done: 4096 });
      assert.deepEqual(lostOf('short-unmap', [map(100, 2, 7), short, lost]), [false]);
      assert.deepEqual(lostOf('short-unmap', [map(100, 2, 7), lost, short]), [true]);
    });

    it('leaks: between the map and the end, or the detach', () => {
      const detach: RowFacts = { operation: 'detach' };
      assert.deepEqual(lostOf('leak', [lost, map(100, 1, 7)]), [false]);
      assert.deepEqual(lostOf('leak', [map(100, 1, 7), lost, map(101, 1, 8)]), [true, false]);
      assert.deepEqual(lostOf('leak', [map(100, 1, 7), detach, lost]), [false]);
      assert.deepEqual(lostOf('leak', [map(100, 1, 7), lost, detach, lost]), [true]);
    });

    it('missing flushes: between the unmap and the map that uses the IOVA again, or the end', () => {
      const round = [map(9, 1, 9), unmap(9, 1), flush(9, 1)];
      const kind = 'missing-flush';
      assert.deepEqual(lostOf(kind, [...round, map(1, 1, 1), lost, unmap(1, 1), map(1, 1, 1), lost]), [
        false,
      ]);
      assert.deepEqual(lostOf(kind, [...round, map(1, 1, 1), unmap(1, 1), lost, map(1, 1, 1)]), [true]);
      assert.deepEqual(lostOf(kind, [...round, lost, map(1, 1, 1), unmap(1, 1)]), [false]);
      assert.deepEqual(lostOf(kind, [...round, map(1, 1, 1), unmap(1, 1), lost]), [true]);
    });
  });

  it('an unmap where nothing is mapped, or of which nothing went', () => {
    assert.deepEqual(
      found(
        [
          unmap(100, 1),
          map(100, 1, 5000),
          unmap(100, 1),
          unmap(100, 1),
          map(7, 1, 7),
          unmap(7, 1, { done: 0 }),
        ],
        ['unmap-nothing'],
      ),
      [
        ['unmap-nothing', 0, null],
        ['unmap-nothing', 3, null],
        ['unmap-nothing', 5, null],
      ],
    );
  });

  it('an unmap of which a part went, and not one that took more: a large page goes whole', () => {
    const { replay } = replayed([
      map(512, 512, 1024, { device }),
      unmap(512, 16, { device, done: 4 * 4096 }),
      unmap(516, 1, { device, done: 508 * 4096 }),
    ]);
    const { findings } = replay.findingPage(FINDING_KINDS, 0, 10);
    assert.deepEqual(
      findings.map(({ kind, row, start, end, gone }) => [kind, row, start, end, gone]),
      [['short-unmap', 1, 512, 528, 4]],
    );
  });

  it('a map that is never unmapped, with the detach of its device if there was one', () => {
    const detach: RowFacts = { operation: 'detach' };
    assert.deepEqual(found([map(100, 1, 5000), map(101, 1, 5001), unmap(100, 1)]), [['leak', 1, null]]);
    assert.deepEqual(found([map(100, 1, 5000), detach]), [['leak', 0, 1]]);
    assert.deepEqual(found([map(100, 1, 5000), detach, { operation: 'attach' }]), [['leak', 0, null]]);
  });

  it('an IOVA that is used again before it was flushed', () => {
    assert.deepEqual(
      found([
        map(100, 2, 5000),
        unmap(100, 2),
        flush(100, 2),
        map(100, 2, 5000),
        unmap(100, 2),
        flush(100, 1),
        map(101, 1, 6000),
        unmap(101, 1),
        flush(101, 1),
      ]),
      [['missing-flush', 4, 6]],
    );
  });

  it('flushes of a whole domain or of everything cover what was unmapped before: lazy mode misses none', () => {
    const whole: RowFacts = { operation: 'flush', flags: ['domainWide'], task: 'dd', cpu: 0 };
    const all: RowFacts = { operation: 'flush', flags: ['global'], task: 'dd', cpu: 0 };
    const round = [map(100, 1, 5000), unmap(100, 1), map(101, 1, 5000), unmap(101, 1)];
    assert.deepEqual(found([...round, whole, ...round, all, ...round, whole]), []);
  });

  it('an unmap that is not flushed to the end of the trace, if that is late enough', () => {
    const end = (time: number): RowFacts => ({ operation: 'other', time });
    const rows = [
      map(100, 1, 5000, { time: 0 }),
      unmap(100, 1, { time: 0 }),
      flush(100, 1, { time: 0 }),
      map(100, 1, 5000, { time: MS }),
      unmap(100, 1, { time: MS }),
    ];
    assert.deepEqual(found([...rows, end(5 * MS)]), []);
    assert.deepEqual(found([...rows, end(50 * MS)]), [['missing-flush', 4, null]]);
  });

  it('no flush is missed where the trace shows none, in all or of this address space', () => {
    const round = [map(100, 1, 5000), unmap(100, 1), map(100, 1, 5000), unmap(100, 1)];
    assert.deepEqual(found(round), []);
    const elsewhere = [
      map(9, 1, 9, { device: other }),
      unmap(9, 1, { device: other }),
      flush(9, 1, { device: other }),
    ];
    assert.deepEqual(found([...round, ...elsewhere]), []);
    const { replay } = replayed([...round, ...elsewhere].map((row) => ({ device, ...row })));
    assert.equal(replay.findings.counts['missing-flush'], 0);
  });

  it('come by rows where many are found at the end', () => {
    const live = [new LiveMappings()];
    const findings = new Findings(live, false);
    const nothing = Object.assign(new RowRange(), { start: 500_000, end: 500_001, asked: 1 });
    for (let row = 0; row < 140_000; row += 2) {
      live[0]?.map(200_000 - row, 200_001 - row, row, row);
      findings.unmap(row + 1, 0, nothing);
    }
    finish(findings.finish(0));
    const page = findings.page(FINDING_KINDS, 0, 200_000);
    assert.equal(page.total, 140_000);
    for (const [index, { row, kind }] of page.findings.entries()) {
      assert.equal(row, index);
      assert.equal(kind, index % 2 === 0 ? 'leak' : 'unmap-nothing');
    }
  });

  it('come by rows, of the kinds that are asked for, a page at a time, and all are counted', () => {
    const rows = Array.from({ length: 20 }, (_, index) => [
      map(100, 1, index, { device }),
      unmap(500 + index, 1, { device }),
    ]).flat();
    const { replay } = replayed(rows);
    assert.deepEqual(replay.findings.counts, {
      'double-map': 19,
      'unmap-nothing': 20,
      'short-unmap': 0,
      leak: 1,
      'missing-flush': 0,
    });
    const page = replay.findingPage(['double-map'], 5, 3);
    assert.equal(page.total, 19);
    assert.deepEqual(
      page.findings.map(({ row }) => row),
      [12, 14, 16],
    );
  });
});
