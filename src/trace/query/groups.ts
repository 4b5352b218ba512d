import { quote } from '../../engine/filter/tokens';
import { formatSize } from '../../engine/values';
import { FLAGS, OPERATIONS, operationCode } from '../model/operation';
import { type TraceChunk, unpack } from '../model/chunk';
import { CHUNK_ROWS } from '../model/columns';
import { type RowSpaces } from '../model/spaces';
import { type TraceTable } from '../model/table';
import { firstBit, setRange, wordsOf } from './bits';
import { type TraceGroup, type TraceGroupBy } from './traceGroup';
import { type TraceFilter } from './traceFilter';

export interface TraceGroups {
  /** Those with most rows first. */
  readonly groups: readonly TraceGroup[];
  /** Rows of groups beyond the first MAX_GROUPS. */
  readonly left: number;
}

/** Groups that are told apart; rows of any more are counted only. */
export const MAX_GROUPS = 65_536;

/** What a group is known by: equal keys are one group. */
interface Name {
  readonly key: string;
  readonly value: string;
  readonly where: string;
}

class Totals {
  rows = 0;
  maps = 0;
  unmaps = 0;
  mappedBytes = 0;
  lastRow = 0;
  constructor(
    readonly name: Name,
    readonly firstRow: number,
  ) {}
}

const [MAP, DMA_MAP] = [operationCode('map'), operationCode('dma-map')];
const [UNMAP, DMA_UNMAP] = [operationCode('unmap'), operationCode('dma-unmap')];
/** Rows of a step of work: a few milliseconds. */
const STEP_ROWS = 16_384;

/**
 * The rows that a filter leaves, by what they have in common. Names are told apart without regard to case, as filters do.
 * Yields how many rows it read. `spaces` is needed to group by space.
 */
export function* groupRows(
  table: TraceTable,
  filter: TraceFilter,
  by: TraceGroupBy,
  spaces?: RowSpaces,
): Generator<number, TraceGroups> {
  const groups = new Map<string, Totals>();
  /** The group of each number of the column; `undefined` is one too many. */
  const known = new Map<number, Totals | undefined>();
  const describe = describer(table, by, spaces);
  const out = new Int32Array(wordsOf(CHUNK_ROWS));
  const columns = new Columns(by);
  const steps = Math.min(filter.stepRows, STEP_ROWS);
  let left = 0;

  const groupOf = (number: number, row: number): Totals | undefined => {
    if (known.has(number)) return known.get(number);
    const name = describe(number);
    let group = groups.get(name.key);
    if (!group && groups.size < MAX_GROUPS) groups.set(name.key, (group = new Totals(name, row)));
    if (group || known.size < 2 * MAX_GROUPS) known.set(number, group);
    return group;
  };

  for (let chunk = 0; chunk < table.chunks.length; chunk++) {
    const { first, rows } = table.chunks[chunk] ?? { first: 0, rows: 0 };
    let loaded = false;
    for (let from = 0; from < rows; from += steps) {
      const to = Math.min(from + steps, rows);
      if (filter.empty) setRange(out, from, to, from, to);
      else filter.ask(chunk, from, to, undefined, out);
      for (let row = firstBit(out, from, to); row >= 0; row = firstBit(out, row + 1, to)) {
        if (!loaded) columns.load(table.load(chunk));
        loaded = true;
        const number =
          by === 'space' ? (spaces?.spaceOf(first + row) ?? -1) : (columns.by[row] ?? Number.NaN);
        const group = groupOf(number, first + row);
        if (group) addRow(group, columns, row, first + row);
        else left++;
      }
      yield to - from;
    }
  }
  const all = [...groups.values()].sort((a, b) => b.rows - a.rows || a.firstRow - b.firstRow);
  return { groups: all.map((totals) => groupFrom(totals, filter.text)), left };
}

/** What groups count by, of one chunk, unpacked. */
class Columns {
  readonly by = new Float64Array(CHUNK_ROWS);
  readonly operation = new Float64Array(CHUNK_ROWS);
  readonly flags = new Float64Array(CHUNK_ROWS);
  readonly size = new Float64Array(CHUNK_ROWS);
  readonly #by: TraceGroupBy;

  constructor(by: TraceGroupBy) {
    this.#by = by;
  }

  load({ columns, rows }: TraceChunk): void {
    if (this.#by !== 'space') unpack(columns[this.#by], rows, this.by);
    for (const name of ['operation', 'flags', 'size'] as const) unpack(columns[name], rows, this[name]);
  }
}

function addRow(group: Totals, columns: Columns, at: number, row: number): void {
  group.rows++;
  group.lastRow = row;
  const operation = columns.operation[at] ?? 0;
  if (operation === MAP || operation === DMA_MAP) {
    group.maps++;
    const size = columns.size[at] ?? 0;
    if (((columns.flags[at] ?? 0) & FLAGS.failed) === 0 && size > 0) group.mappedBytes += size;
  } else if (operation === UNMAP || operation === DMA_UNMAP) group.unmaps++;
}

function groupFrom(totals: Totals, where: string): TraceGroup {
  const { name, rows, maps, unmaps, mappedBytes, firstRow, lastRow } = totals;
  const whole = joined(name.where, where.trim());
  return { value: name.value, where: whole, rows, maps, unmaps, mappedBytes, firstRow, lastRow };
}

/** Both conditions; parentheses only where an `or` could come apart. */
function joined(own: string, where: string): string {
  if (where === '') return own;
  return /\bor\b|\|/i.test(where) ? `${own} and (${where})` : `${own} and ${where}`;
}

function describer(
  table: TraceTable,
  by: TraceGroupBy,
  spaces: RowSpaces | undefined,
): (number: number) => Name {
  const { devices, events, tasks } = table.names;
  const named = (field: string, text: string): Name => {
    const where = `${field} = ${quote(text)}`;
    return { key: text.toLowerCase(), value: text, where };
  };
  switch (by) {
    case 'device':
      return (id) => named(by, devices.text(id));
    case 'event':
      return (id) => named(by, events.text(id));
    case 'space':
      return (space) => named(by, space < 0 || !spaces ? '' : spaces.name(space));
    case 'operation':
      return (code) => named(by, OPERATIONS[code] ?? 'unknown');
    case 'task':
      return (id) => taskName(tasks.task(id)?.name ?? '', tasks.task(id)?.pid ?? null);
    case 'cpu':
      return (cpu) => numbered(by, cpu, String(cpu));
    case 'size':
      return sizeName;
  }
}

/** A name that several threads have is several groups, as tracers write it: `dd-402`. */
function taskName(name: string, pid: number | null): Name {
  const where = `task = ${quote(name)} and ${pid === null ? 'not pid >= 0' : `pid = ${pid}`}`;
  const value = pid === null ? name : `${name}-${pid}`;
  return { key: `${pid ?? ''}/${name.toLowerCase()}`, value, where };
}

function numbered(field: string, number: number, text: string): Name {
  if (Number.isNaN(number)) return { key: '', value: '', where: `not ${field} >= 0` };
  return { key: text, value: text, where: `${field} = ${text}` };
}

function sizeName(size: number): Name {
  if (size < 2 ** 64) return numbered('size', size, formatSize(Math.trunc(size)));
  if (Number.isNaN(size)) return numbered('size', size, '');
  // No number of a filter is that large; what rounds to the same does.
  return { key: '16E', value: '16E', where: 'size >= 0xffffffffffffffff' };
}
