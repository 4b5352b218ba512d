import { type PageRange } from '../../iommu/cacheOperation';
import { type Steps } from '../../steps';
import { done, refused, type Outcome } from '../errno';
import { type SoftwareStep } from '../softwareStep';

/** A range of IOVA in bytes. */
export interface IovaSpan {
  readonly iova: number;
  readonly length: number;
}

/** What a device can log of its own writes. */
export interface DmaLoggingLimits {
  /** Ranges that it takes; more of them are combined where the gaps are smallest. */
  readonly mostRanges: number;
  /** Bytes that all ranges may have together. */
  readonly mostBytes: number;
  /** A byte of the bitmap is read, changed and written back in one atomic step: libvfio-user once did not. */
  readonly atomicBytes: boolean;
}

/** As devices that track by a few ranges have it: 8 of them, 4 TiB in all. */
export const DMA_LOGGING_LIMITS: DmaLoggingLimits = { mostRanges: 8, mostBytes: 2 ** 42, atomicBytes: true };

/** Ranges that the kernel takes: a page of vfio_device_feature_dma_logging_range. */
const MOST_RANGES = 4096 / 16;
/** 2^64: end of what an IOVA can be. */
const END = 2 ** 64;

/** VFIO_DEVICE_FEATURE_DMA_LOGGING_START, _STOP and _REPORT (include/uapi/linux/vfio.h; drivers/vfio/vfio_main.c). */
export class DmaLogging {
  readonly #limits: DmaLoggingLimits;
  #ranges: IovaSpan[] | undefined;
  /** Bytes of the bitmap, of eight pages each. */
  readonly #bytes = new Map<number, number>();

  constructor(limits: DmaLoggingLimits) {
    this.#limits = limits;
  }

  /** What is logged now; empty: nothing. */
  get ranges(): readonly IovaSpan[] {
    return this.#ranges ?? [];
  }

  /** Pages that a report of everything would name now. */
  get logged(): readonly PageRange[] {
    if (!this.#ranges) return [];
    return [...this.#bytes].flatMap(([byte, bits]) =>
      Array.from({ length: 8 }, (_, bit) => byte * 8 + bit)
        .filter((page) => ((bits >> (page % 8)) & 1) === 1)
        .map((page) => ({ startPage: page, endPage: page + 1 })),
    );
  }

  /**
   * EINVAL: no ranges, not multiples of the page size, or overlapping; E2BIG: too many; EOVERFLOW: beyond 64 bits;
   * EOPNOTSUPP: more than the device can log; EBUSY: it logs already.
   */
  start(ranges: readonly IovaSpan[], pageSize: number): Outcome<null> {
    if (ranges.length === 0) return refused('EINVAL', 'there is no range to log');
    if (ranges.length > MOST_RANGES) return refused('E2BIG', `more than ${MOST_RANGES} ranges`);
    for (const { iova, length } of ranges) {
      if (iova % pageSize !== 0 || length % pageSize !== 0)
        return refused('EINVAL', `a range is no multiple of ${pageSize} bytes`);
      if (iova + length > END) return refused('EOVERFLOW', 'a range ends beyond 64 bits');
    }
    const sorted = [...ranges].sort((one, other) => one.iova - other.iova);
    if (sorted.some((each, index) => index > 0 && each.iova < endOf(sorted[index - 1]))) {
      return refused('EINVAL', 'ranges overlap');
    }
    if (this.#ranges) return refused('EBUSY', 'the device logs already');
    const combined = combine(sorted, this.#limits.mostRanges);
    const bytes = combined.reduce((sum, { length }) => sum + length, 0);
    if (bytes > this.#limits.mostBytes)
      return refused(
        'EOPNOTSUPP',
        `the device logs ${this.#limits.mostBytes} bytes at most, and ${bytes} are asked for`,
      );
    this.#ranges = combined;
    this.#bytes.clear();
    return done(null);
  }

  stop(): void {
    this.#ranges = undefined;
  }

  /** The device logs a write of its own: one atomic step, or two between which others may log. */
  *log(page: number): Steps<SoftwareStep, null> {
    const at = page * 4096;
    if (!this.ranges.some(({ iova, length }) => at >= iova && at < iova + length)) return null;
    const byte = Math.floor(page / 8);
    const bit = 1 << (page % 8);
    if (this.#limits.atomicBytes) {
      this.#bytes.set(byte, (this.#bytes.get(byte) ?? 0) | bit);
      yield { kind: 'software', name: 'log the page: set its bit' };
      return null;
    }
    const old = this.#bytes.get(byte) ?? 0;
    yield { kind: 'software', name: 'log the page: read its byte' };
    this.#bytes.set(byte, old | bit);
    yield { kind: 'software', name: 'log the page: write its byte' };
    return null;
  }

  /** Reports and clears. EINVAL: not logging, or a page size below 4096 or no power of two; EOVERFLOW: beyond 64 bits. */
  report({ iova, length }: IovaSpan, pageSize: number): Outcome<PageRange[]> {
    if (!this.#ranges) return refused('EINVAL', 'the device does not log');
    if (pageSize < 4096 || !Number.isInteger(Math.log2(pageSize)))
      return refused('EINVAL', 'a page size is a power of two of at least 4096');
    if (iova + length > END) return refused('EOVERFLOW', 'the range ends beyond 64 bits');
    const pages: number[] = [];
    for (const [byte, bits] of this.#bytes) {
      for (let bit = 0; bit < 8; bit++) {
        const page = byte * 8 + bit;
        if (((bits >> bit) & 1) === 0 || page * 4096 < iova || page * 4096 >= iova + length) continue;
        pages.push(page);
        this.#bytes.set(byte, (this.#bytes.get(byte) ?? 0) & ~(1 << bit));
      }
    }
    return done(units(pages, pageSize / 4096));
  }
}

const endOf = (span: IovaSpan | undefined): number => (span ? span.iova + span.length : 0);

/** Combines the neighbours with the smallest gap until there are few enough. */
function combine(sorted: readonly IovaSpan[], most: number): IovaSpan[] {
  const spans = [...sorted];
  while (spans.length > Math.max(1, most)) {
    let best = 1;
    const gap = (index: number): number => (spans[index]?.iova ?? Infinity) - endOf(spans[index - 1]);
    for (let index = 2; index < spans.length; index++) if (gap(index) < gap(best)) best = index;
    const iova = spans[best - 1]?.iova ?? 0;
    spans.splice(best - 1, 2, { iova, length: endOf(spans[best]) - iova });
  }
  return spans;
}

/** Pages rounded out to units of the size that was asked for, merged. */
function units(pages: readonly number[], pagesPerUnit: number): PageRange[] {
  const runs: { startPage: number; endPage: number }[] = [];
  for (const page of [...pages].sort((one, other) => one - other)) {
    const startPage = page - (page % pagesPerUnit);
    const last = runs.at(-1);
    if (last && startPage <= last.endPage) last.endPage = Math.max(last.endPage, startPage + pagesPerUnit);
    else runs.push({ startPage, endPage: startPage + pagesPerUnit });
  }
  return runs;
}
