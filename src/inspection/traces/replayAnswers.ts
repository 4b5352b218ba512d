import { type Failure } from '../../engine/result';
import { formatSize, hex } from '../../engine/values';
import { valueAt } from '../../trace/replay/chunkRows';
import { FINDING_KINDS, type ReplayFinding } from '../../trace/replay/findings';
import { historyOf } from '../../trace/replay/history';
import { type Lifetime } from '../../trace/replay/lifetimes';
import { type Replay } from '../../trace/replay/replay';
import { type SpaceIndex } from '../../trace/replay/spaceIndex';
import { bytesOf, checkLimit, parseCursor } from '../answers/addresses';
import {
  parseInteger,
  type PageRequest,
  type ResultOf,
  type TraceFinding,
  type TraceFindingKind,
  type TraceLifetime,
} from '../protocol';
import { refuse } from '../requestError';
import { type Work } from '../work';

/** A trace's address spaces by some rules, and what its rows do to them. */
export interface ReplayedSpaces {
  readonly index: SpaceIndex;
  readonly replay: Replay;
}

const ANY_IOVA = 2n ** 64n;

/** The address spaces told apart, with what each maps after the last row. */
export function* spacesAnswer({ index, replay }: ReplayedSpaces): Work<ResultOf<'traceSpaces'>> {
  const rows = index.rowCounts();
  const live = yield* replay.at(replay.rows - 1);
  const mappings = new Map(live.map(({ space, live: { count } }) => [space, count]));
  return {
    spaces: index.names.map((name, space) => ({
      name,
      rows: rows[space] ?? 0,
      live: mappings.get(space) ?? 0,
    })),
    notes: notesOf({ index, replay }),
  };
}

/** What is mapped after a row. */
export function* liveAnswer(replayed: ReplayedSpaces, row: number): Work<ResultOf<'traceLive'>> {
  checkRow(replayed.replay, row);
  const live = yield* replayed.replay.at(row);
  return {
    spaces: live.map(({ name, live: { count, pages } }) => ({ name, mappings: count, bytes: pages * 4096 })),
    notes: notesOf(replayed),
  };
}

export const notesOf = ({ index, replay }: ReplayedSpaces): readonly Failure[] => [
  ...index.notes,
  ...replay.notes,
];

export function checkRow(replay: Replay, row: number): void {
  if (Number.isInteger(row) && row >= 0 && row < replay.rows) return;
  refuse('trace/row', `There is no row ${row + 1}: the trace has ${replay.rows.toLocaleString('en')} rows.`);
}

/** Rows about one IOVA, by their numbers, and the mappings that held it. */
export function* historyAnswer(
  { index, replay }: ReplayedSpaces,
  asked: { readonly iova: string; readonly space?: string; readonly page: PageRequest },
): Work<{
  readonly rows: readonly number[];
  readonly total: number;
  readonly next?: string;
  readonly lifetimes: readonly TraceLifetime[];
}> {
  const address = parseInteger(asked.iova);
  if (address === undefined || address >= ANY_IOVA)
    return refuse('request/address', `"${asked.iova}" is no address.`, 'Write it as 0xffffc000.');
  const space = asked.space === undefined ? -1 : numberOf(index.names, asked.space);
  const first = parseCursor(asked.page.cursor, 10);
  const limit = checkLimit(asked.page.limit);
  const { rows, total, mapRows } = yield* historyOf(replay, {
    ...{ page: Number(address >> 12n), first, limit },
    ...(space < 0 ? {} : { space }),
  });
  const lifetimes = yield* lifetimesAnswer(replay, mapRows);
  const end = first + rows.length;
  return { rows, total, lifetimes, ...(end < total ? { next: String(end) } : {}) };
}

function numberOf(names: readonly string[], name: string): number {
  const found = names.findIndex((each) => each.toLowerCase() === name.toLowerCase());
  if (found >= 0) return found;
  const known = names.slice(0, 20).join(', ');
  return refuse('trace/space', `There is no address space "${name}".`, `There are: ${known}.`);
}

/** The mappings that these rows made. */
export function* lifetimesAnswer(replay: Replay, mapRows: readonly number[]): Work<readonly TraceLifetime[]> {
  const lifetimes = yield* replay.lifetimes(mapRows);
  return lifetimes.map((lifetime) => lifetimeOf(replay, lifetime));
}

function lifetimeOf(replay: Replay, { space, mapRow, start, end, frame, ...gone }: Lifetime): TraceLifetime {
  const { unmapRow, flushRow } = gone;
  const time = (row: number): number => valueAt(replay.table, row, 'time');
  const lived = unmapRow === null ? Number.NaN : time(unmapRow) - time(mapRow);
  return {
    space: replay.nameOf(space),
    iova: hex(bytesOf(start)),
    size: (end - start) * 4096,
    paddr: Number.isNaN(frame) ? null : hex(bytesOf(frame)),
    mapRow,
    unmapRow,
    lived: Number.isNaN(lived) ? null : lived,
    flushRow,
  };
}

/** Findings by their rows. */
export function findingsAnswer(
  replay: Replay,
  kinds: readonly TraceFindingKind[] | undefined,
  page: PageRequest,
): ResultOf<'traceFindings'> {
  const first = parseCursor(page.cursor, 10);
  const limit = checkLimit(page.limit);
  const { findings, total } = replay.findingPage(kinds ?? FINDING_KINDS, first, limit);
  const end = first + findings.length;
  return {
    rows: findings.map((finding) => findingOf(replay, finding)),
    total,
    ...(end < total ? { next: String(end) } : {}),
    counts: replay.findings.counts,
  };
}

function findingOf(replay: Replay, finding: ReplayFinding): TraceFinding {
  const { kind, row, other, space, start, end } = finding;
  return {
    ...{ kind, row, other },
    space: replay.nameOf(space),
    iova: hex(bytesOf(start)),
    size: (end - start) * 4096,
    message: `${rangeText(finding)} ${SAYS[kind](finding)}`,
  };
}

const rangeText = ({ start, end }: ReplayFinding): string => {
  const bytes = bytesOf(end) - bytesOf(start);
  return `${hex(bytesOf(start))} (${formatSize(bytes)})`;
};

const rowText = (row: number | null): string => `row ${(row ?? -1) + 1}`;

/** What a finding says behind its range; people count rows from 1. */
const SAYS: Readonly<Record<TraceFindingKind, (finding: ReplayFinding) => string>> = {
  'double-map': ({ row, other, lost }) =>
    `is mapped by ${rowText(row)} while the map of ${rowText(other)} still holds it${
      lost ? '; events were lost in between' : ''
    }.`,
  'unmap-nothing': ({ row, gone, lost }) =>
    gone === 0
      ? `is unmapped by ${rowText(row)}, and the kernel says that nothing went.`
      : `is unmapped by ${rowText(row)}, and no map of it is in the trace${
          lost ? ' before: events were lost' : ' before'
        }.`,
  'short-unmap': ({ row, gone }) =>
    `is unmapped by ${rowText(row)}, and only ${formatSize(BigInt(gone) * 4096n)} of it went.`,
  leak: ({ row, other }) =>
    `was mapped by ${rowText(row)} and is never unmapped${
      other === null ? ' to the end of the trace' : `, though its device was detached by ${rowText(other)}`
    }.`,
  'missing-flush': ({ row, other }) =>
    other === null
      ? `was unmapped by ${rowText(row)} and is not flushed to the end of the trace.`
      : `was unmapped by ${rowText(row)} and is mapped again by ${rowText(other)} without a flush in between.`,
};
