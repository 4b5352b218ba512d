import { FINDING_KINDS, type FindingKind } from './findingKinds';
import { LiveMappings } from './liveMappings';
import { type RowRange } from './rowRange';
import { type ReplayListener } from './stepper';

/** Something that a driver should not do. Pages of 4 KiB, half-open. */
export interface ReplayFinding {
  readonly kind: FindingKind;
  /**
   * double-map: the second map. unmap-nothing, short-unmap: the unmap. leak: the map. missing-flush: the unmap.
   */
  readonly row: number;
  /**
   * double-map: the map that is met. leak: the detach of the space's last device, if there was one. missing-flush: the map that
   * used the IOVA again, if one did.
   */
  readonly other: number | null;
  readonly space: number;
  readonly start: number;
  readonly end: number;
  /** short-unmap: pages that went. */
  readonly gone: number;
  /**
   * The tracer lost events where what explains it would stand. double-map: between `other` and `row`; unmap-nothing, short-unmap:
   * before `row`; leak, missing-flush: between `row` and `other`, or the end.
   */
  readonly lost: boolean;
}

/** Findings of one replay that are listed; all are counted. */
const MOST_LISTED = 500_000;
const STRIDE = 8;
/** Linux flushes what is unmapped 10 ms later at most (dma-iommu.c, IOVA_FQ_TIMEOUT); twice that, for timers that are late. */
const FLUSH_QUEUE_NS = 20e6;

/** Collects findings while rows are done, in a few dozen bytes each. */
export class Findings implements ReplayListener {
  readonly #live: readonly LiveMappings[];
  readonly #flushes: boolean;
  /** Unmapped and not flushed yet, by space. */
  readonly #waiting: LiveMappings[];
  /** Spaces that flushes were seen of: elsewhere the trace does not show them. */
  readonly #flushed: boolean[];
  /** By space: where its last device went, and the last mark of lost events before. */
  readonly #detached = new Map<number, { readonly row: number; readonly lastLost: number }>();
  #numbers = new Float64Array(64 * STRIDE);
  #listed = 0;
  /** Of every kind and space, as those of spaces that no flush was seen of are taken back. */
  readonly #counts = FINDING_KINDS.map(() => 0);
  readonly #missing: number[];
  #lastLost = -1;
  #first = 0;
  #times: Float64Array = new Float64Array();
  /** Hears of rows that change nothing. */
  skip?: NonNullable<ReplayListener['skip']>;

  /** `live`: by space, as the stepper has them. */
  constructor(live: readonly LiveMappings[], flushes: boolean) {
    this.#live = live;
    this.#flushes = flushes;
    this.#waiting = live.map(() => new LiveMappings());
    this.#flushed = live.map(() => false);
    this.#missing = live.map(() => 0);
  }

  get counts(): Readonly<Record<FindingKind, number>> {
    return Object.fromEntries(FINDING_KINDS.map((kind, code) => [kind, this.#counts[code] ?? 0])) as Record<
      FindingKind,
      number
    >;
  }

  chunk(first: number, times: Float64Array): void {
    this.#first = first;
    this.#times = times;
  }

  map(row: number, of: number, { start, end }: Readonly<RowRange>): void {
    const space = this.#number(of);
    const met = this.#live[space]?.first(start, end);
    if (met) this.#add('double-map', row, met.row, space, Math.max(met.start, start), Math.min(met.end, end));
    if (!this.#flushes) return;
    const waiting = this.#waiting[space];
    for (let each = waiting?.first(start, end); each; each = waiting?.first(start, end)) {
      this.#add('missing-flush', each.row, row, space, each.start, each.end);
      // Once for an unmap: the rest of its pages is mapped again by the next rows.
      waiting?.unmap(each.start, each.end);
    }
  }

  unmap(row: number, of: number, { start, end, asked }: Readonly<RowRange>): void {
    const space = this.#number(of);
    const gone = end - start;
    if (gone === 0 || !this.#live[space]?.first(start, end))
      this.#add('unmap-nothing', row, null, space, start, start + asked, gone);
    else if (gone < asked) this.#add('short-unmap', row, null, space, start, start + asked, gone);
    if (this.#flushes && gone > 0)
      this.#waiting[space]?.map(start, end, this.#times[row - this.#first] ?? 0, row);
  }

  flush(
    _row: number,
    of: number,
    { start, end }: Readonly<RowRange>,
    all: 'no' | 'domain' | 'everything',
  ): void {
    const one = all === 'everything' || of < 0 ? undefined : this.#number(of);
    for (const [space, waiting] of this.#waiting.entries()) {
      if (one !== undefined && one !== space) continue;
      this.#flushed[space] = true;
      if (waiting.count > 0) waiting.unmap(start, end);
    }
  }

  attach(_row: number, space: number): void {
    if (space >= 0) this.#detached.delete(space);
  }

  detach(row: number, space: number): void {
    if (space >= 0) this.#detached.set(space, { row, lastLost: this.#lastLost });
  }

  lost(row: number): void {
    this.#lastLost = row;
  }

  /** Unmapped ranges that are kept until they are flushed. */
  get waiting(): number {
    return this.#waiting.reduce((sum, { count }) => sum + count, 0);
  }

  /** After the last row, whose time is given. */
  *finish(lastTime: number): Generator<number, void> {
    let done = 0;
    for (const [space, live] of this.#live.entries()) {
      const detached = this.#detached.get(space);
      for (const { row, start, end } of live.within()) {
        this.#add('leak', row, detached?.row ?? null, space, start, end, 0, detached?.lastLost);
        if (++done % YIELD_EVERY === 0) yield 0;
      }
      for (const { row, start, end, frame: time } of this.#waiting[space]?.within() ?? []) {
        if (!(lastTime - time < FLUSH_QUEUE_NS)) this.#add('missing-flush', row, null, space, start, end);
        if (++done % YIELD_EVERY === 0) yield 0;
      }
    }
    yield* this.#takeBack();
    yield* this.#sort();
  }

  /** Findings of these kinds by their rows, `limit` from the `first` on; and how many are listed. */
  page(
    kinds: readonly FindingKind[],
    first: number,
    limit: number,
  ): { readonly findings: readonly ReplayFinding[]; readonly total: number } {
    const codes = new Set(kinds.map((kind) => FINDING_KINDS.indexOf(kind)));
    const findings: ReplayFinding[] = [];
    let total = 0;
    for (let index = 0; index < this.#listed; index++) {
      if (!codes.has(this.#numbers[index * STRIDE] ?? -1)) continue;
      if (total >= first && findings.length < limit) findings.push(this.#at(index));
      total++;
    }
    return { findings, total };
  }

  #number(space: number): number {
    return space < 0 ? this.#live.length - 1 : space;
  }

  #add(
    kind: FindingKind,
    row: number,
    other: number | null,
    space: number,
    start: number,
    end: number,
    gone = 0,
    lastLost = this.#lastLost,
  ): void {
    const code = FINDING_KINDS.indexOf(kind);
    this.#counts[code] = (this.#counts[code] ?? 0) + 1;
    if (kind === 'missing-flush') this.#missing[space] = (this.#missing[space] ?? 0) + 1;
    if (this.#listed === MOST_LISTED) return;
    if ((this.#listed + 1) * STRIDE > this.#numbers.length) {
      const grown = new Float64Array(this.#numbers.length * 2);
      grown.set(this.#numbers);
      this.#numbers = grown;
    }
    const since =
      kind === 'double-map' ? (other ?? -1) : kind === 'leak' || kind === 'missing-flush' ? row : -1;
    const lost = lastLost > since ? 1 : 0;
    this.#numbers.set([code, row, other ?? Number.NaN, space, start, end, gone, lost], this.#listed * STRIDE);
    this.#listed++;
  }

  /** Where the trace shows no flush of a space, it shows nothing of what it misses. */
  *#takeBack(): Generator<number, void> {
    const code = FINDING_KINDS.indexOf('missing-flush');
    let kept = 0;
    for (let index = 0; index < this.#listed; index++) {
      const at = index * STRIDE;
      if (index % YIELD_EVERY === YIELD_EVERY - 1) yield 0;
      if (this.#numbers[at] === code && !this.#flushed[this.#numbers[at + 3] ?? 0]) continue;
      this.#numbers.copyWithin(kept * STRIDE, at, at + STRIDE);
      kept++;
    }
    this.#listed = kept;
    for (const [space, missing] of this.#missing.entries())
      if (!this.#flushed[space]) this.#counts[code] = (this.#counts[code] ?? 0) - missing;
  }

  /** By rows; those of one row in the order they were found. */
  *#sort(): Generator<number, void> {
    // Rows and places in one number, which arrays of numbers sort many times faster than by a comparison.
    const keys = new Float64Array(this.#listed);
    for (let index = 0; index < keys.length; index++)
      keys[index] = (this.#numbers[index * STRIDE + 1] ?? 0) * PLACES + index;
    const runs: { at: number; readonly end: number }[] = [];
    for (let at = 0; at < keys.length; at += YIELD_EVERY) {
      const end = Math.min(keys.length, at + YIELD_EVERY);
      keys.subarray(at, end).sort();
      runs.push({ at, end });
      yield 0;
    }
    const sorted = new Float64Array(this.#listed * STRIDE);
    for (let place = 0; place < keys.length; place++) {
      const key = leastOf(runs, keys);
      const from = (key % PLACES) * STRIDE;
      for (let number = 0; number < STRIDE; number++)
        sorted[place * STRIDE + number] = this.#numbers[from + number] ?? 0;
      if (place % YIELD_EVERY === YIELD_EVERY - 1) yield 0;
    }
    this.#numbers = sorted;
  }

  #at(index: number): ReplayFinding {
    const numbers = this.#numbers.subarray(index * STRIDE, (index + 1) * STRIDE);
    const [code = 0, row = 0, other = Number.NaN, space = 0, start = 0, end = 0, gone = 0, lost = 0] =
      numbers;
    return {
      kind: FINDING_KINDS[code] ?? 'leak',
      ...{ row, space, start, end, gone },
      other: Number.isNaN(other) ? null : other,
      lost: lost === 1,
    };
  }
}

/** Mappings, or findings, between two yields. */
const YIELD_EVERY = 65_536;
/** More than MOST_LISTED; rows times it are exact up to 2^34 rows. */
const PLACES = 2 ** 19;

/** Takes the least of what is left of sorted runs: a few, so each head is looked at. */
function leastOf(runs: readonly { at: number; readonly end: number }[], keys: Float64Array): number {
  let least = Infinity;
  let from: { at: number } | undefined;
  for (const run of runs) {
    const key = run.at < run.end ? (keys[run.at] ?? Infinity) : Infinity;
    if (key < least) [least, from] = [key, run];
  }
  if (from) from.at++;
  return least;
}
