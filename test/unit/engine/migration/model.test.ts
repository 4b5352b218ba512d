import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { DEFAULT_MIGRATION } from '../../../../src/engine/migration/defaults';
import { checkMigration } from '../../../../src/engine/migration/check';
import { migrate } from '../../../../src/engine/migration/migrate';
import { type MigrationSpec } from '../../../../src/engine/migration/spec';
import { runSteps } from '../../../../src/engine/steps';
import { type TrafficSpec } from '../../../../src/engine/traffic/spec';
import { DEVICE, GiB, machineOf, migration, MiB, run, strides } from './jobs';

/** Packets into 256 buffers of 64K of memory at 4 GiB, 500 MB/s. */
const PACKETS: TrafficSpec = {
  ...{ kind: 'rx-ring', memory: { start: '4G', length: '17M' }, entries: 256, packet: 9000, buffer: 65536 },
  ...{ buffers: 'recycled', rate: 5e8 },
};

const split = (policy: MigrationSpec['pages']['policy'], to = 4096, collapseAfter = false) => ({
  pages: { policy, to, collapseAfter },
});

describe('migration model', () => {
  it('reports a large leaf once and then its pages, where leaves are split when they are dirty', () => {
    const result = run(
      machineOf('8G', '1G'),
      [PACKETS],
      migration({ ...split('split-on-dirty'), downtimeLimit: 0.01 }),
    );
    const [first, second] = result.rounds;
    assert.equal(first?.reported, GiB);
    assert.equal(first.splits, 1);
    assert.equal(second?.splits, 0);
    assert.equal(second.reported, second.written);
    assert.ok(second.reported <= 17 * MiB);
    assert.deepEqual(result.leaves.after, { 4096: 262_144, [GiB]: 7 });
    assert.equal(result.converged, true, result.why);
  });

  it('reports what was written and no more with pages of 4K, and all of the leaf with pages of 1G', () => {
    const small = run(machineOf('8G', '1G'), [PACKETS], migration(split('split-eagerly')));
    assert.equal(small.amplification, 1);
    assert.equal(small.bytes.over, 0);
    const large = run(machineOf('8G', '1G'), [PACKETS], migration());
    assert.equal(large.rounds[0]?.reported, GiB);
    assert.equal(large.bytes.over, large.bytes.reported - large.bytes.written);
  });

  it('splits before the first round what was dirty in a warm-up', () => {
    const tracking = { starts: 'warm-up', warmUp: 2, ran: 0 } as const;
    const result = run(machineOf('8G', '1G'), [PACKETS], migration({ ...split('split-on-dirty'), tracking }));
    assert.equal(result.preparation, 2 + 262_144 * 62e-9);
    assert.equal(result.rounds[0]?.splits, 0);
    assert.equal(result.rounds[0].reported, result.rounds[0].written);
  });

  it('sends populated memory, and what devices wrote since before the vCPUs', () => {
    const spec = migration({
      ...split('split-eagerly'),
      firstRound: 'populated',
      populated: GiB,
      tracking: { starts: 'before-vcpus', warmUp: 0, ran: 10 },
    });
    const result = run(machineOf('64G', '1G'), [strides(4 * GiB, MiB, 1000, 100)], spec);
    // In 10 s, 1000 pages at a distance of 1 MiB.
    assert.equal(result.rounds[0]?.sent, GiB + 1000 * 4096);
  });

  it('sends 9 bytes for a page of zeros in the first round', () => {
    const { rounds } = run(machineOf('1G'), [], migration({ zeroPages: 0.25 }));
    assert.equal(rounds[0]?.sent, 0.75 * GiB + (0.25 * GiB * 9) / 4096);
    assert.equal(rounds[0].pending, GiB);
  });

  it('makes pages large again at the end, and counts the entries that it read', () => {
    const costs = { ...DEFAULT_MIGRATION.costs, collapse: 1e-9 };
    for (const policy of ['split-eagerly', 'split-on-dirty'] as const) {
      const result = run(
        machineOf('8G', '1G'),
        [PACKETS],
        migration({ ...split(policy, 2 * MiB, true), costs }),
      );
      assert.deepEqual(result.leaves.after, result.leaves.before);
      const splits = policy === 'split-eagerly' ? 8 : 1;
      assert.ok(Math.abs((result.time['collapse'] ?? 0) - splits * 512e-9) < 1e-12);
    }
  });

  it('tracks what vCPUs write by 4K, also where a leaf of a device is reported around it', () => {
    const vcpus = { rate: 100 * MiB, workingSet: 64 * MiB };
    const spec = migration({ vcpus, downtimeLimit: 0.001, mostRounds: 3 });
    const alone = run(machineOf('8G', '1G'), [], spec);
    assert.equal(alone.rounds[0]?.reported, 64 * MiB);
    assert.equal(alone.rounds[0].written, 64 * MiB);
    // A device writes the first page: the leaf has all of the working set in it.
    const both = run(machineOf('8G', '1G'), [strides(0, 4096, 1, 10)], spec);
    assert.equal(both.rounds[0]?.reported, GiB);
    assert.equal(both.rounds[0].written, 64 * MiB);
  });

  it('costs time to look at entries, to flush and to split, and the guest writes on meanwhile', () => {
    const costs = { scan: 1e-6, flush: 1e-3, split: 0, collapse: 0 };
    const traffic = [strides(4 * GiB, 4096, 4000, 1000)];
    const result = run(machineOf('8G', '4K'), traffic, migration({ costs }));
    const [first, last] = result.rounds;
    const sending = (8 * GiB) / 12.5e9;
    const overhead = 2 * MiB * 1e-6 + 1e-3;
    assert.ok(Math.abs((first?.seconds ?? 0) - (sending + overhead)) < 1e-9);
    assert.equal(first?.reported, Math.floor(sending * 1000) * 4096);
    assert.equal(last?.blackout, true);
    const late = Math.floor((sending + overhead) * 1000) - Math.floor(sending * 1000);
    assert.equal(last.reported, late * 4096);
    assert.equal(last.sent, first.reported + late * 4096);
    assert.ok(Math.abs((result.time['scan'] ?? 0) - 2 * 2 * MiB * 1e-6) < 1e-9);
    // What is written again is pending anyway: of one leaf nothing more is reported.
    const large = run(machineOf('8G', '4K', '1G'), traffic, migration({ costs: { ...costs, flush: 0.1 } }));
    assert.deepEqual([large.rounds[0]?.reported, large.rounds[1]?.reported], [GiB, 0]);
  });

  it("has devices' states go over, and what they write back: found when they stop, lost when their state is saved", () => {
    for (const writesBack of ['stop', 'save'] as const) {
      const vfio = { model: 'hisi-acc', writesBack, writeBackTo: '1M', state: '64M' };
      const machine = { ...machineOf('1G', '4K'), devices: [{ requester: DEVICE, vfio }] };
      const result = run(machine, [], migration());
      assert.equal(result.bytes.deviceStateInBlackout, 64 * MiB);
      const last = result.rounds.at(-1);
      const written = writesBack === 'stop' ? 4096 : 0;
      assert.equal(last?.reported, written);
      assert.equal(last.sent, 64 * MiB + written);
      assert.equal(result.bytes.lost, 4096 - written);
      assert.equal(result.bytes.over, 0);
    }
  });

  it('gives up early when rounds leave the same each time, with figures', () => {
    const spec = migration({ downtimeLimit: 0.05, mostRounds: 1000 });
    const result = run(machineOf('8G', '1G'), [PACKETS], spec);
    assert.equal(result.converged, false);
    assert.equal(result.blackout, null);
    assert.ok(result.rounds.length < 10);
    assert.match(result.why, /the same 1 GiB .*1 leaf of 1 GiB.* 85\.9 ms, more than the 50 ms/);
  });

  it('says how often the IOTLB misses with the pages before and with those of the migration', () => {
    const traffic: TrafficSpec = {
      ...{ kind: 'nvme', memory: { start: '4G', length: '60G' }, depth: 64, block: 4096, reads: 1 },
      ...{ order: 'random', rate: 1e8 },
    };
    const { iotlb } = run(machineOf('64G', '1G'), [traffic], migration(split('split-eagerly')));
    assert.ok(iotlb.missesBefore < 1000);
    assert.ok(iotlb.missesDuring > 300_000);
    assert.ok(iotlb.missesAdded > 0);
  });

  it('never takes more rounds, time or blackout with more link', () => {
    const link = fc.integer({ min: 100, max: 4000 });
    const policy = fc.constantFrom('as-is', 'split-eagerly', 'split-on-dirty');
    fc.assert(
      fc.property(link, link, policy, fc.integer({ min: 1, max: 400 }), (one, other, pages, rate) => {
        const [slow, fast] = [one, other]
          .sort((a, b) => a - b)
          .map((each) => {
            const spec = migration({ ...split(pages), link: each * MiB, mostRounds: 50, downtimeLimit: 0.1 });
            return run(
              machineOf('1G', '2M'),
              [{ ...PACKETS, memory: { start: '0', length: '17M' }, rate: rate * MiB }],
              spec,
            );
          });
        assert.ok(slow && fast);
        if (!slow.converged) return;
        assert.equal(fast.converged, true);
        assert.ok(fast.rounds.length <= slow.rounds.length);
        assert.ok(fast.total <= slow.total + 1e-9);
        assert.ok(fast.bytes.sent <= slow.bytes.sent);
      }),
      { numRuns: 15 },
    );
  });

  it('reports at least what was written, and with small pages no more than with large ones', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 1 << 20 }), (count, stride) => {
        const traffic = strides(0, 4096 * (stride % 100), count, 1e5);
        const spec = { mostRounds: 1, downtimeLimit: 0 };
        const reported = (['as-is', 'split-on-dirty', 'split-eagerly'] as const).map((policy) => {
          const { rounds, bytes } = run(
            machineOf('1G', '2M'),
            [traffic],
            migration({ ...spec, ...split(policy) }),
          );
          assert.ok((rounds[0]?.reported ?? 0) >= (rounds[0]?.written ?? 0));
          assert.equal(bytes.lost, 0);
          return rounds[0]?.reported ?? 0;
        });
        assert.ok((reported[0] ?? 0) >= (reported[2] ?? 0));
        assert.equal(reported[0], reported[1]);
      }),
      { numRuns: 15 },
    );
  });

  it('gives way with progress, and keeps the rounds that are over', () => {
    const job = { machine: machineOf('8G', '1G'), spec: migration({ downtimeLimit: 0.05 }), seed: 1 };
    const steps = migrate({ ...job, sources: [{ requester: DEVICE, traffic: PACKETS }], by: 'model' });
    let most = 0;
    for (let step = steps.next(); step.done !== true && most < 3; step = steps.next())
      most = step.value.rounds.length;
    assert.equal(most, 3);
    assert.equal(steps.return({ ok: false, failure: { code: 'stopped', message: '' } }).done, true);
  });
});

describe('migration input', () => {
  const refusals: readonly [string, Partial<MigrationSpec>, string][] = [
    ['no link', { link: 0 }, 'migration/bound'],
    ['a link that is no number', { link: Number.NaN }, 'migration/bound'],
    ['endless rounds', { mostRounds: 1e9 }, 'migration/bound'],
    ['half a round', { mostRounds: 1.5 }, 'migration/bound'],
    ['more zeros than pages', { zeroPages: 2 }, 'migration/bound'],
    ['odd pages', split('split-eagerly', 5000), 'migration/bound'],
    [
      'populated memory that nobody tracked',
      { firstRound: 'populated', populated: 1 },
      'migration/contradiction',
    ],
    ['vCPUs that write nowhere', { vcpus: { rate: 1, workingSet: 0 } }, 'migration/contradiction'],
  ];
  for (const [what, given, code] of refusals) {
    it(`refuses ${what}`, () => {
      const checked = checkMigration(migration(given));
      assert.equal(checked.ok ? 'ok' : checked.failure.code, code);
    });
  }

  it('refuses pages that the tables have not, devices that are nowhere, and machines that do not track', () => {
    const code = (
      machine: ReturnType<typeof machineOf>,
      given: Partial<MigrationSpec>,
      requester = DEVICE,
    ): string => {
      const sources = [{ requester, traffic: PACKETS }];
      const result = runSteps(migrate({ machine, sources, spec: migration(given), by: 'auto', seed: 1 }));
      return result.ok ? 'ok' : result.failure.code;
    };
    assert.equal(code(machineOf('8G'), split('split-eagerly', 8192)), 'migration/page-size');
    assert.equal(code(machineOf('8G'), {}, '00:1f.0'), 'migration/device');
    assert.equal(code({ ...machineOf('8G'), dirtyTracking: 'none' }, {}), 'migration/untracked');
    assert.equal(code(machineOf('16T', '1G'), {}), 'migration/too-large');
  });
});
