import { Iotlb, heldPart } from '../iommu/caches/iotlb';
import { type CachedTranslation } from '../iommu/caches/translationCache';
import { type CacheGeometry } from '../iommu/rules';
import { powerOfTwo } from '../pageTable/entry';
import { READ_WRITE } from '../pageTable/entryClass';
import { SeededRandom } from '../random';
import { success, type Result } from '../result';
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
  /** Requests that fill the cache first, and requests that are counted. Absent: 20,000 and 50,000. */
  readonly warmUp?: number;
  readonly sampled?: number;
  /** Accesses that came before. Absent: 0. */
  readonly skip?: number;
}

export interface MissSample {
  /** Requests counted: accesses cut at pages of 4 KiB, as the IOMMU meets them. */
  readonly requests: number;
  readonly misses: number;
  readonly missesPerRequest: number;
  /** Bytes that these requests moved, over their number: a rate of bytes a second over this is requests a second. */
  readonly bytesPerRequest: number;
}

/**
 * How often requests of these sources miss the IOTLB: a sample of them, dealt out by their rates, goes through a cache of
 * this geometry. What counts is where pages end: marks, evictions by themselves and invalidations are left out. Requests are
 * counted up to the end of an access, so there may be a few more. Fails as `makeGenerator` does.
 */
export function sampleMisses(options: MissSampling): Result<MissSample> {
  const {
    sources,
    seed,
    iotlb,
    cachedShifts,
    leafShift,
    warmUp = 20_000,
    sampled = 50_000,
    skip = 0,
  } = options;
  const made = TrafficStream.make(
    sources.map(({ traffic }) => traffic),
    seed,
  );
  if (!made.ok) return made;
  const stream = made.value;
  stream.skip(skip);
  const cache = new Iotlb(iotlb, new SeededRandom(seed));
  const count = { requests: 0, misses: 0, bytes: 0 };
  const run = (requests: number): void => {
    count.requests = count.misses = count.bytes = 0;
    while (count.requests < requests) {
      const { iova, length } = stream.next();
      const { source } = stream;
      const first = Math.floor(Number(iova) / 4096);
      const end = Math.floor((Number(iova) + length - 1) / 4096) + 1;
      const space = sources[source]?.space ?? 0;
      for (let page = first; page < end; page++) {
        if (cache.find(space, -1, page) >= 0) continue;
        count.misses++;
        const shift = leafShift(page, source);
        const held = shift < 12 ? undefined : heldPart(leafAround(space, page, shift), cachedShifts, page);
        if (held && cache.capacity > 0) cache.insert(held);
      }
      count.requests += end - first;
      count.bytes += length;
    }
  };
  run(warmUp);
  run(sampled);
  const { requests, misses, bytes } = count;
  const over = Math.max(requests, 1);
  return success({ requests, misses, missesPerRequest: misses / over, bytesPerRequest: bytes / over });
}

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
