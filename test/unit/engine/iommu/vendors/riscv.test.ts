import assert from 'node:assert/strict';
import {
  decodeRiscv,
  invalidateRequest,
  riscvCommands,
} from '../../../../../src/engine/iommu/vendors/riscv/commands';
import { bit, decoding } from './decoding';

// Words by hand from RISC-V IOMMU 1.0 §3.1.
/** MSI_FLAT, ATS, PD8, PD17, PD20, NL, S. */
const CAPABILITIES = bit(22) | bit(25) | bit(38) | bit(39) | bit(40) | bit(42) | bit(43);
const THREE_LEVELS = 4n;
const registers = (capabilities = CAPABILITIES, ddtp = THREE_LEVELS, fctl = 0n): Map<string, bigint> =>
  new Map([
    ['capabilities', capabilities],
    ['ddtp', ddtp],
    ['fctl', fctl],
  ]);
const { decode, operations, refused } = decoding(decodeRiscv, registers());
const EVERY = { startPage: 0, endPage: 2 ** 52 };

describe('RISC-V IOMMU commands', () => {
  it('are the words of §3.1', () => {
    assert.deepEqual(
      riscvCommands.invalidateVma({
        AV: 1,
        PSCV: 1,
        GV: 1,
        PSCID: 0x12345,
        GSCID: 0xabcd,
        ADDR: 0x7f_ffff_f000n,
      }),
      [0x0abc_d003_1234_5401n, 0x1f_ffff_fc00n],
    );
    assert.deepEqual(riscvCommands.invalidateVma({ AV: 1, NL: 1, S: 1, ADDR: 0x3000 }), [
      0x4_0000_0401n,
      0xe00n,
    ]);
    assert.deepEqual(riscvCommands.invalidateGvma({ GV: 1, GSCID: 5 }), [0x0000_5002_0000_0081n, 0n]);
    assert.deepEqual(riscvCommands.fence({ AV: 1, PR: 1, PW: 1, DATA: 0xdead_beefn, ADDR: 0x8000_0004n }), [
      0xdead_beef_0000_3402n,
      0x2000_0001n,
    ]);
    assert.deepEqual(riscvCommands.fence({ WSI: 1 }), [0x802n, 0n]);
    assert.deepEqual(riscvCommands.invalidateDevice({ DV: 1, DID: 0x01_2345 }), [0x0123_4502_0000_0003n, 0n]);
    assert.deepEqual(riscvCommands.invalidateProcess({ DV: 1, DID: 0x01_2345, PID: 0xf_ffff }), [
      0x0123_4502_ffff_f083n,
      0n,
    ]);
    assert.deepEqual(
      riscvCommands.invalidateDeviceTlb({ DSV: 1, DSEG: 0x43, RID: 0x2145, PV: 1, PID: 7, PAYLOAD: 0x1000 }),
      [0x4321_4503_0000_7004n, 0x1000n],
    );
    assert.deepEqual(riscvCommands.pageResponse({ RID: 1 }), [0x0000_0100_0000_0084n, 0n]);
  });

  it('IOTINVAL.VMA with GV = 0 means the host address spaces, with GV = 1 those of a guest', () => {
    const tags = { vm: -1, stage1: true };
    assert.deepEqual(operations([0x1n, 0n]), [{ translations: tags, tables: { ...tags, stage: 1 } }]);
    const guest = { vm: 9, stage1: true };
    assert.deepEqual(operations(riscvCommands.invalidateVma({ GV: 1, GSCID: 9 })), [
      { translations: guest, tables: { ...guest, stage: 1 } },
    ]);
  });

  it('IOTINVAL.VMA with AV = 1 reaches leaf entries only, with NL = 1 those of every level', () => {
    const pages = { startPage: 0x12345, endPage: 0x12346 };
    const tags = { vm: -1, stage1: true, pages };
    assert.deepEqual(operations(riscvCommands.invalidateVma({ AV: 1, ADDR: 0x1234_5000 })), [
      { translations: tags },
    ]);
    assert.deepEqual(operations(riscvCommands.invalidateVma({ AV: 1, NL: 1, ADDR: 0x1234_5000 })), [
      { translations: tags, tables: { ...tags, stage: 1 } },
    ]);
  });

  it('IOTINVAL.VMA with PSCV = 1 keeps global mappings, with an address or without', () => {
    const tags = { vm: -1, stage1: true, space: 10, keepsGlobal: true };
    assert.deepEqual(operations(riscvCommands.invalidateVma({ PSCV: 1, PSCID: 10 })), [
      { translations: tags, tables: { ...tags, stage: 1 } },
    ]);
    assert.deepEqual(operations(riscvCommands.invalidateVma({ PSCV: 1, PSCID: 10, AV: 1 })), [
      { translations: { ...tags, pages: { startPage: 0, endPage: 1 } } },
    ]);
  });

  it('PSCID and GSCID do not count when PSCV and GV are 0', () => {
    assert.deepEqual(
      operations(riscvCommands.invalidateVma({ PSCID: 10, GSCID: 9 })),
      operations(riscvCommands.invalidateVma({})),
    );
  });

  it('IOTINVAL.VMA with S = 1 has the size in the address', () => {
    assert.deepEqual(operations(riscvCommands.invalidateVma({ AV: 1, S: 1, ADDR: 0x2f_f000 })), [
      { translations: { vm: -1, stage1: true, pages: { startPage: 0x200, endPage: 0x400 } } },
    ]);
  });

  it('IOTINVAL.GVMA with GV = 0 means every guest, whatever AV says', () => {
    const all = [
      { translations: { guestPages: EVERY }, tables: { stage: 2 } },
      { tables: { stage: 1, guestPages: EVERY } },
    ];
    assert.deepEqual(operations(riscvCommands.invalidateGvma({})), all);
    assert.deepEqual(operations(riscvCommands.invalidateGvma({ AV: 1, ADDR: 0x1000, GSCID: 3 })), all);
  });

  it('IOTINVAL.GVMA with GV = 1 means one guest, with AV = 1 what went through one guest page', () => {
    assert.deepEqual(operations(riscvCommands.invalidateGvma({ GV: 1, GSCID: 3 })), [
      { translations: { vm: 3, guestPages: EVERY }, tables: { vm: 3, stage: 2 } },
      { tables: { vm: 3, stage: 1, guestPages: EVERY } },
    ]);
    const guestPages = { startPage: 7, endPage: 8 };
    const leaves = { translations: { vm: 3, guestPages }, tables: { vm: 3, stage: 1, guestPages } };
    assert.deepEqual(operations(riscvCommands.invalidateGvma({ GV: 1, GSCID: 3, AV: 1, ADDR: 0x7000 })), [
      leaves,
    ]);
    assert.deepEqual(
      operations(riscvCommands.invalidateGvma({ GV: 1, GSCID: 3, AV: 1, NL: 1, ADDR: 0x7000 })),
      [leaves, { tables: { vm: 3, stage: 2, pages: guestPages } }],
    );
  });

  it('IODIR.INVAL_DDT drops process contexts with their device context; INVAL_PDT one process', () => {
    assert.deepEqual(operations(riscvCommands.invalidateDevice({})), [{ contexts: {}, processes: {} }]);
    const requester = 0x12345;
    assert.deepEqual(operations(riscvCommands.invalidateDevice({ DV: 1, DID: requester })), [
      { contexts: { requester }, processes: { requester } },
    ]);
    assert.deepEqual(operations(riscvCommands.invalidateProcess({ DV: 1, DID: requester, PID: 3 })), [
      { processes: { requester, pasid: 3 } },
    ]);
    // tc.DPE: requests without a process_id use process 0.
    assert.deepEqual(operations(riscvCommands.invalidateProcess({ DV: 1, DID: requester })), [
      { processes: { requester, pasid: 0 } },
      { processes: { requester, pasid: null } },
    ]);
  });

  it('IOFENCE.C drains what PR and PW say, stores 4 bytes and raises a wire', () => {
    const wired = registers(CAPABILITIES, THREE_LEVELS, bit(1));
    assert.deepEqual(decode(riscvCommands.fence({ PW: 1, AV: 1, DATA: 7, ADDR: 0x1004, WSI: 1 }), wired), {
      kind: 'wait',
      name: 'IOFENCE.C',
      drainsReads: false,
      drainsWrites: true,
      interrupt: true,
      store: { address: 0x1004, value: 7n, bytes: 4 },
    });
    const plain = decode(riscvCommands.fence({ PR: 1 }));
    assert.ok(plain.kind === 'wait' && plain.drainsReads && !plain.drainsWrites && plain.store === undefined);
  });

  it('ATS.INVAL goes to the function and segment that it names, with its payload', () => {
    const PAYLOAD = invalidateRequest(0x1234_5000n, 9, true);
    assert.equal(PAYLOAD, 0x122f_f801n);
    const words = riscvCommands.invalidateDeviceTlb({ DSV: 1, DSEG: 2, RID: 0x100, PV: 1, PID: 5, PAYLOAD });
    assert.deepEqual(decode(words), {
      kind: 'device-tlb',
      name: 'ATS.INVAL',
      operation: {
        requester: 0x2_0100,
        pasid: 5,
        global: true,
        pages: { startPage: 0x12200, endPage: 0x12400 },
      },
    });
    const plain = decode(riscvCommands.invalidateDeviceTlb({ DSEG: 2, RID: 0x100, PAYLOAD: 0x5000 }));
    assert.ok(plain.kind === 'device-tlb');
    assert.deepEqual(plain.operation, {
      requester: 0x100,
      pasid: null,
      global: false,
      pages: { startPage: 5, endPage: 6 },
    });
    assert.equal(decode(riscvCommands.pageResponse({ RID: 0x100 })).kind, 'other');
  });

  it('are illegal with a reserved opcode or func3', () => {
    for (const opcode of [0n, 5n, 6n, 127n]) assert.match(refused([opcode, 0n]), /reserved/);
    for (const word of [0x101n, 0x82n, 0x103n, 0x104n]) assert.match(refused([word, 0n]), /reserved/);
  });

  it('are illegal with reserved bits', () => {
    for (const place of [11, 35, 43, 60, 63])
      assert.match(refused([1n | bit(place), 0n]), /reserved/, `${place}`);
    for (const place of [0, 8, 62, 63]) assert.match(refused([1n, bit(place)]), /reserved/, `${place}`);
    for (const place of [14, 31]) assert.match(refused([2n | bit(place), 0n]), /reserved/, `${place}`);
    for (const place of [62, 63]) assert.match(refused([2n, bit(place)]), /reserved/, `${place}`);
    for (const place of [10, 11, 32, 34, 39])
      assert.match(refused([3n | bit(place), 0n]), /reserved/, `${place}`);
    assert.match(refused([3n, 1n]), /reserved/);
    for (const place of [10, 11, 34, 39])
      assert.match(refused([4n | bit(place), 0n]), /reserved/, `${place}`);
  });

  it('are illegal where the IOMMU lacks what they ask for', () => {
    const without = (place: number) => registers(CAPABILITIES & ~bit(place));
    assert.match(refused(riscvCommands.invalidateVma({ NL: 1 }), without(42)), /capabilities\.NL/);
    assert.match(refused(riscvCommands.invalidateGvma({ S: 1 }), without(43)), /capabilities\.S/);
    assert.match(refused(riscvCommands.invalidateDeviceTlb({}), without(25)), /capabilities\.ATS/);
    assert.match(refused(riscvCommands.pageResponse({}), without(25)), /capabilities\.ATS/);
    assert.match(refused(riscvCommands.fence({ WSI: 1 })), /fctl\.WSI/);
  });

  it('are illegal with operands that they do not take', () => {
    assert.match(refused(riscvCommands.invalidateGvma({ PSCV: 1 })), /PSCV/);
    assert.match(refused(riscvCommands.invalidateProcess({ DID: 1 })), /DV/);
    assert.match(refused(riscvCommands.invalidateDevice({ DV: 1, PID: 1 })), /PID/);
  });

  it('are illegal with a device_id wider than ddtp allows, in either form of device contexts', () => {
    for (const [capabilities, mode, width] of [
      [CAPABILITIES, 2n, 6],
      [CAPABILITIES, 3n, 15],
      [CAPABILITIES & ~bit(22), 2n, 7],
      [CAPABILITIES & ~bit(22), 3n, 16],
    ] as const) {
      const with_ = registers(capabilities, mode);
      const most = 2 ** width - 1;
      assert.equal(decode(riscvCommands.invalidateDevice({ DV: 1, DID: most }), with_).kind, 'invalidate');
      assert.match(refused(riscvCommands.invalidateDevice({ DV: 1, DID: most + 1 }), with_), /wider/);
      assert.match(refused(riscvCommands.invalidateProcess({ DV: 1, DID: most + 1 }), with_), /wider/);
      // Without DV the field is no operand.
      assert.equal(decode(riscvCommands.invalidateDevice({ DID: most + 1 }), with_).kind, 'invalidate');
    }
  });

  it('are illegal with a process_id wider than capabilities allow', () => {
    const upTo17 = registers(CAPABILITIES & ~bit(40));
    const upTo8 = registers(CAPABILITIES & ~bit(40) & ~bit(39));
    assert.equal(
      decode(riscvCommands.invalidateProcess({ DV: 1, PID: 0x1_ffff }), upTo17).kind,
      'invalidate',
    );
    assert.match(refused(riscvCommands.invalidateProcess({ DV: 1, PID: 0x2_0000 }), upTo17), /wide/);
    assert.equal(decode(riscvCommands.invalidateProcess({ DV: 1, PID: 0xff }), upTo8).kind, 'invalidate');
    assert.match(refused(riscvCommands.invalidateProcess({ DV: 1, PID: 0x100 }), upTo8), /wide/);
  });
});
