import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { migrate, type Migrated } from '../../../../src/engine/migration/migrate';
import { type MigrationSpec } from '../../../../src/engine/migration/spec';
import { Machine } from '../../../../src/engine/machine/machine';
import { type MachineSpec } from '../../../../src/engine/machine/spec';
import { runSteps } from '../../../../src/engine/steps';
import { type TrafficSpec } from '../../../../src/engine/traffic/spec';
import { DEVICE, machineOf, migration, MiB } from './jobs';

/** Vendors whose hardware marks dirty pages, with the tables that guests' devices get. */
const VENDORS = [
  { vendor: 'vt-d', tables: 'second-stage' },
  { vendor: 'amd-vi', tables: 'v1' },
  { vendor: 'smmuv3', tables: 'stage1-4k' },
] as const;
/** Sizes of the pages that mapping may use; none: all, also those of several entries. */
const LARGE = ['4K', '2M'] as const;
const PAGES = [['4K'], LARGE, []] as const;
/** 1 GB/s: 64 MiB take 67 ms. */
const LINK = 1e9;

function machineBy(spec: MachineSpec): Machine {
  const made = Machine.create(spec);
  assert.ok(made.ok, made.ok ? '' : made.failure.message);
  const set = runSteps(made.value.setUp());
  assert.ok(set.ok, set.ok ? '' : set.failure.message);
  return made.value;
}

function migrated(
  machine: Machine,
  traffic: readonly TrafficSpec[],
  spec: MigrationSpec,
  by: 'machine' | 'model',
): Migrated {
  const sources = traffic.map((each) => ({ requester: DEVICE, traffic: each }));
  const result = runSteps(migrate({ machine, sources, spec, by, seed: 5 }));
  assert.ok(result.ok, result.ok ? '' : `${result.failure.code}: ${result.failure.message}`);
  assert.equal(result.value.result.by, by);
  return result.value;
}

const memory = (mebibytes: number) => ({ start: `${mebibytes}M`, length: '8M' });
const disk = (rate: number): TrafficSpec => ({
  kind: 'nvme',
  ...{ memory: memory(4), depth: 32, block: 4096, reads: 0.5, order: 'random', rate },
});
const traffics = fc.constantFrom<((rate: number) => TrafficSpec)[]>(
  (rate) => ({
    kind: 'rx-ring',
    memory: memory(2),
    entries: 64,
    packet: 1500,
    buffer: 4096,
    buffers: 'recycled',
    rate,
  }),
  (rate) => ({
    kind: 'rx-ring',
    memory: memory(1),
    entries: 64,
    packet: 1500,
    buffer: 4096,
    buffers: 'fresh',
    rate,
  }),
  disk,
  (rate) => ({ kind: 'gpu-bulk', memory: memory(3), run: 65536, writes: 0.5, order: 'random', rate }),
  (rate) => ({ kind: 'descriptor-ring', memory: memory(0), entries: 256, entry: 64, rate }),
);
const policies = fc.record({
  policy: fc.constantFrom<MigrationSpec['pages']['policy'][]>('as-is', 'split-eagerly', 'split-on-dirty'),
  to: fc.constant(4096),
  collapseAfter: fc.boolean(),
});
const trackings = fc.constantFrom<MigrationSpec['tracking'][]>(
  { starts: 'at-migration', warmUp: 0, ran: 0 },
  { starts: 'warm-up', warmUp: 0.02, ran: 0 },
  { starts: 'before-vcpus', warmUp: 0, ran: 0.05 },
);

describe('migration of an emulated machine', () => {
  for (const kind of VENDORS) {
    it(`goes as the model says: ${kind.vendor}`, function () {
      this.timeout(120_000);
      const seen = { rounds: 0, splits: 0 };
      const rates = fc.array(fc.tuple(traffics, fc.integer({ min: 1, max: 12 })), {
        minLength: 1,
        maxLength: 2,
      });
      const vcpus = fc.constantFrom({ rate: 0, workingSet: 0 }, { rate: 100 * MiB, workingSet: 2 * MiB });
      fc.assert(
        fc.property(
          fc.constantFrom(...PAGES),
          rates,
          policies,
          trackings,
          vcpus,
          (pages, given, policy, tracking, cpu) => {
            const traffic = given.map(([make, rate]) => make(rate * 1e6));
            const costs = { scan: 1e-9, flush: 1e-5, split: 62e-9, collapse: 1e-9 };
            const spec = migration({
              ...{
                link: LINK,
                downtimeLimit: 0.002,
                mostRounds: 6,
                pages: policy,
                tracking,
                costs,
                vcpus: cpu,
              },
            });
            const machine = {
              ...machineOf('32M', ...pages),
              ...kind,
              devices: [
                { requester: DEVICE, vfio: { model: 'hisi-acc', writesBack: 'stop', writeBackTo: '9M' } },
              ],
              cpu: { vcpus: 2, logging: 'dirty-bits', logsHostWriters: true, harvestsOnZap: true },
            } satisfies MachineSpec;
            const model = migrated(machineBy(machine), traffic, spec, 'model').result;
            const real = migrated(machineBy(machine), traffic, spec, 'machine').result;
            assert.equal(real.bytes.lost, 0);
            seen.rounds = Math.max(seen.rounds, real.rounds.length);
            seen.splits += real.rounds.reduce((all, round) => all + round.splits, 0);
            assert.deepEqual({ ...real, by: 'model', byWhy: model.byWhy }, model);
          },
        ),
        // The first one splits for certain: small pages after large ones, which a disk has made dirty.
        {
          numRuns: 12,
          examples: [
            [
              LARGE,
              [[disk, 12]],
              { policy: 'split-on-dirty', to: 4096, collapseAfter: false },
              { starts: 'at-migration', warmUp: 0, ran: 0 },
              { rate: 0, workingSet: 0 },
            ],
          ],
        },
      );
      // More than one round, and splits on the way: else nothing was compared.
      assert.ok(seen.rounds > 2 && seen.splits > 0, JSON.stringify(seen));
    });
  }

  it('gives the operations that make the same machine again', () => {
    const spec = machineOf('32M', '4K', '2M');
    const traffic: TrafficSpec = {
      kind: 'nvme',
      memory: memory(4),
      depth: 32,
      block: 4096,
      reads: 1,
      order: 'random',
      rate: 5e6,
    };
    const split = { policy: 'split-on-dirty', to: 4096, collapseAfter: false } as const;
    const machine = machineBy(spec);
    const { operations } = migrated(machine, [traffic], migration({ link: LINK, pages: split }), 'machine');
    const again = machineBy(spec);
    for (const operation of operations) assert.equal(runSteps(again.perform(operation)).errno, undefined);
    assert.deepEqual(again.ledgerTotals, machine.ledgerTotals);
    assert.deepEqual([...again.cached()], [...machine.cached()]);
  });

  it('finds what is lost: a write-back when the state is saved, as the model says', () => {
    const vfio = { model: 'hisi-acc', writesBack: 'save', writeBackTo: '1M' } as const;
    const spec = { ...machineOf('16M', '4K'), devices: [{ requester: DEVICE, vfio }] };
    for (const by of ['machine', 'model'] as const) {
      const { bytes } = migrated(machineBy(spec), [], migration(), by).result;
      assert.deepEqual([bytes.lost, bytes.over, bytes.written], [4096, 0, 4096]);
    }
  });

  it('finds what a broken driver loses, which the model takes for granted', () => {
    const spec = { ...machineOf('16M', '4K'), driverFaults: ['no-flush-after-clear'] };
    const traffic: TrafficSpec = {
      kind: 'descriptor-ring',
      memory: memory(1),
      entries: 64,
      entry: 64,
      rate: 1e6,
    };
    // The device goes on while entries are looked at.
    const costs = { scan: 1e-6, flush: 0, split: 0, collapse: 0 };
    const lostBy = (by: 'machine' | 'model'): number =>
      migrated(machineBy(spec), [traffic], migration({ link: LINK, costs }), by).result.bytes.lost;
    assert.equal(lostBy('machine'), 4096);
    assert.equal(lostBy('model'), 0);
  });

  it('goes by the model where a machine is too large, and says so when it must not', () => {
    const spec = machineOf('8G', '4K', '1G');
    const job = { machine: spec, sources: [], spec: migration(), seed: 1 };
    const auto = runSteps(migrate({ ...job, by: 'auto' }));
    assert.ok(auto.ok);
    assert.equal(auto.value.result.by, 'model');
    for (const machine of [spec, machineBy(spec)]) {
      const forced = runSteps(migrate({ ...job, machine, by: 'machine' }));
      assert.equal(forced.ok ? 'ok' : forced.failure.code, 'migration/no-machine');
    }
  });

  it('does not let the model hide what is wrong on purpose, unless it is asked for: then it says so', () => {
    const machine = { ...machineOf('8G', '4K', '1G'), driverFaults: ['no-flush-after-clear'] };
    const job = { machine, sources: [], spec: migration(), seed: 1 };
    const auto = runSteps(migrate({ ...job, by: 'auto' }));
    assert.equal(auto.ok ? 'ok' : auto.failure.code, 'migration/hidden');
    const model = runSteps(migrate({ ...job, by: 'model' }));
    assert.match(model.ok ? model.value.result.byWhy : '', /no-flush-after-clear.* change nothing/);
  });

  it('keeps what it has when it is cancelled: rounds, preparation, times, operations, and by what', () => {
    const spec = migration({
      link: 1e7,
      tracking: { starts: 'warm-up', warmUp: 0.5, ran: 0 },
      downtimeLimit: 0,
    });
    const traffic = {
      kind: 'descriptor-ring',
      memory: memory(1),
      entries: 64,
      entry: 64,
      rate: 1e5,
    } as const;
    const sources = [{ requester: DEVICE, traffic }];
    const job = {
      machine: machineBy(machineOf('16M', '4K')),
      sources,
      spec,
      by: 'machine',
      seed: 1,
    } as const;
    for (const progress of migrate(job)) {
      if (progress.rounds.length === 0) continue;
      const { result, operations } = progress.soFar();
      assert.deepEqual([result.by, result.converged, result.rounds.length], ['machine', false, 1]);
      assert.match(result.why, /Cancelled after round 1/);
      assert.equal(result.preparation, 0.5);
      assert.ok((result.time['link'] ?? 0) > 0 && operations.length > 0 && result.requests > 0);
      assert.ok(progress.fraction > 0 && progress.fraction <= 1);
      return;
    }
    assert.fail('there was no round');
  });
});
