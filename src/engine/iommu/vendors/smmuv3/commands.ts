import { bits } from '../../../bits/bitFields';
import { type CacheOperation, type PageRange, type TagSelection } from '../../cacheOperation';
import { type Command } from '../../commands';
import { type RegisterFile } from '../../vendor';
import { Layout, at, type Field, type NamedForm } from '../layout';
import { EVERY_PAGE, alignedPages, oneProcess } from '../ranges';

// Commands of IHI 0070 4.1 to 4.7, 16 bytes each; the opcode is bits 7:0.
const OPCODE = at(7, 0);
const layout = <F extends Readonly<Record<string, Field>>>(opcode: number, fields: F) =>
  new Layout(2, fields, [[OPCODE, opcode]]);

const STREAM = { SSec: at(10), StreamID: at(63, 32) };
const SUBSTREAM = { ...STREAM, SSV: at(11), SubstreamID: at(31, 12) };
const LEAF = { Leaf: at(64) };
const VMID = { VMID: at(47, 32) };
const ASID = { ASID: at(63, 48) };
/** With IDR3.RIL: NUM, SCALE, TTL and TG (4.4.1). */
const RANGE = { NUM: at(16, 12), SCALE: at(24, 20), TTL: at(73, 72), TG: at(75, 74) };
const ADDRESS = { ...LEAF, Address: at(127, 76, 12) };

const LAYOUTS = {
  CMD_PREFETCH_CONFIG: layout(0x01, SUBSTREAM),
  CMD_PREFETCH_ADDR: layout(0x02, {
    ...SUBSTREAM,
    Size: at(68, 64),
    Stride: at(73, 69),
    NS: at(74),
    Address: at(127, 76, 12),
  }),
  CMD_CFGI_STE: layout(0x03, { ...STREAM, ...LEAF }),
  /** Range 31: CMD_CFGI_ALL. */
  CMD_CFGI_STE_RANGE: layout(0x04, { ...STREAM, Range: at(68, 64) }),
  CMD_CFGI_CD: layout(0x05, { ...STREAM, SubstreamID: at(31, 12), ...LEAF }),
  CMD_CFGI_CD_ALL: layout(0x06, STREAM),
  CMD_TLBI_NH_ALL: layout(0x10, VMID),
  CMD_TLBI_NH_ASID: layout(0x11, { ...VMID, ...ASID }),
  CMD_TLBI_NH_VA: layout(0x12, { ...VMID, ...ASID, ...RANGE, ...ADDRESS }),
  CMD_TLBI_NH_VAA: layout(0x13, { ...VMID, ...RANGE, ...ADDRESS }),
  CMD_TLBI_EL2_ALL: layout(0x20, {}),
  CMD_TLBI_EL2_ASID: layout(0x21, ASID),
  CMD_TLBI_EL2_VA: layout(0x22, { ...ASID, ...RANGE, ...ADDRESS }),
  CMD_TLBI_EL2_VAA: layout(0x23, { ...RANGE, ...ADDRESS }),
  CMD_TLBI_S12_VMALL: layout(0x28, VMID),
  CMD_TLBI_S2_IPA: layout(0x2a, { ...VMID, ...RANGE, ...LEAF, Address: at(119, 76, 12) }),
  CMD_TLBI_NSNH_ALL: layout(0x30, {}),
  CMD_ATC_INV: layout(0x40, { ...SUBSTREAM, Global: at(9), Size: at(69, 64), Address: at(127, 76, 12) }),
  CMD_PRI_RESP: layout(0x41, { ...SUBSTREAM, PRGIndex: at(72, 64), Resp: at(77, 76) }),
  /** Ac and Ab: bits 12 and 13. */
  CMD_RESUME: layout(0x44, { ...STREAM, Ac: at(12), Ab: at(13), STAG: at(79, 64) }),
  CMD_STALL_TERM: layout(0x45, STREAM),
  CMD_SYNC: layout(0x46, {
    CS: at(13, 12),
    MSH: at(23, 22),
    MSIAttr: at(27, 24),
    MSIData: at(63, 32),
    MSIAddress: at(119, 66, 2),
  }),
};

/** By name, with the fields as they are named here. */
export const SMMU_FORMS: Readonly<Record<string, NamedForm>> = LAYOUTS;

type Name = keyof typeof LAYOUTS;
type Inputs<N extends Name> = Parameters<(typeof LAYOUTS)[N]['encode']>[0];

const NAMES = new Map<number, Name>([
  [0x01, 'CMD_PREFETCH_CONFIG'],
  [0x02, 'CMD_PREFETCH_ADDR'],
  [0x03, 'CMD_CFGI_STE'],
  [0x04, 'CMD_CFGI_STE_RANGE'],
  [0x05, 'CMD_CFGI_CD'],
  [0x06, 'CMD_CFGI_CD_ALL'],
  [0x10, 'CMD_TLBI_NH_ALL'],
  [0x11, 'CMD_TLBI_NH_ASID'],
  [0x12, 'CMD_TLBI_NH_VA'],
  [0x13, 'CMD_TLBI_NH_VAA'],
  [0x20, 'CMD_TLBI_EL2_ALL'],
  [0x21, 'CMD_TLBI_EL2_ASID'],
  [0x22, 'CMD_TLBI_EL2_VA'],
  [0x23, 'CMD_TLBI_EL2_VAA'],
  [0x28, 'CMD_TLBI_S12_VMALL'],
  [0x2a, 'CMD_TLBI_S2_IPA'],
  [0x30, 'CMD_TLBI_NSNH_ALL'],
  [0x40, 'CMD_ATC_INV'],
  [0x41, 'CMD_PRI_RESP'],
  [0x44, 'CMD_RESUME'],
  [0x45, 'CMD_STALL_TERM'],
  [0x46, 'CMD_SYNC'],
]);

/** Words of commands, for software that writes the queue. Addresses in bytes. */
export const smmuCommands = {
  cfgiSte: (inputs: Inputs<'CMD_CFGI_STE'>) => LAYOUTS.CMD_CFGI_STE.encode(inputs),
  /** 2^(Range + 1) STEs. */
  cfgiSteRange: (inputs: Inputs<'CMD_CFGI_STE_RANGE'>) => LAYOUTS.CMD_CFGI_STE_RANGE.encode(inputs),
  cfgiAll: () => LAYOUTS.CMD_CFGI_STE_RANGE.encode({ Range: 31 }),
  cfgiCd: (inputs: Inputs<'CMD_CFGI_CD'>) => LAYOUTS.CMD_CFGI_CD.encode(inputs),
  cfgiCdAll: (inputs: Inputs<'CMD_CFGI_CD_ALL'>) => LAYOUTS.CMD_CFGI_CD_ALL.encode(inputs),
  tlbiNhAll: (inputs: Inputs<'CMD_TLBI_NH_ALL'>) => LAYOUTS.CMD_TLBI_NH_ALL.encode(inputs),
  tlbiNhAsid: (inputs: Inputs<'CMD_TLBI_NH_ASID'>) => LAYOUTS.CMD_TLBI_NH_ASID.encode(inputs),
  tlbiNhVa: (inputs: Inputs<'CMD_TLBI_NH_VA'>) => LAYOUTS.CMD_TLBI_NH_VA.encode(inputs),
  tlbiNhVaa: (inputs: Inputs<'CMD_TLBI_NH_VAA'>) => LAYOUTS.CMD_TLBI_NH_VAA.encode(inputs),
  tlbiEl2All: () => LAYOUTS.CMD_TLBI_EL2_ALL.encode({}),
  tlbiEl2Asid: (inputs: Inputs<'CMD_TLBI_EL2_ASID'>) => LAYOUTS.CMD_TLBI_EL2_ASID.encode(inputs),
  tlbiEl2Va: (inputs: Inputs<'CMD_TLBI_EL2_VA'>) => LAYOUTS.CMD_TLBI_EL2_VA.encode(inputs),
  tlbiEl2Vaa: (inputs: Inputs<'CMD_TLBI_EL2_VAA'>) => LAYOUTS.CMD_TLBI_EL2_VAA.encode(inputs),
  tlbiS12Vmall: (inputs: Inputs<'CMD_TLBI_S12_VMALL'>) => LAYOUTS.CMD_TLBI_S12_VMALL.encode(inputs),
  tlbiS2Ipa: (inputs: Inputs<'CMD_TLBI_S2_IPA'>) => LAYOUTS.CMD_TLBI_S2_IPA.encode(inputs),
  tlbiNsnhAll: () => LAYOUTS.CMD_TLBI_NSNH_ALL.encode({}),
  /** 2^Size pages of 4 KiB; Size 52: every page. */
  atcInv: (inputs: Inputs<'CMD_ATC_INV'>) => LAYOUTS.CMD_ATC_INV.encode(inputs),
  priResp: (inputs: Inputs<'CMD_PRI_RESP'>) => LAYOUTS.CMD_PRI_RESP.encode(inputs),
  resume: (inputs: Inputs<'CMD_RESUME'>) => LAYOUTS.CMD_RESUME.encode(inputs),
  stallTerm: (inputs: Inputs<'CMD_STALL_TERM'>) => LAYOUTS.CMD_STALL_TERM.encode(inputs),
  /** CS 0: nothing, 1: an interrupt, which with an address is MSIData stored there, 2: an event. */
  sync: (inputs: Inputs<'CMD_SYNC'>) => LAYOUTS.CMD_SYNC.encode(inputs),
};

const illegal = (name: string, why: string): Command => ({ kind: 'illegal', name, why });
const register = (registers: RegisterFile, name: string, high: number, low = high): number =>
  Number(bits(registers.get(name) ?? 0n, high, low));

/** What IDR0 must offer for a command (4.1 and the sections of the commands). */
const NEEDS: Partial<Readonly<Record<Name, readonly [bit: number, name: string]>>> = {
  CMD_TLBI_NH_ALL: [1, 'S1P'],
  CMD_TLBI_NH_ASID: [1, 'S1P'],
  CMD_TLBI_NH_VA: [1, 'S1P'],
  CMD_TLBI_NH_VAA: [1, 'S1P'],
  CMD_TLBI_EL2_ALL: [9, 'Hyp'],
  CMD_TLBI_EL2_ASID: [9, 'Hyp'],
  CMD_TLBI_EL2_VA: [9, 'Hyp'],
  CMD_TLBI_EL2_VAA: [9, 'Hyp'],
  CMD_TLBI_S12_VMALL: [0, 'S2P'],
  CMD_TLBI_S2_IPA: [0, 'S2P'],
  CMD_ATC_INV: [10, 'ATS'],
  CMD_PRI_RESP: [16, 'PRI'],
};

/** Decodes one command; what it must not say is CERROR_ILL (7.1). */
export function decodeSmmu(words: readonly bigint[], registers: RegisterFile): Command {
  const opcode = Number(bits(words[0] ?? 0n, 7, 0));
  const name = NAMES.get(opcode);
  if (name === undefined) return illegal('reserved', `opcode 0x${opcode.toString(16)} is reserved`);
  if (LAYOUTS[name].setsReserved(words)) return illegal(name, 'reserved bits are set');
  const need = NEEDS[name];
  if (need && register(registers, 'IDR0', need[0]) === 0) return illegal(name, `IDR0.${need[1]} is 0`);
  const command: Partial<Readonly<Record<string, bigint>>> = LAYOUTS[name].decode(words);
  const value = (field: string) => command[field] ?? 0n;
  const operands: Operands = (field) => Number(value(field));
  const address = value('Address');
  const problem = operandProblem(name, operands, registers);
  if (problem !== undefined) return illegal(name, problem);
  if (name.startsWith('CMD_CFGI'))
    return { kind: 'invalidate', name, operations: configuration(name, operands) };
  if (name.startsWith('CMD_TLBI'))
    return { kind: 'invalidate', name, operations: [translations(name, operands, address)] };
  if (name === 'CMD_ATC_INV') return atcInvalidation(operands, address);
  if (name === 'CMD_SYNC') return sync(words, registers);
  return { kind: 'other', name };
}

/** A field of the command at hand; 0 where it has none of that name. */
type Operands = (field: string) => number;

function operandProblem(name: Name, operand: Operands, registers: RegisterFile): string | undefined {
  if (operand('SSec') === 1) return 'SSec is 1 in a Non-secure queue';
  if (operand('StreamID') >= 2 ** streamBits(registers)) return 'the StreamID is wider than IDR1.SIDSIZE';
  const substreamBits = register(registers, 'IDR1', 10, 6);
  if (operand('SubstreamID') >= 2 ** substreamBits) return 'the SubstreamID is wider than IDR1.SSIDSIZE';
  if (operand('VMID') > 0xff && register(registers, 'IDR0', 18) === 0) return 'the VMID has more than 8 bits';
  if (operand('ASID') > 0xff && register(registers, 'IDR0', 12) === 0) return 'the ASID has more than 8 bits';
  const range = operand('NUM') + operand('SCALE') + operand('TTL') + operand('TG');
  if (range !== 0 && register(registers, 'IDR3', 10) === 0)
    return 'NUM, SCALE, TTL and TG are reserved where IDR3.RIL is 0';
  // TG = 0 gives no granule to count in; a 16K granule has no leaves at level 1 (4.4.1.1).
  if (operand('TG') === 0 && operand('NUM') + operand('SCALE') !== 0)
    return 'NUM or SCALE is set, and TG is 0';
  if (operand('TG') === 0 && operand('TTL') !== 0) return 'TTL is set, and TG is 0';
  if (operand('TG') !== 0 && range === operand('TG')) return 'NUM, SCALE and TTL are all 0, and TG is not';
  if (operand('TG') === 2 && operand('TTL') === 1) return 'TTL is 1 with a 16K granule';
  if (name === 'CMD_ATC_INV' && operand('Size') > 52) return 'Size is larger than 52';
  if (name === 'CMD_PRI_RESP' && operand('Resp') === 3) return 'Resp 3 is reserved';
  if (name === 'CMD_RESUME' && operand('Ab') === 1 && operand('Ac') === 1) return 'Ac and Ab are both 1';
  if (name === 'CMD_SYNC' && operand('CS') === 3) return 'CS 3 is reserved';
  return undefined;
}

function streamBits(registers: RegisterFile): number {
  return registers.has('IDR1') ? register(registers, 'IDR1', 5, 0) : 32;
}

/** Cached STEs and CDs (4.3). The CDs found through an STE go with it. */
function configuration(name: Name, operand: Operands): CacheOperation[] {
  const requester = operand('StreamID');
  switch (name) {
    case 'CMD_CFGI_CD':
      return oneProcess({ requester }, operand('SubstreamID'), 0);
    case 'CMD_CFGI_CD_ALL':
      return [{ processes: { requester } }];
    case 'CMD_CFGI_STE':
      return [{ contexts: { requester }, processes: { requester } }];
    default: {
      const range = operand('Range');
      // No selection of processes by ranges of streams: all go, which any invalidation may do.
      const contexts = range === 31 ? {} : { requester, mask: 2 ** (range + 1) - 1 };
      return [{ contexts, processes: {} }];
    }
  }
}

/** Cached translations (4.4). */
function translations(name: Name, operand: Operands, address: bigint): CacheOperation {
  const tags = tagsOf(name, operand);
  // A stage 2 command names intermediate addresses. Of entries of both stages it reaches none: software removes those by a
  // command of stage 1 after it (4.4.3, CMD_TLBI_S2_IPA).
  const stage = name === 'CMD_TLBI_S2_IPA' ? ({ stage: 2 } as const) : {};
  if (!name.endsWith('_VA') && !name.endsWith('_VAA') && name !== 'CMD_TLBI_S2_IPA')
    return { translations: tags, tables: tags };
  const pages = rangeOf(operand, address);
  const largest = largestShift(operand);
  return {
    translations: { ...tags, pages, ...(largest === undefined ? {} : { largestShift: largest }) },
    ...(operand('Leaf') === 1
      ? {}
      : { tables: { ...(stage.stage ? { vm: operand('VMID') } : tags), ...stage, pages } }),
  };
}

/** EL2 translations have no VMID: their tag has vm -1. */
function tagsOf(name: Name, operand: Operands): TagSelection {
  const vm = name.includes('_EL2_') ? -1 : operand('VMID');
  switch (name) {
    case 'CMD_TLBI_NSNH_ALL':
      return {};
    case 'CMD_TLBI_S12_VMALL':
      return { vm };
    case 'CMD_TLBI_S2_IPA':
      return { vm, stage1: false };
    case 'CMD_TLBI_NH_ASID':
    case 'CMD_TLBI_EL2_ASID':
      return { vm, stage1: true, space: operand('ASID'), keepsGlobal: true };
    case 'CMD_TLBI_NH_VA':
    case 'CMD_TLBI_EL2_VA':
      return { vm, stage1: true, space: operand('ASID') };
    default:
      return { vm, stage1: true };
  }
}

/** log2 bytes of the granule by TG (4.4.1.1). */
const GRANULE_SHIFTS = [12, 12, 14, 16] as const;

/** (NUM + 1) * 2^SCALE granules; without TG the leaf that holds the address. */
function rangeOf(operand: Operands, address: bigint): PageRange {
  const order = (GRANULE_SHIFTS[operand('TG')] ?? 12) - 12;
  const { startPage } = alignedPages(address, order);
  const pages = (operand('NUM') + 1) * 2 ** (operand('SCALE') + order);
  return { startPage, endPage: Math.min(startPage + pages, EVERY_PAGE.endPage) };
}

/** TTL says the level of the leaf; contiguous runs are larger, and smaller than a leaf one level up. */
function largestShift(operand: Operands): number | undefined {
  const level = operand('TTL');
  const granule = GRANULE_SHIFTS[operand('TG')];
  if (level === 0 || granule === undefined) return undefined;
  return granule + (4 - level) * (granule - 3) - 1;
}

/** 4.5.1 */
function atcInvalidation(operand: Operands, address: bigint): Command {
  const hasSubstream = operand('SSV') === 1;
  return {
    kind: 'device-tlb',
    name: 'CMD_ATC_INV',
    operation: {
      requester: operand('StreamID'),
      pasid: hasSubstream ? operand('SubstreamID') : null,
      global: hasSubstream && operand('Global') === 1,
      pages: alignedPages(address, operand('Size')),
    },
  };
}

/** 4.7.3. Its completion means that what was translated by removed entries has been done, reads and writes. */
function sync(words: readonly bigint[], registers: RegisterFile): Command {
  const { CS, MSIAddress, MSIData } = LAYOUTS.CMD_SYNC.decode(words);
  const message = CS === 1n && MSIAddress !== 0n && register(registers, 'IDR0', 13) === 1;
  return {
    kind: 'wait',
    name: 'CMD_SYNC',
    drainsReads: true,
    drainsWrites: true,
    interrupt: CS !== 0n && !message,
    ...(message ? { store: { address: Number(MSIAddress), value: MSIData, bytes: 4 } as const } : {}),
  };
}
