import * as fc from 'fast-check';

import { type LeafFacts } from '../../../src/engine/filter/filter';

/** A leaf in bytes and bigints: what the model looks at instead of LeafFacts. */
export interface ModelLeaf {
  readonly iova: bigint;
  readonly paddr: bigint;
  readonly size: bigint;
  readonly perm: number;
  readonly accessed: boolean;
  readonly dirty: boolean;
  readonly level: bigint;
  readonly entry: bigint;
}

export const factsOf = (leaf: ModelLeaf): LeafFacts => ({
  iovaPage: Number(leaf.iova / 4096n),
  pages: Number(leaf.size / 4096n),
  frame: Number(leaf.paddr / 4096n),
  permission: leaf.perm,
  accessed: leaf.accessed,
  dirty: leaf.dirty,
  level: Number(leaf.level),
  lo: Number(leaf.entry & 0xffffffffn),
  hi: Number(leaf.entry >> 32n),
});

/** A filter as text, and what it means, written down a second time. */
export interface Model {
  readonly text: string;
  readonly holds: (leaf: ModelLeaf) => boolean;
}

const SIZES = [0x1000n, 0x20_0000n, 0x4000_0000n] as const;
/** Where leaves and literals meet: both ends of the space, the 32-bit and 53-bit edges, and something in the middle. */
const IOVA_PLACES = [
  0n,
  0xc000_0000n,
  1n << 32n,
  1n << 53n,
  0x7fff_c000_0000n,
  (1n << 64n) - 0x8000_0000n,
] as const;
const PADDR_PLACES = [0n, 0xc000_0000n, 1n << 32n, (1n << 52n) - 0x8000_0000n] as const;

const leafAt = (places: readonly bigint[], size: bigint): fc.Arbitrary<bigint> =>
  fc
    .tuple(fc.constantFrom(...places), fc.constantFrom(0n, 1n, 2n, 511n))
    .map(([place, index]) => place + ((index * size) % 0x8000_0000n));

export const leaf: fc.Arbitrary<ModelLeaf> = fc.constantFrom(...SIZES).chain((size) =>
  fc.record({
    iova: leafAt(IOVA_PLACES, size),
    paddr: leafAt(PADDR_PLACES, size),
    size: fc.constant(size),
    perm: fc.integer({ min: 0, max: 3 }),
    accessed: fc.boolean(),
    dirty: fc.boolean(),
    level: fc.bigInt(1n, 5n),
    entry: fc.oneof(
      fc.bigInt(0n, (1n << 64n) - 1n),
      fc.constantFrom(0x800n, 0x8000_0000_0000_0803n, 0xffff_ffffn),
    ),
  }),
);

/** A byte near an edge of some leaf. */
const addressNear = (places: readonly bigint[]): fc.Arbitrary<bigint> =>
  fc
    .tuple(
      fc.constantFrom(...SIZES).chain((size) => leafAt(places, size)),
      fc.constantFrom(0n, 1n, -1n, 0x800n, 0x1000n, 0xfffn, 0x1001n),
    )
    .map(([address, offset]) => (address + offset < 0n ? 0n : address + offset))
    .filter((address) => address < 1n << 64n);

const UNITS = ['', 'K', 'M', 'G', 'T', 'P'] as const;

/** One of the ways to write this number. */
function written(value: bigint): fc.Arbitrary<string> {
  const ways = [value.toString(), `0x${value.toString(16)}`, `0X${value.toString(16).toUpperCase()}`];
  ways.push(
    `0x${value
      .toString(16)
      .padStart(16, '0')
      .replace(/(?=(?:.{4})+$)(?!^)/g, '_')}`,
  );
  UNITS.forEach((unit, power) => {
    const scale = 1n << BigInt(10 * power);
    if (power > 0 && value % scale === 0n) ways.push(`${value / scale}${unit}`, `${value / scale}${unit}iB`);
  });
  return fc.constantFrom(...ways);
}

type Order = '=' | '!=' | '<' | '<=' | '>' | '>=';
const ORDERS: readonly Order[] = ['=', '!=', '<', '<=', '>', '>='];

function compare(a: bigint, order: Order, b: bigint): boolean {
  const results: Record<Order, boolean> = {
    '=': a === b,
    '!=': a !== b,
    '<': a < b,
    '<=': a <= b,
    '>': a > b,
    '>=': a >= b,
  };
  return results[order];
}

const anyCase = (word: string): fc.Arbitrary<string> =>
  fc.constantFrom(word, word.toUpperCase(), word.slice(0, 1).toUpperCase() + word.slice(1));

const numeric = (
  name: string,
  read: (row: ModelLeaf) => bigint,
  values: fc.Arbitrary<bigint>,
): fc.Arbitrary<Model> => {
  const comparison = fc
    .tuple(anyCase(name), fc.constantFrom(...ORDERS), values)
    .chain(([field, order, value]) =>
      written(value).map((number) => ({
        text: `${field} ${order} ${number}`,
        holds: (row: ModelLeaf) => compare(read(row), order, value),
      })),
    );
  const interval = fc
    .tuple(anyCase(name), values, values)
    .filter(([, a, b]) => a !== b)
    .chain(([field, a, b]) => {
      const [from, to] = a < b ? [a, b] : [b, a];
      return fc.tuple(written(from), written(to)).map(([low, high]) => ({
        text: `${field} in ${low}..${high}`,
        holds: (row: ModelLeaf) => read(row) >= from && read(row) < to,
      }));
    });
  const list = fc.array(values, { minLength: 1, maxLength: 4 }).map((items) => ({
    text: `${name} in (${items.join(',')})`,
    holds: (row: ModelLeaf) => items.includes(read(row)),
  }));
  return fc.oneof(comparison, interval, list);
};

/** Some address of [start, start + size) is in [from, to]. */
const touches = (start: bigint, size: bigint, from: bigint, to: bigint): boolean =>
  start <= to && start + size - 1n >= from;

const LAST = (1n << 64n) - 1n;

const range = (
  name: string,
  read: (row: ModelLeaf) => bigint,
  places: readonly bigint[],
): fc.Arbitrary<Model> => {
  const holds = (from: bigint, to: bigint) => (row: ModelLeaf) =>
    from <= to && touches(read(row), row.size, from, to);
  const comparison = fc.tuple(fc.constantFrom(...ORDERS), addressNear(places)).chain(([order, value]) =>
    written(value).map((number) => {
      const contains = holds(value, value);
      const meanings: Record<Order, (row: ModelLeaf) => boolean> = {
        '=': contains,
        '!=': (row) => !contains(row),
        '<': holds(0n, value - 1n),
        '<=': holds(0n, value),
        '>': holds(value + 1n, LAST),
        '>=': holds(value, LAST),
      };
      return { text: `${name} ${order} ${number}`, holds: meanings[order] };
    }),
  );
  const interval = fc
    .tuple(addressNear(places), addressNear(places), fc.constantFrom('both', 'from', 'to'))
    .filter(([a, b, ends]) => a !== b && (ends !== 'to' || b > 0n))
    .map(([a, b, ends]) => {
      const [from, to] = a < b ? [a, b] : [b, a];
      if (ends === 'from') return { text: `${name} in ${from}..`, holds: holds(from, LAST) };
      if (ends === 'to') return { text: `${name} in ..${to}`, holds: holds(0n, to - 1n) };
      return { text: `${name} in ${from}..${to}`, holds: holds(from, to - 1n) };
    });
  const list = fc
    .tuple(fc.array(addressNear(places), { minLength: 1, maxLength: 3 }), fc.boolean())
    .map(([items, negated]) => {
      const contains = (row: ModelLeaf): boolean =>
        items.some((item) => touches(read(row), row.size, item, item));
      return {
        text: `${name} ${negated ? 'not in' : 'in'} (${items.join(', ')})`,
        holds: (row: ModelLeaf) => contains(row) !== negated,
      };
    });
  return fc.oneof(comparison, interval, list);
};

const flag = (name: string, read: (row: ModelLeaf) => boolean): fc.Arbitrary<Model> =>
  fc.constantFrom(
    { text: name, holds: read },
    { text: `${name} = yes`, holds: read },
    { text: `${name} = 0`, holds: (row: ModelLeaf) => !read(row) },
    { text: `${name} != True`, holds: (row: ModelLeaf) => !read(row) },
  );

const PERMISSIONS = { r: 1, w: 2, rw: 3, WR: 3, none: 0, '-': 0 } as const;

const permission: fc.Arbitrary<Model> = fc
  .tuple(
    fc.constantFrom(...(Object.keys(PERMISSIONS) as (keyof typeof PERMISSIONS)[])),
    fc.constantFrom('=', '!=', 'has', 'in'),
  )
  .map(([word, operator]) => {
    const bits = PERMISSIONS[word];
    if (operator === 'in')
      return { text: `perm in (none, ${word})`, holds: (row) => row.perm === bits || row.perm === 0 };
    if (operator === 'has') return { text: `perm has ${word}`, holds: (row) => (row.perm & bits) === bits };
    return { text: `perm ${operator} ${word}`, holds: (row) => (row.perm === bits) === (operator === '=') };
  });

const word64 = fc.oneof(
  fc.bigInt(0n, LAST),
  fc.constantFrom(0n, 0x800n, 0x803n, 0x8000_0000_0000_0803n, LAST, 1n << 32n),
);

const masked: fc.Arbitrary<Model> = fc
  .tuple(word64, word64, fc.constantFrom(...ORDERS), fc.boolean())
  .map(([mask, value, order, bare]) =>
    bare
      ? { text: `entry & ${mask}`, holds: (row) => (row.entry & mask) !== 0n }
      : {
          text: `entry & ${mask} ${order} ${value}`,
          holds: (row) => compare(row.entry & mask, order, value),
        },
  );

const sizes = fc.oneof(fc.constantFrom(...SIZES), fc.constantFrom(0n, 1n, 4095n, 4097n, 8192n, LAST));

export const condition: fc.Arbitrary<Model> = fc.oneof(
  numeric('size', (row) => row.size, sizes),
  numeric('level', (row) => row.level, fc.oneof(fc.bigInt(0n, 6n), fc.constant(LAST))),
  numeric('entry', (row) => row.entry, word64),
  range('iova', (row) => row.iova, IOVA_PLACES),
  range('paddr', (row) => row.paddr, PADDR_PLACES),
  permission,
  masked,
  flag('accessed', (row) => row.accessed),
  flag('dirty', (row) => row.dirty),
  flag('readable', (row) => row.perm % 2 === 1),
  flag('writable', (row) => row.perm >= 2),
  flag('snoop', (row) => (row.entry >> 11n) % 2n === 1n),
);

/** Terms joined without parentheses where precedence allows it, with them anywhere. */
const joined = (kind: 'and' | 'or', terms: readonly Model[], keyword: string): Model => ({
  text: terms.map(({ text }) => `(${text})`).join(` ${keyword} `),
  holds: (row) =>
    kind === 'and' ? terms.every((term) => term.holds(row)) : terms.some((term) => term.holds(row)),
});

/** `a and b or not c and d ...`: the text has no parentheses, the meaning follows from the precedence. */
const flat: fc.Arbitrary<Model> = fc
  .array(fc.array(fc.tuple(fc.boolean(), condition), { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 3,
  })
  .map((groups) => ({
    text: groups
      .map((group) => group.map(([not, { text }]) => (not ? `NOT ${text}` : text)).join(' and '))
      .join(' or '),
    holds: (row) => groups.some((group) => group.every(([not, term]) => term.holds(row) !== not)),
  }));

export const model: fc.Arbitrary<Model> = fc.letrec<{ tree: Model }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    condition,
    flat,
    tie('tree').map(({ text, holds }) => ({ text: `not (${text})`, holds: (row: ModelLeaf) => !holds(row) })),
    fc
      .tuple(fc.array(tie('tree'), { minLength: 2, maxLength: 3 }), fc.constantFrom('and', 'And', '&&'))
      .map(([terms, keyword]) => joined('and', terms, keyword)),
    fc
      .tuple(fc.array(tie('tree'), { minLength: 2, maxLength: 3 }), fc.constantFrom('or', 'OR', '||'))
      .map(([terms, keyword]) => joined('or', terms, keyword)),
  ),
})).tree;
