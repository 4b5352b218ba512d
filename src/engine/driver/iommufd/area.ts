import { type Steps } from '../../steps';
import { FRAME_BYTES } from '../../values';
import { done, refused, type Outcome } from '../errno';
import { type SoftwareStep } from '../softwareStep';
import { type FrameExtent, type MapAccess, type PagingDomain, type Pin, type PinnedMemory } from './platform';
import { type AddressRange } from './ranges';

/** User memory that areas share: who pins a page of it twice holds it once. */
export interface UserPages {
  readonly address: bigint;
  readonly length: bigint;
  readonly writable: boolean;
}

/** Addresses that are mapped to a slice of user memory. */
export interface Area extends AddressRange {
  readonly pages: UserPages;
  /** Where in the pages it begins. */
  readonly startByte: bigint;
  readonly access: MapAccess;
  state: 'filling' | 'ready' | 'removing';
  /** Held while a domain maps it. */
  pin: AreaPin | undefined;
  /** Hardware queues that stand in it: it cannot be unmapped. */
  locks: number;
  /** Ranges that accesses have pinned. */
  accesses: number;
  preventsAccess: boolean;
}

/** A part of pinned pages; parts of one pin share it. */
export class AreaPin {
  readonly #memory: PinnedMemory;
  readonly #pin: Pin;
  readonly #users: { count: number };
  readonly #startFrame: number;

  constructor(memory: PinnedMemory, pin: Pin, users = { count: 0 }, startFrame = 0) {
    this.#memory = memory;
    this.#pin = pin;
    this.#users = users;
    this.#startFrame = startFrame;
    users.count++;
  }

  /** Another holder, of what is left after so many bytes. */
  share(bytes: bigint): AreaPin {
    const frames = Number(bytes / BigInt(FRAME_BYTES));
    return new AreaPin(this.#memory, this.#pin, this.#users, this.#startFrame + frames);
  }

  release(): void {
    if (--this.#users.count === 0) this.#memory.unpin(this.#pin);
  }

  /** The frames of so many bytes. */
  *extents(bytes: bigint): IterableIterator<FrameExtent> {
    let skip = this.#startFrame;
    let left = Number(bytes / BigInt(FRAME_BYTES));
    for (const { frame, frames } of this.#pin.extents) {
      const skipped = Math.min(skip, frames);
      const taken = Math.min(left, frames - skipped);
      skip -= skipped;
      left -= taken;
      if (taken > 0) yield { frame: frame + skipped, frames: taken };
    }
  }
}

const startPage = (range: AddressRange): number => Number(range.start / BigInt(FRAME_BYTES));
const endPage = (range: AddressRange): number => Number(range.end / BigInt(FRAME_BYTES));

/** Pins an area's memory, where it is not pinned, and maps it in these domains: in all of them or in none. */
export function* fillArea(
  area: Area,
  memory: PinnedMemory,
  domains: readonly PagingDomain[],
  smallOnly: boolean,
): Steps<SoftwareStep, Outcome<null>> {
  if (domains.length === 0) return done(null);
  const { pages, startByte } = area;
  const length = area.end - area.start;
  const fresh = area.pin === undefined;
  if (!area.pin) {
    const pin = memory.pin(pages, pages.address + startByte, length, area.access.write);
    yield { kind: 'software', name: 'pin user pages' };
    if (!pin) return refused('EFAULT', 'user memory is not mapped there');
    area.pin = new AreaPin(memory, pin);
  }
  const filled: PagingDomain[] = [];
  for (const domain of domains) {
    let page = startPage(area);
    for (const extent of area.pin.extents(length)) {
      const outcome = yield* domain.map(page, extent, area.access, smallOnly);
      if (!outcome.ok) {
        if (page > startPage(area)) yield* domain.unmap(startPage(area), page);
        yield* emptyArea(area, filled, fresh);
        return outcome;
      }
      page += extent.frames;
    }
    filled.push(domain);
  }
  return done(null);
}

/** Unmaps an area from these domains; `unpins`: none is left that maps it. */
export function* emptyArea(
  area: Area,
  domains: readonly PagingDomain[],
  unpins: boolean,
): Steps<SoftwareStep, void> {
  for (const domain of domains) yield* domain.unmap(startPage(area), endPage(area));
  if (!unpins || !area.pin) return;
  area.pin.release();
  area.pin = undefined;
  yield { kind: 'software', name: 'unpin user pages' };
}
