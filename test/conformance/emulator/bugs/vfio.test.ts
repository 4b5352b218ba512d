/** Bugs of VFIO and of virtual machine monitors: who asks for dirty pages, when, and of what. */
import assert from 'node:assert/strict';
import { type Outcome } from '../../../../src/engine/driver/errno';
import {
  HWPT_ALLOC_DIRTY_TRACKING,
  HWPT_ALLOC_NEST_PARENT,
} from '../../../../src/engine/driver/iommufd/hwpt';
import { HW_CAP_DIRTY_TRACKING } from '../../../../src/engine/driver/iommufd/iommufd';
import {
  DmaLogging,
  type DmaLoggingLimits,
  type IovaSpan,
} from '../../../../src/engine/driver/vfio/dmaLogging';
import { Type1Container, TYPE1_RULES, type Type1Rules } from '../../../../src/engine/driver/vfio/type1';
import { type PageRange } from '../../../../src/engine/iommu/cacheOperation';
import { Machine } from '../../../../src/engine/machine/machine';
import { runSteps } from '../../../../src/engine/steps';

const DEVICE = '00:02.0';
const GIB = 2 ** 30;
const GUEST: PageRange = { startPage: 0, endPage: 4096 };

function value<T>(outcome: Outcome<T>): T {
  assert.ok(outcome.ok, outcome.ok ? '' : `${outcome.errno}: ${outcome.message}`);
  return outcome.value;
}

/** A machine of 16 MiB whose IOMMU marks nothing: who tracks is somebody else. */
class Untracked {
  readonly machine: Machine;

  constructor(
    capabilities: Readonly<Record<string, number | boolean>> = {},
    vendor: 'vt-d' | 'smmuv3' = 'vt-d',
  ) {
    const tables = vendor === 'vt-d' ? 'second-stage' : 'stage2-4k';
    const made = Machine.create({
      ...{ version: 1, vendor, tables, memory: '16M', devices: [{ requester: DEVICE }], capabilities },
      ...{ mapping: { what: 'guest', pages: [] }, dirtyTracking: 'none', iommus: 1, seed: 1 },
    });
    assert.ok(made.ok, made.ok ? '' : made.failure.message);
    this.machine = made.value;
    const set = runSteps(this.machine.setUp());
    assert.ok(set.ok, set.ok ? '' : set.failure.message);
  }

  write(page: number): void {
    const iova = `0x${(page * 4096).toString(16)}`;
    const requests = [{ sid: DEVICE, iova, length: 64, access: 'write' as const }];
    const { refused } = runSteps(this.machine.perform({ kind: 'dma', requests }));
    assert.deepEqual(refused, []);
  }

  copy(ranges: readonly PageRange[]): void {
    for (const range of ranges) this.machine.ledger.copied(range);
  }

  lost(): number[] {
    const { ledger } = this.machine;
    ledger.finish();
    return ledger.findings.of('lost-dirty').map(({ startPage }) => startPage);
  }
}

/** A container whose group, that pins nothing, writes through the IOMMU. */
function withContainer(
  rules: Type1Rules,
  story: (container: Type1Container, write: (page: number) => void, round: () => void) => void,
): number[] {
  const untracked = new Untracked();
  const container = new Type1Container(rules);
  value(container.map({ startPage: 0, endPage: 2048 }));
  value(container.attach('nic', false));
  container.startLogging();
  const round = (): void => {
    untracked.copy(value(container.report(GUEST)));
  };
  round();
  story(
    container,
    (page) => {
      untracked.write(page);
    },
    round,
  );
  round();
  return untracked.lost();
}

describe('Bugs: VFIO and virtual machine monitors', () => {
  it('Linux list db9e03114: vfio/type1, a group with unpinned DMA is detached while dirty pages are logged', () => {
    const play = (rules: Type1Rules): number[] =>
      withContainer(rules, (container, write) => {
        write(3);
        value(container.detach('nic'));
      });
    assert.deepEqual(play({ ...TYPE1_RULES, populates: 'never' }), [3]);
    assert.deepEqual(play(TYPE1_RULES), []);
  });

  it('Linux list f9cba5d19: vfio/type1, the bitmap of a new vfio_dma begins empty', () => {
    const ahead: Type1Rules = { ...TYPE1_RULES, populates: 'ahead' };
    const play = (rules: Type1Rules): number[] =>
      withContainer(rules, (container, write) => {
        value(container.map({ startPage: 2048, endPage: 4096 }));
        write(3000);
        value(container.detach('nic'));
      });
    assert.deepEqual(play({ ...ahead, newMappings: false }), [3000]);
    assert.deepEqual(play(ahead), []);
  });

  it('Linux list 1c388a095: vfio/type1, promoting the pinned scope forgets what was dirty before', () => {
    const play = (rules: Type1Rules): number[] =>
      withContainer(rules, (container, write) => {
        write(3);
        value(container.pin('nic', { startPage: 8, endPage: 9 }));
      });
    assert.deepEqual(play({ ...TYPE1_RULES, promotions: false }), [3]);
    assert.deepEqual(play(TYPE1_RULES), []);
  });

  const LIMITS: DmaLoggingLimits = { mostRanges: 8, mostBytes: 2 ** 42, atomicBytes: true };

  it('QEMU a31fe5daeaa2: vfio/common: Separate vfio-pci ranges', () => {
    // Where the log cannot start, the device's writes are known to nobody.
    const play = (ranges: readonly IovaSpan[]) => {
      const untracked = new Untracked();
      const log = new DmaLogging(LIMITS);
      const started = log.start(ranges, 4096);
      untracked.write(3);
      runSteps(log.log(3));
      const report = log.report({ iova: 0, length: 16 * 2 ** 20 }, 4096);
      untracked.copy(report.ok ? report.value : []);
      return { started: started.ok ? '' : started.errno, lost: untracked.lost() };
    };
    const low = { iova: 0, length: 2 * GIB };
    const high = { iova: 4 * GIB, length: 60 * GIB };
    const bars = { iova: 2 ** 46, length: 16 * GIB };
    const span = { iova: high.iova, length: bars.iova + bars.length - high.iova };
    assert.deepEqual(play([low, span]), { started: 'EOPNOTSUPP', lost: [3] });
    assert.deepEqual(play([low, high, bars]), { started: '', lost: [] });
  });

  it('libvfio-user pull requests 670 and 677: bits of one byte are set at the same time as others', () => {
    const play = (atomicBytes: boolean): number[] => {
      const untracked = new Untracked();
      const log = new DmaLogging({ ...LIMITS, atomicBytes });
      value(log.start([{ iova: 0, length: GIB }], 4096));
      const [one, other] = [8, 9].map((page) => {
        untracked.write(page);
        return log.log(page);
      });
      assert.ok(one && other);
      one.next();
      runSteps(other);
      runSteps(one);
      untracked.copy(value(log.report({ iova: 0, length: GIB }, 4096)));
      return untracked.lost();
    };
    assert.deepEqual(play(false), [9]);
    assert.deepEqual(play(true), []);
  });

  it('cloud-hypervisor issue 8567: logging is stopped and started again when the map changes', () => {
    // What was logged and not read before the log begins anew is gone with it.
    const play = (reads: boolean): number[] => {
      const untracked = new Untracked();
      const log = new DmaLogging(LIMITS);
      const read = (): void => {
        untracked.copy(value(log.report({ iova: 0, length: GIB }, 4096)));
      };
      value(log.start([{ iova: 0, length: 8 * 2 ** 20 }], 4096));
      untracked.write(3);
      runSteps(log.log(3));
      if (reads) read();
      log.stop();
      value(log.start([{ iova: 0, length: 16 * 2 ** 20 }], 4096));
      untracked.write(3000);
      runSteps(log.log(3000));
      read();
      return untracked.lost();
    };
    assert.deepEqual(play(false), [3]);
    assert.deepEqual(play(true), []);
  });

  it('QEMU 659275f84694: dirty tracking is asked for on a nesting parent that cannot', () => {
    // An SMMU that sets no D: the virtual machine cannot start, unless its monitor looks before it asks.
    const play = (looks: boolean): string => {
      const { machine } = new Untracked({ httu: 0 }, 'smmuv3');
      const [hwpt] = machine.domains;
      assert.ok(hwpt);
      const deviceId = deviceOf(machine);
      const { capabilities } = value(machine.iommufd.hardwareInfo(deviceId));
      const can = (capabilities & HW_CAP_DIRTY_TRACKING) !== 0;
      const tracking = can || !looks ? HWPT_ALLOC_DIRTY_TRACKING : 0;
      const flags = HWPT_ALLOC_NEST_PARENT | tracking;
      const made = runSteps(
        machine.software(machine.iommufd.hwptAlloc({ deviceId, pageTableId: hwpt.ioas, flags })),
      );
      return made.ok ? '' : made.errno;
    };
    assert.equal(play(false), 'EOPNOTSUPP');
    assert.equal(play(true), '');
  });
});

/** The first object of iommufd is the device. */
function deviceOf({ iommufd }: Machine): number {
  const id = Array.from({ length: 16 }, (_, each) => each).find(
    (each) => iommufd.object(each)?.kind === 'device',
  );
  assert.ok(id !== undefined);
  return id;
}
