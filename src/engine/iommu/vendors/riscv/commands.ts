import { bits } from '../../../bits/bitFields';
import { type CacheOperation } from '../../cacheOperation';
import { type Command } from '../../commands';
import { type RegisterFile } from '../../vendor';
import { Layout, at, take, type FieldInputs, type NamedForm } from '../layout';
import { EVERY_PAGE, oneProcess, sizedAddress, sizedPages } from '../ranges';

// RISC-V IOMMU 1.0 §3.1. Commands are 16 bytes; func3 is bits 9:7, the opcode bits 6:0.
const OPCODE = at(6, 0);
const FUNCTION = at(9, 7);
const form = (opcode: number, func3: number) =>
  [
    [OPCODE, opcode],
    [FUNCTION, func3],
  ] as const;

const INVALIDATION = {
  AV: at(10),
  PSCID: at(31, 12),
  PSCV: at(32),
  GV: at(33),
  NL: at(34),
  GSCID: at(59, 44),
  S: at(73),
  ADDR: at(125, 74, 12),
};
const DIRECTORY = { PID: at(31, 12), DV: at(33), DID: at(63, 40) };
const ATS = {
  PID: at(31, 12),
  PV: at(32),
  DSV: at(33),
  RID: at(55, 40),
  DSEG: at(63, 56),
  PAYLOAD: at(127, 64),
};

const LAYOUTS = {
  /** §3.1.1 */
  'IOTINVAL.VMA': new Layout(2, INVALIDATION, form(1, 0)),
  'IOTINVAL.GVMA': new Layout(2, INVALIDATION, form(1, 1)),
  /** §3.1.2 */
  'IOFENCE.C': new Layout(
    2,
    { AV: at(10), WSI: at(11), PR: at(12), PW: at(13), DATA: at(63, 32), ADDR: at(125, 64, 2) },
    form(2, 0),
  ),
  /** §3.1.3 */
  'IODIR.INVAL_DDT': new Layout(2, DIRECTORY, form(3, 0)),
  'IODIR.INVAL_PDT': new Layout(2, DIRECTORY, form(3, 1)),
  /** §3.1.4 */
  'ATS.INVAL': new Layout(2, ATS, form(4, 0)),
  'ATS.PRGR': new Layout(2, ATS, form(4, 1)),
};

/** By name, with the fields as they are named here. */
export const RISCV_FORMS: Readonly<Record<string, NamedForm>> = LAYOUTS;

/** Words of commands, for software that writes the queue. */
export const riscvCommands = {
  /** `ADDR` in bytes; with `S` it says its size (`sizedAddress`). */
  invalidateVma: (inputs: FieldInputs<typeof INVALIDATION>) => LAYOUTS['IOTINVAL.VMA'].encode(inputs),
  invalidateGvma: (inputs: FieldInputs<typeof INVALIDATION>) => LAYOUTS['IOTINVAL.GVMA'].encode(inputs),
  fence: (inputs: Parameters<(typeof LAYOUTS)['IOFENCE.C']['encode']>[0]) =>
    LAYOUTS['IOFENCE.C'].encode(inputs),
  invalidateDevice: (inputs: FieldInputs<typeof DIRECTORY>) => LAYOUTS['IODIR.INVAL_DDT'].encode(inputs),
  invalidateProcess: (inputs: FieldInputs<typeof DIRECTORY>) => LAYOUTS['IODIR.INVAL_PDT'].encode(inputs),
  /** The payload is the body of PCIe's Invalidate Request: `invalidateRequest`. */
  invalidateDeviceTlb: (inputs: FieldInputs<typeof ATS>) => LAYOUTS['ATS.INVAL'].encode(inputs),
  pageResponse: (inputs: FieldInputs<typeof ATS>) => LAYOUTS['ATS.PRGR'].encode(inputs),
};

/** Body of an Invalidate Request Message (PCIe 6.0 §10.3.1): 2^order pages around an address. */
export function invalidateRequest(address: bigint, order: number, global = false): bigint {
  const sized = order > 0;
  const page = sized ? sizedAddress(address, order) : address;
  return (page & ~0xfffn) | (sized ? 1n << 11n : 0n) | (global ? 1n : 0n);
}

/** Decodes one command (§3.1); unsupported ones and reserved bits are illegal. */
export function decodeRiscv(words: readonly bigint[], registers: RegisterFile): Command {
  const opcode = Number(take(words, OPCODE));
  const func3 = Number(take(words, FUNCTION));
  const name = NAMES[opcode]?.[func3];
  if (name === undefined) return illegal('reserved', `opcode ${opcode} with func3 ${func3} is reserved`);
  if (LAYOUTS[name].setsReserved(words)) return illegal(name, 'reserved bits are set');
  switch (name) {
    case 'IOTINVAL.VMA':
    case 'IOTINVAL.GVMA':
      return decodeInvalidation(name, words, registers);
    case 'IOFENCE.C':
      return decodeFence(words, registers);
    case 'IODIR.INVAL_DDT':
    case 'IODIR.INVAL_PDT':
      return decodeDirectory(name, words, registers);
    case 'ATS.INVAL':
    case 'ATS.PRGR':
      return decodeAts(name, words, registers);
  }
}

type CommandName = keyof typeof LAYOUTS;
/** By opcode and func3. */
const NAMES: Readonly<Record<number, readonly CommandName[]>> = {
  1: ['IOTINVAL.VMA', 'IOTINVAL.GVMA'],
  2: ['IOFENCE.C'],
  3: ['IODIR.INVAL_DDT', 'IODIR.INVAL_PDT'],
  4: ['ATS.INVAL', 'ATS.PRGR'],
};

const illegal = (name: string, why: string): Command => ({ kind: 'illegal', name, why });

/** Bits of `capabilities` that commands depend on (§5.3). */
const CAPABILITY = { ATS: 25, PD17: 39, PD20: 40, NL: 42, S: 43, MSI_FLAT: 22 } as const;
const has = (registers: RegisterFile, name: keyof typeof CAPABILITY): boolean =>
  bits(registers.get('capabilities') ?? 0n, CAPABILITY[name]) === 1n;

function decodeInvalidation(
  name: 'IOTINVAL.VMA' | 'IOTINVAL.GVMA',
  words: readonly bigint[],
  registers: RegisterFile,
): Command {
  const command = LAYOUTS[name].decode(words);
  if (command.NL === 1n && !has(registers, 'NL')) return illegal(name, 'NL is 1, and capabilities.NL is 0');
  if (command.S === 1n && !has(registers, 'S')) return illegal(name, 'S is 1, and capabilities.S is 0');
  const guest = command.GV === 1n ? Number(command.GSCID) : undefined;
  const addressed = command.AV === 1n;
  const { pages } = sizedPages(command.ADDR, command.S === 1n);
  const levels = !addressed || command.NL === 1n;
  if (name === 'IOTINVAL.GVMA') {
    if (command.PSCV === 1n) return illegal(name, 'PSCV is 1');
    const operations =
      guest === undefined || !addressed ? everyGuestPage(guest) : someGuestPages(guest, pages, levels);
    return { kind: 'invalidate', name, operations };
  }
  const tags = {
    vm: guest ?? -1,
    stage1: true,
    // Entries of global mappings are kept by every form that names a process.
    ...(command.PSCV === 1n ? { space: Number(command.PSCID), keepsGlobal: true } : {}),
  };
  const range = addressed ? { pages } : {};
  const operation: CacheOperation = {
    translations: { ...tags, ...range },
    ...(levels ? { tables: { ...tags, ...range, stage: 1 } } : {}),
  };
  return { kind: 'invalidate', name, operations: [operation] };
}

/** All second stages, or that of one guest: with them what was translated through them, first-stage tables' places included. */
function everyGuestPage(guest: number | undefined): CacheOperation[] {
  const vm = guest === undefined ? {} : { vm: guest };
  return [
    { translations: { ...vm, guestPages: EVERY_PAGE }, tables: { ...vm, stage: 2 } },
    { tables: { ...vm, stage: 1, guestPages: EVERY_PAGE } },
  ];
}

function someGuestPages(vm: number, pages: typeof EVERY_PAGE, levels: boolean): CacheOperation[] {
  return [
    { translations: { vm, guestPages: pages }, tables: { vm, stage: 1, guestPages: pages } },
    ...(levels ? [{ tables: { vm, stage: 2, pages } } as const] : []),
  ];
}

function decodeFence(words: readonly bigint[], registers: RegisterFile): Command {
  const name = 'IOFENCE.C';
  const command = LAYOUTS[name].decode(words);
  const wired = bits(registers.get('fctl') ?? 0n, 1) === 1n;
  if (command.WSI === 1n && !wired) return illegal(name, 'WSI is 1, and fctl.WSI is 0');
  return {
    kind: 'wait',
    name,
    drainsReads: command.PR === 1n,
    drainsWrites: command.PW === 1n,
    interrupt: command.WSI === 1n,
    ...(command.AV === 1n
      ? { store: { address: Number(command.ADDR), value: command.DATA, bytes: 4 } as const }
      : {}),
  };
}

function decodeDirectory(
  name: 'IODIR.INVAL_DDT' | 'IODIR.INVAL_PDT',
  words: readonly bigint[],
  registers: RegisterFile,
): Command {
  const { PID, DV, DID } = LAYOUTS[name].decode(words);
  const requester = Number(DID);
  const one = name === 'IODIR.INVAL_PDT';
  if (one && DV === 0n) return illegal(name, 'DV is 0');
  if (!one && PID !== 0n) return illegal(name, 'PID is reserved');
  if (DV === 1n && requester >= 2 ** deviceBits(registers))
    return illegal(name, `DID 0x${DID.toString(16)} is wider than ddtp.iommu_mode allows`);
  if (one) {
    if (PID >= 1n << processBits(registers)) return illegal(name, `PID 0x${PID.toString(16)} is too wide`);
    // Process 0 is that of requests without a process_id (DC.tc.DPE).
    return { kind: 'invalidate', name, operations: oneProcess({ requester }, Number(PID), 0) };
  }
  // Process contexts are found through the device context, so that they go with it.
  const of = DV === 1n ? { requester } : {};
  return { kind: 'invalidate', name, operations: [{ contexts: of, processes: of }] };
}

/** Width of a device_id by ddtp.iommu_mode and the form of device contexts (§2.1). */
function deviceBits(registers: RegisterFile): number {
  const mode = Number(bits(registers.get('ddtp') ?? 0n, 3, 0));
  const widths = has(registers, 'MSI_FLAT') ? [6, 15, 24] : [7, 16, 24];
  return widths[mode - 2] ?? 24;
}

const processBits = (registers: RegisterFile): bigint =>
  has(registers, 'PD20') ? 20n : has(registers, 'PD17') ? 17n : 8n;

function decodeAts(
  name: 'ATS.INVAL' | 'ATS.PRGR',
  words: readonly bigint[],
  registers: RegisterFile,
): Command {
  if (!has(registers, 'ATS')) return illegal(name, 'capabilities.ATS is 0');
  if (name === 'ATS.PRGR') return { kind: 'other', name };
  const { PID, PV, DSV, RID, DSEG, PAYLOAD } = LAYOUTS[name].decode(words);
  const segment = DSV === 1n ? DSEG : 0n;
  return {
    kind: 'device-tlb',
    name,
    operation: {
      requester: Number((segment << 16n) | RID),
      pasid: PV === 1n ? Number(PID) : null,
      global: bits(PAYLOAD, 0) === 1n,
      pages: sizedPages(PAYLOAD, bits(PAYLOAD, 11) === 1n).pages,
    },
  };
}
