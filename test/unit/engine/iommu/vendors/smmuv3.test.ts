import assert from 'node:assert/strict';
import { decodeSmmu, smmuCommands } from '../../../../../src/engine/iommu/vendors/smmuv3/commands';
import { bit, decoding } from './decoding';

// Words by hand from IHI 0070 chapter 4.
/** S2P, S1P, Hyp, ATS, ASID16, MSI, PRI, VMID16. */
const IDR0 = [0, 1, 9, 10, 12, 13, 16, 18].reduce((all, place) => all | bit(place), 0n);
/** SIDSIZE 32, SSIDSIZE 20. */
const IDR1 = 32n | (20n << 6n);
const RIL = bit(10);
const registers = (idr0 = IDR0, idr1 = IDR1, idr3 = RIL): Map<string, bigint> =>
  new Map([
    ['IDR0', idr0],
    ['IDR1', idr1],
    ['IDR3', idr3],
  ]);
const { decode, operations, refused } = decoding(decodeSmmu, registers());

describe('SMMUv3 commands', () => {
  it('are the words of chapter 4', () => {
    assert.deepEqual(smmuCommands.cfgiSte({ StreamID: 0x1234_5678, Leaf: 1 }), [0x1234_5678_0000_0003n, 1n]);
    assert.deepEqual(smmuCommands.cfgiSteRange({ StreamID: 0x100, Range: 7 }), [0x100_0000_0004n, 7n]);
    assert.deepEqual(smmuCommands.cfgiAll(), [4n, 0x1fn]);
    assert.deepEqual(smmuCommands.cfgiCd({ StreamID: 0x10, SubstreamID: 0xa_bcde, Leaf: 1 }), [
      0x10_abcd_e005n,
      1n,
    ]);
    assert.deepEqual(smmuCommands.cfgiCdAll({ StreamID: 0x10 }), [0x10_0000_0006n, 0n]);
    assert.deepEqual(smmuCommands.tlbiNhAll({ VMID: 0x1234 }), [0x1234_0000_0010n, 0n]);
    assert.deepEqual(smmuCommands.tlbiNhAsid({ VMID: 0x1234, ASID: 0x5678 }), [0x5678_1234_0000_0011n, 0n]);
    assert.deepEqual(
      smmuCommands.tlbiNhVa({
        VMID: 0x1234,
        ASID: 0x5678,
        NUM: 3,
        SCALE: 9,
        TG: 1,
        TTL: 2,
        Leaf: 1,
        Address: 0x7f_0020_0000n,
      }),
      [0x5678_1234_0090_3012n, 0x7f_0020_0601n],
    );
    assert.deepEqual(smmuCommands.tlbiNhVaa({ VMID: 1, Address: 0x1000 }), [0x1_0000_0013n, 0x1000n]);
    assert.deepEqual(smmuCommands.tlbiEl2All(), [0x20n, 0n]);
    assert.deepEqual(smmuCommands.tlbiEl2Asid({ ASID: 1 }), [0x0001_0000_0000_0021n, 0n]);
    assert.deepEqual(smmuCommands.tlbiEl2Va({ ASID: 1, Address: 0x1000 }), [0x0001_0000_0000_0022n, 0x1000n]);
    assert.deepEqual(smmuCommands.tlbiEl2Vaa({ Address: 0x1000 }), [0x23n, 0x1000n]);
    assert.deepEqual(smmuCommands.tlbiS12Vmall({ VMID: 2 }), [0x2_0000_0028n, 0n]);
    assert.deepEqual(smmuCommands.tlbiS2Ipa({ VMID: 2, Address: 0x1000, Leaf: 1 }), [
      0x2_0000_002an,
      0x1001n,
    ]);
    assert.deepEqual(smmuCommands.tlbiNsnhAll(), [0x30n, 0n]);
    assert.deepEqual(
      smmuCommands.atcInv({
        StreamID: 0x100,
        SSV: 1,
        SubstreamID: 5,
        Global: 1,
        Size: 9,
        Address: 0x20_0000,
      }),
      [0x100_0000_5a40n, 0x20_0009n],
    );
    assert.deepEqual(smmuCommands.priResp({ StreamID: 0x100, PRGIndex: 5, Resp: 2 }), [
      0x100_0000_0041n,
      0x2005n,
    ]);
    assert.deepEqual(smmuCommands.resume({ StreamID: 0x100, Ac: 1, STAG: 0xbeef }), [
      0x100_0000_1044n,
      0xbeefn,
    ]);
    assert.deepEqual(smmuCommands.stallTerm({ StreamID: 0x100 }), [0x100_0000_0045n, 0n]);
    assert.deepEqual(
      smmuCommands.sync({ CS: 1, MSH: 3, MSIAttr: 0xf, MSIData: 0xdead, MSIAddress: 0x8000_0040 }),
      [0xdead_0fc0_1046n, 0x8000_0040n],
    );
  });

  it('of the configuration mean an STE with its CDs, a range of STEs, a CD', () => {
    const requester = 0x107;
    assert.deepEqual(operations(smmuCommands.cfgiSte({ StreamID: requester })), [
      { contexts: { requester }, processes: { requester } },
    ]);
    assert.deepEqual(operations(smmuCommands.cfgiSteRange({ StreamID: requester, Range: 2 })), [
      { contexts: { requester, mask: 7 }, processes: {} },
    ]);
    assert.deepEqual(operations(smmuCommands.cfgiAll()), [{ contexts: {}, processes: {} }]);
    assert.deepEqual(operations(smmuCommands.cfgiCd({ StreamID: requester, SubstreamID: 3 })), [
      { processes: { requester, pasid: 3 } },
    ]);
    // CD 0 is that of requests without a SubstreamID.
    assert.deepEqual(operations(smmuCommands.cfgiCd({ StreamID: requester })), [
      { processes: { requester, pasid: 0 } },
      { processes: { requester, pasid: null } },
    ]);
    assert.deepEqual(operations(smmuCommands.cfgiCdAll({ StreamID: requester })), [
      { processes: { requester } },
    ]);
  });

  it('of stage 1 are limited to a VMID; by ASID they keep global entries, by address they do not', () => {
    const all = { vm: 5, stage1: true };
    assert.deepEqual(operations(smmuCommands.tlbiNhAll({ VMID: 5 })), [{ translations: all, tables: all }]);
    const asid = { ...all, space: 9, keepsGlobal: true };
    assert.deepEqual(operations(smmuCommands.tlbiNhAsid({ VMID: 5, ASID: 9 })), [
      { translations: asid, tables: asid },
    ]);
    const pages = { startPage: 7, endPage: 8 };
    const va = { ...all, space: 9, pages };
    assert.deepEqual(operations(smmuCommands.tlbiNhVa({ VMID: 5, ASID: 9, Address: 0x7000 })), [
      { translations: va, tables: va },
    ]);
    assert.deepEqual(operations(smmuCommands.tlbiNhVaa({ VMID: 5, Address: 0x7000 })), [
      { translations: { ...all, pages }, tables: { ...all, pages } },
    ]);
  });

  it('of EL2 have no VMID', () => {
    const tags = { vm: -1, stage1: true };
    assert.deepEqual(operations(smmuCommands.tlbiEl2All()), [{ translations: tags, tables: tags }]);
    const asid = { ...tags, space: 9, keepsGlobal: true };
    assert.deepEqual(operations(smmuCommands.tlbiEl2Asid({ ASID: 9 })), [
      { translations: asid, tables: asid },
    ]);
  });

  it('with Leaf = 1 keep table pointers', () => {
    const pages = { startPage: 7, endPage: 8 };
    assert.deepEqual(operations(smmuCommands.tlbiNhVa({ VMID: 5, ASID: 9, Leaf: 1, Address: 0x7000 })), [
      { translations: { vm: 5, stage1: true, space: 9, pages } },
    ]);
  });

  it('of stage 2 by address keep entries of both stages; of a whole VMID they do not', () => {
    const pages = { startPage: 7, endPage: 8 };
    assert.deepEqual(operations(smmuCommands.tlbiS2Ipa({ VMID: 5, Address: 0x7000 })), [
      { translations: { vm: 5, stage1: false, pages }, tables: { vm: 5, stage: 2, pages } },
    ]);
    assert.deepEqual(operations(smmuCommands.tlbiS12Vmall({ VMID: 5 })), [
      { translations: { vm: 5 }, tables: { vm: 5 } },
    ]);
    assert.deepEqual(operations(smmuCommands.tlbiNsnhAll()), [{ translations: {}, tables: {} }]);
  });

  it('of ranges mean (NUM + 1) * 2^SCALE granules', () => {
    const pagesOf = (inputs: Parameters<typeof smmuCommands.tlbiNhVaa>[0]) =>
      operations(smmuCommands.tlbiNhVaa({ Leaf: 1, ...inputs }))[0]?.translations?.pages;
    const Address = 0x10_0000;
    assert.deepEqual(pagesOf({ Address, TG: 1, NUM: 3, SCALE: 2 }), { startPage: 0x100, endPage: 0x110 });
    assert.deepEqual(pagesOf({ Address, TG: 2, NUM: 1 }), { startPage: 0x100, endPage: 0x108 });
    assert.deepEqual(pagesOf({ Address, TG: 3, SCALE: 1 }), { startPage: 0x100, endPage: 0x120 });
    assert.deepEqual(pagesOf({ Address: 0xffff_ffff_f000_0000n, TG: 3, NUM: 31, SCALE: 31 }), {
      startPage: 0xf_ffff_ffff_0000,
      endPage: 2 ** 52,
    });
  });

  it('with TTL reach leaves of that level and contiguous runs of them, and none of a level above', () => {
    const largest = (TG: number, TTL: number) =>
      operations(smmuCommands.tlbiNhVaa({ Leaf: 1, TG, TTL }))[0]?.translations?.largestShift;
    // 4K: level 3 has 4K and runs of 64K, level 2 2M and 32M, level 1 1G.
    assert.equal(largest(1, 3), 20);
    assert.equal(largest(1, 2), 29);
    assert.equal(largest(1, 1), 38);
    // 16K: runs of 2M below leaves of 32M; 64K: runs of 2M below leaves of 512M.
    assert.equal(largest(2, 3), 24);
    assert.equal(largest(3, 3), 28);
    assert.equal(operations(smmuCommands.tlbiNhVa({}))[0]?.translations?.largestShift, undefined);
  });

  it('of device TLBs name 2^Size pages', () => {
    const command = decode(
      smmuCommands.atcInv({ StreamID: 0x100, SSV: 1, SubstreamID: 5, Size: 9, Address: 0x21_0000 }),
    );
    assert.ok(command.kind === 'device-tlb');
    assert.deepEqual(command.operation, {
      requester: 0x100,
      pasid: 5,
      global: false,
      pages: { startPage: 0x200, endPage: 0x400 },
    });
    const plain = decode(smmuCommands.atcInv({ StreamID: 0x100, Global: 1, Size: 52 }));
    assert.ok(plain.kind === 'device-tlb');
    // Without SSV, Global has no meaning.
    assert.deepEqual(plain.operation, {
      requester: 0x100,
      pasid: null,
      global: false,
      pages: { startPage: 0, endPage: 2 ** 52 },
    });
  });

  it('CMD_SYNC drains, and stores its message where MSIs are supported', () => {
    const words = smmuCommands.sync({ CS: 1, MSIData: 7, MSIAddress: 0x1004 });
    assert.deepEqual(decode(words), {
      kind: 'wait',
      name: 'CMD_SYNC',
      drainsReads: true,
      drainsWrites: true,
      interrupt: false,
      store: { address: 0x1004, value: 7n, bytes: 4 },
    });
    const wired = decode(words, registers(IDR0 & ~bit(13)));
    assert.ok(wired.kind === 'wait' && wired.interrupt && wired.store === undefined);
    const event = decode(smmuCommands.sync({ CS: 2 }));
    assert.ok(event.kind === 'wait' && event.interrupt);
    const silent = decode(smmuCommands.sync({ MSIAddress: 0x1000 }));
    assert.ok(silent.kind === 'wait' && !silent.interrupt && silent.store === undefined);
  });

  it('are without effect on translations for prefetch, resume and page responses', () => {
    for (const words of [
      [1n, 0n],
      [2n, 0n],
      smmuCommands.priResp({}),
      smmuCommands.resume({}),
      smmuCommands.stallTerm({}),
    ])
      assert.equal(decode(words).kind, 'other');
  });

  it('are illegal with an opcode that a Non-secure queue does not have', () => {
    for (const opcode of [0n, 0x14n, 0x18n, 0x29n, 0x50n, 0x60n, 0xffn])
      assert.match(refused([opcode, 0n]), /reserved/);
  });

  it('are illegal with reserved bits', () => {
    const cases: readonly [bigint, readonly number[], readonly number[]][] = [
      [0x03n, [8, 9, 11, 12, 31], [1, 63]],
      [0x10n, [8, 31, 48], [0, 63]],
      [0x12n, [8, 11, 17, 19, 25, 31], [1, 7]],
      [0x2an, [48, 63], [1, 7, 56, 63]],
      [0x30n, [8, 63], [0, 63]],
      [0x40n, [8], [6, 11]],
      [0x46n, [8, 11, 14, 21, 28, 31], [0, 1, 56, 63]],
    ];
    for (const [word, low, high] of cases) {
      for (const place of low) assert.match(refused([word | bit(place), 0n]), /reserved/, `${word} ${place}`);
      for (const place of high) assert.match(refused([word, bit(place)]), /reserved/, `${word} ${place}`);
    }
  });

  it('are illegal where the SMMU lacks what they ask for', () => {
    const without = (place: number) => registers(IDR0 & ~bit(place));
    assert.match(refused(smmuCommands.tlbiS2Ipa({}), without(0)), /S2P/);
    assert.match(refused(smmuCommands.tlbiS12Vmall({}), without(0)), /S2P/);
    assert.match(refused(smmuCommands.tlbiNhAll({}), without(1)), /S1P/);
    assert.match(refused(smmuCommands.tlbiEl2All(), without(9)), /Hyp/);
    assert.match(refused(smmuCommands.atcInv({}), without(10)), /ATS/);
    assert.match(refused(smmuCommands.priResp({}), without(16)), /PRI/);
  });

  it('are illegal with ids that are too wide, and for the Secure state', () => {
    assert.match(refused(smmuCommands.cfgiSte({ StreamID: 0x100 }), registers(IDR0, 8n)), /StreamID/);
    assert.match(
      refused(smmuCommands.cfgiCd({ SubstreamID: 0x10 }), registers(IDR0, 32n | (4n << 6n))),
      /SubstreamID/,
    );
    assert.match(refused(smmuCommands.tlbiNhAll({ VMID: 0x100 }), registers(IDR0 & ~bit(18))), /VMID/);
    assert.match(refused(smmuCommands.tlbiNhAsid({ ASID: 0x100 }), registers(IDR0 & ~bit(12))), /ASID/);
    assert.match(refused(smmuCommands.cfgiSte({ SSec: 1 })), /SSec/);
  });

  it('are illegal with range fields that say nothing', () => {
    const without = registers(IDR0, IDR1, 0n);
    assert.match(refused(smmuCommands.tlbiNhVa({ TG: 1, TTL: 3 }), without), /RIL/);
    assert.match(refused(smmuCommands.tlbiNhVa({ NUM: 1 })), /TG is 0/);
    assert.match(refused(smmuCommands.tlbiNhVa({ TTL: 3 })), /TG is 0/);
    assert.match(refused(smmuCommands.tlbiNhVa({ TG: 1 })), /all 0/);
    assert.match(refused(smmuCommands.tlbiNhVa({ TG: 2, TTL: 1 })), /16K/);
  });

  it('are illegal with reserved values', () => {
    assert.match(refused(smmuCommands.atcInv({ Size: 53 })), /Size/);
    assert.match(refused(smmuCommands.sync({ CS: 3 })), /CS/);
    assert.match(refused(smmuCommands.priResp({ Resp: 3 })), /Resp/);
    assert.match(refused(smmuCommands.resume({ Ac: 1, Ab: 1 })), /Ac/);
  });
});
