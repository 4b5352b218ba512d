import { bits, fieldMakers, mask, reservedMask, type BitField } from '../../bits/bitFields';
import { LEVELS_OF_WIDTH, unusedDomainBits } from './legacyEntries';

const root = fieldMakers('VT-d 4.1 §9.2');
const context = fieldMakers('VT-d 4.1 §9.4');
const directory = fieldMakers('VT-d 4.1 §9.5');
const process = fieldMakers('VT-d 4.1 §9.6');
// Fields of host permission tables are newer.
const context5 = fieldMakers('VT-d 5.10 §9.4');
const process5 = fieldMakers('VT-d 5.10 §9.6');

type Layout = readonly (readonly BitField[])[];

/** Scalable-mode root entry, two words: the lower one is for device functions 0-127 of the bus, the upper for 128-255. */
export const SCALABLE_ROOT_LAYOUT: Layout = [
  [
    root.flag('LP', 0, 'control', 'lower half present', 'lower half not present'),
    root.reserved(11, 1),
    root.address('LCTP', 51, 12, 'lower context table at'),
    root.reserved(63, 52),
  ],
  [
    root.flag('UP', 0, 'control', 'upper half present', 'upper half not present'),
    root.reserved(11, 1),
    root.address('UCTP', 51, 12, 'upper context table at'),
    root.reserved(63, 52),
  ],
];

/** Scalable-mode context entry, four words. */
export const SCALABLE_CONTEXT_LAYOUT: Layout = [
  [
    context.flag('P', 0, 'control', 'present', 'not present'),
    context.flag('FPD', 1, 'control', 'qualified faults are not reported', 'faults are reported'),
    context.flag('DTE', 2, 'control', 'device TLB allowed', 'translation requests are blocked'),
    context.flag(
      'PASIDE',
      3,
      'control',
      'requests with a PASID allowed',
      'requests with a PASID are blocked',
    ),
    context.flag('PRE', 4, 'control', 'page requests allowed', 'page requests are blocked'),
    context5.flag('HPTE', 5, 'control', 'host permission tables are used', 'no host permission tables'),
    context5.flag('EPTR', 6, 'control', 'translated requests may have a PASID', 'they may have no PASID'),
    context.reserved(8, 7),
    context.field('PDTS', 11, 9, 'control', (value) => `directory of ${directoryEntries(value)} entries`),
    context.address('PASIDDIRPTR', 51, 12, 'PASID directory at'),
    context.reserved(63, 52),
  ],
  [
    context.field('RID_PASID', 19, 0, 'control', (value) => `requests without a PASID have PASID ${value}`),
    context.flag('RID_PRIV', 20, 'control', 'and are privileged', 'and are not privileged'),
    context.reserved(63, 21),
  ],
  [context.reserved(63, 0)],
  [context.reserved(63, 0)],
];

/** PASID-directory entry, one word: bits 19:6 of the PASID select it. */
export const PASID_DIRECTORY_LAYOUT: Layout = [
  [
    directory.flag('P', 0, 'control', 'present', 'not present'),
    directory.flag('FPD', 1, 'control', 'qualified faults are not reported', 'faults are reported'),
    directory.reserved(11, 2),
    directory.address('SMPTBLPTR', 51, 12, 'PASID table at'),
    directory.reserved(63, 52),
  ],
];

/** PASID-granular translation types. */
export const PGTT = { first: 1n, second: 2n, nested: 3n, passThrough: 4n } as const;
const TYPE_NAMES = ['reserved', 'first stage', 'second stage', 'nested', 'pass-through'];

const widthName = (value: bigint): string => {
  const levels = LEVELS_OF_WIDTH[Number(value)];
  return levels === undefined ? 'reserved' : `second stage of ${12 + 9 * levels} bits, ${levels} levels`;
};

/** PASID-table entry, eight words: bits 5:0 of the PASID select it. */
export const PASID_TABLE_LAYOUT: Layout = [
  [
    process.flag('P', 0, 'control', 'present', 'not present'),
    process.flag('FPD', 1, 'control', 'qualified faults are not reported', 'faults are reported'),
    process.field('AW', 4, 2, 'control', widthName),
    process.reserved(5),
    process.field('PGTT', 8, 6, 'control', (value) => TYPE_NAMES[Number(value)] ?? 'reserved'),
    process.flag('SSADE', 9, 'control', 'second stage sets A and D', 'second stage ignores A and D'),
    process.reserved(11, 10),
    process.address('SSPTPTR', 51, 12, 'root of the second-stage tables at'),
    process.reserved(63, 52),
  ],
  [
    process.field('DID', 15, 0, 'control', (value) => `domain ${value}`),
    process.reserved(22, 16),
    process.flag('PWSNP', 23, 'attribute', 'table walks snoop caches', 'table walks do not snoop caches'),
    process.flag('PGSNP', 24, 'attribute', 'pages are snooped always', 'pages are snooped as requests say'),
    process.flag('CD', 25, 'attribute', 'caches disabled', 'caches enabled'),
    process.flag(
      'EMTE',
      26,
      'attribute',
      'second-stage memory types used',
      'second-stage memory types ignored',
    ),
    process.reserved(31, 27),
    process.field('PAT', 63, 32, 'attribute', (value) => `page attribute table 0x${value.toString(16)}`),
  ],
  [
    process.flag('SRE', 0, 'control', 'privileged requests allowed', 'privileged requests are blocked'),
    process.reserved(1),
    process.field('FSPM', 3, 2, 'control', (value) =>
      value < 2n ? `first stage of ${value === 0n ? '4' : '5'} levels` : 'reserved',
    ),
    process.flag('WPE', 4, 'control', 'R/W binds privileged writes too', 'privileged writes need no R/W'),
    process.ignored(6, 5),
    process.flag('EAFE', 7, 'control', 'first stage sets EA', 'first stage ignores EA'),
    process.reserved(11, 8),
    process.address('FSPTPTR', 51, 12, 'root of the first-stage tables at'),
    process.reserved(63, 52),
  ],
  [process.reserved(63, 0)],
  [
    process5.field('HPTSZ', 1, 0, 'control', (value) => `host permission tables for ${49n + value} bits`),
    process5.flag(
      'HPTPFD',
      2,
      'control',
      'no prefetch of host permissions',
      'host permissions are prefetched',
    ),
    process.reserved(11, 3),
    process5.address('HPTPTR', 51, 12, 'host permission tables at'),
    process.reserved(63, 52),
  ],
  [
    process5.field('HPTDID', 15, 0, 'control', (value) => `host permission domain ${value}`),
    process.reserved(63, 16),
  ],
  [process.reserved(63, 0)],
  [process.reserved(63, 0)],
];

/** Entries of the PASID directory for a value of PDTS. */
export function directoryEntries(pdts: bigint): number {
  return 2 ** (Number(pdts) + 7);
}

/** Bits of an entry that are reserved unless a bit of ECAP is set. */
interface Conditional {
  readonly word: number;
  readonly mask: bigint;
  /** All of these bits of ECAP. */
  readonly ecap: readonly number[];
}

const CONTEXT_CONDITIONAL: readonly Conditional[] = [
  { word: 0, mask: mask(2), ecap: [2] },
  { word: 0, mask: mask(3), ecap: [40] },
  { word: 0, mask: mask(4), ecap: [29] },
  { word: 0, mask: mask(5), ecap: [55] },
  { word: 0, mask: mask(6), ecap: [56] },
  { word: 1, mask: mask(19, 0), ecap: [49] },
  { word: 1, mask: mask(20), ecap: [53] },
];

// AW and SSPTPTR are reserved without SSTS too (§9.6), but Linux writes AW whatever ECAP says, and no unit is known to mind.
const PROCESS_CONDITIONAL: readonly Conditional[] = [
  { word: 0, mask: mask(9), ecap: [45, 46] },
  { word: 1, mask: mask(23), ecap: [48] },
  { word: 1, mask: mask(24), ecap: [7] },
  { word: 1, mask: mask(26, 25) | mask(63, 32), ecap: [25] },
  { word: 2, mask: mask(0), ecap: [31] },
  { word: 2, mask: mask(7), ecap: [34] },
  { word: 2, mask: mask(4, 2) | mask(51, 12), ecap: [47] },
  { word: 4, mask: mask(51, 12) | mask(2, 0), ecap: [55] },
  { word: 5, mask: mask(15, 0), ecap: [55] },
];

export const SCALABLE_ROOT_RESERVED = SCALABLE_ROOT_LAYOUT.map(reservedMask);
export const PASID_DIRECTORY_RESERVED = PASID_DIRECTORY_LAYOUT.map(reservedMask);

/** Bits that must be 0 in a present context entry, by word, given CAP and ECAP. */
export function contextReserved(ecap: bigint | undefined): bigint[] {
  return withConditional(SCALABLE_CONTEXT_LAYOUT, CONTEXT_CONDITIONAL, ecap);
}

/** Bits that must be 0 in a present PASID-table entry, by word, given CAP and ECAP. */
export function processReserved(cap: bigint | undefined, ecap: bigint | undefined): bigint[] {
  const reserved = withConditional(PASID_TABLE_LAYOUT, PROCESS_CONDITIONAL, ecap);
  const domains = unusedDomainBits(cap);
  return reserved.map((word, index) => (index === 1 || index === 5 ? word | domains : word));
}

function withConditional(
  layout: Layout,
  conditional: readonly Conditional[],
  ecap: bigint | undefined,
): bigint[] {
  const reserved = layout.map(reservedMask);
  if (ecap === undefined) return reserved;
  for (const { word, mask: field, ecap: needed } of conditional) {
    if (needed.every((bit) => bits(ecap, bit) === 1n)) continue;
    reserved[word] = (reserved[word] ?? 0n) | field;
  }
  return reserved;
}
