import assert from 'node:assert/strict';
import { AMD_EVERY_PAGE, amdCommands, decodeAmd } from '../../../../../src/engine/iommu/vendors/amd/commands';
import { bit, decoding } from './decoding';

// Words by hand from the figures of AMD 48882 3.10 §2.4.
/** PreFSup, PPRSup, GTSup, IASup. */
const FEATURES = bit(0) | bit(1) | bit(4) | bit(6);
const registers = (features = FEATURES): Map<string, bigint> => new Map([['ExtFeat', features]]);
const { decode, operations, refused } = decoding(decodeAmd, registers());
const EVERY = { startPage: 0, endPage: 2 ** 52 };

describe('AMD IOMMU commands', () => {
  it('are the words of §2.4', () => {
    assert.deepEqual(
      amdCommands.completionWait({
        s: 1,
        i: 1,
        StoreAddress: 0x1234_5678,
        StoreData: 0x1122_3344_5566_7788n,
      }),
      [0x1000_0000_1234_567bn, 0x1122_3344_5566_7788n],
    );
    assert.deepEqual(amdCommands.completionWait({ f: 1 }), [0x1000_0000_0000_0004n, 0n]);
    assert.deepEqual(amdCommands.invalidateDevtabEntry({ DeviceID: 0x100 }), [0x2000_0000_0000_0100n, 0n]);
    assert.deepEqual(
      amdCommands.invalidateIommuPages({ DomainID: 0x55, S: 1, PDE: 1, Address: AMD_EVERY_PAGE }),
      [0x3000_0055_0000_0000n, 0x7fff_ffff_ffff_f003n],
    );
    assert.deepEqual(
      amdCommands.invalidateIommuPages({
        DomainID: 0x55,
        GN: 1,
        PASID: 0xa_bcde,
        Address: 0x7f00_0000_0000n,
      }),
      [0x3000_0055_000a_bcden, 0x7f00_0000_0004n],
    );
    assert.deepEqual(
      amdCommands.invalidateIotlbPages({
        DeviceID: 0x100,
        QueueID: 0x100,
        Maxpend: 0x20,
        PASID: 0xa_bcde,
        GN: 1,
        S: 1,
        Address: 0x2f_f000,
      }),
      [0x4ade_0100_20bc_0100n, 0x2f_f005n],
    );
    assert.deepEqual(amdCommands.invalidateInterruptTable({ DeviceID: 0x100 }), [0x5000_0000_0000_0100n, 0n]);
    assert.deepEqual(
      amdCommands.prefetchIommuPages({
        DeviceID: 0x100,
        PFCount: 3,
        PASID: 5,
        GN: 1,
        Inval: 1,
        Address: 0x1000,
      }),
      [0x6000_0005_0300_0100n, 0x1014n],
    );
    assert.deepEqual(
      amdCommands.completePprRequest({ DeviceID: 0x100, PASID: 5, GN: 1, CompletionTag: 0x1ff }),
      [0x7000_0005_0000_0100n, 0x1ff_0000_0004n],
    );
    assert.deepEqual(amdCommands.invalidateIommuAll(), [0x8000_0000_0000_0000n, 0n]);
  });

  it('COMPLETION_WAIT stores 8 bytes, raises an interrupt, and drains reads and writes', () => {
    assert.deepEqual(decode(amdCommands.completionWait({ s: 1, StoreAddress: 0x1008, StoreData: 7 })), {
      kind: 'wait',
      name: 'COMPLETION_WAIT',
      drainsReads: true,
      drainsWrites: true,
      interrupt: false,
      store: { address: 0x1008, value: 7n, bytes: 8 },
    });
    const plain = decode(amdCommands.completionWait({ i: 1, StoreAddress: 0x1008 }));
    assert.ok(plain.kind === 'wait' && plain.interrupt && plain.store === undefined);
  });

  it('INVALIDATE_DEVTAB_ENTRY means one device', () => {
    assert.deepEqual(operations(amdCommands.invalidateDevtabEntry({ DeviceID: 0x100 })), [
      { contexts: { requester: 0x100 } },
    ]);
  });

  it('INVALIDATE_IOMMU_PAGES with GN = 0 means host pages, and guest translations that went through them', () => {
    const pages = { startPage: 0x200, endPage: 0x400 };
    const inputs = { DomainID: 5, S: 1, Address: 0x2f_f000 };
    assert.deepEqual(operations(amdCommands.invalidateIommuPages(inputs)), [
      { translations: { vm: 5, stage1: false, pages, largestShift: 21 } },
      { translations: { vm: 5, stage1: true, guestPages: pages, largestShift: 21 } },
    ]);
    assert.deepEqual(operations(amdCommands.invalidateIommuPages({ ...inputs, PDE: 1 })), [
      {
        translations: { vm: 5, stage1: false, pages, largestShift: 21 },
        tables: { vm: 5, stage: 2, pages },
      },
      {
        translations: { vm: 5, stage1: true, guestPages: pages, largestShift: 21 },
        tables: { vm: 5, stage: 1, guestPages: pages },
      },
    ]);
  });

  it('INVALIDATE_IOMMU_PAGES with GN = 1 means one PASID, with PDE = 1 its tables and its GCR3 entry', () => {
    const tags = { vm: 5, space: 3, stage1: true };
    const inputs = { DomainID: 5, GN: 1, PASID: 3, Address: 0x7000 };
    const pages = { startPage: 7, endPage: 8 };
    const translations = { ...tags, pages, largestShift: 12 };
    assert.deepEqual(operations(amdCommands.invalidateIommuPages(inputs)), [{ translations }]);
    assert.deepEqual(operations(amdCommands.invalidateIommuPages({ ...inputs, PDE: 1 })), [
      { translations, tables: { ...tags, stage: 1, pages } },
      { processes: { vm: 5, pasid: 3 } },
    ]);
    const [, ...processes] = operations(amdCommands.invalidateIommuPages({ ...inputs, PASID: 0, PDE: 1 }));
    assert.deepEqual(processes, [{ processes: { vm: 5, pasid: 0 } }, { processes: { vm: 5, pasid: null } }]);
  });

  it('INVALIDATE_IOMMU_PAGES with every bit of the address but the last means every page', () => {
    const [host] = operations(
      amdCommands.invalidateIommuPages({ DomainID: 5, S: 1, Address: AMD_EVERY_PAGE }),
    );
    assert.deepEqual(host, { translations: { vm: 5, stage1: false, pages: EVERY, largestShift: 64 } });
  });

  it('INVALIDATE_IOTLB_PAGES goes to a device', () => {
    const command = decode(
      amdCommands.invalidateIotlbPages({ DeviceID: 0x100, GN: 1, PASID: 0xa_bcde, S: 1, Address: 0x2f_f000 }),
    );
    assert.ok(command.kind === 'device-tlb');
    assert.deepEqual(command.operation, {
      requester: 0x100,
      pasid: 0xa_bcde,
      global: false,
      pages: { startPage: 0x200, endPage: 0x400 },
    });
    const plain = decode(amdCommands.invalidateIotlbPages({ DeviceID: 0x100, Address: 0x5000 }));
    assert.ok(plain.kind === 'device-tlb' && plain.operation.pasid === null);
  });

  it('INVALIDATE_IOMMU_ALL means everything', () => {
    assert.deepEqual(operations(amdCommands.invalidateIommuAll()), [
      { translations: {}, tables: {}, contexts: {}, processes: {} },
    ]);
  });

  it('are without effect on translations for interrupts, prefetch and page requests', () => {
    assert.equal(decode(amdCommands.invalidateInterruptTable({})).kind, 'other');
    assert.equal(decode(amdCommands.prefetchIommuPages({})).kind, 'other');
    assert.equal(decode(amdCommands.completePprRequest({})).kind, 'other');
  });

  it('are illegal with a reserved opcode', () => {
    for (const opcode of [0n, 9n, 10n, 15n]) assert.match(refused([opcode << 60n, 0n]), /reserved/);
  });

  it('are illegal with reserved bits', () => {
    const cases: readonly [bigint, readonly number[], readonly number[]][] = [
      [1n, [52, 59], []],
      [2n, [16, 59], [0, 63]],
      [3n, [20, 31, 48, 59], [3, 11]],
      [4n, [], [1, 3, 6, 11]],
      [5n, [16, 59], [0, 63]],
      [6n, [16, 23, 52, 59], [1, 3, 5, 11]],
      [7n, [16, 31, 52, 59], [0, 1, 3, 31, 48, 63]],
      [8n, [0, 31, 32, 59], [0, 63]],
    ];
    for (const [opcode, low, high] of cases) {
      const word = opcode << 60n;
      for (const place of low)
        assert.match(refused([word | bit(place), 0n]), /reserved/, `${opcode} ${place}`);
      for (const place of high) assert.match(refused([word, bit(place)]), /reserved/, `${opcode} ${place}`);
    }
  });

  it('are illegal where the IOMMU lacks what they ask for', () => {
    const without = (place: number) => registers(FEATURES & ~bit(place));
    assert.match(refused(amdCommands.prefetchIommuPages({}), without(0)), /PreFSup/);
    assert.match(refused(amdCommands.completePprRequest({}), without(1)), /PPRSup/);
    assert.match(refused(amdCommands.invalidateIommuPages({ GN: 1 }), without(4)), /GTSup/);
    assert.match(refused(amdCommands.invalidateIotlbPages({ GN: 1 }), without(4)), /GTSup/);
    assert.match(refused(amdCommands.invalidateIommuAll(), without(6)), /IASup/);
  });

  it('are illegal with a PASID and GN = 0', () => {
    assert.match(refused(amdCommands.invalidateIommuPages({ PASID: 1 })), /PASID/);
    assert.match(refused(amdCommands.invalidateIotlbPages({ PASID: 1 })), /PASID/);
  });
});
