import { type TraceColumn, type TimeMode } from '../messages/traceColumns';
import { type TraceRowModel, type TraceSummaryModel } from '../messages/traceMessages';
import { type TraceStrings } from '../messages/traceStrings';
import { fill } from '../shared/fill';

/** What a cell's text needs beside its row. */
export interface CellContext {
  readonly strings: TraceStrings;
  readonly summary: TraceSummaryModel;
  readonly time: TimeMode;
  /** The row above in the view, where it is here. */
  readonly above: TraceRowModel | undefined;
}

type Cell = (row: TraceRowModel, context: CellContext) => string;

const BILLION = 1_000_000_000n;
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const;

const GROUPED = new Intl.NumberFormat('en-US');
/** `1,234,567` */
export const grouped = (count: number): string => GROUPED.format(count);

/** Exactly, in the largest unit that divides it: `68 KiB`, `4,097 B`. */
export function sizeText(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && value % 1024 === 0 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${grouped(value)} ${UNITS[unit] ?? ''}`;
}

/** Nanoseconds as seconds with so many digits behind the point. */
export function secondsText(nanoseconds: bigint, digits: number): string {
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const fraction = (size % BILLION).toString().padStart(9, '0').slice(0, digits);
  const sign = nanoseconds < 0n ? '-' : '';
  return `${sign}${(size / BILLION).toString()}${fraction === '' ? '' : `.${fraction}`}`;
}

function timeText({ time }: TraceRowModel, { summary, time: mode, above }: CellContext): string {
  if (time === null) return '';
  const digits = Math.min(9, summary.timeDigits);
  if (mode === 'absolute') return secondsText(BigInt(summary.origin) + BigInt(Math.round(time)), digits);
  const from = mode === 'relative' ? (summary.firstTime ?? 0) : above?.time;
  if (from === undefined || from === null) return '';
  const since = BigInt(Math.round(time - from));
  return `${since < 0n ? '' : '+'}${secondsText(since, digits)}`;
}

const text = (value: string | number | null): string => (value === null ? '' : String(value));

/** What stands in a cell. */
export const CELLS: Readonly<Record<TraceColumn, Cell>> = {
  row: ({ row }) => grouped(row + 1),
  time: timeText,
  cpu: ({ cpu }) => text(cpu),
  task: ({ task, pid }) => (task === null || pid === null ? text(task ?? pid) : `${task}-${pid}`),
  device: ({ device }) => text(device),
  space: ({ space }) => text(space),
  operation: ({ operation }, { strings }) => strings.operations[operation] ?? operation,
  event: ({ operation, event, count }, { strings }) =>
    operation === 'lost' && count !== null ? fill(strings.lostHere, grouped(count)) : event,
  iova: ({ iova }) => text(iova),
  size: ({ size }) => (size === null ? '' : sizeText(size)),
  paddr: ({ paddr }) => text(paddr),
  flags: ({ flags }) => flags.join(' '),
  line: ({ line }) => line,
};

/** Digits that stand below each other. */
export const RIGHT_ALIGNED: ReadonlySet<TraceColumn> = new Set([
  ...(['row', 'time', 'cpu', 'iova', 'size', 'paddr'] as const),
]);
