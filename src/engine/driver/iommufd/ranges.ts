import { hex } from '../../values';

/** Half-open range of addresses; `end` is at most 2^64. */
export interface AddressRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** One past the last 64-bit address, and the largest 64-bit number. */
export const ADDRESS_END = 1n << 64n;
export const U64_MAX = ADDRESS_END - 1n;

export const overlaps = (a: AddressRange, b: AddressRange): boolean => a.start < b.end && b.start < a.end;

/** `[0x1000, 0x3000)` */
export const hexRange = ({ start, end }: AddressRange): string => `[${hex(start)}, ${hex(end)})`;

export const contains = (outer: AddressRange, inner: AddressRange): boolean =>
  outer.start <= inner.start && inner.end <= outer.end;

/** Ranges that do not overlap, ascending. Few and long-lived: areas, not pages. */
export class RangeList<T extends AddressRange> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#items.values();
  }

  /** The first that overlaps. */
  firstIn(range: AddressRange): T | undefined {
    const found = this.#items[this.#after(range.start)];
    return found && overlaps(found, range) ? found : undefined;
  }

  /** All that overlap, ascending. */
  allIn(range: AddressRange): T[] {
    const found: T[] = [];
    for (let index = this.#after(range.start); index < this.#items.length; index++) {
      const item = this.#items[index];
      if (!item || item.start >= range.end) break;
      found.push(item);
    }
    return found;
  }

  /** Puts in a range that overlaps none. */
  insert(item: T): void {
    this.#items.splice(this.#after(item.start), 0, item);
  }

  remove(item: T): void {
    const index = this.#items.indexOf(item, Math.max(0, this.#after(item.start)));
    if (index >= 0) this.#items.splice(index, 1);
  }

  /** Index of the first that ends after an address. */
  #after(address: bigint): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const item = this.#items[middle];
      if (item && item.end <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** What is left of a range without others, ascending; `taken` need not be in order. */
export function holes(range: AddressRange, taken: Iterable<AddressRange>): AddressRange[] {
  const found: AddressRange[] = [];
  let start = range.start;
  const inside = [...taken].filter((each) => overlaps(each, range));
  for (const each of inside.sort((a, b) => (a.start < b.start ? -1 : 1))) {
    if (each.start > start) found.push({ start, end: each.start });
    if (each.end > start) start = each.end;
  }
  if (start < range.end) found.push({ start, end: range.end });
  return found;
}
