import { type Steps } from '../../steps';
import { hex } from '../../values';
import { done, refused, type Outcome } from '../errno';
import { type SoftwareStep } from '../softwareStep';
import { type Area, emptyArea, fillArea, type UserPages } from './area';
import { type MapAccess, type PagingDomain, type PinnedMemory } from './platform';
import { ADDRESS_END, type AddressRange, hexRange, holes, overlaps, RangeList, U64_MAX } from './ranges';
import { RangeLock } from './rangeLock';

/** Automatic addresses are aligned to at most a huge page. */
const MOST_ALIGNMENT = 2n << 20n;

interface Reservation extends AddressRange {
  readonly owner: object;
}

/** What reads and writes memory through an address space without an IOMMU. */
export interface AddressSpaceUser {
  readonly needsPins: boolean;
  /** An area that it has pinned is about to go. */
  release(area: Area): void;
}

/** A slice of user pages that is to be mapped. */
export interface Slice {
  readonly pages: UserPages;
  readonly startByte: bigint;
  readonly length: bigint;
}

/** An IO address space: areas of user memory, mapped in every paging domain that was added. Linux io_pagetable.c. */
export class Ioas {
  readonly kind = 'ioas';
  readonly id: number;
  users = 0;
  readonly memory: PinnedMemory;
  readonly lock = new RangeLock();
  readonly areas = new RangeList<Area>();
  readonly domains: PagingDomain[] = [];
  readonly accesses = new Set<AddressSpaceUser>();
  #alignment = 1n;
  #smallOnly = false;
  #allowed: readonly AddressRange[] = [];
  #reserved: Reservation[] = [];

  constructor(id: number, memory: PinnedMemory) {
    this.id = id;
    this.memory = memory;
  }

  /** Bytes to which addresses and lengths are aligned. */
  get alignment(): bigint {
    return this.#alignment;
  }

  /** IOMMU_OPTION_HUGE_PAGES is 0: pages of the smallest size only. */
  get smallOnly(): boolean {
    return this.#smallOnly;
  }

  /** Address ranges that may be used, ascending. */
  usable(): AddressRange[] {
    return holes({ start: 0n, end: ADDRESS_END }, this.#reserved);
  }

  reserve(range: AddressRange, owner: object): Outcome<null> {
    if (this.areas.firstIn(range) ?? this.#allowed.find((each) => overlaps(each, range)))
      return refused('EADDRINUSE', `some of ${hexRange(range)} is mapped or allowed`);
    this.#reserved.push({ ...range, owner });
    return done(null);
  }

  unreserve(owner: object): void {
    this.#reserved = this.#reserved.filter((each) => each.owner !== owner);
  }

  /** Automatic addresses are taken from these ranges only; none: from all. */
  allow(ranges: readonly AddressRange[]): Outcome<null> {
    for (const range of ranges)
      if (this.#reserved.some((each) => overlaps(each, range)))
        return refused('EADDRINUSE', `some of ${hexRange(range)} is reserved`);
    this.#allowed = [...ranges].sort((a, b) => (a.start < b.start ? -1 : 1));
    return done(null);
  }

  setHugePages(enable: boolean): Outcome<null> {
    if (enable === !this.#smallOnly) return done(null);
    if (!enable && this.domains.length > 0 && this.areas.size > 0)
      return refused('EINVAL', 'large pages may be mapped already');
    this.#smallOnly = !enable;
    const outcome = this.#align();
    if (!outcome.ok) this.#smallOnly = enable;
    return outcome;
  }

  /** Maps slices one behind the other, at `iova` or at an address that is found; the address. */
  *map(
    slices: readonly Slice[],
    length: bigint,
    iova: bigint | undefined,
    access: MapAccess,
  ): Steps<SoftwareStep, Outcome<bigint>> {
    const entered = yield* this.lock.write();
    if (!entered.ok) return entered;
    const placed = this.#place(slices, length, iova, access);
    if (!placed.ok) return placed;
    const areas = placed.value;
    yield { kind: 'software', name: 'insert areas' };
    for (const area of areas) {
      const filled = yield* fillArea(area, this.memory, this.domains, this.#smallOnly);
      if (filled.ok) continue;
      for (const each of areas) {
        if (each === area) break;
        yield* emptyArea(each, this.domains, true);
      }
      for (const each of areas) this.areas.remove(each);
      return filled;
    }
    const locked = yield* this.lock.write();
    if (!locked.ok) {
      for (const area of areas) {
        yield* emptyArea(area, this.domains, true);
        this.areas.remove(area);
      }
      return locked;
    }
    for (const area of areas) area.state = 'ready';
    return done(areas[0]?.start ?? 0n);
  }

  /** Removes every area of a range, none of which may be cut; the bytes removed. */
  *unmap(range: AddressRange): Steps<SoftwareStep, Outcome<bigint>> {
    let bytes = 0n;
    for (;;) {
      const locked = yield* this.lock.write();
      if (!locked.ok) return locked;
      const area = this.areas.firstIn(range);
      if (!area) break;
      if (area.state !== 'ready' || area.locks > 0)
        return refused('EBUSY', `the area ${hexRange(area)} is in use`);
      if (area.start < range.start || area.end > range.end)
        return refused('ENOENT', `the area ${hexRange(area)} is only partly in ${hexRange(range)}`);
      if (area.accesses > 0) {
        area.preventsAccess = true;
        for (const access of this.accesses) access.release(area);
        yield { kind: 'software', name: 'tell accesses to unpin' };
        if (area.accesses > 0) return refused('EBUSY', 'an access does not unpin its pages');
      }
      area.state = 'removing';
      yield* emptyArea(area, this.domains, true);
      this.areas.remove(area);
      bytes += area.end - area.start;
    }
    return bytes === 0n ? refused('ENOENT', 'nothing is mapped in the range') : done(bytes);
  }

  /** Slices of what is mapped at a range without holes. */
  slices({ start, end }: AddressRange): Outcome<Slice[]> {
    const areas = this.contiguous({ start, end });
    if (!areas) return refused('ENOENT', 'the range is not mapped as a whole');
    return done(
      areas.map((area) => {
        const from = area.start > start ? area.start : start;
        const to = area.end < end ? area.end : end;
        return { pages: area.pages, startByte: area.startByte + from - area.start, length: to - from };
      }),
    );
  }

  /** Areas that cover a range without holes; undefined: there is one, or one is being changed. */
  contiguous(range: AddressRange): Area[] | undefined {
    const areas = this.areas.allIn(range);
    let at = range.start;
    for (const area of areas) {
      if (area.start > at || area.state !== 'ready') return undefined;
      at = area.end;
    }
    return at >= range.end ? areas : undefined;
  }

  /** Cuts the area at an address in two (VFIO type 1 only): without large pages, so that no leaf is cut. */
  cut(at: bigint): Outcome<null> {
    const area = this.areas.firstIn({ start: at, end: at + 1n });
    if (!area || area.start === at) return done(null);
    if (area.state !== 'ready') return refused('EBUSY', 'the area is being changed');
    if (at % this.#alignment !== 0n) return refused('EINVAL', 'the cut is not aligned');
    if (area.accesses > 0 || !this.#smallOnly) return refused('EINVAL', 'large pages cannot be cut');
    this.areas.remove(area);
    for (const half of [
      { start: area.start, end: at },
      { start: at, end: area.end },
    ]) {
      const startByte = area.startByte + half.start - area.start;
      this.areas.insert({ ...area, ...half, startByte, pin: area.pin?.share(half.start - area.start) });
    }
    area.pin?.release();
    return done(null);
  }

  /** Maps all areas in a domain that is new here. */
  *addDomain(domain: PagingDomain): Steps<SoftwareStep, Outcome<null>> {
    const locked = yield* this.lock.write();
    if (!locked.ok) return locked;
    const granule = BigInt(domain.granule);
    if (granule > BigInt(this.memory.pageBytes))
      return refused('EINVAL', `pages of the IOMMU (${granule} bytes) are larger than those of the CPU`);
    const alignment = granule > this.#alignment ? granule : this.#alignment;
    if (!this.#fits(alignment))
      return refused('EADDRINUSE', 'an area is not aligned to the pages of the IOMMU');
    for (const range of holes({ start: 0n, end: ADDRESS_END }, [domain.aperture])) {
      const reserved = this.reserve(range, domain);
      if (reserved.ok) continue;
      this.unreserve(domain);
      return reserved;
    }
    const areas = [...this.areas].filter(({ state }) => state === 'ready');
    for (const area of areas) {
      const outcome = yield* fillArea(area, this.memory, [domain], this.#smallOnly);
      if (outcome.ok) continue;
      for (const each of areas.slice(0, areas.indexOf(area)))
        yield* emptyArea(each, [domain], this.domains.length === 0);
      this.unreserve(domain);
      return outcome;
    }
    this.#alignment = alignment;
    this.domains.push(domain);
    return done(null);
  }

  /** EBUSY: a dirty read of the areas does not end. */
  *removeDomain(domain: PagingDomain): Steps<SoftwareStep, Outcome<null>> {
    const locked = yield* this.lock.write();
    if (!locked.ok) return locked;
    const index = this.domains.indexOf(domain);
    if (index >= 0) this.domains.splice(index, 1);
    for (const area of [...this.areas]) yield* emptyArea(area, [domain], this.domains.length === 0);
    this.unreserve(domain);
    this.#align();
    return done(null);
  }

  #place(
    slices: readonly Slice[],
    length: bigint,
    iova: bigint | undefined,
    access: MapAccess,
  ): Outcome<Area[]> {
    const misaligned = (value: bigint) => value % this.#alignment !== 0n;
    if (length === 0n || misaligned(length))
      return refused('EINVAL', `a length of ${length} is not a multiple of ${this.#alignment}`);
    const [first] = slices;
    const found = iova === undefined ? this.#find(first, length) : this.#check(iova, length);
    if (!found.ok) return found;
    const areas: Area[] = [];
    let start = found.value;
    for (const { pages, startByte, length: bytes } of slices) {
      const refusal =
        access.write && !pages.writable
          ? refused('EPERM', 'the memory is mapped for reads only')
          : misaligned((pages.address + startByte) % BigInt(this.memory.pageBytes))
            ? refused('EINVAL', 'the user address is not aligned to the pages of the IOMMU')
            : undefined;
      if (refusal) {
        for (const area of areas) this.areas.remove(area);
        return refusal;
      }
      const area: Area = {
        start,
        end: start + bytes,
        pages,
        startByte,
        access,
        state: 'filling',
        pin: undefined,
        locks: 0,
        accesses: 0,
        preventsAccess: false,
      };
      this.areas.insert(area);
      areas.push(area);
      start += bytes;
    }
    return done(areas);
  }

  #check(iova: bigint, length: bigint): Outcome<bigint> {
    const range = { start: iova, end: iova + length };
    if (iova % this.#alignment !== 0n)
      return refused('EINVAL', `${hex(iova)} is not aligned to ${this.#alignment} bytes`);
    if (range.end > ADDRESS_END) return refused('EOVERFLOW', 'the range ends beyond 64 bits');
    if (this.#reserved.some((each) => overlaps(each, range)))
      return refused('EINVAL', 'the range is reserved, or the tables do not reach it');
    if (this.areas.firstIn(range)) return refused('EEXIST', 'a part of the range is mapped already');
    return done(iova);
  }

  /** An address that keeps the alignment of the user address, up to a huge page, so that large pages may be used; never 0. */
  #find(slice: Slice | undefined, length: bigint): Outcome<bigint> {
    if (length >= U64_MAX / 2n) return refused('EOVERFLOW', 'the range is longer than half of the addresses');
    const address = slice ? slice.pages.address + slice.startByte : 0n;
    const page = BigInt(this.memory.pageBytes);
    const offset = address % page;
    const alignment = least(
      roundUpToPower(length),
      address === 0n ? MOST_ALIGNMENT : lowestBit(address),
      MOST_ALIGNMENT,
    );
    if (alignment < this.#alignment)
      return refused('EINVAL', 'the user address is not aligned to the pages of the IOMMU');
    const all = [{ start: page, end: U64_MAX - page + 1n }];
    for (const range of this.#allowed.length > 0 ? this.#allowed : all) {
      for (const hole of holes(range, [...this.#reserved, ...this.areas])) {
        const start = (((hole.start + alignment - 1n) / alignment) * alignment) | offset;
        if (start >= page && start + length <= hole.end) return done(start);
      }
    }
    return refused('ENOSPC', `no ${length} free bytes of addresses`);
  }

  #fits(alignment: bigint): boolean {
    const page = BigInt(this.memory.pageBytes);
    for (const { start, end, pages, startByte } of this.areas)
      if ([start, end, (pages.address + startByte) % page].some((each) => each % alignment !== 0n))
        return false;
    return true;
  }

  /** Computes the alignment again. */
  #align(): Outcome<null> {
    const page = BigInt(this.memory.pageBytes);
    const wanted = [
      this.#smallOnly ? page : 1n,
      ...this.domains.map(({ granule }) => BigInt(granule)),
      ...[...this.accesses].map(({ needsPins }) => (needsPins ? page : 1n)),
    ].reduce((a, b) => (a > b ? a : b));
    if (wanted > this.#alignment && !this.#fits(wanted))
      return refused('EADDRINUSE', `an area is not aligned to ${wanted}`);
    this.#alignment = wanted;
    return done(null);
  }

  /** Adds something that reads and writes memory through this address space without an IOMMU. */
  addAccess(access: AddressSpaceUser): Outcome<null> {
    this.accesses.add(access);
    const outcome = this.#align();
    if (!outcome.ok) this.accesses.delete(access);
    else this.users++;
    return outcome;
  }

  removeAccess(access: AddressSpaceUser): void {
    if (!this.accesses.delete(access)) return;
    this.users--;
    this.#align();
  }
}

const least = (...values: bigint[]): bigint => values.reduce((a, b) => (a < b ? a : b));
const lowestBit = (value: bigint): bigint => value & -value;
const roundUpToPower = (value: bigint): bigint =>
  1n << BigInt((value - 1n).toString(2).length - (value === 1n ? 1 : 0));
