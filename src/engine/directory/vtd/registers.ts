import { bits, fieldMakers, type BitField } from '../../bits/bitFields';
import { type FormatHardware } from '../../formats/pageTableFormat';
import { type DeviceDirectory, type PageWindow, type Register, type VendorWords } from '../deviceDirectory';
import { PASSES } from '../gate';

/**
 * Requests without a PASID to 0xFEE0_0000-0xFEEF_FFFF are interrupt messages and never reach the tables; nor may any
 * request come out there (VT-d 4.1 §3.15).
 */
export const VTD_INTERRUPT_WINDOW: PageWindow = {
  startPage: 0xfee00,
  endPage: 0xfef00,
  translatesPasids: true,
};
const FORBIDDEN_OUTPUT = {
  startFrame: VTD_INTERRUPT_WINDOW.startPage,
  endFrame: VTD_INTERRUPT_WINDOW.endPage,
};

export const VTD_WORDS: VendorWords = {
  requester: 'source-id',
  pasid: 'PASID',
  stage1Tag: 'DID',
  stage2Tag: 'DID',
  contextEntry: 'Context entry',
};

/**
 * What GSTS and RTADDR say of every request: nothing is translated (VT-d 4.1 §11.4.4.2), or scalable mode is selected and not
 * there, which blocks all (RTA.1.3).
 */
export function translationOff(values: ReadonlyMap<string, bigint>): DeviceDirectory['off'] {
  const status = values.get('GSTS');
  if (status !== undefined && bits(status, 31) === 0n) {
    return { answer: PASSES, why: 'Translation is off (GSTS.TES = 0): the request passes untranslated.' };
  }
  const ecap = values.get('ECAP');
  const scalable = bits(values.get('RTADDR') ?? 0n, 11, 10) === 1n;
  if (!scalable || ecap === undefined || bits(ecap, 43) === 1n) return undefined;
  const why = 'RTADDR.TTM = 1 (scalable mode), and ECAP.SMTS is 0: every request is blocked.';
  const hint = 'Check that RTADDR and ECAP are of the same unit.';
  return { answer: { kind: 'fault', fault: 'translation-blocked', why, hint }, why };
}

const yesNo = (what: string): [set: string, clear: string] => [`${what} supported`, `${what} not supported`];

function capability(): BitField[] {
  const { flag, field, reserved } = fieldMakers('VT-d 4.1 §11.4.2');
  const number = (what: string) => (value: bigint) => `${what} ${value}`;
  return [
    field('ND', 2, 0, 'attribute', (value) => `${2n ** (4n + 2n * value)} domains`),
    flag('AFL', 3, 'attribute', ...yesNo('advanced fault log')),
    flag('RWBF', 4, 'attribute', 'write buffer must be flushed', 'no write-buffer flush needed'),
    flag('PLMR', 5, 'attribute', ...yesNo('protected low memory region')),
    flag('PHMR', 6, 'attribute', ...yesNo('protected high memory region')),
    flag('CM', 7, 'attribute', 'not-present entries may be cached', 'not-present entries are not cached'),
    field('SAGAW', 12, 8, 'attribute', (value) => {
      const widths = [39, 48, 57].filter((_, index) => bits(value, index + 1) === 1n);
      return widths.length === 0 ? 'no supported width' : `${widths.join(', ')} bits of address`;
    }),
    reserved(15, 13),
    field('MGAW', 21, 16, 'attribute', (value) => `at most ${value + 1n} bits of guest address`),
    flag('ZLR', 22, 'attribute', ...yesNo('zero-length read')),
    reserved(23),
    field('FRO', 33, 24, 'attribute', (value) => `fault records at offset 0x${(value * 16n).toString(16)}`),
    field('SSLPS', 37, 34, 'attribute', (value) => {
      const sizes = ['2M', '1G'].filter((_, index) => bits(value, index) === 1n);
      return sizes.length === 0 ? 'no large pages' : `large pages of ${sizes.join(' and ')}`;
    }),
    reserved(38),
    flag('PSI', 39, 'attribute', ...yesNo('page-selective invalidation')),
    field('NFR', 47, 40, 'attribute', (value) => `${value + 1n} fault records`),
    field('MAMV', 53, 48, 'attribute', number('largest invalidation address mask')),
    flag('DWD', 54, 'attribute', ...yesNo('write draining')),
    flag('DRD', 55, 'attribute', ...yesNo('read draining')),
    flag('FS1GP', 56, 'attribute', ...yesNo('first-stage 1G page')),
    reserved(58, 57),
    flag('PI', 59, 'attribute', ...yesNo('posted interrupts')),
    flag('FS5LP', 60, 'attribute', ...yesNo('first-stage 5-level paging')),
    flag('ECMDS', 61, 'attribute', ...yesNo('enhanced commands')),
    flag('ESIRTPS', 62, 'attribute', ...yesNo('enhanced set interrupt remap table pointer')),
    flag('ESRTPS', 63, 'attribute', ...yesNo('enhanced set root table pointer')),
  ];
}

function extendedCapability(): BitField[] {
  const { flag, field, reserved } = fieldMakers('VT-d 5.10 §11.4.3');
  return [
    flag('C', 0, 'attribute', 'table walks are coherent', 'table walks do not snoop caches'),
    flag('QI', 1, 'attribute', ...yesNo('queued invalidation')),
    flag('DT', 2, 'attribute', ...yesNo('device TLB')),
    flag('IR', 3, 'attribute', ...yesNo('interrupt remapping')),
    flag('EIM', 4, 'attribute', ...yesNo('extended interrupt mode')),
    reserved(5),
    flag('PT', 6, 'attribute', ...yesNo('pass-through')),
    flag('SC', 7, 'attribute', ...yesNo('snoop control')),
    field('IRO', 17, 8, 'attribute', (value) => `IOTLB registers at offset 0x${(value * 16n).toString(16)}`),
    reserved(19, 18),
    field('MHMV', 23, 20, 'attribute', (value) => `largest interrupt mask ${value}`),
    reserved(24),
    flag('MTS', 25, 'attribute', ...yesNo('memory type')),
    flag('NEST', 26, 'attribute', ...yesNo('nested translation')),
    reserved(28, 27),
    flag('PRS', 29, 'attribute', ...yesNo('page request')),
    flag('ERS', 30, 'attribute', ...yesNo('execute request')),
    flag('SRS', 31, 'attribute', ...yesNo('supervisor request')),
    reserved(32),
    flag('NWFS', 33, 'attribute', ...yesNo('no-write flag')),
    flag('EAFS', 34, 'attribute', ...yesNo('extended accessed flag')),
    field('PSS', 39, 35, 'attribute', (value) => `PASIDs of ${value + 1n} bits`),
    flag('PASID', 40, 'attribute', ...yesNo('PASID')),
    flag('DIT', 41, 'attribute', ...yesNo('device-TLB invalidation throttle')),
    flag('PDS', 42, 'attribute', ...yesNo('page-request drain')),
    flag('SMTS', 43, 'attribute', ...yesNo('scalable mode')),
    flag('VCS', 44, 'attribute', ...yesNo('virtual command')),
    flag('SSADS', 45, 'attribute', ...yesNo('second-stage A/D')),
    flag('SSTS', 46, 'attribute', ...yesNo('second-stage translation')),
    flag('FSTS', 47, 'attribute', ...yesNo('first-stage translation')),
    flag('SMPWCS', 48, 'attribute', ...yesNo('coherent scalable-mode walk')),
    flag('RPS', 49, 'attribute', ...yesNo('RID-PASID')),
    flag('TDXCS', 50, 'attribute', ...yesNo('TDX Connect')),
    flag('PMS', 51, 'attribute', ...yesNo('performance monitoring')),
    flag('ADMS', 52, 'attribute', ...yesNo('abort-DMA mode')),
    flag('RPRIVS', 53, 'attribute', ...yesNo('RID_PRIV')),
    reserved(54),
    flag('HPTS', 55, 'attribute', ...yesNo('host permission tables')),
    flag('PTRS', 56, 'attribute', ...yesNo('PASID in translated requests')),
    flag('SSIRWS', 57, 'attribute', ...yesNo('second-stage I/O permission')),
    flag('SMS', 58, 'attribute', ...yesNo('stop marker')),
    flag('HPT1GPS', 59, 'attribute', ...yesNo('1G page of host permissions')),
    flag('RDTS', 60, 'attribute', ...yesNo('resource director')),
    flag(
      'EIMER',
      61,
      'attribute',
      'extended interrupt mode required',
      'extended interrupt mode not required',
    ),
    flag('IRREQ', 62, 'attribute', 'interrupt remapping required', 'interrupt remapping not required'),
    reserved(63),
  ];
}

function globalStatus(): BitField[] {
  const { flag, reserved } = fieldMakers('VT-d 4.1 §11.4.4.2');
  return [
    reserved(22, 0),
    flag('CFIS', 23, 'status', 'compatibility interrupts pass', 'compatibility interrupts blocked'),
    flag('IRTPS', 24, 'status', 'interrupt table pointer set', 'interrupt table pointer not set'),
    flag('IRES', 25, 'status', 'interrupt remapping on', 'interrupt remapping off'),
    flag('QIES', 26, 'status', 'queued invalidation on', 'queued invalidation off'),
    flag('WBFS', 27, 'status', 'write-buffer flush in progress', 'no write-buffer flush in progress'),
    flag('AFLS', 28, 'status', 'advanced fault log on', 'advanced fault log off'),
    flag('FLS', 29, 'status', 'fault log pointer set', 'fault log pointer not set'),
    flag('RTPS', 30, 'status', 'root table pointer set', 'root table pointer not set'),
    flag('TES', 31, 'status', 'translation on', 'translation off: every request passes'),
    reserved(63, 32),
  ];
}

export const TABLE_MODES = ['legacy', 'scalable', 'reserved', 'abort DMA'] as const;

function rootTableAddress(): BitField[] {
  const { field, flag, address, reserved } = fieldMakers('VT-d 5.10 §11.4.5');
  return [
    reserved(6, 0),
    flag('SSIRWE', 7, 'control', 'second stage uses IR and IW', 'second stage uses R and W'),
    reserved(9, 8),
    field('TTM', 11, 10, 'control', (value) => `${TABLE_MODES[Number(value)] ?? ''} mode`),
    address('RTA', 63, 12, 'root table at'),
  ];
}

const LAYOUTS: Readonly<Record<string, () => BitField[]>> = {
  RTADDR: rootTableAddress,
  GSTS: globalStatus,
  CAP: capability,
  ECAP: extendedCapability,
};

/** The VT-d registers that are known, with their layouts, in the order of their offsets. */
export function vtdRegisters(values: ReadonlyMap<string, bigint>): Register[] {
  return ['CAP', 'ECAP', 'GSTS', 'RTADDR'].flatMap((name) => {
    const value = values.get(name);
    const layout = LAYOUTS[name];
    return value === undefined || layout === undefined ? [] : [{ name, value, layout: layout() }];
  });
}

/** What CAP and ECAP say of second-stage entries; a register that was not given restricts nothing. */
export function secondStageHardware(values: ReadonlyMap<string, bigint>): FormatHardware {
  const cap = values.get('CAP');
  const ecap = values.get('ECAP');
  // The manual reserves SNP by ECAP.SC. Linux 5.13 set it by scalable mode alone, and QEMU lets it pass there.
  const scalable = bits(values.get('RTADDR') ?? 0n, 11, 10) === 1n;
  const largePages = new Set<number>();
  if (cap !== undefined && bits(cap, 34) === 1n) largePages.add(2 ** 21);
  if (cap !== undefined && bits(cap, 35) === 1n) largePages.add(2 ** 30);
  return {
    largePages: cap === undefined ? undefined : largePages,
    ...(ecap === undefined
      ? {}
      : { features: { snoopControl: scalable || bits(ecap, 7) === 1n, deviceTlb: bits(ecap, 2) === 1n } }),
    forbiddenOutput: FORBIDDEN_OUTPUT,
  };
}

/** Whether second-stage entries say in IR and IW what they allow (VT-d 5.10 §11.4.5, SSIRWE): in scalable mode only. */
export function usesIoPermissions(values: ReadonlyMap<string, bigint>): boolean {
  const rtaddr = values.get('RTADDR') ?? 0n;
  return bits(rtaddr, 11, 10) === 1n && bits(rtaddr, 7) === 1n;
}

/**
 * What CAP says of first-stage entries. Hardware always sets their A and D. With a stage 2 below (`nested`) only what comes
 * out of that must not lie in the interrupt window.
 */
export function firstStageHardware(values: ReadonlyMap<string, bigint>, nested: boolean): FormatHardware {
  const cap = values.get('CAP');
  return {
    largePages:
      cap === undefined ? undefined : new Set(bits(cap, 56) === 1n ? [2 ** 21, 2 ** 30] : [2 ** 21]),
    ...(nested ? {} : { forbiddenOutput: FORBIDDEN_OUTPUT }),
    setsAccessed: true,
    setsDirty: true,
  };
}
