import { done, refused, type Outcome } from '../../driver/errno';
import { type AddressRange, overlaps } from '../../driver/iommufd/ranges';
import { type GuestRegion } from '../../ledger/guestMemory';
import { type Arena } from '../../memory/arena';
import { RangeAllocator } from '../../memory/frameAllocator';
import { type FrameAllocator } from '../../memory/writableMemory';
import { FRAME_BYTES, formatSize, frameNumber, hex, type FrameNumber } from '../../values';

const FRAME = BigInt(FRAME_BYTES);
/** What a guest's tables may take at most: as much as the kernel's of a machine of 64 GiB by small pages. */
const MOST_BYTES = 1n << 30n;

/** The parts of guest memory that guests' tables and queues have: each has its own. Guest physical addresses in bytes. */
export class HeldGuestMemory {
  readonly #regions: readonly GuestRegion[];
  /** Bytes of the smallest page of the machine. */
  readonly #granule: bigint;
  readonly #held: AddressRange[] = [];

  constructor(regions: readonly GuestRegion[], granule: number) {
    this.#regions = [...regions].sort((one, other) => other.startPage - one.startPage);
    this.#granule = BigInt(granule);
  }

  /** A part that nobody has; `start` absent: the last one there is, aligned to its length. EINVAL, EBUSY, ENOMEM. */
  find(start: bigint | undefined, length: bigint): Outcome<AddressRange> {
    if (length === 0n || length > MOST_BYTES)
      return refused('EINVAL', `guests' tables take more than nothing and at most ${formatSize(MOST_BYTES)}`);
    if (length % this.#granule !== 0n || (start ?? 0n) % this.#granule !== 0n)
      return refused('EINVAL', `guest memory is held by multiples of ${formatSize(this.#granule)}`);
    if (start === undefined) return this.#last(length);
    const range = { start, end: start + length };
    const { end } = range;
    if (!this.#regions.some((each) => bytesOf(each.startPage) <= start && end <= bytesOf(each.endPage)))
      return refused('EINVAL', `${hex(start)} to ${hex(end)} is not all guest memory`);
    const taken = this.#held.find((each) => overlaps(each, range));
    return taken
      ? refused('EBUSY', `a guest has its tables or its queue at ${hex(taken.start)} already`)
      : done(range);
  }

  hold(range: AddressRange): void {
    this.#held.push(range);
  }

  release(range: AddressRange): void {
    this.#held.splice(this.#held.indexOf(range), 1);
  }

  #last(length: bigint): Outcome<AddressRange> {
    for (const region of this.#regions) {
      const first = bytesOf(region.startPage);
      let end = bytesOf(region.endPage);
      for (;;) {
        const start = end - length - ((end - length) % this.#aligned(length));
        if (start < first) break;
        const range = { start, end: start + length };
        const taken = this.#held.find((each) => overlaps(each, range));
        if (!taken) return done(range);
        end = taken.start;
      }
    }
    return refused('ENOMEM', `guest memory has no ${formatSize(length)} left for tables`);
  }

  /** To powers of two as long as a part, so that large pages can map it. */
  #aligned(length: bigint): bigint {
    const isPower = (length & (length - 1n)) === 0n;
    return isPower ? length : this.#granule;
  }
}

const bytesOf = (page: number): bigint => BigInt(page) * FRAME;

/** Frames of a guest, by guest frame numbers: memory of the machine at a fixed distance. */
export class GuestFrames implements FrameAllocator {
  readonly #host: RangeAllocator;
  readonly #distance: number;

  /** `distance`: from a guest frame number to the frame of memory. */
  constructor(arena: Arena, { start, end }: AddressRange, distance: number) {
    const first = Number(start / FRAME) + distance;
    this.#host = new RangeAllocator(arena, first, Number(end / FRAME) + distance);
    this.#distance = distance;
  }

  get allocated(): number {
    return this.#host.allocated;
  }

  allocate(count = 1): FrameNumber | undefined {
    const frame = this.#host.allocate(count);
    return frame === undefined ? undefined : frameNumber(frame - this.#distance);
  }

  free(frame: FrameNumber, count = 1): void {
    this.#host.free(this.locate(frame), count);
  }

  isFreed(frame: FrameNumber): boolean {
    return this.#host.isFreed(this.locate(frame));
  }

  isAllocated(frame: FrameNumber): boolean {
    return this.#host.isAllocated(this.locate(frame));
  }

  /** The frame of memory behind a guest's. */
  readonly locate = (frame: FrameNumber): FrameNumber => frameNumber(frame + this.#distance);
}
