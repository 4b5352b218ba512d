import { Iotlb, heldPart } from '../iommu/caches/iotlb';
import { type CachedTranslation } from '../iommu/caches/translationCache';
import { type CacheGeometry } from '../iommu/rules';
import { powerOfTwo } from '../pageTable/entry';
import { READ_WRITE } from '../pageTable/entryClass';
import { SeededRandom } from '../random';
import { assert, success, type Result } from '../result';
import { Dealer } from './deal';
import { type TrafficGenerator } from './generator';
import { type TrafficSpec } from './spec';
import { TrafficStream } from './stream';

export interface MissSampling {
  readonly sources: readonly {
    readonly traffic: TrafficSpec;
    /** Sources of one address space share what is cached for it. Absent: 0. */
    readonly space?: number;
  }[];
  readonly seed: number;
  readonly iotlb: CacheGeometry;
  /** log2 of the page sizes that the IOTLB holds, ascending: as the rule of this name. Absent: every size. */
  readonly cachedShifts?: readonly number[];
  /** log2 bytes of the leaf that maps a page of 4 KiB (of the IOVA) for a source; 0: nothing does, and each request misses. */
  readonly leafShift: (page: number, source: number) => number;
  /**
   * Requests that fill the cache first, dealt by rates, after 16,384 accesses of each of several sources in turns; and requests
   * that are counted. Absent: 20,000; 50,000, or as many more as it takes until the slowest source made 500 accesses.
   */
  readonly warmUp?: number;
  readonly sampled?: number;
  /** Accesses that came before. Absent: 0. */
  readonly skip?: number;
}

export interface MissSample {
  /** Requests counted: accesses cut at pages of 4 KiB, as the IOMMU meets them. */
  readonly requests: number;
  readonly misses: number;
  /** Of all sources at their rates: misses / requests, unless one is so slow that it was counted at a higher rate. */
  readonly missesPerRequest: number;
  /** Bytes that requests move, over their number: a rate of bytes a second over this is requests a second. */
  readonly bytesPerRequest: number;
}

/** Accesses of each source in turns, so that slow ones have in the cache what they use, too. */
const IN_TURNS = 2 ** 14;
const WARM_UP = 20_000;
const LEAST_SAMPLED = 50_000;
/** Accesses that the slowest source makes while they are counted, and what all make for it at most. */
const LEAST_OF_EACH = 500;
const MOST_SAMPLED = 2 ** 21;
const ACCESSES_A_SLICE = 2 ** 14;

/** What accesses of one source came to. */
interface Counts {
  accesses: number;
  requests: number;
  misses: number;
  bytes: number;
}

/**
 * How often requests of these sources miss the IOTLB: a sample of them, dealt out by their rates, goes through a cache of
 * this geometry. What counts is where pages end: marks, evictions by themselves and invalidations are left out. Requests are
 * counted up to the end of an access, so there may be a few more.
 *
 * A source that makes fewer than 1 of 4,194 accesses is dealt as many, so that there is something to count, and weighs by its
 * own rate; of the misses that it adds to the others, so does their part. Gives way between slices. Fails as `makeGenerator` does.
 */
export function* sampleMisses(options: MissSampling): Generator<void, Result<MissSample>, void> {
  const made = TrafficStream.make(
    options.sources.map(({ traffic }) => traffic),
    options.seed,
  );
  if (!made.ok) return made;
  const stream = made.value;
  stream.skip(options.skip ?? 0);
  const { generators } = stream;
  const rates = accessRates(options.sources, generators);
  const least = (total(rates) * LEAST_OF_EACH) / MOST_SAMPLED;
  const isSlow = rates.map((rate) => rate < least);
  if (!isSlow.includes(true)) return success(sampleOf(yield* count(options, generators, rates), rates));
  const fast = rates.map((rate, index) => (isSlow[index] === true ? 0 : rate));
  const alone = yield* count(options, generators, fast);
  const raised = rates.map((rate) => Math.max(rate, least));
  const together = yield* count(options, generators, raised);
  const part = (total(rates) - total(fast)) / (total(raised) - total(fast));
  const counts = together.map((each, index): Counts => {
    const without = alone[index];
    if (!without || isSlow[index] === true) return each;
    const before = share(without.misses, without.accesses);
    const added = share(each.misses, each.accesses) - before;
    return { ...each, misses: (before + added * part) * each.accesses };
  });
  return success(sampleOf(counts, rates));
}

/** Accesses a second; those without a rate among others that have one make as many as the mean of those does. */
function accessRates(
  sources: MissSampling['sources'],
  generators: readonly TrafficGenerator[],
): readonly number[] {
  const periods = new Dealer(
    sources.map(({ traffic: { rate = 0 } }, index) => ({
      rate,
      bytesPerAccess: generators[index]?.bytesPerAccess ?? 1,
    })),
  ).periods;
  return periods.map((period) => 1 / period);
}

/** Fills a cache, then counts what sources miss that make so many accesses a second; those with 0 make none. */
function* count(
  { sources, seed, iotlb, cachedShifts, leafShift, warmUp = WARM_UP, sampled }: MissSampling,
  generators: readonly TrafficGenerator[],
  rates: readonly number[],
): Generator<void, Counts[], void> {
  const cache = new Iotlb(iotlb, new SeededRandom(seed));
  const running = [...rates.keys()].filter((source) => (rates[source] ?? 0) > 0);
  const dealt = running.map((source) => ({ rate: rates[source] ?? 0, bytesPerAccess: 1 }));
  let counts: Counts[] = [];
  const access = (source: number): number => {
    const [generator, counted] = [generators[source], counts[source]];
    assert(generator && counted, 'each source has a generator, and is counted');
    const { iova, length } = generator.next();
    const first = Math.floor(Number(iova) / 4096);
    const end = Math.floor((Number(iova) + length - 1) / 4096) + 1;
    const space = sources[source]?.space ?? 0;
    for (let page = first; page < end; page++) {
      if (cache.find(space, -1, page) >= 0) continue;
      counted.misses++;
      const shift = leafShift(page, source);
      const held = shift < 12 ? undefined : heldPart(leafAround(space, page, shift), cachedShifts, page);
      if (held && cache.capacity > 0) cache.insert(held);
    }
    counted.accesses++;
    counted.requests += end - first;
    counted.bytes += length;
    return end - first;
  };
  const run = function* (requests: number, by: Dealer): Generator<void, Counts[], void> {
    counts = rates.map(() => ({ accesses: 0, requests: 0, misses: 0, bytes: 0 }));
    for (let [done, accesses] = [0, 1]; done < requests; accesses++) {
      done += access(running[by.next()] ?? 0);
      if (accesses % ACCESSES_A_SLICE === 0) yield;
    }
    return counts;
  };
  if (running.length > 1)
    yield* run(IN_TURNS * running.length, new Dealer(dealt.map(() => ({ bytesPerAccess: 1 }))));
  const dealer = new Dealer(dealt);
  yield* run(warmUp, dealer);
  const slowest = Math.min(...dealt.map(({ rate }) => rate));
  const enough = Math.min(MOST_SAMPLED, Math.ceil((total(rates) / slowest) * LEAST_OF_EACH));
  return yield* run(sampled ?? Math.max(LEAST_SAMPLED, enough), dealer);
}

function sampleOf(counts: readonly Counts[], rates: readonly number[]): MissSample {
  const requests = total(counts.map((each) => each.requests));
  const misses = total(counts.map((each) => each.misses));
  const weighed = (of: keyof Counts): number =>
    total(counts.map((each, index) => (rates[index] ?? 0) * share(each[of], each.accesses)));
  const all = weighed('requests');
  return {
    ...{ requests, misses: Math.round(misses) },
    missesPerRequest: share(weighed('misses'), all),
    bytesPerRequest: share(weighed('bytes'), all),
  };
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

/** A cached leaf of a second stage that leads to where it is: of what it is, only tag and size matter here. */
function leafAround(vm: number, page: number, shift: number): CachedTranslation {
  const start = page - (page % powerOfTwo(shift - 12));
  return {
    tag: { vm, space: -1 },
    global: false,
    page: start,
    shift,
    outputPage: start,
    permission: READ_WRITE,
    accessedDone: true,
    dirtyDone: true,
    stage1Shift: 0,
    stage2Shift: shift,
    guestPage: -1,
    stage1Leaf: -1,
    stage2Leaf: -1,
  };
}
