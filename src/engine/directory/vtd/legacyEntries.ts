import { bits, fieldMakers, mask, reservedMask, type BitField } from '../../bits/bitFields';

const root = fieldMakers('VT-d 4.1 §9.1');
const context = fieldMakers('VT-d 4.1 §9.3');

/** Root entry, two words: index is the bus number. */
export const ROOT_LAYOUT: readonly (readonly BitField[])[] = [
  [
    root.flag('P', 0, 'control', 'present', 'not present'),
    root.reserved(11, 1),
    root.address('CTP', 51, 12, 'context table at'),
    // Host addresses have at most 52 bits; which of them a platform has is in no register.
    root.reserved(63, 52),
  ],
  [root.reserved(63, 0)],
];

export const TRANSLATION_TYPES = [
  'untranslated requests through the tables; translated and translation requests blocked',
  'untranslated, translated and translation requests',
  'pass-through',
  'reserved',
] as const;

/** Levels for an AW value: 39, 48 and 57 bits are 3, 4 and 5 levels. */
export const LEVELS_OF_WIDTH: readonly (number | undefined)[] = [undefined, 3, 4, 5];

/** Context entry, two words: index is device << 3 | function. */
export const CONTEXT_LAYOUT: readonly (readonly BitField[])[] = [
  [
    context.flag('P', 0, 'control', 'present', 'not present'),
    context.flag('FPD', 1, 'control', 'qualified faults are not reported', 'faults are reported'),
    context.field('TT', 3, 2, 'control', (value) => TRANSLATION_TYPES[Number(value)] ?? ''),
    context.reserved(11, 4),
    context.address('SSPTPTR', 51, 12, 'root of the second-stage tables at'),
    context.reserved(63, 52),
  ],
  [
    context.field('AW', 2, 0, 'control', (value) => {
      const levels = LEVELS_OF_WIDTH[Number(value)];
      return levels === undefined ? 'reserved' : `${12 + 9 * levels} bits, ${levels} levels`;
    }),
    context.ignored(6, 3),
    context.reserved(7),
    context.field('DID', 23, 8, 'control', (value) => `domain ${value}`),
    context.reserved(63, 24),
  ],
];

/** Bits that must be 0 in a present root entry, by word. */
export const ROOT_RESERVED = ROOT_LAYOUT.map(reservedMask);

/** Bits that must be 0 in a present context entry, by word, given CAP. */
export function contextReserved(cap: bigint | undefined): bigint[] {
  const [lo = 0n, hi = 0n] = CONTEXT_LAYOUT.map(reservedMask);
  return [lo, hi | (unusedDomainBits(cap) << 8n)];
}

/** Bits of a 16-bit domain id that CAP.ND says the unit has not: they are reserved. */
export function unusedDomainBits(cap: bigint | undefined): bigint {
  if (cap === undefined) return 0n;
  const used = 4 + 2 * Number(bits(cap, 2, 0));
  return used < 16 ? mask(15, used) : 0n;
}
