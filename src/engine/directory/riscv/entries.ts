import { bits, fieldMakers, type BitField } from '../../bits/bitFields';
import { guestPageBits, has, type RiscvRegisters } from './registers';

const SECTION = 'RISC-V IOMMU 1.0';
const pageAt = (what: string) => (value: bigint) => `${what} at 0x${(value << 12n).toString(16)}`;

/** A directory entry that points to the next directory: the same in the DDT (§2.1.1) and the PDT (§2.2.1). */
function pointerLayout(section: string): readonly (readonly BitField[])[] {
  const { flag, field, reserved } = fieldMakers(`${SECTION} ${section}`);
  return [
    [
      flag('V', 0, 'control', 'valid', 'not valid'),
      reserved(9, 1),
      field('PPN', 53, 10, 'address', pageAt('next directory')),
      reserved(63, 54),
    ],
  ];
}

export const DDTE_LAYOUT = pointerLayout('§2.1.1');
export const PDTE_LAYOUT = pointerLayout('§2.2.1');

/** iosatp.MODE of 64-bit contexts, §2.1.3.4. */
export const FIRST_STAGE_MODES = { 8: 'Sv39', 9: 'Sv48', 10: 'Sv57' } as const;
/** iohgatp.MODE of 64-bit guests, §2.1.3.2. */
export const SECOND_STAGE_MODES = { 8: 'Sv39x4', 9: 'Sv48x4', 10: 'Sv57x4' } as const;
/** pdtp.MODE, §2.1.3.4. */
export const PROCESS_MODES = { 1: 'PD8', 2: 'PD17', 3: 'PD20' } as const;

/** One name of a MODE field; undefined for an encoding that is reserved. */
export const modeName = <T>(modes: Readonly<Record<number, T>>, mode: number): T | undefined => modes[mode];

function named(modes: Readonly<Record<number, string>>) {
  return (value: bigint) => (value === 0n ? 'Bare' : (modes[Number(value)] ?? 'reserved or custom'));
}

function pointerWith(section: string, what: string, modes: Readonly<Record<number, string>>): BitField[] {
  const { field, reserved } = fieldMakers(`${SECTION} ${section}`);
  return [
    field('PPN', 43, 0, 'address', pageAt(what)),
    reserved(59, 44),
    field('MODE', 63, 60, 'control', named(modes)),
  ];
}

function translationControl(): BitField[] {
  const { flag, field, reserved } = fieldMakers(`${SECTION} §2.1.3.1`);
  return [
    flag('V', 0, 'control', 'valid', 'not valid'),
    flag('EN_ATS', 1, 'control', 'ATS allowed', 'ATS not allowed'),
    flag('EN_PRI', 2, 'control', 'page requests allowed', 'page requests not allowed'),
    flag('T2GPA', 3, 'control', 'ATS gives guest physical addresses', 'ATS gives physical addresses'),
    flag('DTF', 4, 'control', 'translation faults are not reported', 'translation faults are reported'),
    flag('PDTV', 5, 'control', 'fsc points to a process directory', 'fsc points to page tables'),
    flag('PRPR', 6, 'control', 'page responses have a PASID', 'page responses have no PASID'),
    flag(
      'GADE',
      7,
      'control',
      'A and D of the second stage are set by the IOMMU',
      'a clear A or D of the second stage faults',
    ),
    flag(
      'SADE',
      8,
      'control',
      'A and D of the first stage are set by the IOMMU',
      'a clear A or D of the first stage faults',
    ),
    flag(
      'DPE',
      9,
      'control',
      'requests without process_id are of process 0',
      'requests without process_id have no first stage',
    ),
    flag('SBE', 10, 'control', 'PDT and first stage are big-endian', 'PDT and first stage are little-endian'),
    flag('SXL', 11, 'control', '32-bit first-stage modes', '64-bit first-stage modes'),
    reserved(23, 12),
    field('custom', 31, 24, 'control', (value) => `${value}, of the implementation`),
    reserved(63, 32),
  ];
}

function attributes(qos: boolean): BitField[] {
  const { field, reserved } = fieldMakers(`${SECTION} §2.1.3.3`);
  const number = (value: bigint) => value.toString();
  return [
    reserved(11, 0),
    field('PSCID', 31, 12, 'control', (value) => `process soft-context ${value}`),
    reserved(39, 32),
    ...(qos
      ? [field('RCID', 51, 40, 'attribute', number), field('MCID', 63, 52, 'attribute', number)]
      : [reserved(63, 40)]),
  ];
}

function guestPointer(): BitField[] {
  const { field } = fieldMakers(`${SECTION} §2.1.3.2`);
  return [
    field('PPN', 43, 0, 'address', pageAt('second-stage root')),
    field('GSCID', 59, 44, 'control', (value) => `guest soft-context ${value}`),
    field('MODE', 63, 60, 'control', named(SECOND_STAGE_MODES)),
  ];
}

/** The mask and the pattern of interrupt-file pages: bits beyond a guest physical page number are reserved. */
function interruptPages(name: string, pageBits: number): BitField[] {
  const { field, reserved } = fieldMakers(`${SECTION} §2.1.3.6`);
  const high = Math.min(pageBits, 52) - 1;
  return [
    field(name, high, 0, 'attribute', (value) => `page numbers 0x${value.toString(16)}`),
    reserved(63, high + 1),
  ];
}

/** A device context: 4 words, or 8 where there are MSI page tables. */
export function contextLayout(registers: RiscvRegisters): readonly (readonly BitField[])[] {
  const base = [
    translationControl(),
    guestPointer(),
    attributes(has(registers, 'QOSID')),
    pointerWith('§2.1.3.4', 'root', { ...FIRST_STAGE_MODES, ...PROCESS_MODES }),
  ];
  if (!has(registers, 'MSI_FLAT')) return base;
  const pageBits = guestPageBits(registers);
  const { reserved } = fieldMakers(`${SECTION} §2.1.2`);
  return [
    ...base,
    pointerWith('§2.1.3.5', 'MSI page table', { 1: 'Flat' }),
    interruptPages('msi_addr_mask', pageBits),
    interruptPages('msi_addr_pattern', pageBits),
    [reserved(63, 0)],
  ];
}

const process = fieldMakers(`${SECTION} §2.2.3.1`);

/** A process context, two words. */
export const PROCESS_LAYOUT: readonly (readonly BitField[])[] = [
  [
    process.flag('V', 0, 'control', 'valid', 'not valid'),
    process.flag('ENS', 1, 'control', 'requests with privilege allowed', 'requests with privilege refused'),
    process.flag(
      'SUM',
      2,
      'control',
      'privileged requests reach user pages',
      'privileged requests do not reach user pages',
    ),
    process.reserved(11, 3),
    process.field('PSCID', 31, 12, 'control', (value) => `process soft-context ${value}`),
    process.reserved(63, 32),
  ],
  pointerWith('§2.2.3.2', 'first-stage root', FIRST_STAGE_MODES),
];

/** A pointer with a mode, as iosatp, pdtp and msiptp have it. */
export interface ModePointer {
  readonly mode: number;
  /** Page number. */
  readonly page: number;
}

export const readPointer = (word: bigint): ModePointer => ({
  mode: Number(bits(word, 63, 60)),
  page: Number(bits(word, 43, 0)),
});

/** A device context as its checks and walks need it. */
export interface DeviceContext {
  readonly control: bigint;
  readonly guest: ModePointer & { readonly id: number };
  readonly process: number;
  readonly first: ModePointer;
  /** MODE 0 in contexts of 32 bytes. */
  readonly msi: ModePointer & { readonly mask: bigint; readonly pattern: bigint };
}

export function readContext(words: readonly bigint[]): DeviceContext {
  const [control = 0n, guest = 0n, attribute = 0n, first = 0n, msi = 0n, mask = 0n, pattern = 0n] = words;
  return {
    control,
    guest: { ...readPointer(guest), id: Number(bits(guest, 59, 44)) },
    process: Number(bits(attribute, 31, 12)),
    first: readPointer(first),
    msi: { ...readPointer(msi), mask, pattern },
  };
}

/** A bit of tc. */
const CONTROL = {
  V: 0,
  EN_ATS: 1,
  EN_PRI: 2,
  T2GPA: 3,
  PDTV: 5,
  PRPR: 6,
  GADE: 7,
  SADE: 8,
  DPE: 9,
  SBE: 10,
  SXL: 11,
} as const;

export const isOn = ({ control }: DeviceContext, name: keyof typeof CONTROL): boolean =>
  bits(control, CONTROL[name]) === 1n;

/** A bit of a process context's ta: requests with privilege are allowed, and reach pages of users (§2.2.3.1). */
export const processAllows = (attributes: bigint, name: 'ENS' | 'SUM'): boolean =>
  bits(attributes, name === 'ENS' ? 1 : 2) === 1n;

const address = (page: number): string => `0x${(BigInt(page) << 12n).toString(16)}`;

export function sayPointer([word = 0n]: readonly bigint[]): string {
  return bits(word, 0) === 0n ? 'not valid' : `next directory at ${address(Number(bits(word, 53, 10)))}`;
}

export function sayContext(words: readonly bigint[]): string {
  const context = readContext(words);
  if (!isOn(context, 'V')) return 'not valid';
  const { guest, first } = context;
  const directory = isOn(context, 'PDTV');
  const mode = named(directory ? PROCESS_MODES : FIRST_STAGE_MODES)(BigInt(first.mode));
  const own =
    first.mode === 0
      ? 'no first stage'
      : directory
        ? `${mode} process directory at ${address(first.page)}`
        : `PSCID ${context.process}, ${mode} tables at ${address(first.page)}`;
  const second = named(SECOND_STAGE_MODES)(BigInt(guest.mode));
  return guest.mode === 0
    ? own
    : `${own}; GSCID ${guest.id}, ${second} second stage at ${address(guest.page)}`;
}

export function sayProcess([attribute = 0n, fsc = 0n]: readonly bigint[]): string {
  if (bits(attribute, 0) === 0n) return 'not valid';
  const { mode, page } = readPointer(fsc);
  if (mode === 0) return 'no first stage';
  return `PSCID ${bits(attribute, 31, 12)}, ${named(FIRST_STAGE_MODES)(BigInt(mode))} tables at ${address(page)}`;
}
