/** Requests about mappings: address spaces, what is live, life times, the history of an IOVA, findings. */
import { formatSize } from '../../engine/values';
import { type TraceView } from '../../trace/query/traceView';
import { valueAt } from '../../trace/replay/chunkRows';
import { type ReplayFinding } from '../../trace/replay/findings';
import { historyOf } from '../../trace/replay/history';
import { type Lifetime } from '../../trace/replay/lifetimes';
import { type Replay } from '../../trace/replay/replay';
import { checkLimit, parseCursor } from '../answers/addresses';
import {
  TRACE_FINDINGS,
  type Params,
  type ResultOf,
  type TraceFinding,
  type TraceFindingKind,
  type TraceLifetime,
} from '../protocol';
import { refuse } from '../requestError';
import { type Work } from '../work';
import { type OpenedTrace } from './openTraces';
import { overRows } from './traceWork';
import { checkRow, filterRows, parseIova, rowsOf } from './rows';

const PAGE = 4096;

/** A page's address; pages of 4 KiB may have 52 bits. */
const addressOf = (page: number): string => `0x${(BigInt(page) * 4096n).toString(16)}`;

export function* spacesOf(
  { analysis }: OpenedTrace,
  { spaces }: Params<'traceSpaces'>,
): Work<ResultOf<'traceSpaces'>> {
  const { told, replay } = yield* analysis.tell(spaces);
  const live = yield* overRows('Replaying the trace', 0, replay.at(replay.rows - 1));
  const counts = yield* overRows('Counting rows', replay.rows, told.rowCounts());
  const mappings = new Map(live.map((each) => [each.space, each.live.count]));
  return {
    spaces: told.names.map((name, space) => ({
      name,
      rows: counts[space] ?? 0,
      live: mappings.get(space) ?? 0,
    })),
    notes: [...told.notes, ...replay.notes],
  };
}

export function* liveAt(
  trace: OpenedTrace,
  { row, spaces }: Params<'traceLive'>,
): Work<ResultOf<'traceLive'>> {
  checkRow(row);
  if (row >= trace.table.rows) refuse('trace/row', `${trace.name} has ${trace.table.rows} rows.`);
  const { told, replay } = yield* trace.analysis.analysed(spaces);
  const live = yield* overRows('Replaying the trace', 0, replay.at(row));
  return {
    spaces: live.map(({ name, live: { count, pages } }) => ({ name, mappings: count, bytes: pages * PAGE })),
    notes: [...told.notes, ...replay.notes],
  };
}

export function* lifetimePage(
  trace: OpenedTrace,
  { where, page }: Params<'traceLifetimes'>,
): Work<ResultOf<'traceLifetimes'>> {
  const limit = checkLimit(page.limit);
  const first = parseCursor(page.cursor, 10);
  const replay = yield* trace.analysis.current();
  const view: TraceView = trace.analysis.mapRows(where, replay);
  yield* filterRows(trace, view);
  const lifetimes = yield* overRows('Replaying the trace', 0, replay.lifetimes(view.rows(first, limit)));
  const end = first + limit;
  return {
    rows: lifetimes.map((lifetime) => lifetimeOf(replay, lifetime)),
    total: view.total,
    ...(end < view.total ? { next: String(end) } : {}),
  };
}

function lifetimeOf(
  replay: Replay,
  { space, mapRow, start, end, frame, unmapRow, flushRow }: Lifetime,
): TraceLifetime {
  const { table } = replay;
  const lived =
    unmapRow === null ? Number.NaN : valueAt(table, unmapRow, 'time') - valueAt(table, mapRow, 'time');
  return {
    space: replay.nameOf(space),
    iova: addressOf(start),
    size: (end - start) * PAGE,
    paddr: Number.isNaN(frame) ? null : addressOf(frame),
    ...{ mapRow, unmapRow, flushRow },
    lived: Number.isNaN(lived) ? null : lived,
  };
}

export function* historyPage(
  trace: OpenedTrace,
  { iova, space, page }: Params<'traceHistory'>,
): Work<ResultOf<'traceHistory'>> {
  const limit = checkLimit(page.limit);
  const first = parseCursor(page.cursor, 10);
  const address = parseIova(iova);
  const replay = yield* trace.analysis.current();
  const history = yield* overRows(
    'Looking for the IOVA',
    trace.table.rows,
    historyOf(replay, {
      page: Number(address >> 12n),
      ...(space === undefined ? {} : { space: spaceNumber(replay, space) }),
      ...{ first, limit },
    }),
  );
  const lifetimes = yield* overRows('Replaying the trace', 0, replay.lifetimes(history.mapRows));
  const end = first + limit;
  return {
    rows: yield* rowsOf(trace, history.rows),
    total: history.total,
    ...(end < history.total ? { next: String(end) } : {}),
    lifetimes: lifetimes.map((lifetime) => lifetimeOf(replay, lifetime)),
  };
}

/** Spaces that a refusal names. */
const NAMED = 12;

function spaceNumber({ spaces }: Replay, name: string): number {
  const names = Array.from({ length: spaces.count }, (_, space) => spaces.name(space));
  const found = names.findIndex((each) => each.toLowerCase() === name.toLowerCase());
  if (found >= 0) return found;
  const more = names.length > NAMED ? `, and ${names.length - NAMED} more` : '';
  return refuse(
    'trace/no-space',
    `The trace has no address space "${name}".`,
    `It has: ${names.slice(0, NAMED).join(', ')}${more}.`,
  );
}

export function* findingPage(
  trace: OpenedTrace,
  { kinds = TRACE_FINDINGS, where = '', page }: Params<'traceFindings'>,
): Work<ResultOf<'traceFindings'>> {
  const limit = checkLimit(page.limit);
  const first = parseCursor(page.cursor, 10);
  const replay = yield* trace.analysis.current();
  const { findings, total, counts } =
    where.trim() === ''
      ? { ...replay.findingPage(kinds, first, limit), counts: replay.findings.counts }
      : yield* matchingFindings(trace, replay, { where, kinds, first, limit });
  const end = first + limit;
  return {
    rows: findings.map((finding) => findingOf(replay, finding)),
    total,
    ...(end < total ? { next: String(end) } : {}),
    counts,
  };
}

/** Findings that are looked at between two yields. */
const STEP_FINDINGS = 16_384;

/** Findings of rows that match. */
function* matchingFindings(
  trace: OpenedTrace,
  replay: Replay,
  asked: {
    readonly where: string;
    readonly kinds: readonly TraceFindingKind[];
    readonly first: number;
    readonly limit: number;
  },
): Work<{
  readonly findings: readonly ReplayFinding[];
  readonly total: number;
  readonly counts: Record<TraceFindingKind, number>;
}> {
  const view = trace.matching(asked.where);
  yield* filterRows(trace, view);
  const counts = Object.fromEntries(TRACE_FINDINGS.map((kind) => [kind, 0])) as Record<
    TraceFindingKind,
    number
  >;
  const findings: ReplayFinding[] = [];
  let total = 0;
  for (let at = 0; ; at += STEP_FINDINGS) {
    const step = replay.findingPage(TRACE_FINDINGS, at, STEP_FINDINGS);
    for (const finding of step.findings) {
      if (!view.has(finding.row)) continue;
      counts[finding.kind]++;
      if (!asked.kinds.includes(finding.kind)) continue;
      if (total >= asked.first && findings.length < asked.limit) findings.push(finding);
      total++;
    }
    if (at + STEP_FINDINGS >= step.total) return { findings, total, counts };
    yield { message: 'Looking through findings' };
  }
}

function findingOf(replay: Replay, finding: ReplayFinding): TraceFinding {
  const { kind, row, other, space, start, end } = finding;
  const iova = addressOf(start);
  const size = (end - start) * PAGE;
  const message = `${sentence(finding, `${sizeOf(end - start)} at ${iova}`, endOf(replay))}${lostWords(finding)}.`;
  return { kind, row, other, space: replay.nameOf(space), iova, size, message };
}

const sizeOf = (pages: number): string => formatSize(pages * PAGE);

/** How far the trace was read. */
const endOf = ({ table, rows }: Replay): string =>
  table.complete ? 'the end of the trace' : `row ${rows}, as far as the trace was read`;

function sentence(
  { kind, row, other, start, end, gone }: ReplayFinding,
  range: string,
  last: string,
): string {
  const otherRow = other === null ? '' : ` row ${other + 1}`;
  switch (kind) {
    case 'double-map':
      return `Row ${row + 1} maps ${range}, which${otherRow} had mapped and nobody had unmapped`;
    case 'unmap-nothing':
      return gone === 0
        ? `Row ${row + 1} unmaps ${range}, and says itself that nothing was mapped there`
        : `Row ${row + 1} unmaps ${range}, where the trace shows no mapping`;
    case 'short-unmap':
      return `Row ${row + 1} unmaps ${range}, of which only ${sizeOf(gone)} went (${sizeOf(end - start - gone)} were not mapped)`;
    case 'leak':
      return other === null
        ? `Row ${row + 1} maps ${range}, which is still mapped at ${last}`
        : `Row ${row + 1} maps ${range}, which was still mapped when${otherRow} detached the last device`;
    case 'missing-flush':
      return other === null
        ? `Row ${row + 1} unmaps ${range}, and no flush of it follows up to ${last}`
        : `Row ${row + 1} unmaps ${range}, and${otherRow} maps it again without a flush between`;
  }
}

function lostWords({ kind, other, lost }: ReplayFinding): string {
  if (!lost) return '';
  const after = kind === 'leak' || kind === 'missing-flush';
  const where = other !== null ? 'in between' : after ? 'after it' : 'before';
  return ` (events were lost ${where}: what explains it may be among them)`;
}
