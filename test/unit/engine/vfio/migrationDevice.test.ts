import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Outcome } from '../../../../src/engine/driver/errno';
import { accelerator } from '../../../../src/engine/driver/vfio/accelerator';
import {
  VfioMigrationDevice,
  type StreamPart,
  type VfioDeviceModel,
} from '../../../../src/engine/driver/vfio/migrationDevice';
import { VFIO_STATES, isRunning, type VfioState } from '../../../../src/engine/driver/vfio/states';
import { Ledger } from '../../../../src/engine/ledger/ledger';

const NIC: VfioDeviceModel = {
  features: { p2p: true, preCopy: true },
  knowsPeers: true,
  match: 'nic',
  matchBytes: 64,
  preCopyBytes: 1000,
  stopCopyBytes: 500,
  badStream: 'stays',
  writesBack: 'never',
};

const errno = (outcome: Outcome<unknown>): string => (outcome.ok ? 'ok' : outcome.errno);
function value<T>(outcome: Outcome<T>): T {
  assert.ok(outcome.ok, outcome.ok ? '' : outcome.message);
  return outcome.value;
}

/** Reads all there is for now. */
function readAll(device: VfioMigrationDevice, most = 300): StreamPart[] {
  const parts: StreamPart[] = [];
  for (let count = 0; count < 1000; count++) {
    const part = device.read(most);
    if (!part.ok) break;
    parts.push(part.value);
    if (part.value.last) break;
  }
  return parts;
}

const bytesOf = (parts: readonly StreamPart[]): number => parts.reduce((sum, { bytes }) => sum + bytes, 0);

describe('A device that VFIO migrates', () => {
  it('may do DMA while it runs, none between peers in the P2P states, and none when stopped', () => {
    const device = new VfioMigrationDevice(NIC);
    const allowed: Record<string, string> = {};
    for (const state of VFIO_STATES.filter((each) => each !== 'ERROR')) {
      const one = new VfioMigrationDevice(NIC);
      value(one.setState(state));
      allowed[state] =
        `${one.mayAccess('memory') ? 'memory ' : ''}${one.mayAccess('peer') ? 'peer' : ''}`.trim();
    }
    assert.deepEqual(allowed, {
      STOP: '',
      RUNNING: 'memory peer',
      STOP_COPY: '',
      RESUMING: '',
      RUNNING_P2P: 'memory',
      PRE_COPY: 'memory peer',
      PRE_COPY_P2P: 'memory',
    });
    assert.equal(device.mayAccess('peer'), true);
  });

  it('stops all DMA in the P2P states when it cannot tell peers from memory', () => {
    const device = new VfioMigrationDevice({ ...NIC, knowsPeers: false });
    value(device.setState('RUNNING_P2P'));
    assert.equal(device.mayAccess('memory'), false);
  });

  it('moves most of its state while it runs, and what changed again with the rest in the blackout', () => {
    const source = new VfioMigrationDevice(NIC);
    value(source.setState('PRE_COPY'));
    assert.deepEqual(value(source.preCopyInfo()), { initialBytes: 1000, dirtyBytes: 0 });
    const parts = readAll(source);
    assert.equal(bytesOf(parts), 1000);
    assert.equal(errno(source.read(1)), 'ENOMSG');
    value(source.work(200));
    assert.deepEqual(value(source.preCopyInfo()), { initialBytes: 0, dirtyBytes: 200 });
    assert.equal(source.stopCopyLength, 700);
    value(source.setState('STOP_COPY'));
    assert.equal(errno(source.preCopyInfo()), 'EINVAL');
    parts.push(...readAll(source));
    assert.equal(source.blackoutBytes, 700);
    assert.deepEqual(value(source.read(1)).bytes, 0);
    const destination = new VfioMigrationDevice(NIC);
    value(destination.setState('RESUMING'));
    for (const part of parts) value(destination.write(part));
    value(destination.setState('RUNNING'));
    assert.deepEqual([destination.state, destination.isLoaded], ['RUNNING', true]);
  });

  it('moves all of it in the blackout without pre-copy', () => {
    const source = new VfioMigrationDevice({ ...NIC, features: { p2p: true, preCopy: false } });
    assert.equal(errno(source.setState('PRE_COPY')), 'EINVAL');
    value(source.setState('STOP_COPY'));
    readAll(source);
    assert.equal(source.blackoutBytes, 1500);
  });

  it('does not leave RESUMING with a stream that is not complete, and stays there or goes to ERROR', () => {
    for (const badStream of ['stays', 'error'] as const) {
      const source = new VfioMigrationDevice(NIC);
      value(source.setState('STOP_COPY'));
      const [first] = readAll(source);
      const destination = new VfioMigrationDevice({ ...NIC, badStream });
      value(destination.setState('RESUMING'));
      assert.ok(first);
      value(destination.write(first));
      assert.equal(errno(destination.setState('RUNNING')), 'EINVAL');
      assert.equal(destination.state, badStream === 'stays' ? 'RESUMING' : 'ERROR');
      assert.equal(destination.isLoaded, false);
      if (badStream === 'stays') continue;
      assert.equal(errno(destination.setState('RUNNING')), 'EINVAL');
      destination.reset();
      assert.equal(destination.state, 'RUNNING');
    }
  });

  it('takes no stream with a hole, of another device, or without a session', () => {
    const source = new VfioMigrationDevice(NIC);
    value(source.setState('STOP_COPY'));
    const [first, second] = readAll(source);
    assert.ok(first && second);
    const other = new VfioMigrationDevice({ ...NIC, match: 'other' });
    assert.equal(errno(other.write(first)), 'ENODEV');
    value(other.setState('RESUMING'));
    assert.equal(errno(other.write(first)), 'EINVAL');
    const destination = new VfioMigrationDevice(NIC);
    value(destination.setState('RESUMING'));
    assert.equal(errno(destination.write(second)), 'EINVAL');
    assert.equal(errno(destination.read(1)), 'ENODEV');
  });

  it('ends its session when it leaves the saving states, and begins a new one when it returns', () => {
    const source = new VfioMigrationDevice(NIC);
    value(source.setState('PRE_COPY'));
    readAll(source);
    value(source.setState('PRE_COPY_P2P'));
    assert.equal(errno(source.read(1)), 'ENOMSG');
    value(source.setState('RUNNING'));
    assert.equal(errno(source.read(1)), 'ENODEV');
    value(source.setState('PRE_COPY'));
    assert.equal(bytesOf(readAll(source)), 1000);
  });

  it('is never without its state at the end, whatever its path was', () => {
    const step = fc.oneof(
      fc.constantFrom<VfioState>('STOP', 'RUNNING', 'RUNNING_P2P', 'PRE_COPY', 'PRE_COPY_P2P', 'STOP_COPY'),
      fc.integer({ min: 1, max: 900 }),
      fc.constant('work' as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const source = new VfioMigrationDevice(NIC);
        for (const each of steps) {
          if (typeof each === 'number') source.read(each);
          else if (each === 'work') assert.equal(source.work(50).ok, isRunning(source.state));
          else source.setState(each);
        }
        value(source.setState('STOP'));
        value(source.setState('STOP_COPY'));
        const expected = source.stopCopyLength;
        const parts = readAll(source);
        assert.equal(bytesOf(parts), expected);
        const destination = new VfioMigrationDevice(NIC);
        value(destination.setState('RESUMING'));
        for (const part of parts) value(destination.write(part));
        value(destination.setState('RUNNING'));
      }),
    );
  });
});

describe('A virtual function of an accelerator', () => {
  it('moves its match data while it runs, and its registers in the blackout', () => {
    const source = new VfioMigrationDevice(accelerator('a251 with 16 queues'));
    value(source.setState('PRE_COPY'));
    assert.deepEqual(value(source.preCopyInfo()), { initialBytes: 40, dirtyBytes: 0 });
    const parts = readAll(source);
    assert.equal(bytesOf(parts), 40);
    value(source.setState('STOP_COPY'));
    parts.push(...readAll(source));
    assert.equal(source.blackoutBytes, 136);
    const wrong = new VfioMigrationDevice(accelerator('a251 with 8 queues'));
    value(wrong.setState('RESUMING'));
    assert.ok(parts[0]);
    assert.equal(errno(wrong.write(parts[0])), 'EINVAL');
  });

  it('has nothing but match data when no driver of the guest has set it up', () => {
    const source = new VfioMigrationDevice(accelerator('a251'));
    source.isSetUp = false;
    value(source.setState('STOP_COPY'));
    assert.equal(bytesOf(readAll(source)), 40);
  });

  it('loses what it writes back when its state is read, after the last harvest; not when it stops', () => {
    for (const writesBack of ['save', 'stop'] as const) {
      const ledger = new Ledger();
      const device = new VfioMigrationDevice(accelerator('a251', writesBack), () => {
        ledger.wrote({ kind: 'device', iommu: 'smmu0', requester: 8, pasid: null }, 7, 7, 0, 64);
      });
      value(device.setState('STOP'));
      for (const range of ledger.behind) {
        ledger.harvested([range]);
        ledger.copied(range);
      }
      value(device.setState('STOP_COPY'));
      readAll(device);
      ledger.finish();
      assert.equal(ledger.findings.count('lost-dirty').pages, writesBack === 'save' ? 1 : 0);
    }
  });
});
