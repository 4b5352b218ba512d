import { fieldMakers, type BitField } from '../../bits/bitFields';
import { type Register } from '../deviceDirectory';
import { addressSize } from './features';
import { INSTRUCTION_NAMES, PRIVILEGE_NAMES, pick } from './fields';

const supported = (what: string): [set: string, clear: string] => [
  `${what} supported`,
  `${what} not supported`,
];

function identification0(): BitField[] {
  const { flag, field, reserved } = fieldMakers('IHI 0070 6.3.1');
  return [
    flag('S2P', 0, 'attribute', ...supported('stage 2')),
    flag('S1P', 1, 'attribute', ...supported('stage 1')),
    field('TTF', 3, 2, 'attribute', pick(['reserved', 'VMSAv8-32', 'VMSAv8-64', 'VMSAv8-32 and VMSAv8-64'])),
    flag('COHACC', 4, 'attribute', 'table walks are coherent', 'table walks do not snoop caches'),
    flag('BTM', 5, 'attribute', ...supported('broadcast TLB maintenance')),
    field(
      'HTTU',
      7,
      6,
      'attribute',
      pick([
        'hardware marks nothing',
        'hardware marks accessed',
        'hardware marks accessed and dirty',
        'hardware marks accessed, dirty and tables',
      ]),
    ),
    flag('DORMHINT', 8, 'attribute', ...supported('dormant hint')),
    flag('Hyp', 9, 'attribute', ...supported('EL2 stage 1')),
    flag('ATS', 10, 'attribute', ...supported('ATS')),
    flag('NS1ATS', 11, 'attribute', 'split-stage ATS not supported', 'split-stage ATS supported'),
    flag('ASID16', 12, 'attribute', '16-bit ASIDs', '8-bit ASIDs'),
    flag('MSI', 13, 'attribute', ...supported('message-signalled interrupts')),
    flag('SEV', 14, 'attribute', ...supported('WFE wake-up')),
    flag('ATOS', 15, 'attribute', ...supported('address translation operations')),
    flag('PRI', 16, 'attribute', ...supported('page requests')),
    flag('VMW', 17, 'attribute', ...supported('VMID wildcards')),
    flag('VMID16', 18, 'attribute', '16-bit VMIDs', '8-bit VMIDs'),
    flag('CD2L', 19, 'attribute', ...supported('2-level CD tables')),
    flag('VATOS', 20, 'attribute', ...supported('virtual address translation operations')),
    field(
      'TTENDIAN',
      22,
      21,
      'attribute',
      pick(['tables of either endianness', 'reserved', 'little-endian tables', 'big-endian tables']),
    ),
    flag('ATSRECERR', 23, 'attribute', ...supported('further ATS events')),
    field(
      'STALL_MODEL',
      25,
      24,
      'attribute',
      pick(['stalls where software asks', 'no stalls', 'stalls only']),
    ),
    flag(
      'TERM_MODEL',
      26,
      'attribute',
      'terminated requests are aborted',
      'terminated requests are as CD.A says',
    ),
    field(
      'ST_LEVEL',
      28,
      27,
      'attribute',
      pick(['linear stream tables', 'linear and 2-level stream tables']),
    ),
    reserved(29),
    flag('RME_IMPL', 30, 'attribute', ...supported('RME')),
    reserved(63, 31),
  ];
}

function identification1(): BitField[] {
  const { flag, field, reserved } = fieldMakers('IHI 0070 6.3.2');
  const queue = (what: string) => (value: bigint) => `at most ${2n ** value} ${what}`;
  return [
    field('SIDSIZE', 5, 0, 'attribute', (value) => `StreamIDs of ${value} bits`),
    field('SSIDSIZE', 10, 6, 'attribute', (value) =>
      value === 0n ? 'no SubstreamIDs' : `SubstreamIDs of ${value} bits`,
    ),
    field('PRIQS', 15, 11, 'attribute', queue('page requests queued')),
    field('EVENTQS', 20, 16, 'attribute', queue('events queued')),
    field('CMDQS', 25, 21, 'attribute', queue('commands queued')),
    flag('ATTR_PERMS_OVR', 26, 'attribute', 'privilege can be overridden', 'privilege cannot be overridden'),
    flag(
      'ATTR_TYPES_OVR',
      27,
      'attribute',
      'memory type can be overridden',
      'memory type cannot be overridden',
    ),
    flag('REL', 28, 'attribute', 'preset base addresses are relative', 'preset base addresses are absolute'),
    flag('QUEUES_PRESET', 29, 'attribute', 'queues are fixed', 'queues are not fixed'),
    flag('TABLES_PRESET', 30, 'attribute', 'stream table is fixed', 'stream table is not fixed'),
    flag('ECMDQ', 31, 'attribute', ...supported('enhanced command queues')),
    reserved(63, 32),
  ];
}

function identification3(): BitField[] {
  const { flag, field, reserved } = fieldMakers('IHI 0070 6.3.4');
  return [
    reserved(1, 0),
    flag('HAD', 2, 'attribute', ...supported('switching hierarchical attributes off')),
    flag('PBHA', 3, 'attribute', ...supported('page-based hardware attributes')),
    flag('XNX', 4, 'attribute', ...supported('stage 2 execute by privilege')),
    flag('PPS', 5, 'attribute', 'PASID in automatic page responses', 'STE.PPAR decides on the PASID'),
    reserved(6),
    flag('MPAM', 7, 'attribute', ...supported('MPAM')),
    flag('FWB', 8, 'attribute', ...supported('stage 2 memory-type override')),
    flag('STT', 9, 'attribute', ...supported('small translation tables')),
    flag('RIL', 10, 'attribute', ...supported('range invalidation')),
    field('BBML', 12, 11, 'attribute', (value) => `change of block size without break: level ${value}`),
    flag('E0PD', 13, 'attribute', ...supported('E0PD')),
    flag(
      'PTWNNC',
      14,
      'attribute',
      'table walks to device memory are non-cacheable',
      'table walks to device memory stay so',
    ),
    flag('DPT', 15, 'attribute', ...supported('device permission table')),
    flag('PASIDTT', 16, 'attribute', ...supported('PASIDs in translated requests')),
    flag('EPAN', 17, 'attribute', ...supported('enhanced PAN')),
    flag('S1PI', 18, 'attribute', ...supported('stage 1 permission indirection')),
    flag('S2PI', 19, 'attribute', ...supported('stage 2 permission indirection')),
    flag('S2PO', 20, 'attribute', ...supported('stage 2 permission overlay')),
    flag('THE', 21, 'attribute', ...supported('translation hardening')),
    flag('MTEPERM', 22, 'attribute', ...supported('NoTagAccess encodings')),
    flag('AIE', 23, 'attribute', ...supported('attribute index extension')),
    reserved(63, 24),
  ];
}

function identification5(): BitField[] {
  const { flag, field, reserved } = fieldMakers('IHI 0070 6.3.6');
  return [
    field(
      'OAS',
      2,
      0,
      'attribute',
      (value) => `physical addresses of ${value === 7n ? 56 : addressSize(Number(value))} bits`,
    ),
    reserved(3),
    flag('GRAN4K', 4, 'attribute', ...supported('4K granule')),
    flag('GRAN16K', 5, 'attribute', ...supported('16K granule')),
    flag('GRAN64K', 6, 'attribute', ...supported('64K granule')),
    flag('DS', 7, 'attribute', ...supported('52 bits with the 4K and 16K granules')),
    flag('D128', 8, 'attribute', ...supported('128-bit descriptors')),
    reserved(9),
    field(
      'VAX',
      11,
      10,
      'attribute',
      pick(['48-bit input addresses', '52-bit input addresses', '56-bit input addresses']),
    ),
    reserved(15, 12),
    field('STALL_MAX', 31, 16, 'attribute', (value) => `at most ${value} stalled requests`),
    reserved(63, 32),
  ];
}

function control0(): BitField[] {
  const { flag, field, reserved } = fieldMakers('IHI 0070 6.3.9');
  return [
    flag('SMMUEN', 0, 'control', 'translation on', 'translation off: GBPA decides'),
    flag('PRIQEN', 1, 'control', 'page-request queue on', 'page-request queue off'),
    flag('EVENTQEN', 2, 'control', 'event queue on', 'event queue off'),
    flag('CMDQEN', 3, 'control', 'command queue on', 'command queue off'),
    flag('ATSCHK', 4, 'control', 'translated requests are checked', 'translated requests pass'),
    reserved(5),
    field('VMW', 8, 6, 'control', (value) => `invalidation ignores the lowest ${value} bits of a VMID`),
    reserved(9),
    flag('DPT_WALK_EN', 10, 'control', 'device permission table on', 'device permission table off'),
    reserved(63, 11),
  ];
}

function control2(): BitField[] {
  const { flag, reserved } = fieldMakers('IHI 0070 6.3.12');
  return [
    flag('E2H', 0, 'control', 'EL2 has two address ranges', 'EL2 has one address range'),
    flag('RECINVSID', 1, 'control', 'bad StreamIDs are recorded', 'bad StreamIDs are not recorded'),
    flag('PTM', 2, 'control', 'broadcast TLB maintenance is ignored', 'broadcast TLB maintenance is obeyed'),
    flag(
      'REC_CFG_ATS',
      3,
      'control',
      'further ATS events are recorded',
      'further ATS events are not recorded',
    ),
    reserved(63, 4),
  ];
}

function globalBypass(): BitField[] {
  const { flag, field, reserved } = fieldMakers('IHI 0070 6.3.14');
  return [
    field('MemAttr', 3, 0, 'attribute', (value) => `memory type ${value.toString(2).padStart(4, '0')}`),
    flag('MTCFG', 4, 'attribute', 'memory type is MemAttr', 'memory type as the request says'),
    reserved(7, 5),
    field('ALLOCCFG', 11, 8, 'attribute', (value) =>
      value < 8n ? 'allocation as the request says' : `allocation hints ${value & 7n}`,
    ),
    field(
      'SHCFG',
      13,
      12,
      'attribute',
      pick(['non-shareable', 'as the request says', 'outer shareable', 'inner shareable']),
    ),
    reserved(15, 14),
    field('PRIVCFG', 17, 16, 'attribute', pick(PRIVILEGE_NAMES)),
    field('INSTCFG', 19, 18, 'attribute', pick(INSTRUCTION_NAMES)),
    flag(
      'ABORT',
      20,
      'control',
      'requests are aborted while translation is off',
      'requests pass while translation is off',
    ),
    reserved(30, 21),
    flag('Update', 31, 'status', 'a change is under way', 'no change is under way'),
    reserved(63, 32),
  ];
}

function streamTableBase(): BitField[] {
  const { flag, address, reserved } = fieldMakers('IHI 0070 6.3.24');
  return [
    reserved(5, 0),
    address('ADDR', 55, 6, 'stream table at'),
    reserved(61, 56),
    flag('RA', 62, 'attribute', 'read-allocate hint', 'no read-allocate hint'),
    reserved(63),
  ];
}

function streamTableConfiguration(): BitField[] {
  const { field, reserved } = fieldMakers('IHI 0070 6.3.25');
  return [
    field('LOG2SIZE', 5, 0, 'control', (value) => `${2n ** value} StreamIDs`),
    field(
      'SPLIT',
      10,
      6,
      'control',
      (value) => `${2n ** BigInt(splitOf(Number(value)))} STEs in a level 2 table`,
    ),
    reserved(15, 11),
    field('FMT', 17, 16, 'control', (value) => (value === 1n ? '2-level' : 'linear')),
    reserved(63, 18),
  ];
}

/** StreamID bits that the second level takes: 6, 8 or 10; other values behave as 6. */
export function splitOf(field: number): number {
  return field === 8 || field === 10 ? field : 6;
}

const LAYOUTS: Readonly<Record<string, () => BitField[]>> = {
  IDR0: identification0,
  IDR1: identification1,
  IDR3: identification3,
  IDR5: identification5,
  CR0: control0,
  CR2: control2,
  GBPA: globalBypass,
  STRTAB_BASE: streamTableBase,
  STRTAB_BASE_CFG: streamTableConfiguration,
};

/** The SMMU registers that are known, with their layouts, in the order of their offsets. */
export function smmuRegisters(values: ReadonlyMap<string, bigint>): Register[] {
  return Object.entries(LAYOUTS).flatMap(([name, layout]) => {
    const value = values.get(name);
    return value === undefined ? [] : [{ name, value, layout: layout() }];
  });
}
