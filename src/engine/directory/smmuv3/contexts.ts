import { type BitField } from '../../bits/bitFields';
import {
  CACHE_NAMES,
  GRANULE_NAMES,
  SHARE_NAMES,
  SIZE_NAMES,
  addressOf,
  flagOf,
  numberOf,
  pick,
  structureFields,
} from './fields';

/** Words of a context descriptor. */
export const CD_WORDS = 8;

const l1 = structureFields('IHI 0070 5.3');

/** Level 1 context descriptor. */
export const L1CD_LAYOUT: readonly (readonly BitField[])[] = [
  [
    l1.flag('V', 0, 'control', 'valid', 'not valid'),
    l1.zero(11, 1),
    l1.address('L2Ptr', 55, 12, 'context descriptors at'),
    l1.zero(63, 56),
  ],
];

const { flag, field, address, zero, implementation, number, hardwareUse } = structureFields('IHI 0070 5.4');

const GRANULE1_NAMES = ['reserved', '16K granule', '4K granule', '64K granule'];

/** What CD.TTB0 and CD.TTB1 have alike, `at` bits up in word 0. */
function regionFields(region: 0 | 1, at: number): BitField[] {
  return [
    field(`T${region}SZ`, at + 5, at, 'control', (value) => `takes ${64n - value} bits`),
    field(`TG${region}`, at + 7, at + 6, 'control', pick(region === 0 ? GRANULE_NAMES : GRANULE1_NAMES)),
    field(`IR${region}`, at + 9, at + 8, 'attribute', pick(CACHE_NAMES)),
    field(`OR${region}`, at + 11, at + 10, 'attribute', pick(CACHE_NAMES)),
    field(`SH${region}`, at + 13, at + 12, 'attribute', pick(SHARE_NAMES)),
    flag(`EPD${region}`, at + 14, 'control', `TTB${region} is not walked`, `TTB${region} is walked`),
  ];
}

function regionWord(region: 0 | 1): BitField[] {
  return [
    flag(
      `NSCFG${region}`,
      0,
      'attribute',
      'non-secure root, of secure streams',
      'secure root, of secure streams',
    ),
    flag(`HAD${region}`, 1, 'control', 'APTable and XNTable do not count', 'APTable and XNTable count'),
    flag(
      `E0PD${region}`,
      2,
      'control',
      'unprivileged requests fault',
      'unprivileged requests are translated',
    ),
    region === 0
      ? flag('HAFT', 3, 'control', 'hardware marks tables accessed', 'hardware does not mark tables')
      : flag('AIE', 3, 'control', 'memory types have 4 bits', 'memory types have 3 bits'),
    address(`TTB${region}`, 51, 4, 'root at'),
    zero(57, 52),
  ];
}

/** Context descriptor, eight words. */
export const CD_LAYOUT: readonly (readonly BitField[])[] = [
  [
    ...regionFields(0, 0),
    flag('ENDI', 15, 'control', 'big-endian tables', 'little-endian tables'),
    ...regionFields(1, 16),
    flag('V', 31, 'control', 'valid', 'not valid'),
    field('IPS', 34, 32, 'control', pick(SIZE_NAMES)),
    flag('AFFD', 35, 'control', 'AF = 0 does not fault', 'AF = 0 faults'),
    flag('WXN', 36, 'permission', 'writable pages are not executed', 'writable pages may be executed'),
    flag('UWXN', 37, 'permission', 'pages of users are not executed privileged', 'no further limit'),
    flag('TBI0', 38, 'control', 'top byte ignored with TTB0', 'top byte counts with TTB0'),
    flag('TBI1', 39, 'control', 'top byte ignored with TTB1', 'top byte counts with TTB1'),
    flag('PAN', 40, 'permission', 'privileged requests do not reach pages of users', 'no further limit'),
    flag('AA64', 41, 'control', 'VMSAv8-64 tables', 'VMSAv8-32 tables (or 128-bit descriptors)'),
    flag('HD', 42, 'control', 'hardware marks dirty', 'hardware does not mark dirty'),
    flag('HA', 43, 'control', 'hardware marks accessed', 'hardware does not mark accessed'),
    flag('S', 44, 'control', 'faults stall', 'faults end the request'),
    flag('R', 45, 'control', 'faults are recorded', 'faults are not recorded'),
    flag('A', 46, 'control', 'faults abort', 'faults read 0 and write nothing'),
    flag('ASET', 47, 'attribute', 'ASID of this SMMU', 'ASID shared with processors'),
    number('ASID', 63, 48, 'ASID'),
  ],
  [
    ...regionWord(0),
    flag('PnCH', 58, 'control', 'bit 52 of descriptors is Protected', 'bit 52 of descriptors is Contiguous'),
    flag('EPAN', 59, 'permission', 'PAN counts for executable pages too', 'PAN is as it was'),
    hardwareUse('HWU059', 60),
    hardwareUse('HWU060', 61),
    hardwareUse('HWU061', 62),
    hardwareUse('HWU062', 63),
  ],
  [
    ...regionWord(1),
    flag('DS', 58, 'control', '52 bits with the 4K and 16K granules', '48 bits with the 4K and 16K granules'),
    flag('PIE', 59, 'control', 'indirect permissions', 'direct permissions'),
    hardwareUse('HWU159', 60),
    hardwareUse('HWU160', 61),
    hardwareUse('HWU161', 62),
    hardwareUse('HWU162', 63),
  ],
  [
    field('MAIR0', 31, 0, 'attribute', (value) => `memory types 3 to 0: 0x${value.toString(16)}`),
    field('MAIR1', 63, 32, 'attribute', (value) => `memory types 7 to 4: 0x${value.toString(16)}`),
  ],
  [
    field('AMAIR0', 31, 0, 'attribute', (value) => `0x${value.toString(16)}, of the implementation`),
    field('AMAIR1', 63, 32, 'attribute', (value) => `0x${value.toString(16)}, of the implementation`),
  ],
  [
    implementation(31, 0),
    number('PARTID', 47, 32, 'MPAM partition'),
    number('PMG', 55, 48, 'MPAM group'),
    zero(63, 56),
  ],
  [field('PIIU', 47, 0, 'permission', (value) => `indirect: 0x${value.toString(16)}`), zero(63, 48)],
  [field('PIIP', 47, 0, 'permission', (value) => `indirect: 0x${value.toString(16)}`), zero(63, 48)],
];

/** What a CD says of TTB0 or TTB1. */
function readRegion(words: readonly bigint[], region: 0 | 1) {
  const at = region * 16;
  return {
    region,
    tsz: numberOf(words, 0, at + 5, at),
    granule: numberOf(words, 0, at + 7, at + 6),
    disabled: flagOf(words, 0, at + 14),
    ignoresTopByte: flagOf(words, 0, 38 + region),
    hierarchyOff: flagOf(words, 1 + region, 1),
    deniesUnprivileged: flagOf(words, 1 + region, 2),
    root: addressOf(words, 1 + region, 51, 4),
  };
}

export type CdRegion = ReturnType<typeof readRegion>;

/** The fields of a CD that decide a translation. */
export function readCd(words: readonly bigint[]) {
  return {
    valid: flagOf(words, 0, 31),
    bigEndian: flagOf(words, 0, 15),
    outputSize: numberOf(words, 0, 34, 32),
    ignoresAccessed: flagOf(words, 0, 35),
    privilegedNever: flagOf(words, 0, 40),
    aa64: flagOf(words, 0, 41),
    marksDirty: flagOf(words, 0, 42),
    marksAccessed: flagOf(words, 0, 43),
    marksTables: flagOf(words, 1, 3),
    stalls: flagOf(words, 0, 44),
    aborts: flagOf(words, 0, 46),
    asid: numberOf(words, 0, 63, 48),
    wide: flagOf(words, 2, 58),
    indirect: flagOf(words, 2, 59),
    regions: [readRegion(words, 0), readRegion(words, 1)] as const,
  };
}

export type Cd = ReturnType<typeof readCd>;

export function sayL1Cd(words: readonly bigint[]): string {
  return flagOf(words, 0, 0)
    ? `context descriptors at 0x${addressOf(words, 0, 55, 12).toString(16)}`
    : 'not valid';
}

export function sayCd(words: readonly bigint[]): string {
  const { valid, asid, regions } = readCd(words);
  if (!valid) return 'not valid';
  const tables = regions
    .filter(({ disabled }) => !disabled)
    .map(({ region, tsz, root }) => `TTB${region} of ${64 - tsz} bits at 0x${root.toString(16)}`);
  return [`ASID ${asid}`, ...(tables.length === 0 ? ['no table is walked'] : tables)].join(', ');
}
