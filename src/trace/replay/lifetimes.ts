import { type RowSpaces } from '../model/spaces';
import { chunkOf, type TraceTable } from '../model/table';
import { type Checkpoint, type Checkpoints } from './checkpoints';
import { ChunkRows, MAP } from './chunkRows';
import { LiveMappings } from './liveMappings';
import { RANGE_COLUMNS, RowRange } from './rowRange';
import { type ReplayListener, type Stepper } from './stepper';

/** A mapping from the row that made it to the one that took the last of it. Pages of 4 KiB, half-open. */
export interface Lifetime {
  readonly space: number;
  readonly mapRow: number;
  readonly start: number;
  readonly end: number;
  /** NaN: not known. */
  readonly frame: number;
  /** The unmap, or the map that took its place; null: still mapped behind the last row. */
  unmapRow: number | null;
  /** The first flush behind `unmapRow` that covers all of it, if it came soon; null: none. */
  flushRow: number | null;
}

/** What lifetimes are found in: a replay. */
export interface ReplayedTrace {
  readonly table: TraceTable;
  readonly spaces: RowSpaces;
  /** Rows that were replayed. */
  readonly rows: number;
  readonly checkpoints: Checkpoints;
  takeStepper(): Stepper;
  giveStepper(stepper: Stepper): void;
  /** Brings a stepper to a snapshot; the first row that is not done. */
  goTo(stepper: Stepper, point: Checkpoint | undefined): number;
}

/** Rows behind an unmap in which its flush is looked for. */
const FLUSH_WITHIN = 131_072;

/**
 * The lifetimes that rows began, in the rows' order. Which stretch between two snapshots a mapping ended in is found by halving, and
 * only such stretches are replayed: a page of lifetimes does not take a pass over the trace.
 */
export function* lifetimesOf(
  replay: ReplayedTrace,
  mapRows: readonly number[],
): Generator<number, readonly Lifetime[]> {
  const lifetimes = begun(replay, mapRows);
  const byStretch = new Map<number, Lifetime[]>();
  for (const lifetime of lifetimes) {
    const stretch = lastStretch(replay, lifetime);
    if (stretch < 0) continue;
    const those = byStretch.get(stretch) ?? [];
    those.push(lifetime);
    byStretch.set(stretch, those);
    yield 0;
  }
  for (const [stretch, those] of [...byStretch].sort(([one], [other]) => one - other)) {
    const stepper = replay.takeStepper();
    yield* watch(replay, stepper, stretch, those);
    replay.giveStepper(stepper);
  }
  return lifetimes;
}

/** What the rows mapped. */
function begun({ table, spaces }: ReplayedTrace, mapRows: readonly number[]): Lifetime[] {
  const rows = new ChunkRows(RANGE_COLUMNS);
  const range = new RowRange();
  const lifetimes: Lifetime[] = [];
  for (const row of mapRows) {
    const chunk = chunkOf(table, row);
    if (chunk < 0) continue;
    rows.load(table, chunk);
    const at = row - rows.first;
    if (rows.columns.operation[at] !== MAP || range.mapped(rows.columns, at)) continue;
    const { start, end, frame } = range;
    const space = spaces.spaceOf(row);
    lifetimes.push({
      ...{ mapRow: row, start, end, frame, unmapRow: null, flushRow: null },
      space: space < 0 ? spaces.count : space,
    });
  }
  return lifetimes;
}

/** The snapshot behind which a mapping ends before the next; -1: it does not end. */
function lastStretch({ checkpoints }: ReplayedTrace, lifetime: Lifetime): number {
  const points = checkpoints.all;
  const holds = (point: Checkpoint | undefined): boolean => {
    const snapshot = point?.spaces[lifetime.space];
    if (!snapshot) return false;
    for (const each of LiveMappings.of(snapshot).within(lifetime.start, lifetime.end))
      if (each.row === lifetime.mapRow) return true;
    return false;
  };
  let [low, high] = [checkpoints.indexBefore(lifetime.mapRow), points.length - 1];
  if (holds(points[high])) return -1;
  // It is there, or not made yet, at `low`; it is gone at `high`.
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (holds(points[middle])) low = middle;
    else high = middle;
  }
  return Math.max(low, 0);
}

/** Replays a stretch, and hears where the mappings end and when they are flushed. */
function* watch(
  replay: ReplayedTrace,
  stepper: Stepper,
  stretch: number,
  lifetimes: readonly Lifetime[],
): Generator<number, void> {
  const point = replay.checkpoints.all[stretch];
  const from = replay.goTo(stepper, point);
  const ends = replay.checkpoints.all[stretch + 1]?.row ?? replay.rows;
  const living = new Map(
    lifetimes.map((each) => [each.mapRow, { lifetime: each, left: each.end - each.start }]),
  );
  for (const { lifetime } of living.values()) if (lifetime.mapRow < from) setLeft(stepper, living, lifetime);
  let unflushed: Lifetime[] = [];
  const gone = (row: number, of: number, { start, end }: Readonly<RowRange>): void => {
    const space = of < 0 ? stepper.live.length - 1 : of;
    for (const each of stepper.live[space]?.within(start, end) ?? []) {
      const watched = living.get(each.row);
      if (!watched) continue;
      watched.left -= Math.min(end, each.end) - Math.max(start, each.start);
      if (watched.left > 0) continue;
      watched.lifetime.unmapRow = row;
      living.delete(each.row);
      unflushed.push(watched.lifetime);
    }
  };
  const listener: ReplayListener = {
    map: gone,
    unmap: gone,
    flush: (row, space, { start, end }, all) => {
      unflushed = unflushed.filter((each) => {
        const covers =
          (all === 'everything' || space < 0 || space === each.space) &&
          start <= each.start &&
          end >= each.end;
        if (covers) each.flushRow = row;
        return !covers;
      });
    },
  };
  yield* stepper.run(from, ends, listener);
  if (!stepper.flushes) return;
  for (let row = ends; row < Math.min(ends + FLUSH_WITHIN, replay.rows) && unflushed.length > 0; row += PART)
    yield* stepper.run(row, Math.min(row + PART, replay.rows), listener);
}

/** Rows that are replayed at a time while flushes are looked for. */
const PART = 4096;

/** Of what was mapped before the stretch a part may have gone already. */
function setLeft(
  stepper: Stepper,
  living: Map<number, { readonly lifetime: Lifetime; left: number }>,
  { mapRow, space, start, end }: Lifetime,
): void {
  let left = 0;
  for (const each of stepper.live[space]?.within(start, end) ?? [])
    if (each.row === mapRow) left += each.end - each.start;
  const watched = living.get(mapRow);
  if (watched) watched.left = left;
}
