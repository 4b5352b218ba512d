import { done, refused, type Outcome } from '../errno';
import { type Area } from './area';
import { type Ioas } from './ioas';
import { type Pin } from './platform';
import { ADDRESS_END, type AddressRange, overlaps } from './ranges';

interface PinnedRange extends AddressRange {
  readonly areas: readonly Area[];
  readonly pins: readonly Pin[];
  /** Its areas cannot be unmapped. */
  readonly locks: boolean;
}

/** Bytes that one call pins at most: its caller gets every frame by itself. */
const MOST_PINNED_BYTES = 1n << 32n;

/** Reads and writes of an address space's memory without an IOMMU: mediated devices, hardware queues. */
export class Access {
  readonly ioas: Ioas;
  readonly needsPins: boolean;
  /** Called for each pinned range that is about to be unmapped; it has to unpin it. */
  readonly #onUnmap: ((range: AddressRange) => void) | undefined;
  readonly #pinned: PinnedRange[] = [];

  constructor(ioas: Ioas, needsPins: boolean, onUnmap?: (range: AddressRange) => void) {
    this.ioas = ioas;
    this.needsPins = needsPins;
    this.#onUnmap = onUnmap;
  }

  /** The same, of another address space. */
  over(ioas: Ioas): Access {
    return new Access(ioas, this.needsPins, this.#onUnmap);
  }

  /** Pins what is mapped at a range, pages of 4 KiB; its frames in order. */
  pin(range: AddressRange, write: boolean, locks = false): Outcome<number[]> {
    if (range.end === range.start) return refused('EINVAL', 'an empty range');
    if (range.end > ADDRESS_END) return refused('EOVERFLOW', 'the range ends beyond 64 bits');
    if (range.end - range.start > MOST_PINNED_BYTES) return refused('ENOMEM', 'at most 4 GiB at a time');
    const areas = this.ioas.contiguous(range);
    if (!areas) return refused('ENOENT', 'the range is not mapped as a whole');
    if (areas.some(({ preventsAccess }) => preventsAccess))
      return refused('EINVAL', 'the area is being unmapped');
    if (write && areas.some(({ access }) => !access.write)) return refused('EPERM', 'mapped for reads only');
    const pins: Pin[] = [];
    for (const area of areas) {
      const start = area.start > range.start ? area.start : range.start;
      const end = area.end < range.end ? area.end : range.end;
      const address = area.pages.address + area.startByte + start - area.start;
      const pin = this.ioas.memory.pin(area.pages, address, end - start, write);
      if (!pin) {
        for (const each of pins) this.ioas.memory.unpin(each);
        return refused('EFAULT', 'user memory is not mapped there');
      }
      pins.push(pin);
    }
    for (const area of areas) {
      area.accesses++;
      if (locks) area.locks++;
    }
    this.#pinned.push({ ...range, areas, pins, locks });
    return done(
      pins.flatMap(({ extents }) => extents.flatMap(({ frame, frames }) => sequence(frame, frames))),
    );
  }

  /** ENOENT: this range is not pinned (any more). */
  unpin(range: AddressRange): Outcome<null> {
    const index = this.#pinned.findIndex(({ start, end }) => start === range.start && end === range.end);
    const [found] = index < 0 ? [] : this.#pinned.splice(index, 1);
    if (!found) return refused('ENOENT', 'the range is not pinned');
    for (const pin of found.pins) this.ioas.memory.unpin(pin);
    for (const area of found.areas) {
      area.accesses--;
      if (found.locks) area.locks--;
    }
    return done(null);
  }

  /** Asks for an area's pages back. */
  release(area: Area): void {
    for (const range of this.#pinned.filter((each) => overlaps(each, area))) {
      if (this.#onUnmap) this.#onUnmap(range);
      else this.unpin(range);
    }
  }

  /** Unpins all and leaves the address space. */
  close(): void {
    for (const range of [...this.#pinned]) this.unpin(range);
    this.ioas.removeAccess(this);
  }
}

const sequence = (start: number, count: number): number[] =>
  Array.from({ length: count }, (_, at) => start + at);

/** Whether frames stand one behind the other: what hardware reads by physical address needs that. */
export const neighbours = (frames: readonly number[]): boolean =>
  frames.every((frame, at) => at === 0 || frame === (frames[at - 1] ?? 0) + 1);
