import { numberAt } from '../model/chunk';
import { type ColumnName } from '../model/columns';
import { FLAGS, type FlagName, type Operation, OPERATIONS } from '../model/operation';
import { type RowSpaces } from '../model/spaces';
import { chunkOf, type TraceTable } from '../model/table';

/** A row as views show it. Plain JSON: it goes to webviews, too. Rows count from 0 here, and from 1 wherever people see them. */
export interface TraceRow {
  readonly row: number;
  readonly operation: Operation;
  readonly event: string;
  /** Nanoseconds since the trace's origin. */
  readonly time: number | null;
  readonly cpu: number | null;
  readonly task: string | null;
  readonly pid: number | null;
  readonly device: string | null;
  /** Address space by the rules last given; null when it is not known. */
  readonly space: string | null;
  /** `0x` and lower-case digits. */
  readonly iova: string | null;
  readonly size: number | null;
  readonly paddr: string | null;
  readonly domain: number | null;
  readonly pasid: number | null;
  readonly flags: readonly FlagName[];
  readonly done: number | null;
  readonly count: number | null;
  /** The line as it stands; at most 4 KiB of it. */
  readonly line: string;
  readonly cut: boolean;
}

/** Bytes of a line that a row shows. */
export const ROW_LINE_BYTES = 4096;

const FLAG_NAMES = Object.keys(FLAGS) as FlagName[];

/** The row with this number; undefined when there is none. */
export function traceRow(
  table: TraceTable,
  row: number,
  spaces?: RowSpaces,
  lineBytes = ROW_LINE_BYTES,
): TraceRow | undefined {
  const chunk = chunkOf(table, row);
  const info = table.chunks[chunk];
  if (!info) return undefined;
  const { columns } = table.load(chunk);
  const at = row - info.first;
  const read = (name: ColumnName): number => numberAt(columns[name], at);
  const number = (name: ColumnName): number | null => orNull(read(name));
  const { events, devices, tasks } = table.names;
  const task = tasks.task(read('task'));
  const device = number('device');
  const space = spaces?.spaceOf(row) ?? -1;
  const length = read('length');
  return {
    row,
    operation: OPERATIONS[read('operation')] ?? 'unknown',
    event: events.text(read('event')),
    time: number('time'),
    cpu: number('cpu'),
    task: task?.name ?? null,
    pid: task?.pid ?? null,
    device: device === null ? null : devices.text(device),
    space: space < 0 || !spaces ? null : spaces.name(space),
    iova: address(read('iovaPage'), read('iovaOffset')),
    size: number('size'),
    paddr: address(read('paddrPage'), read('paddrOffset')),
    domain: number('domain'),
    pasid: number('pasid'),
    flags: flagsOf(read('flags')),
    done: number('done'),
    count: number('count'),
    line: table.trace.line(read('offset'), length, lineBytes),
    cut: length > lineBytes,
  };
}

const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);

/** An address of up to 64 bits as text; its page and offset are exact as numbers. */
function address(page: number, offset: number): string | null {
  if (Number.isNaN(page)) return null;
  const below = offset || 0;
  if (page === 0) return `0x${below.toString(16)}`;
  return `0x${page.toString(16)}${below.toString(16).padStart(3, '0')}`;
}

const flagsOf = (flags: number): readonly FlagName[] =>
  FLAG_NAMES.filter((name) => (flags & FLAGS[name]) !== 0);
