import assert from 'node:assert/strict';
import { decodeVtd, vtdCommands } from '../../../../../src/engine/iommu/vendors/vtd/commands';
import { bit, decoding } from './decoding';

// Words by hand from the figures of VT-d 5.10 §6.5.2.
/** MAMV 18, read and write draining. */
const CAP = (18n << 48n) | bit(55) | bit(54);
/** Device TLB, DIT, scalable mode. */
const ECAP = bit(2) | bit(41) | bit(43);
const SCALABLE = 1n << 10n;
const registers = (cap = CAP, ecap = ECAP, rtaddr = SCALABLE): Map<string, bigint> =>
  new Map([
    ['CAP', cap],
    ['ECAP', ecap],
    ['RTADDR', rtaddr],
  ]);
const legacy = registers(CAP, ECAP, 0n);
const { decode, operations, refused } = decoding(decodeVtd, registers());
const wide = (lo: bigint, hi = 0n): bigint[] => [lo, hi, 0n, 0n];

describe('VT-d invalidation descriptors', () => {
  it('are the words of §6.5.2', () => {
    assert.deepEqual(
      vtdCommands.contextCache({ G: 3, DID: 0x1234, SID: 0xf8, FM: 3 }),
      wide(0x0003_00f8_1234_0031n),
    );
    assert.deepEqual(
      vtdCommands.iotlb({ G: 3, DW: 1, DR: 1, DID: 5, AM: 9, IH: 1, ADDR: 0x7f_0020_0000n }),
      wide(0x5_00f2n, 0x7f_0020_0049n),
    );
    assert.deepEqual(
      vtdCommands.deviceTlb({ MIP: 0x1f, PFSID: 0x1234, SID: 0x100, S: 1, ADDR: 0x7f000 }),
      wide(0x1230_0100_001f_4003n, 0x7_f001n),
    );
    assert.deepEqual(
      vtdCommands.interruptEntryCache({ G: 1, IM: 2, IIDX: 0x55 }),
      wide(0x0000_0055_1000_0014n),
    );
    assert.deepEqual(
      vtdCommands.wait({ IF: 1, SW: 1, FN: 1, SDATA: 1, SADDR: 0x1000 }),
      wide(0x0000_0001_0000_0075n, 0x1000n),
    );
    assert.deepEqual(
      vtdCommands.pasidIotlb({ G: 3, DID: 7, PASID: 0xa_bcde, AM: 1, ADDR: 0x4000 }),
      wide(0x000a_bcde_0007_0036n, 0x4001n),
    );
    assert.deepEqual(vtdCommands.pasidCache({ G: 1, DID: 7, PASID: 0xa_bcde }), wide(0x000a_bcde_0007_0017n));
    assert.deepEqual(
      vtdCommands.pasidDeviceTlb({ MIP: 3, SID: 0x100, PASID: 0xa_bcde, G: 1, S: 1, ADDR: 0x3ff_f000 }),
      wide(0x000a_bcde_0100_0038n, 0x3ff_f801n),
    );
    assert.deepEqual(
      vtdCommands.pageGroupResponse({ PP: 1, RC: 1, RID: 0x100, PASID: 5, LPIG: 1, PRGI: 3 }),
      wide(0x0000_0005_0100_1019n, 0x1cn),
    );
  });

  it('of the context cache mean all, a domain, or a device with functions masked', () => {
    assert.deepEqual(operations(vtdCommands.contextCache({ G: 1 })), [{ contexts: {} }]);
    assert.deepEqual(operations(vtdCommands.contextCache({ G: 2, DID: 5 }), legacy), [
      { contexts: { vm: 5 } },
    ]);
    // Context entries of scalable mode have no DID.
    assert.deepEqual(operations(vtdCommands.contextCache({ G: 2, DID: 5 })), [{ contexts: {} }]);
    for (const [FM, mask] of [
      [0, 0],
      [1, 4],
      [2, 6],
      [3, 7],
    ] as const)
      assert.deepEqual(operations(vtdCommands.contextCache({ G: 3, SID: 0x108, FM })), [
        { contexts: { requester: 0x108, mask } },
      ]);
  });

  it('of the IOTLB mean all or a domain', () => {
    assert.deepEqual(operations(vtdCommands.iotlb({ G: 1 })), [{ translations: {}, tables: {} }]);
    assert.deepEqual(operations(vtdCommands.iotlb({ G: 2, DID: 5 })), [
      { translations: { vm: 5 }, tables: { vm: 5 } },
    ]);
  });

  it('of pages mean second-stage entries by address, and first-stage and nested ones of the whole domain', () => {
    const pages = { startPage: 0x7f00200, endPage: 0x7f00400 };
    const second = { vm: 5, stage1: false, pages };
    const first = { vm: 5, stage1: true };
    const inputs = { G: 3, DID: 5, AM: 9, ADDR: 0x7f_0020_0000n };
    assert.deepEqual(operations(vtdCommands.iotlb(inputs)), [
      { translations: { ...second, largestShift: 21 }, tables: second },
      { translations: first, tables: first },
    ]);
    assert.deepEqual(operations(vtdCommands.iotlb({ ...inputs, IH: 1 })), [
      { translations: { ...second, largestShift: 21 } },
      { translations: first },
    ]);
  });

  it('drain what DR and DW ask for, where the unit can', () => {
    const drains = (words: readonly bigint[], of = registers()) => {
      const command = decode(words, of);
      assert.equal(command.kind, 'invalidate');
      return [command.drainsReads, command.drainsWrites];
    };
    assert.deepEqual(drains(vtdCommands.iotlb({ G: 1 })), [false, false]);
    assert.deepEqual(drains(vtdCommands.iotlb({ G: 1, DR: 1 })), [true, false]);
    assert.deepEqual(drains(vtdCommands.iotlb({ G: 1, DW: 1 })), [false, true]);
    assert.deepEqual(drains(vtdCommands.iotlb({ G: 1, DW: 1, DR: 1 }), registers(18n << 48n)), [
      false,
      false,
    ]);
    assert.deepEqual(drains(vtdCommands.pasidIotlb({ G: 2 })), [true, true]);
  });

  it('of the PASID-based IOTLB mean a PASID, or pages of it', () => {
    const tags = { vm: 7, space: 0x12345, stage1: true };
    const inputs = { DID: 7, PASID: 0x12345 };
    assert.deepEqual(operations(vtdCommands.pasidIotlb({ ...inputs, G: 2, AM: 3, IH: 1 })), [
      { translations: tags, tables: tags },
    ]);
    const paged = { ...tags, pages: { startPage: 4, endPage: 6 } };
    assert.deepEqual(operations(vtdCommands.pasidIotlb({ ...inputs, G: 3, AM: 1, ADDR: 0x5000 })), [
      { translations: { ...paged, largestShift: 13 }, tables: paged },
    ]);
    assert.deepEqual(operations(vtdCommands.pasidIotlb({ ...inputs, G: 3, AM: 1, ADDR: 0x5000, IH: 1 })), [
      { translations: { ...paged, largestShift: 13 } },
    ]);
  });

  it('of the PASID cache mean all, a domain, or a PASID and with it what requests without one use', () => {
    assert.deepEqual(operations(vtdCommands.pasidCache({ G: 3 })), [{ processes: {} }]);
    assert.deepEqual(operations(vtdCommands.pasidCache({ G: 0, DID: 7 })), [{ processes: { vm: 7 } }]);
    assert.deepEqual(operations(vtdCommands.pasidCache({ G: 1, DID: 7, PASID: 3 })), [
      { processes: { vm: 7, pasid: 3 } },
      { processes: { vm: 7, pasid: null } },
    ]);
  });

  it('of device TLBs name a device, a PASID, and a size in the address', () => {
    const plain = decode(vtdCommands.deviceTlb({ SID: 0x100, S: 1, ADDR: 0x2f_f000 }));
    assert.ok(plain.kind === 'device-tlb');
    assert.deepEqual(plain.operation, {
      requester: 0x100,
      pasid: null,
      global: false,
      pages: { startPage: 0x200, endPage: 0x400 },
    });
    const pasid = decode(vtdCommands.pasidDeviceTlb({ SID: 0x100, PASID: 5, G: 1, ADDR: 0x5000 }));
    assert.ok(pasid.kind === 'device-tlb');
    assert.deepEqual(pasid.operation, {
      requester: 0x100,
      pasid: 5,
      global: true,
      pages: { startPage: 5, endPage: 6 },
    });
  });

  it('of the wait store 4 bytes, raise an interrupt, and drain nothing themselves', () => {
    assert.deepEqual(decode(vtdCommands.wait({ SW: 1, SDATA: 2, SADDR: 0x1004 })), {
      kind: 'wait',
      name: 'wait',
      drainsReads: false,
      drainsWrites: false,
      interrupt: false,
      store: { address: 0x1004, value: 2n, bytes: 4 },
    });
    const fence = decode(vtdCommands.wait({ IF: 1, FN: 1, SDATA: 2, SADDR: 0x1004 }));
    assert.ok(fence.kind === 'wait' && fence.interrupt && fence.store === undefined);
  });

  it('are without effect on translations for interrupts and page responses', () => {
    assert.equal(decode(vtdCommands.interruptEntryCache({})).kind, 'other');
    assert.equal(decode(vtdCommands.pageGroupResponse({})).kind, 'other');
    // Private data fills the upper half.
    assert.equal(decode([...vtdCommands.pageGroupResponse({}).slice(0, 2), 5n, 6n]).kind, 'other');
    assert.match(refused(vtdCommands.pageGroupResponse({}).slice(0, 2)), /128-bit/);
  });

  it('are the same in a queue of 128 bits', () => {
    const words = vtdCommands.iotlb({ G: 2, DID: 5 });
    assert.deepEqual(decode(words.slice(0, 2)), decode(words));
  });

  it('are refused with a reserved type, also by its high part', () => {
    for (const type of [0n, 10n, 15n]) assert.match(refused(wide(type)), /reserved/);
    for (const high of [9, 10, 11]) assert.match(refused(wide(2n | bit(high))), /reserved/);
  });

  it('are refused with reserved fields', () => {
    // Reserved bits by descriptor: of the first word, then of the second.
    const cases: readonly [bigint, readonly number[], readonly number[]][] = [
      [0x11n, [6, 7, 8, 12, 15, 50, 63], [0, 63]],
      [0x12n, [8, 12, 15, 32, 63], [7, 11]],
      [0x03n, [4, 8, 21, 31, 48, 51], [1, 11]],
      [0x04n, [5, 8, 12, 26, 48, 63], [0, 63]],
      [0x05n, [8, 12, 31], [0, 1]],
      [0x26n, [6, 7, 8, 12, 15, 52, 63], [7, 11]],
      [0x07n, [6, 7, 8, 12, 15, 52, 63], [0, 63]],
      [0x08n, [], [1, 10]],
    ];
    for (const [word, low, high] of cases) {
      for (const place of low) assert.match(refused(wide(word | bit(place))), /reserved/, `${word} ${place}`);
      for (const place of high) assert.match(refused(wide(word, bit(place))), /reserved/, `${word} ${place}`);
      assert.match(refused([word, 0n, 1n, 0n]), /reserved/);
      assert.match(refused([word, 0n, 0n, 1n]), /reserved/);
    }
  });

  it('are refused with a reserved granularity', () => {
    assert.match(refused(vtdCommands.contextCache({ G: 0 })), /granularity/);
    assert.match(refused(vtdCommands.iotlb({ G: 0 })), /granularity/);
    assert.match(refused(vtdCommands.pasidIotlb({ G: 0 })), /granularity/);
    assert.match(refused(vtdCommands.pasidIotlb({ G: 1 })), /granularity/);
    assert.match(refused(vtdCommands.pasidCache({ G: 2 })), /granularity/);
  });

  it('are refused with a mask larger than CAP.MAMV', () => {
    assert.equal(decode(vtdCommands.iotlb({ G: 3, AM: 18 })).kind, 'invalidate');
    assert.match(refused(vtdCommands.iotlb({ G: 3, AM: 19 })), /MAMV/);
  });

  it('are refused for device TLBs where the unit has none, or no physical function ids', () => {
    assert.match(refused(vtdCommands.deviceTlb({ SID: 1 }), registers(CAP, bit(43))), /ECAP\.DT/);
    assert.match(refused(vtdCommands.deviceTlb({ PFSID: 1 }), registers(CAP, bit(2))), /PFSID/);
  });
});
