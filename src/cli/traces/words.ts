/** How people read what a trace says. */
import { formatSeconds, formatSize, type TraceRow, type TraceSummary } from '../../inspection/protocol';
import { type Column } from '../table';

/** Seconds as the tracer wrote them, `90.520583`; of a row without a time nothing. */
export const secondsText = (
  trace: Pick<TraceSummary, 'origin' | 'timeDigits'>,
  time: number | null,
): string => (time === null ? '' : formatSeconds(trace, time));

/** `4K`; what is no whole number of bytes of a unit in bytes. */
export const sizeText = (bytes: number | null): string => (bytes === null ? '' : formatSize(bytes));

/** A number of things, with commas. */
export const countText = (count: number): string => count.toLocaleString('en');

/** Row numbers as people count. */
export const rowText = (row: number | null): string => (row === null ? '' : String(row + 1));

/** With widths, so that the parts of a long table stand under each other. */
export const ROW_COLUMNS: readonly Column[] = [
  { title: 'ROW', align: 'right', width: 8 },
  { title: 'TIME', align: 'right', width: 14 },
  { title: 'CPU', align: 'right', width: 3 },
  { title: 'TASK', width: 18 },
  { title: 'DEVICE', width: 12 },
  { title: 'EVENT', width: 14 },
  { title: 'IOVA', align: 'right', width: 18 },
  { title: 'SIZE', align: 'right', width: 5 },
  { title: 'PHYSICAL', align: 'right', width: 14 },
  { title: 'FLAGS' },
];

/** A row whose line nobody understands shows the line instead. */
export function rowCells(row: TraceRow, summary: TraceSummary): readonly string[] {
  const { operation, event, task, pid, cpu, device, iova, paddr, flags, line, count } = row;
  const time = secondsText(summary, row.time);
  if (operation === 'unknown') return [rowText(row.row), time, '', '', '', 'unknown:', line];
  if (operation === 'lost') {
    const lost = count === null ? 'events lost' : `${countText(count)} events lost`;
    return [rowText(row.row), time, cpu === null ? '' : String(cpu), '', '', lost];
  }
  return [
    rowText(row.row),
    time,
    cpu === null ? '' : String(cpu),
    task === null ? '' : pid === null ? task : `${task}-${pid}`,
    device ?? '',
    event,
    iova ?? '',
    sizeText(row.size),
    paddr ?? '',
    flags.join(' '),
  ];
}
