import * as fc from 'fast-check';
import { OPERATION_NAMES, type RowFacts, TestTrace } from '../../../builders/trace';
import { type RowSpaces } from '../../../../src/trace/model/spaces';
import { type Compilation } from '../../../../src/engine/filter/filter';

const seed = process.env['FUZZ_SEED'];
export const parameters = seed === undefined ? {} : { seed: Number(seed) };

/** What the language says of a row, by the plainest means: objects, bigints, loops. */
export interface ModelRow extends RowFacts {
  readonly row: number;
  readonly space: string;
  readonly previous: number | undefined;
  readonly first: number | undefined;
}

export const ORIGIN = 1_000_000_000_000n;
export const DEVICES = ['0000:00:02.0', '00:03.0', 'sid 0x18', 'odd "name\'s"'];
const TASKS = ['dd', 'DD', 'kworker/0:1-e', '<idle>', '=cmd|x', ''];
const EVENTS = ['map', 'unmap', 'qi_submit', 'Map'];
export const SPACES = ['A', 'b b'];

const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined, freq: 4 });
/** Pages with offsets, near each other, and near both ends of 64 bits. */
const address = fc
  .tuple(fc.constantFrom(0n, 0xffe1_0000n, 0xffff_ffff_ffff_0000n), fc.bigInt(0n, 0xffffn), fc.boolean())
  .map(([base, low, aligned]) => base + (aligned ? low & ~4095n : low));
const SIZES = [4096, 8192, 65536, 2 ** 21, 1, 100, 0];

export const rowFacts: fc.Arbitrary<RowFacts> = fc
  .record({
    operation: fc.constantFrom(...OPERATION_NAMES),
    event: fc.constantFrom(...EVENTS),
    time: optional(fc.integer({ min: 0, max: 5000 }).map((value) => value * 1000)),
    cpu: optional(fc.nat(3)),
    task: optional(fc.constantFrom(...TASKS)),
    pid: optional(fc.nat(3)),
    device: optional(fc.constantFrom(...DEVICES)),
    iova: optional(address),
    size: optional(fc.constantFrom(...SIZES)),
    paddr: optional(address),
    domain: optional(fc.nat(2)),
    pasid: optional(fc.nat(2)),
    flags: optional(
      fc.uniqueArray(
        fc.constantFrom('read' as const, 'write' as const, 'failed' as const, 'global' as const),
      ),
    ),
    done: optional(fc.constantFrom(...SIZES)),
    count: optional(fc.nat(300)),
    line: optional(
      fc.string({ unit: fc.constantFrom('a', 'B', 'map', ' ', ',', '"', '\t', '=', 'é'), maxLength: 8 }),
    ),
  })
  .map(
    (facts) =>
      Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as RowFacts,
  );

const FLAG_BITS = { read: 1, write: 2, failed: 8, global: 512 } as const;

export interface Model {
  readonly trace: TestTrace;
  readonly rows: readonly ModelRow[];
  readonly spaces: RowSpaces;
}

/** The space of a row is decided by its number: the first of every three is in none. */
export function modelOf(facts: readonly RowFacts[], chunkRows: number): Model {
  const trace = new TestTrace(facts, { chunkRows, origin: ORIGIN, timeDigits: 6 });
  trace.complete = true;
  const spaceOf = (row: number): number => (row % 3) - 1;
  const first = facts.find(({ time }) => time !== undefined)?.time;
  const rows = facts.map((row, index) => ({
    ...row,
    row: index,
    space: SPACES[spaceOf(index)] ?? '',
    previous: facts[index - 1]?.time,
    first,
  }));
  return { trace, rows, spaces: { count: SPACES.length, name: (space) => SPACES[space] ?? '', spaceOf } };
}

export const model: fc.Arbitrary<Model> = fc
  .tuple(fc.array(rowFacts, { maxLength: 150, size: 'max' }), fc.constantFrom(1, 7, 32, 64, 1000))
  .map(([facts, chunkRows]) => modelOf(facts, chunkRows));

/** A filter's text, and what it means. */
export interface ModelFilter {
  readonly text: string;
  readonly test: (row: ModelRow) => boolean;
}

const ORDERS = ['=', '!=', '<', '<=', '>', '>='] as const;
function ordered<T extends number | bigint>(order: (typeof ORDERS)[number], a: T | undefined, b: T): boolean {
  if (a === undefined) return order === '!=';
  return { '=': a === b, '!=': a !== b, '<': a < b, '<=': a <= b, '>': a > b, '>=': a >= b }[order];
}

const NUMBERS = {
  cpu: (row: ModelRow) => row.cpu,
  pid: (row: ModelRow) => (row.task === undefined ? undefined : row.pid),
  size: (row: ModelRow) => row.size,
  domain: (row: ModelRow) => row.domain,
  pasid: (row: ModelRow) => row.pasid,
  done: (row: ModelRow) => row.done,
  count: (row: ModelRow) => row.count,
  row: (row: ModelRow) => row.row + 1,
};
const numeric = fc
  .tuple(
    fc.constantFrom(...(Object.keys(NUMBERS) as (keyof typeof NUMBERS)[])),
    fc.constantFrom(...ORDERS),
    fc.oneof(fc.nat(4), fc.constantFrom(...SIZES), fc.nat(160)),
    optional(fc.nat(100)),
  )
  .map(([name, order, value, width]): ModelFilter => {
    const read = NUMBERS[name];
    if (width === undefined)
      return { text: `${name} ${order} ${value}`, test: (row) => ordered(order, read(row), value) };
    const test = (row: ModelRow): boolean => {
      const number = read(row);
      return number !== undefined && number >= value && number < value + width + 1;
    };
    return { text: `${name} in ${value}..${value + width + 1}`, test };
  });

const minus = (a: number | undefined, b: number | undefined): bigint | undefined =>
  a === undefined || b === undefined ? undefined : BigInt(a - b);
const TIMES = {
  time: (row: ModelRow) => (row.time === undefined ? undefined : ORIGIN + BigInt(row.time)),
  since: (row: ModelRow) => minus(row.time, row.first),
  delta: (row: ModelRow) => minus(row.time, row.previous),
};
const timed = fc
  .tuple(
    fc.constantFrom(...(Object.keys(TIMES) as (keyof typeof TIMES)[])),
    fc.constantFrom(...ORDERS),
    fc.integer({ min: 0, max: 5000 }),
  )
  .map(([name, order, us]): ModelFilter => {
    const value = (name === 'time' ? ORIGIN : 0n) + BigInt(us) * 1000n;
    const seconds = `${value / 1_000_000_000n}.${(value % 1_000_000_000n).toString().padStart(9, '0')}`;
    return { text: `${name} ${order} ${seconds}`, test: (row) => ordered(order, TIMES[name](row), value) };
  });

const named = fc
  .tuple(
    fc.constantFrom('device' as const, 'task' as const, 'event' as const, 'space' as const, 'line' as const),
    fc.constantFrom('=', '!=', 'has'),
    fc.constantFrom(...DEVICES, ...TASKS, ...EVENTS, ...SPACES, 'A', ','),
  )
  .map(([name, order, value]): ModelFilter => {
    const test = (row: ModelRow): boolean => {
      const task = typeof row.task === 'string' ? row.task : '';
      const text = (name === 'task' ? task : name === 'line' ? lineOf(row) : (row[name] ?? '')).toLowerCase();
      if (order === 'has') return text.includes(value.toLowerCase());
      return (text === value.toLowerCase()) === (order === '=');
    };
    return { text: `${name} ${order} "${value.replaceAll('"', '""')}"`, test };
  });

/** What the builder writes for a row without a line. */
export const lineOf = ({ line, event = '', row }: ModelRow): string => line ?? `${event} ${row}`;

const chosen = fc
  .tuple(
    fc.constantFrom('=', '!=', 'in'),
    fc.constantFrom(...OPERATION_NAMES),
    fc.constantFrom(...OPERATION_NAMES),
  )
  .map(([order, a, b]): ModelFilter => {
    if (order === 'in')
      return { text: `op in (${a}, ${b})`, test: ({ operation }) => operation === a || operation === b };
    return {
      text: `operation ${order} ${a}`,
      test: ({ operation }) => (operation === a) === (order === '='),
    };
  });

const bitsOf = ({ flags = [] }: ModelRow): number =>
  flags.reduce((bits, name) => bits | FLAG_BITS[name as keyof typeof FLAG_BITS], 0);
const flagged = fc
  .tuple(
    fc.constantFrom('bare', '=', 'has'),
    fc.constantFrom('read' as const, 'write' as const, 'failed' as const),
  )
  .map(([order, name]): ModelFilter => {
    const bit = FLAG_BITS[name];
    if (order === 'bare') return { text: name, test: (row) => (bitsOf(row) & bit) !== 0 };
    if (order === 'has') return { text: `flags has ${name}`, test: (row) => (bitsOf(row) & bit) !== 0 };
    return { text: `flags = ${name}`, test: (row) => bitsOf(row) === bit };
  });

const spanned = fc
  .tuple(
    fc.constantFrom('iova' as const, 'paddr' as const),
    fc.constantFrom(...ORDERS, 'in'),
    address,
    fc.nat(9000),
  )
  .map(([name, order, from, width]): ModelFilter => {
    const MAX = 2n ** 64n;
    const end = from + BigInt(width) + 1n < MAX ? from + BigInt(width) + 1n : MAX;
    const touches = (row: ModelRow, low: bigint, high: bigint): boolean => {
      const start = row[name];
      if (start === undefined || low >= high) return false;
      const size = BigInt(row.size ?? 0) || 1n;
      return BigInt(start) < high && BigInt(start) + size > low;
    };
    const bounds: Record<string, [bigint, bigint]> = {
      '=': [from, from + 1n],
      '!=': [from, from + 1n],
      '<': [0n, from],
      '<=': [0n, from + 1n],
      '>': [from + 1n, MAX],
      '>=': [from, MAX],
      in: [from, end],
    };
    const [low, high] = bounds[order] ?? [0n, 0n];
    const text =
      order === 'in'
        ? `${name} in ${from}..0x${end.toString(16)}`
        : `${name} ${order} 0x${from.toString(16)}`;
    return { text, test: (row) => touches(row, low, high) !== (order === '!=') };
  });

const condition = fc.oneof(numeric, timed, named, chosen, flagged, spanned);

export const modelFilter: fc.Arbitrary<ModelFilter> = fc.letrec<{ filter: ModelFilter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    condition,
    fc.tuple(tie('filter'), tie('filter'), fc.boolean()).map(([a, b, both]) => ({
      text: both ? `(${a.text}) and (${b.text})` : `(${a.text}) or (${b.text})`,
      test: both
        ? (row: ModelRow): boolean => a.test(row) && b.test(row)
        : (row: ModelRow): boolean => a.test(row) || b.test(row),
    })),
    tie('filter').map((a) => ({ text: `not (${a.text})`, test: (row: ModelRow): boolean => !a.test(row) })),
  ),
})).filter;

export function filterFrom<Filter>(compiled: Compilation<Filter>): Filter {
  if (compiled.ok) return compiled.filter;
  throw new Error(compiled.problems.map(({ message, hint }) => `${message} ${hint ?? ''}`).join('\n'));
}

/** Runs a generator to its end. */
export function finish<T>(work: Generator<number, T>): {
  readonly result: T;
  readonly steps: readonly number[];
} {
  const steps: number[] = [];
  for (;;) {
    const step = work.next();
    if (step.done === true) return { result: step.value, steps };
    steps.push(step.value);
  }
}
