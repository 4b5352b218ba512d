/**
 * Words decoded into named fields: page-table entries, device structures and registers alike. A layout is data; what a
 * value means is worded here once and shown unchanged by every view.
 */
export type FieldKind =
  'address' | 'permission' | 'status' | 'attribute' | 'control' | 'software' | 'ignored' | 'reserved';

/** One field of a layout. Bit positions are inclusive, `high >= low`. */
export interface BitField {
  /** As the specification abbreviates it. */
  readonly name: string;
  readonly high: number;
  readonly low: number;
  readonly kind: FieldKind;
  /** `VT-d 4.1 §9.8` */
  readonly section: string;
  /** What this value means, in a few words. */
  readonly meaning: (value: bigint) => string;
  /** The byte address that the value says, for what leads somewhere. */
  readonly target?: (value: bigint) => bigint;
}

/** One field of an entry or register, as its specification names it. */
export interface FieldValue {
  readonly name: string;
  /** Bit positions, inclusive. */
  readonly high: number;
  readonly low: number;
  readonly value: bigint;
  readonly meaning: string;
  readonly section: string;
  readonly kind: FieldKind;
}

/** The bits high..low, set. */
export function mask(high: number, low = high): bigint {
  return ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
}

/** The value of the bits high..low of a word. */
export function bits(word: bigint, high: number, low = high): bigint {
  return (word & mask(high, low)) >> BigInt(low);
}

/** The bits that a layout reserves: they must be 0. */
export function reservedMask(layout: readonly BitField[]): bigint {
  return layout.reduce((all, { kind, high, low }) => (kind === 'reserved' ? all | mask(high, low) : all), 0n);
}

/** The fields of a word, highest bit first. */
export function decodeFields(word: bigint, layout: readonly BitField[]): FieldValue[] {
  return [...layout]
    .sort((a, b) => b.high - a.high)
    .map((field) => {
      const value = bits(word, field.high, field.low);
      const { name, high, low, section, kind } = field;
      return { name, high, low, value, meaning: field.meaning(value), section, kind };
    });
}

/** Makers of fields for one section of a specification. */
export function fieldMakers(section: string) {
  return {
    /** One bit that says one thing when set and another when clear. */
    flag: (name: string, bit: number, kind: FieldKind, set: string, clear: string): BitField => ({
      name,
      high: bit,
      low: bit,
      kind,
      section,
      meaning: (value) => (value === 1n ? set : clear),
    }),
    field: (
      name: string,
      high: number,
      low: number,
      kind: FieldKind,
      meaning: (value: bigint) => string,
    ): BitField => ({ name, high, low, kind, section, meaning }),
    /** Bits that form a byte address at their own position. */
    address: (name: string, high: number, low: number, what: string): BitField => ({
      name,
      high,
      low,
      kind: 'address',
      section,
      meaning: (value) => `${what} 0x${(value << BigInt(low)).toString(16)}`,
      target: (value) => value << BigInt(low),
    }),
    /** Bits that are the number of a 4 KiB page, wherever they stand. */
    pageNumber: (name: string, high: number, low: number, what: string): BitField => ({
      name,
      high,
      low,
      kind: 'address',
      section,
      meaning: (value) => `${what} 0x${(value << 12n).toString(16)}`,
      target: (value) => value << 12n,
    }),
    ignored: (high: number, low = high): BitField => ({
      name: 'Ignored',
      high,
      low,
      kind: 'ignored',
      section,
      meaning: (value) => (value === 0n ? 'ignored by hardware' : 'ignored by hardware, used by software'),
    }),
    reserved: (high: number, low = high): BitField => ({
      name: 'Reserved',
      high,
      low,
      kind: 'reserved',
      section,
      meaning: (value) => (value === 0n ? 'must be 0' : 'must be 0, but is not'),
    }),
  };
}
