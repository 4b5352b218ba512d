import { FRAME_BYTES } from '../../values';
import { contains, overlaps, RangeList, type AddressRange } from './ranges';
import { type FrameExtent, type Pin, type PinnedMemory } from './platform';

interface Region extends AddressRange {
  readonly frame: number;
  readonly writable: boolean;
}

/** Whose a pin is, and its whole pages. */
interface Held {
  readonly owner: object;
  readonly range: AddressRange;
}

/** User memory made of regions that lie in neighbouring frames each, with a count of who pinned what. */
export class UserMemory implements PinnedMemory {
  readonly pageBytes: number;
  readonly #regions = new RangeList<Region>();
  readonly #pins = new Map<Pin, Held>();

  constructor(pageBytes: number = FRAME_BYTES) {
    this.pageBytes = pageBytes;
  }

  /** Maps user addresses, whole pages, to frames from `frame` on. */
  mapRegion(address: bigint, length: bigint, frame: number, writable = true): void {
    this.#regions.insert({ start: address, end: address + length, frame, writable });
  }

  /** Takes user addresses away, whole pages; what is pinned of them stays pinned. */
  unmapRegion(address: bigint, length: bigint): void {
    const gone = { start: address, end: address + length };
    for (const region of this.#regions.allIn(gone)) {
      this.#regions.remove(region);
      const { start, end, frame } = region;
      if (start < gone.start) this.#regions.insert({ ...region, end: gone.start });
      if (end > gone.end)
        this.#regions.insert({ ...region, start: gone.end, frame: frame + framesOf(gone.end - start) });
    }
  }

  pin(owner: object, address: bigint, length: bigint, write: boolean): Pin | undefined {
    const page = BigInt(this.pageBytes);
    const range = {
      start: address - (address % page),
      end: ((address + length + page - 1n) / page) * page,
    };
    const wanted = { start: address, end: address + length };
    const extents: FrameExtent[] = [];
    let at = range.start;
    for (const region of this.#regions.allIn(range)) {
      if (region.start > at || (write && !region.writable)) return undefined;
      at = region.end;
      const start = region.start > wanted.start ? region.start : wanted.start;
      const end = region.end < wanted.end ? region.end : wanted.end;
      if (start < end)
        extents.push({ frame: region.frame + framesOf(start - region.start), frames: framesOf(end - start) });
    }
    if (at < range.end) return undefined;
    const pin: Pin = { extents };
    this.#pins.set(pin, { owner, range });
    return pin;
  }

  unpin(pin: Pin): void {
    this.#pins.delete(pin);
  }

  /** How many owners hold all pages of a range; undefined: some of them only a part. */
  references(address: bigint, length: bigint): number | undefined {
    const range = { start: address, end: address + length };
    const whole = new Set<object>();
    for (const { owner, range: held } of this.#pins.values()) {
      if (contains(held, range)) whole.add(owner);
      else if (overlaps(held, range)) return undefined;
    }
    return whole.size;
  }
}

const framesOf = (bytes: bigint): number => Number(bytes / BigInt(FRAME_BYTES));
