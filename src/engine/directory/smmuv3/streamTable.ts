import { type BitField } from '../../bits/bitFields';
import {
  CACHE_NAMES,
  GRANULE_NAMES,
  INSTRUCTION_NAMES,
  PRIVILEGE_NAMES,
  SHARE_NAMES,
  SIZE_NAMES,
  addressOf,
  flagOf,
  numberOf,
  pick,
  structureFields,
} from './fields';

/** Words of a stream table entry. */
export const STE_WORDS = 8;

const l1 = structureFields('IHI 0070 5.1');

/** Level 1 stream table descriptor. */
export const L1STD_LAYOUT: readonly (readonly BitField[])[] = [
  [
    l1.field('Span', 4, 0, 'control', (value) => {
      if (value === 0n) return 'no level 2 table';
      return value > 11n ? 'reserved, as 0' : `${2n ** (value - 1n)} STEs`;
    }),
    l1.zero(5),
    l1.address('L2Ptr', 55, 6, 'level 2 table at'),
    l1.zero(63, 56),
  ],
];

const CONFIGS = [
  ...Array.from({ length: 4 }, () => 'requests are aborted'),
  'requests pass untranslated',
  'stage 1 translates',
  'stage 2 translates',
  'stages 1 and 2 translate',
];

const { flag, field, address, zero, implementation, number, ignored, hardwareUse } =
  structureFields('IHI 0070 5.2');

/** Stream table entry, eight words. */
export const STE_LAYOUT: readonly (readonly BitField[])[] = [
  [
    flag('V', 0, 'control', 'valid', 'not valid'),
    field('Config', 3, 1, 'control', pick(CONFIGS)),
    field(
      'S1Fmt',
      5,
      4,
      'control',
      pick(['linear CD table', '2-level, 64 CDs a table', '2-level, 1024 CDs a table', 'reserved, as 0']),
    ),
    address('S1ContextPtr', 55, 6, 'context descriptors at'),
    zero(58, 56),
    field('S1CDMax', 63, 59, 'control', (value) =>
      value === 0n ? 'one context descriptor' : `${2n ** value} context descriptors`,
    ),
  ],
  [
    field(
      'S1DSS',
      1,
      0,
      'control',
      pick([
        'requests without SubstreamID are aborted',
        'requests without SubstreamID bypass stage 1',
        'requests without SubstreamID use CD 0',
        'reserved, as 0',
      ]),
    ),
    field('S1CIR', 3, 2, 'attribute', pick(CACHE_NAMES)),
    field('S1COR', 5, 4, 'attribute', pick(CACHE_NAMES)),
    field('S1CSH', 7, 6, 'attribute', pick(SHARE_NAMES)),
    hardwareUse('S2HWU59', 8),
    hardwareUse('S2HWU60', 9),
    hardwareUse('S2HWU61', 10),
    hardwareUse('S2HWU62', 11),
    flag('DRE', 12, 'control', 'destructive reads allowed', 'destructive reads not allowed'),
    field('CONT', 16, 13, 'attribute', (value) => `one of ${2n ** value} like STEs`),
    flag('DCP', 17, 'control', 'cache prefetch allowed', 'cache prefetch not allowed'),
    flag(
      'PPAR',
      18,
      'control',
      'automatic page responses have a PASID',
      'automatic page responses have no PASID',
    ),
    flag('MEV', 19, 'control', 'like events may be merged', 'events are not merged'),
    field('SW_RESERVED', 23, 20, 'software', (value) => `0x${value.toString(16)}, free for software`),
    flag('S1PIE', 24, 'control', 'CDs may use indirect permissions', 'CDs use direct permissions'),
    flag('S2FWB', 25, 'attribute', 'stage 2 decides the memory type', 'memory types are combined'),
    flag('S1MPAM', 26, 'attribute', 'CD says MPAM', 'STE says MPAM'),
    flag('S1STALLD', 27, 'control', 'stage 1 must not stall', 'stage 1 may stall'),
    field(
      'EATS',
      29,
      28,
      'control',
      pick(['no ATS', 'full ATS', 'split-stage ATS', 'full ATS with permission table']),
    ),
    field('STRW', 31, 30, 'control', pick(['EL1', 'EL3 (reserved unless secure)', 'EL2', 'reserved'])),
    field('MemAttr', 35, 32, 'attribute', (value) => `memory type ${value.toString(2).padStart(4, '0')}`),
    flag('MTCFG', 36, 'attribute', 'memory type is MemAttr', 'memory type as the request says'),
    field('ALLOCCFG', 40, 37, 'attribute', (value) =>
      value < 8n ? 'allocation as the request says' : `allocation hints ${value & 7n}`,
    ),
    zero(43, 41),
    field(
      'SHCFG',
      45,
      44,
      'attribute',
      pick(['non-shareable', 'as the request says', 'outer shareable', 'inner shareable']),
    ),
    field('NSCFG', 47, 46, 'attribute', (value) => `security state ${value}, of secure streams`),
    field('PRIVCFG', 49, 48, 'permission', pick(PRIVILEGE_NAMES)),
    field('INSTCFG', 51, 50, 'permission', pick(INSTRUCTION_NAMES)),
    implementation(63, 52),
  ],
  [
    number('S2VMID', 15, 0, 'VMID'),
    implementation(31, 16),
    field('S2T0SZ', 37, 32, 'control', (value) => `stage 2 takes ${64n - value} bits`),
    number('S2SL0', 39, 38, 'start level code'),
    field('S2IR0', 41, 40, 'attribute', pick(CACHE_NAMES)),
    field('S2OR0', 43, 42, 'attribute', pick(CACHE_NAMES)),
    field('S2SH0', 45, 44, 'attribute', pick(SHARE_NAMES)),
    field('S2TG', 47, 46, 'control', pick(GRANULE_NAMES)),
    field('S2PS', 50, 48, 'control', pick(SIZE_NAMES)),
    flag('S2AA64', 51, 'control', 'VMSAv8-64 tables', 'VMSAv8-32 tables (or 128-bit descriptors)'),
    flag('S2ENDI', 52, 'control', 'big-endian tables', 'little-endian tables'),
    flag('S2AFFD', 53, 'control', 'AF = 0 does not fault', 'AF = 0 faults'),
    flag(
      'S2PTW',
      54,
      'control',
      'table walks must not reach device memory',
      'table walks may reach device memory',
    ),
    flag('S2HD', 55, 'control', 'hardware marks dirty', 'hardware does not mark dirty'),
    flag('S2HA', 56, 'control', 'hardware marks accessed', 'hardware does not mark accessed'),
    flag('S2S', 57, 'control', 'stage 2 faults stall', 'stage 2 faults end the request'),
    flag('S2R', 58, 'control', 'stage 2 faults are recorded', 'stage 2 faults are not recorded'),
    flag('S2HAFT', 59, 'control', 'hardware marks tables accessed', 'hardware does not mark tables'),
    flag('S2PIE', 60, 'control', 'indirect permissions', 'direct permissions'),
    flag('S2POE', 61, 'control', 'permission overlay', 'no permission overlay'),
    number('DPT_VMATCH', 63, 62, 'VMID match rule'),
  ],
  [
    flag('S2NSW', 0, 'attribute', 'non-secure table walks', 'secure table walks'),
    flag('S2NSA', 1, 'attribute', 'non-secure output', 'secure output'),
    number('S2SL0_2', 2, 2, 'start level code, bit 2:'),
    flag(
      'S2DS',
      3,
      'control',
      '52 bits with the 4K and 16K granules',
      '48 bits with the 4K and 16K granules',
    ),
    address('S2TTB', 51, 4, 'root of stage 2 at'),
    zero(60, 52),
    number('S2SKL', 62, 61, 'levels skipped, of 128-bit descriptors:'),
    zero(63),
  ],
  [
    implementation(15, 0),
    number('PARTID', 31, 16, 'MPAM partition'),
    number('S_S2T0SZ', 37, 32, 'secure S2T0SZ'),
    number('S_S2SL0', 39, 38, 'secure S2SL0'),
    zero(45, 40),
    number('S_S2TG', 47, 46, 'secure S2TG'),
    number('MECID', 63, 48, 'MECID'),
  ],
  [
    number('PMG', 7, 0, 'MPAM group'),
    flag('MPAM_NS', 8, 'attribute', 'non-secure MPAM', 'MPAM of the stream'),
    flag('AssuredOnly', 9, 'control', 'AssuredOnly counts', 'AssuredOnly does not count'),
    number('TL0', 10, 10, 'TopLevel check of TTB0:'),
    number('TL1', 11, 11, 'TopLevel check of TTB1:'),
    address('VMSPtr', 55, 12, 'virtual machine structure at'),
    zero(63, 56),
  ],
  [
    flag('S2SW', 0, 'attribute', 'non-secure walks of secure stage 2', 'secure walks of secure stage 2'),
    flag('S2SA', 1, 'attribute', 'non-secure output of secure stage 2', 'secure output of secure stage 2'),
    number('S_S2SL0_2', 2, 2, 'secure S2SL0, bit 2:'),
    zero(3),
    address('S_S2TTB', 55, 4, 'root of secure stage 2 at'),
    zero(60, 56),
    number('S_S2SKL', 62, 61, 'secure S2SKL'),
    zero(63),
  ],
  [ignored(63, 0)],
];

/** The fields of an STE that decide a translation. */
export function readSte(words: readonly bigint[]) {
  return {
    valid: flagOf(words, 0, 0),
    config: numberOf(words, 0, 3, 1),
    contextFormat: numberOf(words, 0, 5, 4),
    contextPointer: addressOf(words, 0, 55, 6),
    contextsLog2: numberOf(words, 0, 63, 59),
    withoutSubstream: numberOf(words, 1, 1, 0),
    /** S2HWU62 to S2HWU59. */
    hardwareBits: numberOf(words, 1, 11, 8),
    indirect1: flagOf(words, 1, 24),
    decidesMemoryType: flagOf(words, 1, 25),
    neverStalls: flagOf(words, 1, 27),
    ats: numberOf(words, 1, 29, 28),
    world: numberOf(words, 1, 31, 30),
    privilege: numberOf(words, 1, 49, 48),
    vmid: numberOf(words, 2, 15, 0),
    t0sz: numberOf(words, 2, 37, 32),
    sl0: numberOf(words, 2, 39, 38),
    granule: numberOf(words, 2, 47, 46),
    outputSize: numberOf(words, 2, 50, 48),
    aa64: flagOf(words, 2, 51),
    bigEndian: flagOf(words, 2, 52),
    ignoresAccessed: flagOf(words, 2, 53),
    protectsTables: flagOf(words, 2, 54),
    marksDirty: flagOf(words, 2, 55),
    marksAccessed: flagOf(words, 2, 56),
    stalls: flagOf(words, 2, 57),
    marksTables: flagOf(words, 2, 59),
    indirect2: flagOf(words, 2, 60),
    overlay2: flagOf(words, 2, 61),
    sl0Bit2: numberOf(words, 3, 2, 2),
    wide: flagOf(words, 3, 3),
    root: addressOf(words, 3, 51, 4),
  };
}

export type Ste = ReturnType<typeof readSte>;

/** STE.Config: 0 to 3 abort. */
export const CONFIG_BYPASS = 4;
export const CONFIG_STAGE1 = 1;
export const CONFIG_STAGE2 = 2;

export function sayL1(words: readonly bigint[]): string {
  const span = numberOf(words, 0, 4, 0);
  if (span === 0) return 'not valid';
  const size = span > 11 ? `reserved Span ${span}` : `${2 ** (span - 1)} STEs`;
  return `${size} at 0x${addressOf(words, 0, 55, 6).toString(16)}`;
}

export function saySte(words: readonly bigint[]): string {
  const ste = readSte(words);
  if (!ste.valid) return 'not valid';
  if (ste.config < CONFIG_BYPASS) return `Config ${ste.config}: requests are aborted`;
  const parts: string[] = [];
  if ((ste.config & CONFIG_STAGE1) !== 0) {
    const count =
      ste.contextsLog2 === 0 ? 'context descriptor' : `${2 ** ste.contextsLog2} context descriptors`;
    parts.push(`stage 1, ${count} at 0x${ste.contextPointer.toString(16)}`);
  }
  if ((ste.config & CONFIG_STAGE2) !== 0) {
    parts.push(`stage 2 of VMID ${ste.vmid}, tables at 0x${ste.root.toString(16)}`);
  }
  return parts.length === 0 ? 'pass-through' : parts.join('; ');
}
