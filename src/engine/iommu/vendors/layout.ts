import { bits, mask } from '../../bits/bitFields';
import { assert } from '../../result';

/** Bits of an entry of several 64-bit words, counted over all of them: bit 64 is bit 0 of the second word. Inclusive. */
export interface FieldPart {
  readonly high: number;
  readonly low: number;
}

/** A field: its parts from the least significant on, and how many low bits of the value are not kept (of addresses). */
export interface Field {
  readonly parts: readonly FieldPart[];
  readonly shift: number;
}

/** One part; bits high..low lie within one word. */
export const at = (high: number, low = high, shift = 0): Field => ({ parts: [{ high, low }], shift });

/** A field of several parts, least significant first. */
export const split = (...parts: readonly (readonly [high: number, low: number])[]): Field => ({
  parts: parts.map(([high, low]) => ({ high, low })),
  shift: 0,
});

type Fields = Readonly<Record<string, Field>>;
/** What an encoder takes. Absent fields are 0; addresses in bytes. */
export type FieldInputs<F extends Fields> = { readonly [Name in keyof F]?: number | bigint | boolean };
/** A form by the names of its fields, for inputs that nobody has checked. */
export interface NamedForm {
  readonly fields: readonly string[];
  /** The words; a text: which field is unknown or too small for its value. */
  encodeNamed(inputs: Readonly<Record<string, bigint>>): bigint[] | string;
}

export type FieldValues<F extends Fields> = { readonly [Name in keyof F]: bigint };

/**
 * One form of a command or of a fault record: words to fields and back by the same description. Bits that no field names are
 * reserved.
 */
export class Layout<F extends Fields> implements NamedForm {
  readonly #words: number;
  readonly #fields: F;
  readonly #named: readonly bigint[];
  readonly #fixed: readonly (readonly [Field, bigint])[];

  /** `fixed`: fields that always have one value, such as an opcode. */
  constructor(words: number, fields: F, fixed: readonly (readonly [Field, number])[] = []) {
    this.#words = words;
    this.#fields = fields;
    this.#fixed = fixed.map(([field, value]) => [field, BigInt(value)]);
    const named = Array<bigint>(words).fill(0n);
    for (const { parts } of [...Object.values(fields), ...fixed.map(([field]) => field)]) {
      for (const { high, low } of parts) {
        const word = Math.floor(low / 64);
        assert(high < 64 * (word + 1) && word < words, 'a part of a field lies within one word');
        named[word] = (named[word] ?? 0n) | mask(high % 64, low % 64);
      }
    }
    this.#named = named;
  }

  /** A value that its field cannot hold is a bug of the caller. */
  encode(inputs: FieldInputs<F>): bigint[] {
    const words = Array<bigint>(this.#words).fill(0n);
    for (const [field, value] of this.#fixed) put(words, field, value);
    for (const [name, field] of Object.entries(this.#fields)) {
      const value = inputs[name];
      if (value !== undefined) put(words, field, BigInt(value) >> BigInt(field.shift));
    }
    return words;
  }

  get fields(): readonly string[] {
    return Object.keys(this.#fields);
  }

  encodeNamed(inputs: Readonly<Record<string, bigint>>): bigint[] | string {
    const words = Array<bigint>(this.#words).fill(0n);
    for (const [field, value] of this.#fixed) put(words, field, value);
    for (const [name, value] of Object.entries(inputs)) {
      const field = Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
      if (!field) return `there is no field ${name}; there are ${this.fields.join(', ')}`;
      const width = widthOf(field);
      if (value < 0n || value >> BigInt(width) !== 0n)
        return `${name} has ${width} bits, and 0x${value.toString(16)} does not fit`;
      if (value % (1n << BigInt(field.shift)) !== 0n)
        return `${name} is a multiple of 0x${(2 ** field.shift).toString(16)}`;
      put(words, field, value >> BigInt(field.shift));
    }
    return words;
  }

  decode(words: readonly bigint[]): FieldValues<F> {
    const values = Object.entries(this.#fields).map(([name, field]) => [name, take(words, field)] as const);
    return Object.fromEntries(values) as FieldValues<F>;
  }

  /** Whether the words have a bit that no field names; words beyond the layout count, too. */
  setsReserved(words: readonly bigint[]): boolean {
    return words.some((word, index) => (word & ~(this.#named[index] ?? 0n)) !== 0n);
  }
}

/** Bits of a value, with the low ones that are not kept. */
const widthOf = ({ parts, shift }: Field): number =>
  parts.reduce((width, { high, low }) => width + high - low + 1, shift);

/** The value of a field, with its low bits back in place. */
export function take(words: readonly bigint[], { parts, shift }: Field): bigint {
  let value = 0n;
  let width = 0;
  for (const { high, low } of parts) {
    const part = bits(words[Math.floor(low / 64)] ?? 0n, high % 64, low % 64);
    value |= part << BigInt(width);
    width += high - low + 1;
  }
  return value << BigInt(shift);
}

function put(words: bigint[], { parts }: Field, value: bigint): void {
  let rest = value;
  for (const { high, low } of parts) {
    const width = BigInt(high - low + 1);
    const index = Math.floor(low / 64);
    words[index] = (words[index] ?? 0n) | ((rest & ((1n << width) - 1n)) << BigInt(low % 64));
    rest >>= width;
  }
  assert(rest === 0n, 'the value fits its field');
}
