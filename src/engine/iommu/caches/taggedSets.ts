import { type SeededRandom } from '../../random';
import { powerOfTwo } from '../../pageTable/entry';
import { type CacheGeometry } from '../rules';

/**
 * The tags of a set-associative cache that holds blocks of several sizes at once, as columns by slot; what is known of a block
 * is the owner's, in columns of its own. Pages are of 4 KiB, a block's size is 2^shift bytes and its page a multiple of it.
 */
export class TaggedSets {
  readonly capacity: number;
  readonly vms: Int32Array;
  readonly spaces: Int32Array;
  readonly pages: Float64Array;
  /** 0: the slot is free. */
  readonly shifts: Uint8Array;
  /** 1: good for all spaces of its vm. */
  readonly globals: Uint8Array;
  readonly #ways: number;
  readonly #setMask: number;
  readonly #random: SeededRandom;
  /** How many blocks have each shift, and the shifts that some have, ascending. */
  readonly #counts = new Int32Array(65);
  #shiftsInUse = new Uint8Array(0);
  #size = 0;

  constructor({ sets, ways }: CacheGeometry, random: SeededRandom) {
    this.capacity = sets * ways;
    this.vms = new Int32Array(this.capacity);
    this.spaces = new Int32Array(this.capacity);
    this.pages = new Float64Array(this.capacity);
    this.shifts = new Uint8Array(this.capacity);
    this.globals = new Uint8Array(this.capacity);
    this.#ways = ways;
    this.#setMask = sets - 1;
    this.#random = random;
  }

  get size(): number {
    return this.#size;
  }

  /** Shifts of the blocks held, ascending. */
  get shiftsInUse(): Readonly<Uint8Array> {
    return this.#shiftsInUse;
  }

  /** Slot of the smallest block around a page, of this tag or global in its vm; -1: none. */
  find(vm: number, space: number, page: number): number {
    for (const shift of this.#shiftsInUse) {
      const slot = this.findOfShift(vm, space, page, shift);
      if (slot >= 0) return slot;
    }
    return -1;
  }

  /** As `find`, of blocks of one size only. What has no stage 1 meets no block of one: space -1 is not any space. */
  findOfShift(vm: number, space: number, page: number, shift: number): number {
    const { shifts, vms, spaces, pages, globals } = this;
    const block = Math.floor(page / powerOfTwo(shift - 12));
    const start = block * powerOfTwo(shift - 12);
    const first = (block & this.#setMask) * this.#ways;
    const end = first + this.#ways;
    for (let slot = first; slot < end; slot++) {
      if (pages[slot] !== start || shifts[slot] !== shift || vms[slot] !== vm) continue;
      if (spaces[slot] === space || (globals[slot] === 1 && space !== -1)) return slot;
    }
    return -1;
  }

  /** Slot of this very block; -1: not held. What is global may have come by another space of its vm. */
  findSame(vm: number, space: number, page: number, shift: number, global: boolean): number {
    const first = this.#setOf(page, shift) * this.#ways;
    for (let slot = first; slot < first + this.#ways; slot++) {
      if (this.shifts[slot] !== shift || this.vms[slot] !== vm || this.pages[slot] !== page) continue;
      if (this.spaces[slot] === space || (global && this.globals[slot] === 1)) return slot;
    }
    return -1;
  }

  /**
   * The slot for a block, with its tag written: that of the same block, a free one of its set, or one by seed. -1: this cache
   * has no slots.
   */
  place(vm: number, space: number, page: number, shift: number, global: boolean): number {
    if (this.capacity === 0) return -1;
    for (;;) {
      const same = this.findSame(vm, space, page, shift, global);
      if (same < 0) break;
      this.free(same);
    }
    const slot = this.#slotFor(page, shift);
    if (this.shifts[slot] !== 0) this.free(slot);
    this.vms[slot] = vm;
    this.spaces[slot] = space;
    this.pages[slot] = page;
    this.shifts[slot] = shift;
    this.globals[slot] = global ? 1 : 0;
    this.#size++;
    this.#count(shift, 1);
    return slot;
  }

  free(slot: number): void {
    const shift = this.shifts[slot] ?? 0;
    this.shifts[slot] = 0;
    this.#size--;
    this.#count(shift, -1);
  }

  /** A used slot by seed; -1: none is used. */
  pick(): number {
    if (this.#size === 0) return -1;
    let slot = this.#random.below(this.capacity);
    while (this.shifts[slot] === 0) slot = slot + 1 === this.capacity ? 0 : slot + 1;
    return slot;
  }

  clear(): void {
    this.shifts.fill(0);
    this.#counts.fill(0);
    this.#shiftsInUse = new Uint8Array(0);
    this.#size = 0;
  }

  #slotFor(page: number, shift: number): number {
    const first = this.#setOf(page, shift) * this.#ways;
    for (let slot = first; slot < first + this.#ways; slot++) if (this.shifts[slot] === 0) return slot;
    return first + this.#random.below(this.#ways);
  }

  #setOf(page: number, shift: number): number {
    return Math.floor(page / powerOfTwo(shift - 12)) & this.#setMask;
  }

  #count(shift: number, change: number): void {
    const before = this.#counts[shift] ?? 0;
    this.#counts[shift] = before + change;
    if (before !== 0 && before + change !== 0) return;
    const inUse = new Set(this.#shiftsInUse);
    if (change > 0) inUse.add(shift);
    else inUse.delete(shift);
    this.#shiftsInUse = Uint8Array.from([...inUse].sort((a, b) => a - b));
  }
}
