/** Several sources as one stream, by their rates; and how often they miss an IOTLB. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Dealer } from '../../../../src/engine/traffic/deal';
import { runSteps } from '../../../../src/engine/steps';
import { sampleMisses } from '../../../../src/engine/traffic/misses';
import { TrafficStream } from '../../../../src/engine/traffic/stream';
import { type GpuBulk, type TrafficSpec } from '../../../../src/engine/traffic/spec';

const bulk = (
  start: string,
  length: string,
  more: Partial<GpuBulk & { rate: number }> = {},
): TrafficSpec => ({
  kind: 'gpu-bulk',
  memory: { start, length },
  ...{ run: 4096, writes: 1, order: 'sequential' },
  ...more,
});

function stream(sources: readonly TrafficSpec[], seed = 1): TrafficStream {
  const made = TrafficStream.make(sources, seed);
  assert.ok(made.ok);
  return made.value;
}

describe('several sources of traffic', () => {
  it('are dealt out by their rates in bytes, and alike without', () => {
    const counts = (sources: readonly { rate?: number; bytesPerAccess: number }[], accesses: number) => {
      const dealer = new Dealer(sources);
      const made = sources.map(() => 0);
      for (let count = 0; count < accesses; count++) {
        const source = dealer.next();
        made[source] = (made[source] ?? 0) + 1;
      }
      return made;
    };
    const [small, large] = [{ bytesPerAccess: 64 }, { bytesPerAccess: 4096 }];
    assert.deepEqual(counts([small, large], 10), [5, 5]);
    assert.deepEqual(
      counts(
        [
          { ...small, rate: 1e9 },
          { ...large, rate: 1e9 },
        ],
        650,
      ),
      [640, 10],
    );
    assert.deepEqual(
      counts(
        [
          { ...large, rate: 3e9 },
          { ...large, rate: 1e9 },
        ],
        400,
      ),
      [300, 100],
    );
    assert.deepEqual(counts([{ ...large, rate: 1e9 }, small, { ...large, rate: 1e9 }], 300), [100, 100, 100]);
  });

  it('are dealt out at once as one by one', () => {
    const source = fc.record({
      rate: fc.constantFrom(0, 1, 1e9, 12.5e9, 1e9 / 3, 7),
      bytesPerAccess: fc.constantFrom(1, 16, 510.666, 4096),
    });
    const count = fc.integer({ min: 0, max: 3000 });
    fc.assert(
      fc.property(
        fc.array(source, { minLength: 1, maxLength: 6 }),
        count,
        count,
        (sources, first, second) => {
          const [one, other] = [new Dealer(sources), new Dealer(sources)];
          for (const accesses of [first, second]) {
            const made = sources.map(() => 0);
            for (let access = 0; access < accesses; access++) {
              const next = other.next();
              made[next] = (made[next] ?? 0) + 1;
            }
            assert.deepEqual(one.skip(accesses), made);
          }
          assert.equal(one.next(), other.next());
        },
      ),
      { numRuns: 300 },
    );
  });

  it('go on from the access that comes after those that were skipped', () => {
    const sources = [bulk('0', '1M', { rate: 3, order: 'random' }), bulk('1G', '1M', { rate: 1 })];
    const [one, other] = [stream(sources), stream(sources)];
    one.skip(1000);
    for (let access = 0; access < 1000; access++) other.next();
    for (let access = 0; access < 100; access++) {
      assert.deepEqual(one.next(), other.next());
      assert.equal(one.source, other.source);
    }
  });

  it('have a seed each', () => {
    const random = bulk('0', '1G', { order: 'random' });
    const both = stream([random, random]);
    const first = Array.from({ length: 8 }, () => both.next());
    assert.notDeepEqual(first[0], first[1]);
  });

  it('are from 1 to 64', () => {
    const none = TrafficStream.make([], 1);
    assert.equal(none.ok ? '' : none.failure.code, 'traffic/sources');
  });
});

describe('misses of an IOTLB in a sample', () => {
  const sample = (
    traffic: TrafficSpec,
    shift: number,
    more: Partial<Parameters<typeof sampleMisses>[0]> = {},
  ) => {
    const iotlb = { sets: 1024, ways: 4 };
    const made = runSteps(
      sampleMisses({ sources: [{ traffic }], seed: 1, iotlb, leafShift: () => shift, ...more }),
    );
    assert.ok(made.ok);
    return made.value;
  };

  it('one a page in order of memory, and none where the pages fit', () => {
    assert.equal(sample(bulk('0', '64G'), 12).missesPerRequest, 1);
    assert.equal(sample(bulk('0', '16G'), 21, { sampled: 51_200 }).missesPerRequest, 1 / 512);
    assert.equal(sample(bulk('0', '16M'), 12).misses, 0, '4096 pages in 4096 entries, 4 of each set');
    assert.equal(sample(bulk('0', '64G'), 30, { warmUp: 20_000_000 }).misses, 0);
  });

  it('of random pages as many as do not fit: three of four, where memory is four times the cache', () => {
    // Replacement is random, so an entry of a full set is as likely there as any other page of the set.
    const { missesPerRequest } = sample(bulk('0', '64M', { order: 'random' }), 12, { warmUp: 60_000 });
    assert.ok(Math.abs(missesPerRequest - 0.75) < 0.01, String(missesPerRequest));
  });

  it('every request where nothing maps the page, and where there is no cache', () => {
    assert.equal(sample(bulk('0', '16M'), 0).missesPerRequest, 1);
    assert.equal(sample(bulk('0', '16M'), 30, { iotlb: { sets: 0, ways: 0 } }).missesPerRequest, 1);
  });

  it('by the parts that an IOTLB of fewer sizes holds', () => {
    const traffic = bulk('0', '16G');
    const { misses } = sample(traffic, 30, { cachedShifts: [12, 21], sampled: 51_200 });
    assert.equal(misses, 100);
  });

  it('counts requests as they are cut at pages', () => {
    const requests = [{ sid: '00:02.0', iova: '0x800', length: 8192, access: 'write' as const }];
    const { requests: counted, bytesPerRequest } = sample({ kind: 'requests', requests }, 12, { sampled: 3 });
    assert.deepEqual([counted, bytesPerRequest], [3, 8192 / 3]);
  });

  /** 100 Gb/s into 4,096 buffers of 2K at 0, and 2,000 random pages a second, or so, of 1 TB. */
  const beside = (shift: number, reads: number) => {
    const packets: TrafficSpec = {
      ...{ kind: 'rx-ring', memory: { start: '0', length: '9M' }, entries: 4096, packet: 1500, buffer: 2048 },
      ...{ buffers: 'recycled', rate: 12.5e9 },
    };
    const disk: TrafficSpec = {
      ...{
        kind: 'gpu-bulk',
        memory: { start: '1G', length: '1000G' },
        run: 4096,
        writes: 1,
        order: 'random',
      },
      rate: reads * 4096,
    };
    return sample(packets, shift, { sources: [{ traffic: packets }, { traffic: disk }] });
  };

  it('of a slow source beside a fast one', () => {
    const accesses = 12.5e9 / (1532 / 3);
    // Of 1,000 leaves all are held; of pages each read misses, and takes the place of another one that is missed then, or of none.
    assert.ok(beside(30, 2000).missesPerRequest < 0.02 * (2000 / accesses));
    const small = beside(12, 2000);
    const least = 2000 / (accesses + 2000);
    assert.ok(small.missesPerRequest > 0.97 * least, String(small.missesPerRequest));
    assert.ok(small.missesPerRequest < 3.5 * least, String(small.missesPerRequest));
    assert.ok(Math.abs(small.bytesPerRequest / (1532 / 3) - 1) < 0.001);
  });

  it('of a source that is much slower still, by its own rate', () => {
    const [one, tenth] = [beside(12, 200), beside(12, 20)];
    assert.ok(Math.abs(one.missesPerRequest / tenth.missesPerRequest - 10) < 0.5);
    assert.ok(one.missesPerRequest > 200 / 2.46e7);
  });
});
