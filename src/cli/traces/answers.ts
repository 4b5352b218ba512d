/** Answers about a whole trace: groups, findings, the history of an IOVA, life times. */
import {
  type TraceFinding,
  type TraceFindingKind,
  type TraceGroup,
  type TraceGroupBy,
  type TraceLifetime,
} from '../../inspection/protocol';
import { bytesText, timeText } from '../figures';
import { type Output } from '../output';
import { type Column } from '../table';
import { type CliTrace } from './trace';
import { countText, ROW_COLUMNS, rowCells, rowText, sizeText } from './words';

/** Where an answer goes. */
export interface Into {
  readonly output: Output;
  readonly json: boolean;
  readonly limit: number;
}

const GROUP_COLUMNS: readonly Column[] = [
  { title: 'GROUP', width: 16 },
  { title: 'ROWS', align: 'right', width: 12 },
  { title: 'MAPS', align: 'right', width: 12 },
  { title: 'UNMAPS', align: 'right', width: 12 },
  { title: 'MAPPED', align: 'right', width: 8 },
  { title: 'FIRST ROW', align: 'right', width: 9 },
  { title: 'LAST ROW', align: 'right', width: 9 },
];

export async function writeGroups(
  trace: CliTrace,
  by: TraceGroupBy,
  where: string,
  { output, json, limit }: Into,
  note: (text: string) => void,
): Promise<boolean> {
  let untold = 0;
  const stopped = await trace.pages(
    limit,
    (page) => trace.request('traceGroups', { where, by, page }),
    async ({ rows, left }, heading) => {
      untold = left;
      if (json) await output.json(rows.map(groupJson));
      else if (rows.length === 0 && heading) await output.lines(['no rows']);
      else await output.table(GROUP_COLUMNS, rows.map(groupCells), { heading });
    },
  );
  if (untold > 0) note(`${countText(untold)} rows are of further groups, too many to be told apart`);
  return stopped;
}

const groupJson = (group: TraceGroup): object => ({
  ...group,
  firstRow: group.firstRow + 1,
  lastRow: group.lastRow + 1,
});

const groupCells = ({ value, rows, maps, unmaps, mappedBytes, firstRow, lastRow }: TraceGroup) => [
  value,
  ...[rows, maps, unmaps].map(countText),
  bytesText(mappedBytes),
  rowText(firstRow),
  rowText(lastRow),
];

const FINDING_COLUMNS: readonly Column[] = [
  { title: 'KIND', width: 13 },
  { title: 'ROW', align: 'right', width: 8 },
  { title: 'OTHER', align: 'right', width: 8 },
  { title: 'SPACE', width: 12 },
  { title: 'IOVA', align: 'right', width: 18 },
  { title: 'SIZE', align: 'right', width: 5 },
  { title: 'WHAT', wrap: true },
];

export async function writeFindings(
  trace: CliTrace,
  asked: { readonly kinds?: readonly TraceFindingKind[]; readonly where: string },
  { output, json, limit }: Into,
): Promise<boolean> {
  let counts: Readonly<Record<string, number>> = {};
  const stopped = await trace.pages(
    limit,
    (page) => trace.request('traceFindings', { page, ...asked }),
    async (page, heading) => {
      ({ counts } = page);
      if (json) await output.json(page.rows.map(findingJson));
      else if (page.rows.length > 0) {
        await output.table(FINDING_COLUMNS, page.rows.map(findingCells), { heading });
      }
    },
  );
  if (!json) {
    const parts = Object.entries(counts).filter(([, count]) => count > 0);
    const found = parts.map(([kind, count]) => `${countText(count)} ${kind}`).join(', ');
    await output.lines([found === '' ? 'nothing was found' : found]);
  }
  return stopped;
}

const findingJson = (finding: TraceFinding): object => ({
  type: 'finding',
  ...finding,
  row: finding.row + 1,
  other: finding.other === null ? null : finding.other + 1,
});

const findingCells = ({ kind, row, other, space, iova, size, message }: TraceFinding) => [
  kind,
  rowText(row),
  rowText(other),
  space,
  iova,
  sizeText(size),
  message,
];

const LIFETIME_COLUMNS: readonly Column[] = [
  { title: 'SPACE', width: 12 },
  { title: 'IOVA', align: 'right', width: 18 },
  { title: 'SIZE', align: 'right', width: 5 },
  { title: 'PHYSICAL', align: 'right', width: 14 },
  { title: 'MAPPED', align: 'right', width: 8 },
  { title: 'UNMAPPED', align: 'right', width: 8 },
  { title: 'FLUSHED', align: 'right', width: 8 },
  { title: 'LIVED', align: 'right', width: 7 },
];

export const writeLifetimes = (
  trace: CliTrace,
  where: string,
  { output, json, limit }: Into,
): Promise<boolean> =>
  trace.pages(
    limit,
    (page) => trace.request('traceLifetimes', { where, page }),
    async ({ rows }, heading) => {
      if (json) await output.json(rows.map(lifetimeJson));
      else if (rows.length === 0 && heading) await output.lines(['nothing was mapped']);
      else await output.table(LIFETIME_COLUMNS, rows.map(lifetimeCells), { heading });
    },
  );

const lifetimeJson = (life: TraceLifetime): object => ({
  type: 'lifetime',
  ...life,
  mapRow: life.mapRow + 1,
  unmapRow: life.unmapRow === null ? null : life.unmapRow + 1,
  flushRow: life.flushRow === null ? null : life.flushRow + 1,
});

const lifetimeCells = ({ space, iova, size, paddr, mapRow, unmapRow, flushRow, lived }: TraceLifetime) => [
  space,
  iova,
  sizeText(size),
  paddr ?? '',
  rowText(mapRow),
  unmapRow === null ? 'lives' : rowText(unmapRow),
  rowText(flushRow),
  lived === null ? '' : timeText(lived / 1e9),
];

/** The rows about an IOVA, then the mappings that held it. */
export async function writeHistory(
  trace: CliTrace,
  iova: string,
  space: string | undefined,
  { output, json, limit }: Into,
): Promise<boolean> {
  let lifetimes: readonly TraceLifetime[] = [];
  const stopped = await trace.pages(
    limit,
    (page) => trace.request('traceHistory', { iova, page, ...(space === undefined ? {} : { space }) }),
    async (page, heading) => {
      ({ lifetimes } = page);
      if (json) await output.json(page.rows.map((row) => ({ type: 'row', ...row, row: row.row + 1 })));
      else if (page.rows.length === 0 && heading) await output.lines([`no row is about ${iova}`]);
      else {
        const cells = page.rows.map((row) => rowCells(row, trace.summary));
        await output.table(ROW_COLUMNS, cells, { heading });
      }
    },
  );
  if (json) await output.json(lifetimes.map(lifetimeJson));
  else if (lifetimes.length > 0) {
    await output.lines(['']);
    await output.title('Mappings that held it');
    await output.table(LIFETIME_COLUMNS, lifetimes.map(lifetimeCells));
  }
  return stopped;
}
