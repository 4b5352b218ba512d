import assert from 'node:assert/strict';
import { amdCommands } from '../../../../src/engine/iommu/vendors/amd/commands';
import { riscvCommands } from '../../../../src/engine/iommu/vendors/riscv/commands';
import { smmuCommands } from '../../../../src/engine/iommu/vendors/smmuv3/commands';
import { vtdCommands } from '../../../../src/engine/iommu/vendors/vtd/commands';
import { EMULATED_KINDS, type EmulatedKind } from '../../../../src/engine/iommu/vendor';
import { frameNumber } from '../../../../src/engine/values';
import { COMMANDS, QueueRig, STATUS, SlowDevice } from './queueRig';

const READ = 1;
const WRITE = 2;

type Words = readonly bigint[];
/** The same commands in each vendor's words. */
interface Vocabulary {
  /** Of domain or guest 5. */
  readonly invalidate: Words;
  /** Of every page of device 0x10. */
  readonly device: Words;
  /** Stores 7 at the address, or waits only. */
  readonly wait: (address?: number) => Words;
  readonly illegal: Words;
}

const WORDS: Readonly<Record<EmulatedKind, Vocabulary>> = {
  'vt-d': {
    invalidate: vtdCommands.iotlb({ G: 2, DID: 5, DR: 1, DW: 1 }),
    device: vtdCommands.deviceTlb({ SID: 0x10, S: 1, ADDR: 0x7fff_ffff_ffff_f000n }),
    wait: (address) =>
      vtdCommands.wait(address === undefined ? { FN: 1 } : { SW: 1, SDATA: 7, SADDR: address }),
    illegal: [15n, 0n],
  },
  'amd-vi': {
    invalidate: amdCommands.invalidateIommuPages({
      DomainID: 5,
      S: 1,
      PDE: 1,
      Address: 0x7fff_ffff_ffff_f000n,
    }),
    device: amdCommands.invalidateIotlbPages({ DeviceID: 0x10, S: 1, Address: 0x7fff_ffff_ffff_f000n }),
    wait: (address) =>
      amdCommands.completionWait(address === undefined ? {} : { s: 1, StoreAddress: address, StoreData: 7 }),
    illegal: [15n << 60n, 0n],
  },
  smmuv3: {
    invalidate: smmuCommands.tlbiS12Vmall({ VMID: 5 }),
    device: smmuCommands.atcInv({ StreamID: 0x10, Size: 52 }),
    wait: (address) =>
      smmuCommands.sync(address === undefined ? {} : { CS: 1, MSIData: 7, MSIAddress: address }),
    illegal: [0xffn, 0n],
  },
  riscv: {
    invalidate: riscvCommands.invalidateVma({ GV: 1, GSCID: 5 }),
    device: riscvCommands.invalidateDeviceTlb({ RID: 0x10, PAYLOAD: 0x7fff_ffff_ffff_f800n }),
    wait: (address) =>
      riscvCommands.fence({
        PR: 1,
        PW: 1,
        ...(address === undefined ? {} : { AV: 1, DATA: 7, ADDR: address }),
      }),
    illegal: [0x7fn, 0n],
  },
};
/** A place where there is no memory. */
const NOWHERE = 0x7000_0000;

for (const kind of EMULATED_KINDS) {
  const { invalidate, device, wait, illegal } = WORDS[kind];
  describe(`The invalidation queue of ${kind}`, () => {
    it('does nothing while it is empty or off', () => {
      const rig = new QueueRig(kind);
      assert.deepEqual(rig.run(), []);
      rig.submit(invalidate);
      rig.write({ 'vt-d': 'GCMD', 'amd-vi': 'Control', smmuv3: 'CR0', riscv: 'cqcsr' }[kind], 0n);
      assert.deepEqual(rig.run(), []);
      assert.deepEqual(rig.applied, []);
    });

    it('does commands in order, and stores what a wait says when all before is done', () => {
      const rig = new QueueRig(kind);
      rig.submit(invalidate, wait(STATUS + 8));
      assert.ok(rig.queue.runOne());
      assert.ok(rig.applied.length > 0);
      assert.equal(rig.word(STATUS + 8), 0n);
      assert.ok(rig.queue.runOne());
      assert.equal(rig.word(STATUS + 8), 7n);
      assert.equal(rig.queue.runOne(), undefined);
      assert.equal(rig.queue.done, 2);
    });

    it('goes round its ring', () => {
      const rig = new QueueRig(kind);
      const { slots } = rig.vendor.commands.ring(rig.registers);
      for (let round = 0; round < 3 * slots; round++) {
        rig.submit(invalidate);
        assert.equal(rig.run().length, 1, `${round}`);
      }
      assert.equal(rig.vendor.commands.head.position(rig.registers) % slots, 0);
    });

    it('takes every slot that its head and tail can tell apart', () => {
      const rig = new QueueRig(kind);
      const { slots, wraps } = rig.vendor.commands.ring(rig.registers);
      const most = wraps ? slots : slots - 1;
      rig.submit(...Array<Words>(most).fill(invalidate));
      assert.equal(rig.run().length, most);
    });

    it('holds a wait until the device has answered, and no longer', () => {
      const rig = new QueueRig(kind);
      const slow = new SlowDevice();
      rig.devices.set(0x10, slow);
      rig.submit(device, invalidate, wait(STATUS));
      assert.equal(rig.run().length, 2);
      assert.equal(rig.queue.pendingInvalidations, 1);
      assert.equal(slow.asked[0]?.requester, 0x10);
      assert.deepEqual(slow.asked[0].pages, { startPage: 0, endPage: 2 ** 52 });
      assert.equal(rig.word(STATUS), 0n);
      slow.answers = true;
      assert.equal(rig.run().length, 1);
      assert.equal(rig.word(STATUS), 7n);
      assert.equal(rig.queue.pendingInvalidations, 0);
    });

    it('has at most 32 invalidations of devices on their way', () => {
      const rig = new QueueRig(kind);
      const slow = new SlowDevice();
      rig.devices.set(0x10, slow);
      let sent = 0;
      for (let round = 0; round < 40; round++) {
        rig.submit(device);
        sent += rig.run().length;
        if (rig.queue.pendingInvalidations === 32 && rig.run().length === 0 && sent < round + 1) break;
      }
      assert.equal(sent, 32);
      slow.answers = true;
      assert.equal(rig.run().length, 1);
    });

    it('holds a wait for requests that are on their way, where it asks for that', () => {
      const rig = new QueueRig(kind);
      rig.inFlight = WRITE;
      rig.submit(invalidate, wait(STATUS));
      assert.equal(rig.run().length, 1);
      rig.inFlight = READ;
      assert.equal(rig.run().length, 0);
      rig.inFlight = 0;
      assert.equal(rig.run().length, 1);
      assert.equal(rig.word(STATUS), 7n);
    });

    it('does not hold it on hardware that does not drain', () => {
      const rig = new QueueRig(kind, false);
      rig.inFlight = WRITE;
      rig.submit(invalidate, wait(STATUS));
      assert.equal(rig.run().length, 2);
    });

    it('stays at an illegal command until software has cleared the error', () => {
      const rig = new QueueRig(kind);
      rig.submit(illegal, invalidate);
      assert.deepEqual(rig.run(), ['reserved!']);
      assert.equal(rig.vendor.commands.head.position(rig.registers), 0);
      assert.deepEqual(rig.run(), []);
      assert.deepEqual(rig.applied, []);
    });

    it('stops when it cannot read its commands', () => {
      const rig = new QueueRig(kind);
      rig.submit(invalidate);
      rig.memory.removeFrame(frameNumber(COMMANDS / 4096));
      assert.deepEqual(rig.run(), ['fetch!']);
      assert.ok(rig.vendor.commands.isStopped(rig.registers));
      assert.deepEqual(rig.run(), []);
    });

    it('gives up a device that never answers', () => {
      const rig = new QueueRig(kind);
      rig.submit(device, wait(STATUS));
      let calls = 0;
      while (rig.queue.pendingInvalidations > 0 || calls === 0) {
        rig.run();
        assert.ok(++calls < 1000);
      }
      assert.equal(rig.vendor.commands.isStopped(rig.registers), kind !== 'amd-vi');
    });

    it('gives it up when it has taken every tag, too', () => {
      const rig = new QueueRig(kind);
      const silent = new SlowDevice();
      rig.devices.set(0x10, silent);
      const isReported = () =>
        rig.vendor.commands.isStopped(rig.registers) || [...rig.log.entries()].length > 0;
      const runOut = () => {
        for (let calls = 0; calls < 300; calls++) rig.run();
      };
      for (let sent = 0; sent < 33; sent++) {
        rig.submit(device);
        runOut();
      }
      if (!isReported()) {
        // Errors that only a wait may report.
        assert.equal(silent.asked.length, 33);
        rig.submit(wait(STATUS));
        runOut();
      }
      assert.ok(isReported());
      assert.ok(rig.queue.pendingInvalidations <= 1);
    });

    it('answers to one queue are not taken for those to another', () => {
      const queues = [new QueueRig(kind), new QueueRig(kind)];
      const slow = new SlowDevice();
      for (const rig of queues) {
        rig.devices.set(0x10, slow);
        rig.submit(device, wait(STATUS));
        assert.equal(rig.run().length, 1);
      }
      slow.answers = true;
      for (const rig of queues) {
        assert.equal(rig.run().length, 1);
        assert.equal(rig.word(STATUS), 7n);
        assert.equal(rig.queue.pendingInvalidations, 0);
      }
    });
  });
}

describe('Errors of invalidation queues', () => {
  const runOut = (rig: QueueRig): void => {
    for (let calls = 0; calls < 1000; calls++) rig.run();
  };

  it('VT-d: IQE at the descriptor, cleared by 1, after which it is decoded again', () => {
    const rig = new QueueRig('vt-d');
    rig.submit(WORDS['vt-d'].illegal);
    rig.run();
    assert.equal(rig.read('FSTS'), 0x10n);
    rig.write('FSTS', 0x10n);
    assert.equal(rig.read('FSTS'), 0n);
    assert.deepEqual(rig.run(), ['reserved!']);
  });

  it('VT-d: a tail in the middle of a 256-bit descriptor is IQE', () => {
    const rig = new QueueRig('vt-d');
    rig.write('IQA', BigInt(COMMANDS) | 0x800n);
    rig.write('IQT', 0x20n);
    assert.equal(rig.read('FSTS'), 0n);
    rig.write('IQT', 0x30n);
    assert.equal(rig.read('FSTS'), 0x10n);
  });

  it('VT-d: ITE when a device does not answer; the wait is aborted, its status is not written', () => {
    const rig = new QueueRig('vt-d');
    rig.submit(WORDS['vt-d'].device, WORDS['vt-d'].wait(STATUS), WORDS['vt-d'].wait(STATUS + 8));
    runOut(rig);
    assert.equal(rig.read('FSTS'), 0x40n);
    assert.equal(rig.word(STATUS + 8), 0n);
    rig.write('FSTS', 0x40n);
    assert.deepEqual(rig.run(), ['wait']);
    assert.equal(rig.word(STATUS), 0n);
    assert.equal(rig.word(STATUS + 8), 7n);
  });

  it('VT-d: a queue of 256-bit descriptors has half the slots, and pointers of 32 bytes', () => {
    const rig = new QueueRig('vt-d');
    assert.equal(rig.vendor.commands.ring(rig.registers).slots, 256);
    rig.write('GCMD', 0n);
    rig.write('IQA', BigInt(COMMANDS) | 0x800n);
    rig.write('GCMD', 1n << 26n);
    assert.equal(rig.vendor.commands.ring(rig.registers).slots, 128);
    rig.submit(WORDS['vt-d'].invalidate, WORDS['vt-d'].invalidate);
    assert.equal(rig.read('IQT'), 0x40n);
    assert.equal(rig.run().length, 2);
    assert.equal(rig.read('IQH'), 0x40n);
  });

  it('VT-d: IF sets ICS.IWC', () => {
    const rig = new QueueRig('vt-d');
    rig.submit(vtdCommands.wait({ IF: 1 }));
    rig.run();
    assert.equal(rig.read('ICS'), 1n);
    assert.equal(rig.queue.interrupts, 1);
    rig.write('ICS', 1n);
    assert.equal(rig.read('ICS'), 0n);
  });

  it('AMD: ILLEGAL_COMMAND_ERROR with the address of the command, and CmdBufRun = 0 until it is switched on again', () => {
    const rig = new QueueRig('amd-vi');
    const { invalidate, illegal } = WORDS['amd-vi'];
    rig.submit(invalidate, illegal);
    rig.run();
    assert.equal(rig.read('Status') & 0x10n, 0n);
    const [event] = [...rig.log.entries()];
    assert.deepEqual(event?.words, [0x5000_0000_0000_0000n, BigInt(COMMANDS) + 0x10n]);
    assert.equal(event.code, 'ILLEGAL_COMMAND_ERROR (0101b)');
    const control = rig.read('Control');
    rig.write('Control', control & ~(1n << 12n));
    rig.write('Control', control);
    assert.equal(rig.read('Status') & 0x10n, 0x10n);
  });

  it('AMD: COMMAND_HARDWARE_ERROR when a command cannot be read', () => {
    const rig = new QueueRig('amd-vi');
    rig.submit(WORDS['amd-vi'].invalidate);
    rig.memory.removeFrame(frameNumber(COMMANDS / 4096));
    rig.run();
    assert.deepEqual([...rig.log.entries()][0]?.words, [0x6000_0000_0000_0000n, BigInt(COMMANDS)]);
  });

  it('AMD: IOTLB_INV_TIMEOUT is logged, and the wait goes on', () => {
    const rig = new QueueRig('amd-vi');
    rig.submit(WORDS['amd-vi'].device, WORDS['amd-vi'].wait(STATUS));
    runOut(rig);
    assert.equal([...rig.log.entries()][0]?.code, 'IOTLB_INV_TIMEOUT (0111b)');
    assert.equal(rig.word(STATUS), 7n);
  });

  it('AMD: i sets ComWaitInt', () => {
    const rig = new QueueRig('amd-vi');
    rig.submit(amdCommands.completionWait({ i: 1 }));
    rig.run();
    assert.equal(rig.read('Status') & 4n, 4n);
    rig.write('Status', 4n);
    assert.equal(rig.read('Status') & 4n, 0n);
  });

  it('SMMUv3: CERROR_ILL in CONS.ERR while GERROR and GERRORN differ', () => {
    const rig = new QueueRig('smmuv3');
    const { invalidate, illegal } = WORDS.smmuv3;
    rig.submit(invalidate, illegal);
    rig.run();
    assert.equal(rig.read('CMDQ_CONS'), 0x0100_0001n);
    assert.equal(rig.read('GERROR'), 1n);
    // Software replaces the command, and acknowledges.
    rig.memory.writeEntry(frameNumber(COMMANDS / 4096), 2, Number((invalidate[0] ?? 0n) & 0xffff_ffffn), 5);
    rig.write('GERRORN', 1n);
    assert.deepEqual(rig.run(), ['CMD_TLBI_S12_VMALL']);
    assert.equal(rig.read('CMDQ_CONS') & 0xfffffn, 2n);
  });

  it('SMMUv3: CERROR_ABT and CERROR_ATC_INV_SYNC', () => {
    const unreadable = new QueueRig('smmuv3');
    unreadable.submit(WORDS.smmuv3.invalidate);
    unreadable.memory.removeFrame(frameNumber(COMMANDS / 4096));
    unreadable.run();
    assert.equal(unreadable.read('CMDQ_CONS') >> 24n, 2n);
    const silent = new QueueRig('smmuv3');
    silent.submit(WORDS.smmuv3.device, WORDS.smmuv3.wait(STATUS));
    runOut(silent);
    assert.equal(silent.read('CMDQ_CONS'), 0x0300_0001n);
    silent.write('GERRORN', silent.read('GERROR'));
    assert.deepEqual(silent.run(), ['CMD_SYNC']);
    assert.equal(silent.word(STATUS), 7n);
  });

  it('SMMUv3: a message that cannot be written is MSI_CMDQ_ABT_ERR, and stops nothing', () => {
    const rig = new QueueRig('smmuv3');
    rig.submit(WORDS.smmuv3.wait(NOWHERE), WORDS.smmuv3.invalidate);
    assert.deepEqual(rig.run(), ['CMD_SYNC', 'CMD_TLBI_S12_VMALL']);
    assert.equal(rig.read('GERROR'), 0x10n);
  });

  it('SMMUv3: PROD and CONS carry wrap bits', () => {
    const rig = new QueueRig('smmuv3');
    for (let round = 0; round < 5; round++) {
      rig.submit(WORDS.smmuv3.invalidate);
      rig.run();
    }
    // 4 slots: index 1 of the second round.
    assert.equal(rig.read('CMDQ_CONS'), 5n);
    assert.equal(rig.read('CMDQ_PROD'), 5n);
  });

  it('RISC-V: cmd_ill, cqmf and cmd_to, each cleared by 1, with the interrupt pending', () => {
    const illegal = new QueueRig('riscv');
    illegal.submit(WORDS.riscv.illegal);
    illegal.run();
    assert.equal(illegal.read('cqcsr'), 0x1_0403n);
    assert.equal(illegal.read('ipsr'), 1n);
    // The pending bit comes back as long as its cause stays.
    illegal.write('ipsr', 1n);
    assert.equal(illegal.read('ipsr'), 1n);
    illegal.write('cqcsr', 0x403n);
    illegal.write('ipsr', 1n);
    assert.equal(illegal.read('cqcsr'), 0x1_0003n);
    assert.equal(illegal.read('ipsr'), 0n);

    const unwritable = new QueueRig('riscv');
    unwritable.submit(WORDS.riscv.wait(NOWHERE));
    assert.deepEqual(unwritable.run(), ['IOFENCE.C!']);
    assert.equal(unwritable.read('cqcsr'), 0x1_0103n);
    assert.equal(unwritable.read('cqh'), 0n);

    const silent = new QueueRig('riscv');
    silent.submit(WORDS.riscv.device, WORDS.riscv.wait(STATUS));
    runOut(silent);
    assert.equal(silent.read('cqcsr'), 0x1_0203n);
    assert.equal(silent.read('cqh'), 1n);
    silent.write('cqcsr', 0x203n);
    assert.deepEqual(silent.run(), ['IOFENCE.C']);
  });

  it('RISC-V: WSI sets fence_w_ip', () => {
    const rig = new QueueRig('riscv');
    rig.write('fctl', 2n);
    rig.submit(riscvCommands.fence({ WSI: 1 }));
    rig.run();
    assert.equal(rig.read('cqcsr'), 0x1_0803n);
    assert.equal(rig.read('ipsr'), 1n);
  });

  it('RISC-V: switching the queue on starts it at 0 without errors', () => {
    const rig = new QueueRig('riscv');
    rig.submit(WORDS.riscv.invalidate, WORDS.riscv.illegal);
    rig.run();
    assert.equal(rig.read('cqh'), 1n);
    rig.write('cqcsr', 0n);
    assert.equal(rig.read('cqcsr') & (1n << 16n), 0n);
    rig.write('cqcsr', 1n);
    assert.equal(rig.read('cqcsr'), 0x1_0001n);
    assert.equal(rig.read('cqh'), 0n);
  });

  it('4-byte completions leave the other half of the word alone', () => {
    const rig = new QueueRig('riscv');
    rig.submit(WORDS.riscv.wait(STATUS + 4));
    rig.run();
    assert.equal(rig.word(STATUS), 0x7_0000_0000n);
    rig.submit(WORDS.riscv.wait(STATUS));
    rig.run();
    assert.equal(rig.word(STATUS), 0x7_0000_0007n);
  });

  it('the other direction of a drain does not hold a wait', () => {
    const riscv = new QueueRig('riscv');
    riscv.inFlight = READ;
    riscv.submit(riscvCommands.fence({ PW: 1 }));
    assert.equal(riscv.run().length, 1);
    const vtd = new QueueRig('vt-d');
    vtd.inFlight = READ;
    vtd.submit(vtdCommands.iotlb({ G: 1, DW: 1 }), vtdCommands.wait({ FN: 1 }));
    assert.equal(vtd.run().length, 2);
    // A wait after that one drains nothing any more.
    vtd.inFlight = WRITE;
    vtd.submit(vtdCommands.wait({ FN: 1 }));
    assert.equal(vtd.run().length, 1);
  });
});
