import { bits, fieldMakers, mask, type BitField } from '../../bits/bitFields';
import { zeroMaker } from '../../formats/armDescriptors';

/** Wording by value. */
export function pick(names: readonly string[]): (value: bigint) => string {
  return (value) => names[Number(value)] ?? 'reserved';
}

/** Makers of fields of an SMMU structure. RES0 bits of structures are not checked by hardware: they are ignored. */
export function structureFields(section: string) {
  const makers = fieldMakers(section);
  return {
    ...makers,
    zero: zeroMaker(section),
    /** A descriptor bit of a page-based hardware attribute. */
    hardwareUse: (name: string, bit: number): BitField =>
      makers.flag(
        name,
        bit,
        'control',
        'the descriptor bit is for hardware',
        'the descriptor bit is not for hardware',
      ),
    implementation: (high: number, low: number): BitField =>
      makers.field(
        'IMPDEF',
        high,
        low,
        'ignored',
        (value) => `0x${value.toString(16)}, of the implementation`,
      ),
    number: (name: string, high: number, low: number, what: string): BitField =>
      makers.field(name, high, low, 'control', (value) => `${what} ${value}`),
  };
}

export const GRANULE_NAMES = ['4K granule', '64K granule', '16K granule', 'reserved'];
export const SIZE_NAMES = [32, 36, 40, 42, 44, 48, 52, 56].map((size) => `addresses of ${size} bits`);
export const CACHE_NAMES = [
  'non-cacheable',
  'write-back, allocates',
  'write-through',
  'write-back, no write-allocate',
];
export const SHARE_NAMES = ['non-shareable', 'reserved', 'outer shareable', 'inner shareable'];
const OVERRIDES = ['as the request says', 'as the request says'];
export const PRIVILEGE_NAMES = [...OVERRIDES, 'unprivileged', 'privileged'];
export const INSTRUCTION_NAMES = [...OVERRIDES, 'data', 'instruction'];

/** A word of a structure that was read, or 0. */
export function wordOf(words: readonly bigint[], index: number): bigint {
  return words[index] ?? 0n;
}

export function flagOf(words: readonly bigint[], index: number, bit: number): boolean {
  return bits(wordOf(words, index), bit) === 1n;
}

export function numberOf(words: readonly bigint[], index: number, high: number, low: number): number {
  return Number(bits(wordOf(words, index), high, low));
}

/** Address bits high..low of a word, in place: below 2^56, which a JS number holds when its low bits are 0. */
export function addressOf(words: readonly bigint[], index: number, high: number, low: number): bigint {
  return wordOf(words, index) & mask(high, low);
}
