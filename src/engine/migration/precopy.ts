import { type MachineOperation } from '../machine/operation';
import { assert } from '../result';
import { type MigrationRound, ZERO_PAGE_BYTES } from './result';
import { countsDeviceState, estimatedDowntime, stopsAfter } from './rules';
import { type DirtySource, type Harvest, type Slices, type TableWork } from './source';
import { type MigrationSpec } from './spec';
import { isHopeless, isSteady, whyConverged, whyNot, type RoundFacts } from './why';

/** Where a migration stands, each time that it gives way. Bytes and seconds of the migration's own time. */
export interface MigrationProgress {
  readonly phase: 'preparation' | 'rounds' | 'blackout' | 'end';
  /** From 1; 0 before the first. */
  readonly round: number;
  readonly pending: number;
  readonly sent: number;
  readonly elapsed: number;
  /** What is pending takes on the link. */
  readonly linkSeconds: number;
  /** Of the computing, as far as anybody can tell: 0 to 1, never less than before. */
  readonly fraction: number;
  /** Those that are over: what a migration that is cancelled has. */
  readonly rounds: readonly MigrationRound[];
  /** What was done to the machine so far; empty by a model. */
  readonly operations: readonly MachineOperation[];
  /** What there is, for who gives it up here. What is lost is not looked for. */
  readonly soFar: () => PrecopyOutcome;
}

export interface PrecopyOutcome {
  readonly rounds: readonly MigrationRound[];
  readonly converged: boolean;
  readonly why: string;
  readonly preparation: number;
  readonly total: number;
  readonly blackout: number | null;
  readonly sent: number;
  readonly deviceState: number;
  readonly deviceStateInBlackout: number;
  readonly written: number;
  readonly reported: number;
  readonly over: number;
  readonly lost: number;
  readonly time: Readonly<Record<Spent, number>>;
  readonly requests: number;
}

type Spent = 'link' | 'scan' | 'flush' | 'split' | 'collapse' | 'device';
type Running<T> = Generator<MigrationProgress, T, void>;

const PAGE = 4096;
/** Rounds like the last one after which it is given up at the latest, as progress counts them. */
const MOST_AHEAD = 3;
export const CANCELLED_EARLY = 'Cancelled before the first round was over.';

/**
 * Moves what a source has in rounds: each sends what is pending, then harvests what was written meanwhile, and ends when the
 * rule says so, or when it is given up. Devices are never slowed down. A round is sent whole before the next harvest.
 * `bandwidth`: bytes a second of a round, from 1; absent: the link's.
 */
export function precopy(
  source: DirtySource,
  spec: MigrationSpec,
  bandwidth: (round: number) => number = () => spec.link,
): Running<PrecopyOutcome> {
  return new Precopy(source, spec, bandwidth).run();
}

class Precopy {
  readonly #source: DirtySource;
  readonly #spec: MigrationSpec;
  readonly #bandwidth: (round: number) => number;
  readonly #rounds: MigrationRound[] = [];
  readonly #facts: RoundFacts[] = [];
  readonly #time: Record<Spent, number> = { link: 0, scan: 0, flush: 0, split: 0, collapse: 0, device: 0 };
  #phase: MigrationProgress['phase'] = 'preparation';
  /** Seconds since the first round began. */
  #elapsed = 0;
  #pending = 0;
  #sent = 0;
  #written = 0;
  #reported = 0;
  #preparation = 0;
  #blackoutSeconds: number | null = null;
  #deviceState = 0;
  /** Seconds for which devices write now, and of them those before the present call. */
  #span = { before: 0, now: 0, all: 0 };
  /** Seconds that devices wrote before this span, and those that may come after it. */
  #passed = 0;
  #ahead = 0;
  #fraction = 0;

  constructor(source: DirtySource, spec: MigrationSpec, bandwidth: (round: number) => number) {
    this.#source = source;
    this.#spec = spec;
    this.#bandwidth = bandwidth;
  }

  *run(): Running<PrecopyOutcome> {
    const { deviceState } = this.#source;
    yield* this.#prepare();
    this.#phase = 'rounds';
    const why = yield* this.#live(deviceState.running);
    const converged = why === undefined;
    if (converged) this.#blackoutSeconds = yield* this.#blackout(deviceState.stopped);
    this.#phase = 'end';
    yield this.#progress();
    // While there is tracking: after it nobody would report what is dirty now.
    const lost = yield* this.#sliced(this.#source.lost());
    const entries = yield* this.#sliced(this.#source.finish(!converged));
    this.#spend('collapse', entries * this.#spec.costs.collapse);
    return this.#outcome(converged, why ?? whyConverged(this.#facts, this.#spec), lost);
  }

  #outcome(converged: boolean, why: string, lost: number): PrecopyOutcome {
    const inBlackout = this.#blackoutSeconds === null ? 0 : this.#source.deviceState.stopped;
    return {
      ...{ rounds: this.#rounds, converged, why },
      ...{ preparation: this.#preparation, total: this.#elapsed, blackout: this.#blackoutSeconds },
      sent: this.#sent,
      deviceState: this.#deviceState + inBlackout,
      deviceStateInBlackout: inBlackout,
      written: this.#written,
      reported: this.#reported,
      // What was lost was written and not reported.
      over: Math.max(0, this.#reported + lost - this.#written),
      lost,
      time: this.#time,
      requests: this.#source.requests,
    };
  }

  /** What comes before the first round; what is pending for it. */
  *#prepare(): Running<void> {
    const { tracking, firstRound, populated } = this.#spec;
    const { memory } = this.#source;
    const begun = yield* this.#sliced(this.#source.prepare());
    this.#preparation = this.#charge(begun);
    this.#pending = memory;
    if (tracking.starts === 'at-migration') return;
    const runs = tracking.starts === 'warm-up' ? tracking.warmUp : tracking.ran;
    this.#begin(runs, memory / this.#spec.link);
    yield* this.#write(runs);
    const found = yield* this.#harvest(false);
    const overhead = this.#charge(found);
    yield* this.#write(overhead);
    this.#preparation += runs + overhead;
    // Whatever vCPUs wrote they have touched.
    if (firstRound === 'populated')
      this.#pending = Math.min(memory, Math.max(populated, found.byCpus) + found.reported - found.byCpus);
  }

  /** Rounds until the rule ends them: undefined; or why they were given up. */
  *#live(deviceState: number): Running<string | undefined> {
    const { rule, downtimeLimit, mostRounds, zeroPages } = this.#spec;
    const { stopped } = this.#source.deviceState;
    for (let round = 1; ; round++) {
      const bandwidth = this.#rate(round);
      const start = this.#elapsed;
      const pending = this.#pending;
      const zeros = round === 1 ? pending * zeroPages : 0;
      const memory = pending - zeros + (zeros / PAGE) * ZERO_PAGE_BYTES;
      const state = round === 1 ? deviceState : 0;
      this.#deviceState += state;
      const sending = this.#spend('link', memory / bandwidth) + this.#spend('device', state / bandwidth);
      // Half way, what is dirty tells a rate that is not capped yet by how much there is.
      this.#begin(sending, this.#secondsAhead(sending));
      yield* this.#write(sending / 2);
      const halfWay = yield* this.#sliced(this.#source.pending());
      yield* this.#write(sending / 2);
      this.#sent += memory + state;
      const found = yield* this.#harvest(false);
      const overhead = this.#charge(found);
      this.#elapsed += sending + overhead;
      // The guest runs on while software is busy: what it writes then is for the next harvest.
      yield* this.#write(overhead);
      this.#pending = found.reported;
      const end = { pending: found.reported, deviceState: stopped, bandwidth };
      const estimate = estimatedDowntime(rule, end);
      this.#rounds.push({
        ...{ round, blackout: false, start, seconds: sending + overhead, sent: memory + state, pending },
        ...{ written: found.written, reported: found.reported, splits: found.splits },
        estimatedDowntime: estimate,
      });
      this.#facts.push({
        pending: found.reported,
        seconds: sending + overhead,
        halfWay,
        halfSeconds: sending / 2,
        estimate,
        deviceState: countsDeviceState(rule) ? stopped : 0,
      });
      if (stopsAfter(rule, end, downtimeLimit)) return undefined;
      if (isSteady(this.#facts) || isHopeless(this.#facts, bandwidth) || round === mostRounds)
        return whyNot(this.#facts, this.#spec, bandwidth);
    }
  }

  /** The last round, while the guest stands still; its seconds. */
  *#blackout(deviceState: number): Running<number> {
    this.#phase = 'blackout';
    const round = this.#rounds.length + 1;
    const bandwidth = this.#rate(round);
    const start = this.#elapsed;
    yield* this.#sliced(this.#source.stop());
    const found = yield* this.#harvest(true);
    this.#written += yield* this.#sliced(this.#source.save());
    const pending = this.#pending;
    const memory = pending + found.reported;
    const seconds =
      this.#charge(found) +
      this.#spend('link', memory / bandwidth) +
      this.#spend('device', deviceState / bandwidth);
    this.#elapsed += seconds;
    this.#sent += memory + deviceState;
    this.#pending = 0;
    this.#rounds.push({
      ...{ round, blackout: true, start, seconds, sent: memory + deviceState, pending },
      ...{ written: found.written, reported: found.reported, splits: found.splits },
      estimatedDowntime: seconds,
    });
    return seconds;
  }

  *#harvest(onTop: boolean): Running<Harvest> {
    const found = yield* this.#sliced(this.#source.harvest(onTop));
    this.#written += found.written;
    this.#reported += found.reported;
    return found;
  }

  /** Seconds that work on tables takes. */
  #charge({ leaves, flushes, entries }: TableWork): number {
    const { scan, flush, split } = this.#spec.costs;
    return (
      this.#spend('scan', leaves * scan) +
      this.#spend('flush', flushes * flush) +
      this.#spend('split', entries * split)
    );
  }

  #spend(what: Spent, seconds: number): number {
    this.#time[what] += seconds;
    return seconds;
  }

  #rate(round: number): number {
    const rate = this.#bandwidth(round);
    assert(rate > 0, 'a link carries something');
    return rate;
  }

  /** Work of the source, with progress whenever it gives way. */
  *#sliced<T>(slices: Slices<T>): Running<T> {
    for (;;) {
      const slice = slices.next();
      if (slice.done === true) return slice.value;
      yield this.#progress();
    }
  }

  /** Devices will write for so many seconds, and for so many more after that. */
  #begin(seconds: number, ahead: number): void {
    this.#passed += this.#span.all;
    this.#span = { before: 0, now: 0, all: seconds };
    this.#ahead = ahead;
  }

  *#write(seconds: number): Running<void> {
    this.#span.now = seconds;
    yield* this.#sliced(this.#source.write(seconds));
    this.#span.before += seconds;
    this.#span.now = 0;
  }

  /** Seconds of the rounds after one that sends for so long, if each leaves as large a part as the last one did. */
  #secondsAhead(sending: number): number {
    const before = this.#rounds.at(-1)?.pending;
    // Of the first one nobody knows what it will leave.
    const part = before === undefined ? 0.5 : this.#pending / before;
    return sending * (part < 1 ? Math.min(part / (1 - part), MOST_AHEAD) : MOST_AHEAD);
  }

  #progress(): MigrationProgress {
    const { before, now, all } = this.#span;
    const done = this.#passed + Math.min(all, before + now * this.#source.share);
    const whole = this.#passed + all + this.#ahead;
    if (whole > 0) this.#fraction = Math.max(this.#fraction, Math.min(1, done / whole));
    return {
      phase: this.#phase,
      round: this.#phase === 'preparation' ? 0 : this.#rounds.length + 1,
      pending: this.#pending,
      sent: this.#sent,
      elapsed: this.#elapsed,
      linkSeconds: this.#pending / this.#spec.link,
      fraction: this.#fraction,
      rounds: this.#rounds,
      operations: this.#source.operations,
      soFar: () => {
        const round = this.#rounds.length;
        return this.#outcome(false, round > 0 ? `Cancelled after round ${round}.` : CANCELLED_EARLY, 0);
      },
    };
  }
}
