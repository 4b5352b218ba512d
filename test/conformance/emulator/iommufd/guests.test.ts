/**
 * A guest's stage 1 over a kernel's stage 2 on each vendor's IOMMU: dirty tracking is on the parent, in guest physical pages,
 * and tells the guest's own tables, too, which hardware marks (VT-d 4.1 §3.7, AMD 48882 §2.2.7, Arm IHI 0070 §3.13, RISC-V
 * IOMMU 1.0 §2.3).
 */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { GET_DIRTY_BITMAP_NO_CLEAR } from '../../../../src/engine/driver/iommufd/dirtyTracking';
import {
  HWPT_DATA_AMD_GUEST,
  HWPT_DATA_RISCV,
  HWPT_DATA_SMMUV3,
  HWPT_DATA_VTD_S1,
  INVALIDATE_DATA_RISCV,
  INVALIDATE_DATA_VTD_S1,
} from '../../../../src/engine/driver/iommufd/nestedData';
import { VIRTUAL_TYPES } from '../../../../src/engine/driver/iommufd/guestPlatform';
import { GuestQueue } from '../../../../src/engine/driver/iommufd/guestQueue';
import { type KernelDomain } from '../../../../src/engine/driver/iommuDriver';
import { DomainTables } from '../../../../src/engine/driver/pageTable/domainTables';
import { contextDescriptor } from '../../../../src/engine/driver/vendors/smmuv3/entries';
import { armTablesOf } from '../../../../src/engine/driver/vendors/smmuv3/tables';
import { SMMUV3_DEFAULTS } from '../../../../src/engine/driver/capabilities/smmuv3';
import { amdCommands } from '../../../../src/engine/iommu/vendors/amd/commands';
import { smmuCommands } from '../../../../src/engine/iommu/vendors/smmuv3/commands';
import { armFormat, stage1Start } from '../../../../src/engine/formats/arm';
import { type PageTableFormat } from '../../../../src/engine/formats/pageTableFormat';
import { sv48 } from '../../../../src/engine/formats/riscv';
import { amdV2, vtdFirstStage } from '../../../../src/engine/formats/x8664';
import { READ_WRITE } from '../../../../src/engine/pageTable/entryClass';
import { runSteps } from '../../../../src/engine/steps';
import { GUEST_START, GUEST_START_PAGE, RealMachine } from './real';

/** Where the guest keeps its tables, its structures, and its queue: pages of its memory. */
const TABLES = 0x100;
const STRUCTURES = 0x80;
const QUEUE = 0x90;
const gpa = (page: number): bigint => GUEST_START + BigInt(page) * 4096n;

/** The guest's first virtual page. */
const GVA_PAGE = 0x1_0000;
const gva = (page: number): bigint => BigInt(GVA_PAGE + page) * 4096n;

interface GuestVendor {
  readonly kind: 'vt-d' | 'amd-vi' | 'smmuv3' | 'riscv';
  /** Of the parent. */
  readonly tables: string;
  readonly format: PageTableFormat;
  readonly shape: { readonly rootDepth: number; readonly rootIndexBits?: number };
  readonly type: number;
  /** The structure that the guest's user space hands over; may write further ones into guest memory. */
  readonly data: (machine: RealMachine, tables: DomainTables) => readonly bigint[];
}

const ARM_START = stage1Start('4K', 48);
const GUEST_ASID = 5;
const GUEST_DOMAIN = 0x77n;

const VENDORS: readonly GuestVendor[] = [
  {
    kind: 'vt-d',
    tables: 'second-stage',
    format: vtdFirstStage,
    shape: { rootDepth: 4 },
    type: HWPT_DATA_VTD_S1,
    data: (_machine, { root }) => [0n, BigInt(root) << 12n, 48n],
  },
  {
    kind: 'amd-vi',
    tables: 'v1',
    format: amdV2,
    shape: { rootDepth: 4 },
    type: HWPT_DATA_AMD_GUEST,
    // V, TV, GIOV, GV; one level of GCR3 table, whose root stands in three parts (AMD 48882 §2.2.2.1).
    data: (machine, { root }) => {
      machine.writeGuest(gpa(STRUCTURES), [(BigInt(root) << 12n) | 1n]);
      const table = gpa(STRUCTURES);
      const control = 3n | (1n << 54n) | (1n << 55n) | (((table >> 12n) & 7n) << 58n);
      const second =
        GUEST_DOMAIN | (((table >> 15n) & 0xffffn) << 16n) | (((table >> 31n) & 0x1f_ffffn) << 43n);
      return [control, second, 0n, 0n];
    },
  },
  {
    kind: 'smmuv3',
    tables: 'stage2-4k',
    format: armFormat(1, '4K', '48'),
    shape: { rootDepth: ARM_START.levels, rootIndexBits: ARM_START.rootIndexBits },
    type: HWPT_DATA_SMMUV3,
    // V, Config: stage 1, S1ContextPtr.
    data: (machine, tables) => {
      const domain: KernelDomain = { tables, id: GUEST_ASID, stage: 1, dirtyTracking: true };
      const arm = armTablesOf(domain);
      assert.ok(arm);
      machine.writeGuest(gpa(STRUCTURES), contextDescriptor(GUEST_ASID, arm, SMMUV3_DEFAULTS));
      return [1n | (5n << 1n) | gpa(STRUCTURES), 0n];
    },
  },
  {
    kind: 'riscv',
    tables: 'sv48x4',
    format: sv48,
    shape: { rootDepth: 4 },
    type: HWPT_DATA_RISCV,
    // fsc: Sv48 and the root; ta: PSCID.
    data: (_machine, { root }) => [(9n << 60n) | BigInt(root), 5n << 12n],
  },
];

const bytesOf = (words: readonly bigint[]): Uint8Array => new Uint8Array(BigUint64Array.from(words).buffer);

/** A guest whose first 8 virtual pages lead to its physical pages 8 to 15. */
function makeGuest(vendor: GuestVendor, viommuType?: number) {
  const machine = new RealMachine(vendor.kind, { tables: vendor.tables, pageShifts: [12] });
  const { fd, deviceId } = machine;
  const parentId = machine.hwpt(true);
  const tables = machine.run(
    DomainTables.create({
      memory: machine.arena,
      frames: machine.guestFrames(TABLES),
      format: vendor.format,
      hardware: { setsAccessed: true, setsDirty: true },
      ...vendor.shape,
      stage: 1,
      locate: machine.locate,
      marks: { accessed: false, dirty: false },
      pageShifts: [12],
    }),
  );
  machine.run(tables.map(GVA_PAGE, GUEST_START_PAGE + 8, 8, READ_WRITE));
  const words = vendor.data(machine, tables);
  const data = { type: vendor.type, length: 8 * words.length, data: bytesOf(words) };
  const viommuId =
    viommuType === undefined
      ? undefined
      : machine.run(fd.viommuAlloc({ deviceId, hwptId: parentId, type: viommuType }));
  const pageTableId = viommuId ?? parentId;
  const nestedId = machine.run(fd.hwptAlloc({ deviceId, pageTableId, data }));
  machine.run(fd.attach(deviceId, nestedId));
  machine.run(fd.hwptSetDirtyTracking(parentId, 1));
  machine.written();
  const write = (page: number): void => {
    const outcome = machine.dma(gva(page));
    assert.ok(outcome.ok, outcome.ok ? '' : outcome.fault);
  };
  return { machine, parentId, nestedId, viommuId, tables, write };
}

for (const vendor of VENDORS) {
  describe(`iommufd: a guest's stage 1 on ${vendor.kind}`, () => {
    it('the parent tells data pages and the pages of tables that hardware marked', () => {
      const { machine, parentId, write } = makeGuest(vendor);
      write(1);
      write(3);
      const written = machine.written();
      assert.deepEqual(
        written.filter((page) => page < STRUCTURES),
        [9, 11],
      );
      assert.ok(
        written.some((page) => page >= TABLES),
        'the walker marked an entry of the guest',
      );
      const told = machine.dirty(parentId, GET_DIRTY_BITMAP_NO_CLEAR);
      assert.deepEqual(
        written.filter((page) => !told.includes(page)),
        [],
      );
      // Hardware may mark the page of a table that it only read, as RISC-V does with SADE.
      assert.ok(told.every((page) => written.includes(page) || page >= TABLES));
      assert.deepEqual(machine.dirty(parentId), told);
      assert.deepEqual(machine.dirty(parentId), []);
    });

    it('after a read-and-clear the next write through the guest is told again, whatever was cached', () => {
      const { machine, parentId, write } = makeGuest(vendor);
      for (let round = 0; round < 3; round++) {
        write(1);
        write(2);
        const data = machine.written().filter((page) => page < STRUCTURES);
        assert.deepEqual(data, [9, 10]);
        const told = machine.dirty(parentId);
        for (const page of data) assert.ok(told.includes(page), `page ${page} in round ${round}`);
      }
    });

    it('an unmapped parent page is out of the guest’s reach', () => {
      const { machine, write } = makeGuest(vendor);
      write(1);
      machine.run(machine.fd.ioasUnmap(machine.ioasId, 0n, 2n ** 64n - 1n));
      assert.ok(!machine.dma(gva(1)).ok);
    });
  });
}

const vendorOf = (kind: GuestVendor['kind']): GuestVendor => {
  const vendor = VENDORS.find((each) => each.kind === kind);
  assert.ok(vendor);
  return vendor;
};

describe('iommufd: a guest’s invalidations', () => {
  /** Remaps the guest's page 1 to its physical page 20 without telling anyone. */
  function remap({ machine, tables }: ReturnType<typeof makeGuest>): void {
    const steps = tables.unmap(GVA_PAGE + 1, 1);
    assert.ok(runSteps(steps).ok);
    machine.run(tables.map(GVA_PAGE + 1, GUEST_START_PAGE + 20, 1, READ_WRITE));
    machine.written();
  }
  const landed = ({ machine, write }: ReturnType<typeof makeGuest>): number[] => {
    machine.written();
    write(1);
    return machine.written().filter((page) => page < STRUCTURES);
  };

  it('vt-d: HWPT_INVALIDATE takes addresses, and stops at the first bad entry', () => {
    const guest = makeGuest(vendorOf('vt-d'));
    guest.write(1);
    remap(guest);
    assert.deepEqual(landed(guest), [9]);
    const entries = (...list: readonly (readonly [bigint, bigint, bigint])[]) => ({
      type: INVALIDATE_DATA_VTD_S1,
      entryLength: 24,
      entryNumber: list.length,
      data: bytesOf(list.flat()),
    });
    const { machine, nestedId } = guest;
    const refused = machine.handled(
      machine.fd.hwptInvalidate(nestedId, entries([gva(2), 1n, 0n], [gva(1) + 1n, 1n, 0n], [gva(1), 1n, 0n])),
    );
    assert.deepEqual([refused.handled, refused.outcome.ok ? '' : refused.outcome.errno], [1, 'EINVAL']);
    assert.deepEqual(landed(guest), [9]);
    const flag = machine.handled(machine.fd.hwptInvalidate(nestedId, entries([gva(1), 1n, 2n])));
    assert.deepEqual([flag.handled, flag.outcome.ok ? '' : flag.outcome.errno], [0, 'EOPNOTSUPP']);
    const good = machine.handled(machine.fd.hwptInvalidate(nestedId, entries([gva(1), 1n, 0n])));
    assert.equal(good.handled, 1);
    assert.deepEqual(landed(guest), [20]);
  });

  it('riscv: IOTINVAL.VMA of the guest reaches its own GSCID only', () => {
    const guest = makeGuest(vendorOf('riscv'));
    guest.write(1);
    remap(guest);
    assert.deepEqual(landed(guest), [9]);
    const { machine, nestedId } = guest;
    const array = { type: INVALIDATE_DATA_RISCV, entryLength: 16, entryNumber: 1, data: bytesOf([1n, 0n]) };
    assert.equal(machine.handled(machine.fd.hwptInvalidate(nestedId, array)).handled, 1);
    assert.deepEqual(landed(guest), [20]);
  });

  /** A guest with a vIOMMU that calls its device 0x99. */
  function withViommu(kind: 'smmuv3' | 'amd-vi') {
    const guest = makeGuest(vendorOf(kind), VIRTUAL_TYPES[kind].viommu);
    const { machine, viommuId = 0 } = guest;
    const { fd, deviceId } = machine;
    machine.run(fd.vdeviceAlloc({ viommuId, deviceId, virtualId: 0x99n }));
    return { ...guest, viommuId };
  }

  it('smmuv3: raw commands through the vIOMMU get the VMID and StreamIDs of the host; others are EIO', () => {
    const guest = withViommu('smmuv3');
    guest.write(1);
    remap(guest);
    assert.deepEqual(landed(guest), [9]);
    const { machine, viommuId } = guest;
    const give = (...commands: readonly (readonly bigint[])[]) =>
      machine.handled(
        machine.fd.hwptInvalidate(viommuId, {
          type: 1,
          entryLength: 16,
          entryNumber: commands.length,
          data: bytesOf(commands.flat()),
        }),
      );
    const errno = ({ outcome }: ReturnType<typeof give>): string => (outcome.ok ? '' : outcome.errno);
    assert.equal(errno(give(smmuCommands.tlbiS12Vmall({ VMID: 1 }))), 'EIO');
    assert.equal(errno(give(smmuCommands.cfgiCd({ StreamID: 0x10, Leaf: true }))), 'EIO');
    assert.deepEqual(landed(guest), [9]);
    const good = give(
      smmuCommands.cfgiCd({ StreamID: 0x99, Leaf: true }),
      smmuCommands.tlbiNhVa({ VMID: 0xffff, ASID: GUEST_ASID, Address: gva(1) }),
    );
    assert.equal(good.handled, 2);
    assert.deepEqual(landed(guest), [20]);
  });

  it('smmuv3: what was executed before a refused command counts as handled', () => {
    const guest = withViommu('smmuv3');
    guest.write(1);
    remap(guest);
    const { machine, viommuId } = guest;
    const result = machine.handled(
      machine.fd.hwptInvalidate(viommuId, {
        type: 1,
        entryLength: 16,
        entryNumber: 2,
        data: bytesOf([
          ...smmuCommands.tlbiNhVa({ ASID: GUEST_ASID, Address: gva(1) }),
          ...smmuCommands.cfgiCd({ StreamID: 0x10, Leaf: true }),
        ]),
      }),
    );
    assert.deepEqual([result.handled, result.outcome.ok], [1, false]);
    assert.deepEqual(landed(guest), [20]);
  });

  /** The guest puts a command into its own queue; hardware does all that is there. */
  function queueOf(guest: ReturnType<typeof withViommu>, kind: 'smmuv3' | 'amd-vi') {
    const { machine, viommuId } = guest;
    const id = machine.run(
      machine.fd.hardwareQueueAlloc({
        viommuId,
        type: VIRTUAL_TYPES[kind].queue,
        index: 0,
        address: gpa(QUEUE),
        length: 4096n,
      }),
    );
    const object = machine.fd.object(id);
    assert.ok(object?.kind === 'hwqueue');
    const queue = new GuestQueue(object, machine.iommu, machine.arena);
    let tail = 0;
    const give = (...commands: readonly (readonly bigint[])[]): number => {
      for (const words of commands) machine.writeGuest(gpa(QUEUE) + BigInt(16 * tail++), words);
      queue.setTail(tail);
      while (queue.runCommand() !== undefined);
      return queue.head;
    };
    const error = (): string => queue.error ?? '';
    return { queue, error, give, rewind: () => (tail = queue.head) };
  }

  it('a tail that is no slot of the ring stops the queue until the guest gives another', () => {
    const guest = withViommu('smmuv3');
    const { queue, give, rewind } = queueOf(guest, 'smmuv3');
    for (const slot of [256, 1000, -1, 0.5, NaN, 2 ** 53]) {
      queue.setTail(slot);
      assert.equal(queue.runCommand(), undefined);
      assert.match(queue.error ?? '', /256 slots/, `${slot}`);
      assert.equal(queue.head, 0);
    }
    rewind();
    assert.equal(give(smmuCommands.sync({})), 1);
    assert.equal(queue.error, undefined);
  });

  it('a completion is stored when all before is done, as a write through stage 2 that is seen', () => {
    const guest = withViommu('amd-vi');
    const { machine, parentId } = guest;
    const { queue, error } = queueOf(guest, 'amd-vi');
    let answer: () => void = () => undefined;
    machine.iommu.devices.set(0x10, {
      invalidate: (_operation: unknown, completed: () => void) => {
        answer = completed;
      },
      complete: () => undefined,
    });
    machine.dirty(parentId);
    machine.written();
    const page = STRUCTURES + 1;
    const store = gpa(page);
    machine.arena.addFrame(machine.locate(Number(store / 4096n)));
    const all = amdCommands.invalidateIotlbPages({
      DeviceID: 0x99,
      QueueID: 0,
      S: true,
      Address: 0x7fff_ffff_ffff_f000n,
    });
    machine.writeGuest(gpa(QUEUE), all);
    machine.writeGuest(
      gpa(QUEUE) + 16n,
      amdCommands.completionWait({ s: true, StoreAddress: store, StoreData: 0x1234n }),
    );
    queue.setTail(2);
    assert.ok(queue.runCommand(), error());
    assert.equal(queue.runCommand(), undefined);
    assert.deepEqual([error(), machine.dirty(parentId), machine.written()], ['', [], []]);
    answer();
    assert.ok(queue.runCommand());
    assert.deepEqual(machine.written(), [page]);
    assert.deepEqual(machine.dirty(parentId), [page]);
  });

  it('a completion that leads nowhere stops the queue', () => {
    const guest = withViommu('amd-vi');
    const { error, give } = queueOf(guest, 'amd-vi');
    const store = gpa(0) + (1n << 37n);
    assert.equal(give(amdCommands.completionWait({ s: true, StoreAddress: store, StoreData: 1n })), 0);
    assert.match(error(), /store/);
  });

  it('smmuv3: a hardware queue executes the guest’s commands without the host, with the host’s ids', () => {
    const guest = withViommu('smmuv3');
    guest.write(1);
    remap(guest);
    const hostCommands = guest.machine.iommu.commands.done;
    const { error, give, rewind } = queueOf(guest, 'smmuv3');
    assert.deepEqual(landed(guest), [9]);
    // A VMID that is not the guest's is replaced, so that another guest's entries cannot be reached.
    const tlbi = smmuCommands.tlbiNhVa({ VMID: 0xffff, ASID: GUEST_ASID, Address: gva(1) });
    assert.equal(give(tlbi, smmuCommands.sync({})), 2);
    assert.equal(error(), '');
    assert.deepEqual(landed(guest), [20]);
    // A command that such a queue does not take stops it.
    assert.equal(give(smmuCommands.tlbiNsnhAll()), 2);
    assert.match(error(), /CMD_TLBI_NSNH_ALL/);
    rewind();
    assert.equal(give(tlbi), 3);
    assert.equal(error(), '');
    assert.equal(guest.machine.iommu.commands.done, hostCommands);
    assert.ok(!guest.machine.dma(gva(40)).ok);
  });

  it('smmuv3: the guest hears of faults of its stage 1, under its own StreamID', () => {
    const guest = withViommu('smmuv3');
    const { machine, viommuId } = guest;
    const type = VIRTUAL_TYPES.smmuv3.events;
    const id = machine.run(machine.fd.veventqAlloc({ viommuId, type, depth: 8 }));
    const queue = machine.fd.object(id);
    assert.ok(queue?.kind === 'veventq');
    const { iommu, platform, fd } = machine;
    assert.ok(!machine.dma(gva(40)).ok);
    const [record] = iommu.faults.entries();
    assert.ok(record);
    assert.ok(fd.forwardEvent(platform, record.words));
    const [event] = queue.read(1);
    assert.ok(event);
    // F_TRANSLATION of StreamID 0x99.
    assert.equal((event.words[0] ?? 0n) & 0xffn, 0x10n);
    assert.equal((event.words[0] ?? 0n) >> 32n, 0x99n);
    assert.deepEqual(event.words.slice(1), record.words.slice(1));
    const [first = 0n, second = 0n, ...rest] = record.words;
    // A fault of stage 2, another event, another device: the host's.
    assert.ok(!fd.forwardEvent(platform, [first, second | (1n << 39n), ...rest]));
    assert.ok(!fd.forwardEvent(platform, [(first & ~0xffn) | 0x01n, second, ...rest]));
    assert.ok(!fd.forwardEvent(platform, [first ^ (1n << 40n), second, ...rest]));
    assert.equal(queue.waiting, 0);
  });

  it('amd-vi: a hardware queue executes the guest’s commands by its own DomainID and DeviceID', () => {
    const guest = withViommu('amd-vi');
    guest.write(1);
    remap(guest);
    const { error, give, rewind } = queueOf(guest, 'amd-vi');
    assert.deepEqual(landed(guest), [9]);
    const pages = (domain: number) =>
      amdCommands.invalidateIommuPages({
        DomainID: domain,
        S: true,
        PDE: true,
        GN: true,
        Address: gva(0) | (0x7fn << 12n),
      });
    assert.equal(give(pages(0x78)), 0);
    assert.match(error(), /no such domain/);
    assert.deepEqual(landed(guest), [9]);
    rewind();
    const head = give(pages(Number(GUEST_DOMAIN)));
    assert.deepEqual([error(), head], ['', 1]);
    assert.deepEqual(landed(guest), [20]);
    // A completion is stored into guest memory, which is a write that the parent tells.
    const { machine, parentId } = guest;
    machine.dirty(parentId);
    const store = gpa(STRUCTURES + 1);
    machine.arena.addFrame(machine.locate(Number(store / 4096n)));
    assert.equal(give(amdCommands.completionWait({ s: true, StoreAddress: store, StoreData: 0x1234n })), 2);
    const halves = { lo: 0, hi: 0 };
    machine.arena.readEntry(machine.locate(Number(store / 4096n)), 0, halves);
    assert.equal(halves.lo, 0x1234);
    assert.deepEqual(machine.dirty(parentId), [STRUCTURES + 1]);
    assert.equal(give(amdCommands.invalidateIotlbPages({ DeviceID: 0x10 })), 2);
    assert.match(error(), /no device 16/);
  });
});
