import { type Failure } from '../../engine/result';
import { type RowSpaces } from '../model/spaces';
import { type TraceTable } from '../model/table';
import { type Checkpoint, Checkpoints } from './checkpoints';
import { type FindingKind } from './findingKinds';
import { Findings, type ReplayFinding } from './findings';
import { type Lifetime, lifetimesOf, type ReplayedTrace } from './lifetimes';
import { LiveMappings } from './liveMappings';
import { type Skipped } from './rowRange';
import { Stepper } from './stepper';
import { checkMappings } from './tooMany';

export interface ReplayOptions {
  /** Rows between two snapshots, to begin with; and bytes that snapshots may take. */
  readonly interval?: number;
  readonly budget?: number;
  /** Mappings that may be live at the same time. */
  readonly mostMappings?: number;
}

const INTERVAL = 65_536;

/** Mappings of one space after some row. */
export interface LiveSpace {
  /** Number of the space; that of all spaces for rows whose space is not known. */
  readonly space: number;
  readonly name: string;
  readonly live: LiveMappings;
}

/**
 * What the rows of a trace, as far as it was read when this was made, do to the mappings of its address spaces. Made in one pass,
 * which finds mistakes and leaves snapshots behind; from the nearest snapshot any row is a chunk or so away, in both directions.
 */
export class Replay implements ReplayedTrace {
  readonly table: TraceTable;
  readonly spaces: RowSpaces;
  /** Rows that the replay knows. */
  readonly rows: number;
  readonly findings: Findings;
  readonly checkpoints: Checkpoints;
  readonly #skipped: ReadonlyMap<Skipped, { readonly rows: number; readonly first: number }>;
  readonly #observes: boolean;
  /** Nobody runs it. */
  #spare: Stepper | undefined;

  private constructor(
    table: TraceTable,
    spaces: RowSpaces,
    made: {
      readonly rows: number;
      readonly findings: Findings;
      readonly checkpoints: Checkpoints;
      readonly skipped: ReadonlyMap<Skipped, { readonly rows: number; readonly first: number }>;
      readonly stepper: Stepper;
    },
  ) {
    this.table = table;
    this.spaces = spaces;
    this.rows = made.rows;
    this.findings = made.findings;
    this.checkpoints = made.checkpoints;
    this.#skipped = made.skipped;
    this.#observes = made.stepper.observes;
    this.#spare = made.stepper;
  }

  /** Replays all rows there are; yields how many were done. Throws TooManyMappings. */
  static *of(
    table: TraceTable,
    spaces: RowSpaces,
    { interval = INTERVAL, budget, mostMappings }: ReplayOptions = {},
  ): Generator<number, Replay> {
    const stepper = new Stepper(table, spaces);
    const findings = new Findings(stepper.live, stepper.flushes);
    const checkpoints = new Checkpoints(interval, budget);
    const skipped = new Map<Skipped, { rows: number; first: number }>();
    findings.skip = (row, why) => {
      const known = skipped.get(why);
      if (known) known.rows++;
      else skipped.set(why, { rows: 1, first: row });
    };
    const { rows } = table;
    for (let row = 0; row < rows; row += interval) {
      checkMappings(stepper.live, row, mostMappings, findings.waiting);
      if (checkpoints.due(row)) checkpoints.add(row, stepper.live);
      yield* stepper.run(row, Math.min(rows, row + interval), stepper.observes ? {} : findings);
    }
    checkpoints.add(rows, stepper.live);
    if (!stepper.observes) yield* findings.finish(lastTime(table));
    return new Replay(table, spaces, { rows, findings, checkpoints, skipped, stepper });
  }

  /** What is mapped after a row is done (-1: before the first), by space: those that map nothing are left out. */
  *at(row: number): Generator<number, readonly LiveSpace[]> {
    const live = yield* this.stateAt(Math.min(row + 1, this.rows));
    return live.flatMap((each, space) =>
      each.count === 0 ? [] : [{ space, name: this.nameOf(space), live: each }],
    );
  }

  /** What every space maps when the rows before `row` are done. */
  *stateAt(row: number): Generator<number, readonly LiveMappings[]> {
    const stepper = this.takeStepper();
    const from = this.goTo(stepper, this.checkpoints.before(row));
    yield* stepper.run(from, row);
    const state = stepper.live.map((each) => LiveMappings.of(each.snapshot()));
    this.giveStepper(stepper);
    return state;
  }

  /** Mappings from their maps to their ends: of rows that mapped something; of others there are none. */
  *lifetimes(mapRows: readonly number[]): Generator<number, readonly Lifetime[]> {
    return yield* lifetimesOf(this, mapRows);
  }

  /** Findings of these kinds by row. `total`: how many are listed. */
  findingPage(
    kinds: readonly FindingKind[],
    first: number,
    limit: number,
  ): { readonly findings: readonly ReplayFinding[]; readonly total: number } {
    return this.findings.page(kinds, first, limit);
  }

  nameOf(space: number): string {
    return space < this.spaces.count ? this.spaces.name(space) : UNKNOWN_SPACE;
  }

  /** What the trace does not say, and rows that were left out. */
  get notes(): readonly Failure[] {
    const notes: Failure[] = [];
    if (this.#observes) {
      notes.push({
        code: 'trace/observed',
        message:
          'This trace shows translations by devices and no maps: what they came upon stands for the mappings, until it is invalidated.',
        hint: 'Pages that no device touched are not in it.',
      });
    }
    for (const [why, { rows, first }] of this.#skipped)
      notes.push({
        code: `trace/${why}`,
        message: `Left out are maps and unmaps that ${SKIPPED[why]}: ${rows.toLocaleString('en')}, the first in row ${first + 1}.`,
      });
    return notes;
  }

  // For lifetimes and history.

  takeStepper(): Stepper {
    const stepper = this.#spare ?? new Stepper(this.table, this.spaces);
    this.#spare = undefined;
    return stepper;
  }

  giveStepper(stepper: Stepper): void {
    this.#spare = stepper;
  }

  /** Brings a stepper to a snapshot, or to the beginning; the first row that is not done. */
  goTo(stepper: Stepper, point: Checkpoint | undefined): number {
    for (const [space, live] of stepper.live.entries())
      live.restore(point?.spaces[space] ?? new LiveMappings().snapshot());
    return point?.row ?? 0;
  }
}

const UNKNOWN_SPACE = 'unknown';

const SKIPPED: Readonly<Record<Skipped, string>> = {
  failed: 'say that they failed',
  'no-range': 'have no IOVA or no size',
  unaligned: 'are not of whole pages of 4 KiB',
};

/** The last time that the trace has; NaN without times. */
function lastTime({ chunks }: TraceTable): number {
  let last = Number.NaN;
  for (const { zone } of chunks)
    if (!(zone.time[1] <= last)) last = Number.isNaN(zone.time[1]) ? last : zone.time[1];
  return last;
}
