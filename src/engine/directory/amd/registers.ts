import { bits, fieldMakers, type BitField } from '../../bits/bitFields';
import { type PageWindow, type Register } from '../deviceDirectory';

/** Requests to 0xFEE0_0000-0xFEEF_FFFF are interrupt messages and never reach the tables (AMD 48882 3.10 §2.1). */
export const AMD_INTERRUPT_WINDOW: PageWindow = { startPage: 0xfee00, endPage: 0xfef00 };

const yesNo = (what: string): [set: string, clear: string] => [`${what} supported`, `${what} not supported`];
const onOff = (what: string): [set: string, clear: string] => [`${what} on`, `${what} off`];

function deviceTableBase(): BitField[] {
  const { field, address, reserved } = fieldMakers('AMD 48882 3.10 §3.4');
  return [
    field('Size', 8, 0, 'control', (value) => `${(value + 1n) * 4n}K, ${(value + 1n) * 128n} entries`),
    reserved(11, 9),
    address('DevTabBase', 51, 12, 'device table at'),
    reserved(63, 52),
  ];
}

function control(): BitField[] {
  const { flag, field, reserved } = fieldMakers('AMD 48882 3.10 §3.4');
  const number = (what: string) => (value: bigint) => `${what} ${value}`;
  return [
    flag('IommuEn', 0, 'control', 'translation on', 'translation off: every request passes'),
    flag('HtTunEn', 1, 'control', ...onOff('HyperTransport tunnel translation')),
    flag('EventLogEn', 2, 'control', ...onOff('event log')),
    flag('EventIntEn', 3, 'control', ...onOff('event log interrupt')),
    flag('ComWaitIntEn', 4, 'control', ...onOff('completion wait interrupt')),
    field('InvTimeOut', 7, 5, 'control', number('invalidation time-out')),
    flag('PassPW', 8, 'control', ...onOff('pass posted write')),
    flag('ResPassPW', 9, 'control', ...onOff('response pass posted write')),
    flag('Coherent', 10, 'control', 'table walks are coherent', 'table walks do not snoop caches'),
    flag('Isoc', 11, 'control', ...onOff('isochronous reads')),
    flag('CmdBufEn', 12, 'control', ...onOff('command buffer')),
    flag('PprLogEn', 13, 'control', ...onOff('page request log')),
    flag('PprIntEn', 14, 'control', ...onOff('page request interrupt')),
    flag('PprEn', 15, 'control', ...onOff('page requests')),
    flag('GTEn', 16, 'control', ...onOff('guest translation')),
    flag('GAEn', 17, 'control', ...onOff('guest virtual APIC')),
    field('CRW', 21, 18, 'control', number('field')),
    flag('SmiFEn', 22, 'control', ...onOff('SMI filter')),
    flag('SlfWBdis', 23, 'control', 'self write-back off', 'self write-back on'),
    flag('SmiFLogEn', 24, 'control', ...onOff('SMI filter log')),
    field('GAMEn', 27, 25, 'control', number('guest virtual APIC mode')),
    flag('GALogEn', 28, 'control', ...onOff('guest virtual APIC log')),
    flag('GAIntEn', 29, 'control', ...onOff('guest virtual APIC interrupt')),
    field('DualPprLogEn', 31, 30, 'control', number('dual page request log mode')),
    field('DualEventLogEn', 33, 32, 'control', number('dual event log mode')),
    field('DevTblSegEn', 36, 34, 'control', (value) =>
      value === 0n ? 'one device table' : `${1n << value} device table segments`,
    ),
    field('PrivAbrtEn', 38, 37, 'control', number('privilege abort mode')),
    flag('PprAutoRspEn', 39, 'control', ...onOff('automatic page response')),
    flag('MarcEn', 40, 'control', ...onOff('memory access routing and control')),
    flag('BlkStopMrkEn', 41, 'control', ...onOff('blocking of stop marks')),
    flag('PprAutoRspAon', 42, 'control', ...onOff('automatic page response always')),
    flag('DomainIDPNE', 43, 'control', ...onOff('DomainID in place of PASID in events')),
    reserved(44),
    flag('EPHEn', 45, 'control', ...onOff('enhanced page request handling')),
    field('HADUpdate', 47, 46, 'control', number('update mode of host A and D')),
    flag('GDUpdateDis', 48, 'control', 'D of guest tables is not set', 'D of guest tables is set'),
    reserved(49),
    flag('XTEn', 50, 'control', ...onOff('x2APIC')),
    flag('IntCapXTEn', 51, 'control', ...onOff('x2APIC interrupts of the IOMMU')),
    flag('vCmdEn', 52, 'control', ...onOff('virtual command buffers')),
    flag('vIommuEn', 53, 'control', ...onOff('virtual IOMMU')),
    flag('GAUpdateDis', 54, 'control', 'A of guest tables is not set', 'A of guest tables is set'),
    flag('GAPPIEn', 55, 'control', ...onOff('guest APIC physical processor interrupt')),
    flag('TMPMEn', 56, 'control', ...onOff('tiered memory page migration')),
    reserved(57),
    flag(
      'GCR3TRPMode',
      58,
      'control',
      'GCR3 tables are at guest addresses',
      'GCR3 tables are at system addresses',
    ),
    flag('IRTCacheDis', 59, 'control', 'interrupt tables are not cached', 'interrupt tables are cached'),
    flag(
      'GstBufferTRPMode',
      60,
      'control',
      'guest buffers at guest addresses',
      'guest buffers at system addresses',
    ),
    field('SNPAVICEn', 63, 61, 'control', number('secure guest APIC mode')),
  ];
}

/** HATS and GATS: levels of host and guest tables that the hardware walks. */
const levelsOf = (value: bigint): string => (value === 3n ? 'not supported' : `${value + 4n} levels`);

function extendedFeature(): BitField[] {
  const { flag, field, reserved } = fieldMakers('AMD 48882 3.10 §3.4');
  const number = (what: string) => (value: bigint) => `${what} ${value}`;
  return [
    flag('PreFSup', 0, 'attribute', ...yesNo('prefetch')),
    flag('PPRSup', 1, 'attribute', ...yesNo('page request')),
    flag('XTSup', 2, 'attribute', ...yesNo('x2APIC')),
    flag('NXSup', 3, 'attribute', ...yesNo('no-execute')),
    flag('GTSup', 4, 'attribute', ...yesNo('guest translation')),
    flag('GAPPISup', 5, 'attribute', ...yesNo('guest APIC physical processor interrupt')),
    flag('IASup', 6, 'attribute', ...yesNo('invalidate all')),
    flag('GASup', 7, 'attribute', ...yesNo('guest virtual APIC')),
    flag('HESup', 8, 'attribute', ...yesNo('hardware error registers')),
    flag('PCSup', 9, 'attribute', ...yesNo('performance counters')),
    field('HATS', 11, 10, 'attribute', (value) => `host tables: ${levelsOf(value)}`),
    field('GATS', 13, 12, 'attribute', (value) => `guest tables: ${levelsOf(value)}`),
    field('GLXSup', 15, 14, 'attribute', (value) => `GCR3 tables of at most ${value + 1n} levels`),
    field('SmiFSup', 17, 16, 'attribute', number('SMI filter')),
    field('SmiFRC', 20, 18, 'attribute', number('SMI filter registers')),
    field('GAMSup', 23, 21, 'attribute', number('guest virtual APIC modes')),
    field('DualPprLogSup', 25, 24, 'attribute', number('dual page request log')),
    reserved(27, 26),
    field('DualEventLogSup', 29, 28, 'attribute', number('dual event log')),
    reserved(30),
    flag('SATSSup', 31, 'attribute', ...yesNo('secure ATS')),
    field('PASmax', 36, 32, 'attribute', (value) => `PASIDs of ${value + 1n} bits`),
    flag('USSup', 37, 'attribute', ...yesNo('user and supervisor')),
    field('DevTblSegSup', 39, 38, 'attribute', (value) => `at most ${1n << value} device table segments`),
    flag('PprOvrflwEarlySup', 40, 'attribute', ...yesNo('early page request overflow')),
    flag('PPRAutoRspSup', 41, 'attribute', ...yesNo('automatic page response')),
    field('MarcSup', 43, 42, 'attribute', number('memory access routing and control')),
    flag('BlkStopMrkSup', 44, 'attribute', ...yesNo('blocking of stop marks')),
    flag('PerfOptSup', 45, 'attribute', ...yesNo('performance optimisation')),
    flag('MsiCapMmioSup', 46, 'attribute', ...yesNo('MSI capability in MMIO')),
    reserved(47),
    flag('GIoSup', 48, 'attribute', ...yesNo('guest I/O protection (GIOV)')),
    flag('HASup', 49, 'attribute', ...yesNo('host A')),
    flag('EPHSup', 50, 'attribute', ...yesNo('enhanced page request handling')),
    flag('AttrFWSup', 51, 'attribute', ...yesNo('attribute forward')),
    flag('HDSup', 52, 'attribute', ...yesNo('host D')),
    reserved(53),
    flag('InvIotlbTypeSup', 54, 'attribute', ...yesNo('IOTLB invalidation types')),
    flag('vIommuSup', 55, 'attribute', ...yesNo('virtual IOMMU')),
    reserved(60, 56),
    flag('GAUpdateDisSup', 61, 'attribute', ...yesNo('switching off A of guest tables')),
    flag('ForcePhyDestSup', 62, 'attribute', ...yesNo('forced physical interrupt destination')),
    flag('SNPSup', 63, 'attribute', ...yesNo('secure nested paging')),
  ];
}

function extendedFeature2(): BitField[] {
  const { flag, field, reserved } = fieldMakers('AMD 48882 3.10 §3.4');
  return [
    reserved(0),
    flag('SEVSNPIOSup', 1, 'attribute', ...yesNo('secure I/O')),
    reserved(2),
    flag('GCR3TRPMode', 3, 'attribute', ...yesNo('GCR3 tables at guest addresses')),
    flag('GAPPIDisSup', 4, 'attribute', ...yesNo('switching off guest APIC processor interrupts')),
    field('SNPAVICSup', 7, 5, 'attribute', (value) => `secure guest APIC ${value}`),
    reserved(63, 8),
  ];
}

function encryptionBit(): BitField[] {
  const { field, reserved } = fieldMakers('AMD 24593 §7.10');
  return [
    field('CBit', 5, 0, 'attribute', (value) => `address bit ${value} marks encrypted memory`),
    reserved(63, 6),
  ];
}

const LAYOUTS: Readonly<Record<string, () => BitField[]>> = {
  DevTabBase: deviceTableBase,
  Control: control,
  ExtFeat: extendedFeature,
  ExtFeat2: extendedFeature2,
  CBit: encryptionBit,
};

/** The registers that are known, with their layouts, in the order of their offsets. */
export function amdRegisters(values: ReadonlyMap<string, bigint>): Register[] {
  return Object.entries(LAYOUTS).flatMap(([name, layout]) => {
    const value = values.get(name);
    return value === undefined ? [] : [{ name, value, layout: layout() }];
  });
}

/** What the registers say of tables and entries; one that was not given restricts nothing. */
export interface AmdHardware {
  readonly on: boolean;
  /** Highest supported Mode of a DTE; 0: host tables are not supported. */
  readonly hostLevels: number;
  readonly guestLevels: number;
  readonly guestTranslation: boolean;
  /** DTE.GIOV counts. */
  readonly guestIo: boolean;
  /** Highest supported GLX of a DTE. */
  readonly mostGlx: number;
  readonly pasidBits: number;
  /** NX of guest tables is not reserved. */
  readonly noExecute: boolean;
  /** Hardware can set A, and D, in host tables. */
  readonly hostAccessed: boolean;
  readonly hostDirty: boolean;
  /** Hardware sets A, and D, in guest tables. */
  readonly guestAccessed: boolean;
  readonly guestDirty: boolean;
  /** GCR3 tables are at guest physical addresses where there are host tables. */
  readonly gcr3AtGuestAddress: boolean;
  /** log2 of the device table segments. */
  readonly segments: number;
  /** The bit of the address that marks encrypted memory. */
  readonly notAddress: bigint;
}

export function amdHardware(values: ReadonlyMap<string, bigint>): AmdHardware {
  const feature = values.get('ExtFeat');
  const feature2 = values.get('ExtFeat2');
  const controls = values.get('Control');
  const has = (bit: number): boolean => feature === undefined || bits(feature, bit) === 1n;
  const is = (bit: number, unknown: boolean): boolean =>
    controls === undefined ? unknown : bits(controls, bit) === 1n;
  const hats = Number(bits(feature ?? 0x800n, 11, 10));
  const gats = Number(bits(feature ?? 0x1000n, 13, 12));
  const encryption = values.get('CBit');
  return {
    on: is(0, true),
    hostLevels: hats === 3 ? 0 : hats + 4,
    guestLevels: gats === 3 ? 0 : gats + 4,
    guestTranslation: has(4) && is(16, true),
    guestIo: has(48),
    mostGlx: Number(bits(feature ?? 0x8000n, 15, 14)),
    pasidBits: feature === undefined ? 20 : Math.min(20, Number(bits(feature, 36, 32)) + 1),
    noExecute: has(3),
    hostAccessed: has(49),
    hostDirty: has(52),
    guestAccessed: !is(54, false),
    guestDirty: !is(48, false),
    gcr3AtGuestAddress: is(58, feature2 !== undefined && bits(feature2, 3) === 1n),
    segments: controls === undefined ? 0 : Number(bits(controls, 36, 34)),
    notAddress: encryption === undefined ? 0n : 1n << encryption,
  };
}
