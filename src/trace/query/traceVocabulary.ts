import { quote } from '../../engine/filter/tokens';
import { type Field, type ValueHelp, type Vocabulary } from '../../engine/filter/vocabulary';
import { type ColumnName } from '../model/columns';
import { type Dictionary } from '../model/dictionary';
import { FLAGS, OPERATIONS } from '../model/operation';
import { type RowSpaces } from '../model/spaces';
import { type TraceTable } from '../model/table';
import { formatSeconds, timesOf } from './times';
import { firstTime, type TraceCursor } from './traceCursor';

type TraceField = Field<TraceCursor>;

/** Where the answer to a field's conditions can be read off for many rows at once. */
export type Source =
  /** Numbers of a column, less `offset`. */
  | { readonly kind: 'numbers'; readonly column: ColumnName; readonly offset: () => number }
  /** Few numbers, from 0, that stand for something else: -1 is absent. */
  | {
      readonly kind: 'ids';
      readonly column: ColumnName | 'space';
      readonly size: () => number;
      readonly read: (id: number) => string | number | boolean;
    }
  | { readonly kind: 'addresses'; readonly of: 'iova' | 'paddr' }
  | { readonly kind: 'row' }
  /** Row by row. `slow`: of a line's text, which has to be read. */
  | { readonly kind: 'each'; readonly slow: boolean };

export interface TraceVocabulary extends Vocabulary<TraceCursor> {
  readonly sources: ReadonlyMap<TraceField, Source>;
}

const OPERATION_DOCS: Readonly<Record<string, string>> = {
  unknown: 'lines that nobody understands',
  lost: 'marks of lost events',
};
const FLAG_DOCS: Readonly<Record<keyof typeof FLAGS, string>> = {
  read: 'for reading',
  write: 'for writing',
  list: 'the first range of several',
  failed: 'nothing was done, or nothing found',
  cached: 'answered by a cache',
  on: 'set on',
  stage1: 'of the first stage',
  stage2: 'of the second stage',
  domainWide: 'of a whole domain',
  global: 'of everything',
};

/** The fields of a trace's rows, with the events, devices and tasks of this trace as values. `space` needs spaces. */
export function traceVocabulary(table: TraceTable, spaces?: RowSpaces): TraceVocabulary {
  const sources = new Map<TraceField, Source>();
  const add = (field: TraceField, source: Source): void => void sources.set(field, source);
  const { events, devices, tasks } = table.names;

  add(
    { name: 'row', type: 'integer', shift: 0, doc: 'number of the row, from 1', read: ({ row }) => row + 1 },
    { kind: 'row' },
  );
  addTimes(table, add);
  const number = (name: ColumnName, doc: string, aliases: string[] = [], values: ValueHelp[] = []): void => {
    const read = (row: TraceCursor): number => row.number(name);
    add(
      { name, aliases, type: 'integer', shift: 0, doc, values, read },
      { kind: 'numbers', column: name, offset: () => 0 },
    );
  };
  number('cpu', 'number of the CPU');
  const taskNames = (): Iterable<string> => new Set(tasks.tasks().map(({ name }) => name));
  addNamed(add, 'task', 'task', ['comm'], 'name of the task', taskNames, {
    size: () => tasks.size,
    read: (id) => tasks.task(id)?.name ?? '',
  });
  const pidOf = (id: number): number => tasks.task(id)?.pid ?? Number.NaN;
  add(
    {
      name: 'pid',
      aliases: ['tid'],
      type: 'integer',
      shift: 0,
      doc: "number of the task's thread",
      read: (row) => pidOf(row.number('task')),
    },
    { kind: 'ids', column: 'task', size: () => tasks.size, read: pidOf },
  );
  const named = (name: 'device' | 'event', names: Dictionary, aliases: string[], doc: string): void => {
    addNamed(add, name, name, aliases, doc, () => names.texts(), {
      size: () => names.size,
      read: (id) => names.text(id),
    });
  };
  named('device', devices, ['dev'], 'device as the trace writes it');
  if (spaces) {
    const names = (): string[] => Array.from({ length: spaces.count }, (_, space) => spaces.name(space));
    addNamed(add, 'space', 'space', [], 'address space, by the rules that are set', names, {
      size: () => spaces.count,
      read: (id) => (id < 0 ? '' : spaces.name(id)),
    });
  }
  addOperation(add);
  named('event', events, [], 'event as the trace names it');
  addAddresses(add, 'iova', ['va'], 'IO virtual addresses of the row: in a..b overlaps, = contains');
  const sizes = ['4K', '64K', '2M', '1G'].map((text) => ({ text, doc: 'bytes' }));
  number('size', 'bytes of the range', ['length'], sizes);
  addAddresses(
    add,
    'paddr',
    ['pa', 'address'],
    'physical addresses of the row: in a..b overlaps, = contains',
  );
  number('domain', 'number of the domain', ['did']);
  number('pasid', 'process address space id');
  addFlags(add);
  number('done', 'bytes unmapped, when they are not the size', ['unmapped']);
  number('count', 'events lost, pages dirty, or a fault’s reason');
  add(
    {
      name: 'text',
      aliases: ['line', 'raw'],
      type: 'text',
      doc: 'the line as it stands',
      read: (row) => row.line(),
    },
    { kind: 'each', slow: true },
  );
  return { fields: [...sources.keys()], sources };
}

type Add = (field: TraceField, source: Source) => void;

function addTimes(table: TraceTable, add: Add): void {
  const { origin } = table.trace;
  let start = Number.NaN;
  const started = (): number => {
    if (start !== start) start = firstTime(table);
    return start;
  };
  add(
    {
      name: 'time',
      aliases: ['t'],
      type: 'seconds',
      doc: 'seconds as the trace writes them',
      origin,
      get values() {
        const [first, last] = timesOf(table);
        if (first !== first) return [];
        const [from, to] = [formatSeconds(table.trace, first), formatSeconds(table.trace, last)];
        return [
          { text: `${from}..${to}`, doc: 'from the first to the last time' },
          { text: from, doc: 'the first time' },
          { text: to, doc: 'the last time' },
        ];
      },
      read: (row) => row.number('time'),
    },
    { kind: 'numbers', column: 'time', offset: () => 0 },
  );
  add(
    {
      name: 'since',
      aliases: ['relative'],
      type: 'seconds',
      doc: "seconds since the trace's first time",
      origin: 0n,
      values: [{ text: '0..1', doc: 'the first second' }],
      read: (row) => row.number('time') - started(),
    },
    { kind: 'numbers', column: 'time', offset: started },
  );
  add(
    {
      name: 'delta',
      type: 'seconds',
      doc: 'seconds since the row before',
      origin: 0n,
      values: [
        { text: '1ms..', doc: 'a millisecond and more' },
        ...['1ms', '10us'].map((text) => ({ text, doc: 'a time with its unit' })),
      ],
      read: (row) => row.delta(),
    },
    { kind: 'each', slow: false },
  );
}

function addNamed(
  add: Add,
  name: string,
  column: 'task' | 'device' | 'event' | 'space',
  aliases: string[],
  doc: string,
  names: () => Iterable<string>,
  ids: { readonly size: () => number; readonly read: (id: number) => string },
): void {
  const idOf = (row: TraceCursor): number => (column === 'space' ? row.space() : row.number(column));
  add(
    {
      name,
      aliases,
      type: 'text',
      doc,
      get values() {
        return Array.from(names(), (text) => ({ text: quote(text), doc: `a ${name} of this trace` }));
      },
      read: (row) => ids.read(idOf(row)),
    },
    { kind: 'ids', column, ...ids },
  );
}

function addOperation(add: Add): void {
  const members = Object.fromEntries(OPERATIONS.map((name, code) => [name, code]));
  add(
    {
      name: 'operation',
      aliases: ['op'],
      type: 'choice',
      doc: 'what happened',
      members,
      values: OPERATIONS.map((text) => ({ text, doc: OPERATION_DOCS[text] ?? 'an operation' })),
      read: (row) => row.number('operation'),
    },
    { kind: 'numbers', column: 'operation', offset: () => 0 },
  );
}

function addAddresses(add: Add, of: 'iova' | 'paddr', aliases: string[], doc: string): void {
  const [pages, offsets] = [`${of}Page`, `${of}Offset`] as const;
  add(
    {
      name: of,
      aliases,
      type: 'span',
      doc,
      values: [{ text: '0x1000..0x2000', doc: 'from 0x1000 up to, not including, 0x2000' }],
      overlaps: (from, to) => {
        const touches = touching(from, to);
        return (row) => touches(row.number(pages), row.number(offsets), row.number('size'));
      },
    },
    { kind: 'addresses', of },
  );
}

/**
 * Whether the range at this page and offset, of `size` bytes, has an address of [from, to): exact to the byte although an
 * address may need 64 bits, as only distances are compared. A row without a size, or of none, is about one byte.
 */
export function touching(from: bigint, to: bigint): (page: number, offset: number, size: number) => boolean {
  const [fromPage, fromOffset] = [Number(from >> 12n), Number(from & 4095n)];
  const [toPage, toOffset] = [Number(to >> 12n), Number(to & 4095n)];
  return (page, offset, size) => {
    const start = offset || 0;
    return (
      (page - toPage) * 4096 + start < toOffset && (fromPage - page) * 4096 + fromOffset < start + (size || 1)
    );
  };
}

function addFlags(add: Add): void {
  const names = Object.keys(FLAGS) as (keyof typeof FLAGS)[];
  const all = names.reduce((bits, name) => bits | FLAGS[name], 0);
  const ids = (read: (flags: number) => number | boolean): Source => ({
    kind: 'ids',
    column: 'flags',
    size: () => all + 1,
    read: (flags) => read(Math.max(flags, 0)),
  });
  const words = names.map((name) => [name.toLowerCase(), FLAGS[name]] as const);
  add(
    {
      name: 'flags',
      type: 'set',
      doc: 'what else is said of the row: = exactly, has at least',
      members: Object.fromEntries([...words, ['none', 0]]),
      values: names.map((name) => ({ text: name.toLowerCase(), doc: FLAG_DOCS[name] })),
      read: (row) => row.number('flags') || 0,
    },
    ids((flags) => flags),
  );
  for (const name of names) {
    const bit = FLAGS[name];
    add(
      {
        name: name.toLowerCase(),
        type: 'flag',
        doc: FLAG_DOCS[name],
        read: (row) => (row.number('flags') & bit) !== 0,
      },
      ids((flags) => (flags & bit) !== 0),
    );
  }
}
