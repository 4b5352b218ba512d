import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { RandomWords } from '../../../../src/engine/random';
import { PageSet } from '../../../../src/engine/migration/pageSet';
import { makeGenerator } from '../../../../src/engine/traffic/index';
import { MOST_DRAWN, scatterRuns } from '../../../../src/engine/traffic/runs';
import { type TrafficSpec } from '../../../../src/engine/traffic/spec';
import { machineOf, migration, run } from './jobs';

const GB = 1e9;
/** 10 GB/s of reads of 4K to anywhere. */
const disk = (length: string, more: object = {}): TrafficSpec => ({
  ...{ kind: 'nvme', memory: { start: '4G', length }, depth: 1024, block: 4096, reads: 1, order: 'random' },
  rate: 10 * GB,
  ...more,
});

describe('accesses that are too many to draw each', () => {
  it('have the pages that so many draws hit, within a thousandth', () => {
    // 2^25 runs to 2^22 places: on average 8 each, so that e^-8 of them stay clean.
    const [places, runs] = [2 ** 22, 2 ** 25];
    const [all] = scatterRuns('random', places, 1, 0, runs) ?? [];
    assert.ok(Math.abs((all?.chance ?? 0) - (1 - Math.exp(-8))) < 1e-9);
    assert.equal(scatterRuns('random', places, 1, 0, MOST_DRAWN), undefined);
    assert.equal(scatterRuns('random', 2 ** 40, 1, 0, runs), undefined);
  });

  it('in order: those that are visited once more than others', () => {
    const [places, from] = [2 ** 24, 2 ** 24 - 3];
    const found = scatterRuns('sequential', places, 0.5, from, from + places + 5) ?? [];
    assert.deepEqual(
      found.map(({ first, end, chance }) => [first, end, chance]),
      [
        [0, 2, 0.75],
        [2, from, 0.5],
        [from, places, 0.75],
      ],
    );
  });

  it('fill a set of pages by their chance, within the pages that are given', () => {
    for (const chance of [0.01, 0.3, 0.97]) {
      const set = new PageSet(2 ** 20);
      const words = new RandomWords(7);
      const biased = words.biased(chance);
      for (let block = 0; block < 2048; block++) set.addSome(block, [100, 2 ** 20 - 77], words, biased);
      const expected = (2 ** 20 - 177) * chance;
      assert.ok(
        Math.abs(set.count - expected) < 5 * Math.sqrt(expected) + 0.001 * expected,
        `${set.count} of ${expected}`,
      );
      assert.ok(!set.has(99) && !set.has(2 ** 20 - 77));
      let counted = 0;
      for (let page = 0; page < 2 ** 20; page++) if (set.has(page)) counted++;
      assert.equal(counted, set.count);
    }
  });

  it('go on where drawing goes on', () => {
    const [one, other] = [makeGenerator(disk('4G'), 3), makeGenerator(disk('4G'), 3)];
    assert.ok(one.ok && other.ok);
    const accesses = 3 * 2 ** 25 + 1;
    assert.ok(one.value.scatter?.(accesses, () => undefined));
    other.value.skip(accesses);
    assert.deepEqual(one.value.next(), other.value.next());
  });

  it('come to as many pages as each draw on its own', () => {
    // 4 GiB are sent in 0.34 s; with a link of a hundredth it is 34 s, 2.4 million reads a second.
    const spec = migration({ link: 1e8, mostRounds: 1, downtimeLimit: 0 });
    const small = machineOf('8G', '4K');
    const { rounds } = run(small, [disk('2G')], spec);
    const all = 2 ** 31 - 1024 * 80;
    assert.ok((rounds[0]?.written ?? 0) > 0.999 * all && (rounds[0]?.written ?? 0) <= 2 ** 31);
    const half = migration({ link: 1e8, mostRounds: 1, downtimeLimit: 0 });
    const drawn = run(machineOf('8G', '4K'), [disk('2G', { reads: 1, rate: 5e7 })], half).rounds[0]?.written;
    assert.ok((drawn ?? 0) < all);
  });

  it('end a large machine with 10 GB/s to anywhere', function () {
    this.timeout(60_000);
    const spec = migration({
      pages: { policy: 'split-eagerly', to: 4096, collapseAfter: false },
      tracking: { starts: 'warm-up', warmUp: 60, ran: 0 },
    });
    const { rounds, converged } = run(machineOf('128G', '1G'), [disk('62G')], spec);
    // 9.8 GB/s of pages get dirty, and the link carries 12.5.
    assert.equal(converged, true);
    const [first] = rounds;
    // 128 GiB take 11 s; 10e9 / 4176 reads a second to (62 GiB - 80 KiB) / 4K places.
    const places = (62 * 2 ** 30 - 1024 * 80) / 4096;
    const draws = (10e9 / 4176) * (2 ** 37 / 12.5e9);
    const expected = places * (1 - Math.exp(-draws / places)) * 4096;
    assert.ok(Math.abs((first?.written ?? 0) / expected - 1) < 0.002, `${first?.written} of ${expected}`);
  });
});
