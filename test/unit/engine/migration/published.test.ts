import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { precopy } from '../../../../src/engine/migration/precopy';
import { estimatedDowntime, stopsAfter } from '../../../../src/engine/migration/rules';
import { runSteps } from '../../../../src/engine/steps';
import { migration, MiB, ScriptedSource } from './jobs';

/**
 * A migration by Cloud Hypervisor of a guest of 6 GiB that writes most of its memory, as the description of pull request 7799 of
 * cloud-hypervisor/cloud-hypervisor logs it (2026-03-06): MiB, MiB/s, seconds and milliseconds. The log rounds to MiB.
 */
const LOG = [
  { total: 6144, current: 6144, bandwidth: 1986.83, transfer: 3.09, overhead: 0, downtime: 0, elapsed: 3.11 },
  {
    total: 11562,
    current: 5418,
    bandwidth: 1824.44,
    transfer: 2.97,
    overhead: 56,
    downtime: 2726,
    elapsed: 6.14,
  },
  {
    total: 16980,
    current: 5418,
    bandwidth: 1854.25,
    transfer: 2.92,
    overhead: 59,
    downtime: 2969,
    elapsed: 9.12,
  },
  {
    total: 22407,
    current: 5428,
    bandwidth: 1799.43,
    transfer: 3.02,
    overhead: 56,
    downtime: 2926,
    elapsed: 12.19,
  },
] as const;

describe("Cloud Hypervisor's published rounds", () => {
  const found = LOG.slice(1).map(({ current }) => current * MiB);
  // What the log calls overhead comes before an iteration is sent: here it ends the round before.
  const scans = LOG.slice(1).map(({ overhead }) => overhead);
  const source = new ScriptedSource(6144 * MiB, found, { scans });
  const spec = migration({
    rule: 'cloud-hypervisor',
    mostRounds: LOG.length - 1,
    costs: { scan: 0.001, flush: 0, split: 0, collapse: 0 },
  });
  const outcome = runSteps(precopy(source, spec, (round) => (LOG[round - 1]?.bandwidth ?? 1) * MiB));

  it('takes the published time for each transfer', () => {
    for (const [index, { sent }] of outcome.rounds.entries()) {
      const { transfer, bandwidth, current } = LOG[index] ?? LOG[0];
      assert.equal(sent, current * MiB);
      assert.equal((sent / MiB / bandwidth).toFixed(2), transfer.toFixed(2));
    }
  });

  it('estimates the published downtimes: bytes of this iteration over the bandwidth of the last', () => {
    assert.equal(outcome.rounds.length, 3);
    for (const [index, { estimatedDowntime: estimate }] of outcome.rounds.entries()) {
      const published = LOG[index + 1]?.downtime ?? 0;
      // The log rounds bytes to MiB, half of which is 0.3 ms; and it cuts milliseconds off.
      assert.ok(Math.abs(Math.floor(estimate * 1000) - published) <= 1, `${estimate} is not ${published} ms`);
    }
  });

  it('adds up to the published bytes and seconds', () => {
    let total = 0;
    for (const [index, { sent, start, seconds }] of outcome.rounds.entries()) {
      total += sent / MiB;
      assert.ok(Math.abs(total - (LOG[index]?.total ?? 0)) <= 1);
      // Elapsed when an iteration is sent: without the overhead of the next; setting up took 20 ms.
      const elapsed = start + seconds - (LOG[index + 1]?.overhead ?? 0) / 1000 + 0.02;
      assert.ok(Math.abs(elapsed - (LOG[index]?.elapsed ?? 0)) < 0.011, `${elapsed}`);
    }
  });

  it('does not stop for a downtime limit below the estimates, and stops within one above them', () => {
    assert.equal(outcome.converged, false);
    const later = new ScriptedSource(6144 * MiB, found);
    const stopped = runSteps(precopy(later, { ...spec, downtimeLimit: 2.73 }, () => 1986.83 * MiB));
    assert.equal(stopped.converged, true);
    assert.equal(stopped.rounds.length, 2);
  });
});

describe("QEMU's rule", () => {
  // migration_iteration_run: (!pending_size || pending_size < s->threshold_size); threshold = bandwidth x downtime limit.
  const end = (pending: number, deviceState = 0) => ({ pending, deviceState, bandwidth: 1000 });

  it('ends rounds when less is pending than the link carries within the downtime limit, or nothing', () => {
    assert.equal(stopsAfter('qemu', end(299), 0.3), true);
    assert.equal(stopsAfter('qemu', end(300), 0.3), false);
    assert.equal(stopsAfter('qemu', end(0), 0), true);
    assert.equal(stopsAfter('cloud-hypervisor', end(300), 0.3), true);
    assert.equal(stopsAfter('cloud-hypervisor', end(301), 0.3), false);
  });

  it('counts the state that devices still have as pending, which Cloud Hypervisor leaves out', () => {
    assert.equal(stopsAfter('qemu', end(200, 100), 0.3), false);
    assert.equal(stopsAfter('qemu', end(0, 100), 0.3), true);
    assert.equal(stopsAfter('cloud-hypervisor', end(200, 100), 0.3), true);
    assert.equal(estimatedDowntime('qemu', end(200, 100)), 0.3);
    assert.equal(estimatedDowntime('cloud-hypervisor', end(200, 100)), 0.2);
  });

  it('sends what is pending and what devices have left while the guest stands still', () => {
    const source = new ScriptedSource(1000, [200, 50], { deviceState: { running: 40, stopped: 60 } });
    const outcome = runSteps(precopy(source, migration({ link: 1000 })));
    assert.deepEqual(
      outcome.rounds.map(({ sent, seconds, blackout }) => ({ sent, seconds, blackout })),
      [
        { sent: 1040, seconds: 1.04, blackout: false },
        { sent: 310, seconds: 0.31, blackout: true },
      ],
    );
    assert.equal(outcome.blackout, 0.31);
    assert.deepEqual([outcome.deviceState, outcome.deviceStateInBlackout], [100, 60]);
    assert.equal(outcome.rounds[0]?.estimatedDowntime, 0.26);
    assert.match(outcome.why, /200 B were pending: 260 ms with 60 B of device state, less than the 300 ms/);
    const withoutState = migration({ link: 1000, rule: 'cloud-hypervisor' });
    const again = new ScriptedSource(1000, [200, 50], { deviceState: { running: 40, stopped: 60 } });
    assert.match(runSteps(precopy(again, withoutState)).why, /200 B were pending: 200 ms, within/);
  });
});
