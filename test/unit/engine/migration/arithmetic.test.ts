import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { LeafMap, leavesBy } from '../../../../src/engine/migration/leafMap';
import { SPLIT_SECONDS } from '../../../../src/engine/migration/defaults';
import { layoutOf } from '../../../../src/engine/machine/layout';
import { GiB, LINK, machineOf, migration, MiB, run, strides } from './jobs';

function leavesOf(memory: string, shift: number): LeafMap {
  const layout = layoutOf(memory, 4096);
  assert.ok(layout.ok);
  return LeafMap.of(leavesBy(layout.value.regions, [shift]));
}

/** A figure and how far it may be off, as a share. */
const near = (actual: number, expected: number, share: number): void => {
  assert.ok(Math.abs(actual - expected) <= expected * share, `${actual} is not about ${expected}`);
};

describe('migration arithmetic', () => {
  it('has 1024, 524,288 and 268,435,456 leaves in 1 TiB', () => {
    assert.equal(leavesOf('1T', 30).leaves, 1024);
    assert.equal(leavesOf('1T', 21).leaves, 524_288);
    assert.equal(leavesOf('1T', 12).leaves, 268_435_456);
  });

  it('splits all of 1 TiB in 16.6 s into 4K, and in 33 ms into 2M', () => {
    for (const [to, seconds] of [
      [4096, 16.6],
      [2 * MiB, 0.0325],
    ] as const) {
      const spec = migration({ pages: { policy: 'split-eagerly', to, collapseAfter: false } });
      const result = run(machineOf('1T', '1G'), [], spec);
      near(result.preparation, seconds, 0.005);
      near(result.time['split'] ?? 0, seconds, 0.005);
      assert.deepEqual(result.leaves, {
        before: { [GiB]: 1024 },
        after: { [to]: (1024 * GiB) / to },
      });
    }
    assert.equal(SPLIT_SECONDS, 62e-9);
  });

  it('sends 1 TiB in 88 s at 100 Gb/s, 44 s at 200, 352 s at 25', () => {
    for (const [gigabits, seconds] of [
      [100, 88],
      [200, 44],
      [25, 352],
    ] as const) {
      const { rounds, blackout, converged } = run(
        machineOf('1T', '1G'),
        [],
        migration({ link: (gigabits / 8) * 1e9 }),
      );
      near(rounds[0]?.seconds ?? 0, seconds, 0.001);
      assert.equal(converged, true);
      assert.equal(blackout, 0);
    }
  });

  it('sends one leaf of 1 GiB again in 86 ms, reported for one page: 262,144 times as much; 512 times of 2M', () => {
    for (const [pages, seconds, amplification] of [
      ['1G', 0.0859, 262_144],
      ['2M', 0.000168, 512],
      ['4K', 0.000000328, 1],
    ] as const) {
      const result = run(machineOf('8G', pages), [strides(4 * GiB, 4096, 1, 100)], migration());
      near(result.blackout ?? 0, seconds, 0.002);
      assert.equal(result.amplification, amplification);
    }
  });

  // One write a leaf, no leaf twice in a round: the rate of dirty leaves is that of the writes.
  for (const { pages, size, rate } of [
    { pages: '1G', size: GiB, rate: LINK / GiB },
    { pages: '2M', size: 2 * MiB, rate: LINK / (2 * MiB) },
    { pages: '4K', size: 4096, rate: LINK / 4096 },
  ]) {
    const figure = rate < 100 ? rate.toFixed(1) : Math.round(rate).toLocaleString('en');
    it(`converges below ${figure} dirty leaves of ${pages} a second at 100 Gb/s, and not above`, () => {
      // No more memory than what gets dirty while it is sent.
      const memory = size === GiB ? '1T' : size === 4096 ? '64M' : '16G';
      const bytes = size === GiB ? 1024 * GiB : size === 4096 ? 64 * MiB : 16 * GiB;
      const first = size === GiB ? 4 * GiB : 0;
      const count =
        Math.floor(Math.min(bytes, size === 2 * MiB ? 2 * GiB : bytes) / size) - (first > 0 ? 4 : 0);
      const spec = migration({
        mostRounds: 10_000,
        downtimeLimit: Math.min(0.3, (4 * count * size) / LINK / 10),
      });
      const below = run(machineOf(memory, pages), [strides(first, size, count, rate * 0.995)], spec);
      assert.equal(below.converged, true, below.why);
      assert.ok(below.rounds.length > 2, below.why);
      const above = run(machineOf(memory, pages), [strides(first, size, count, rate * 1.005)], spec);
      assert.equal(above.converged, false, above.why);
    });
  }

  it('says which rate of dirty leaves is more than the link carries', () => {
    const { why } = run(machineOf('1T', '1G'), [strides(4 * GiB, GiB, 1020, 11.7)], migration());
    assert.match(
      why,
      /^11\.\d+ dirty 1 GiB leaves a second x 1 GiB is 12\.5\d+ GB\/s, more than the link's 12\.5 GB\/s\.$/,
    );
  });
});
