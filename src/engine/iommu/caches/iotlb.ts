import { type SeededRandom } from '../../random';
import { powerOfTwo } from '../../pageTable/entry';
import { type CacheTag, type PageRange, type TranslationSelection } from '../cacheOperation';
import { type CacheGeometry } from '../rules';
import { overlapsBlock, reaches, selectsTag } from './selection';
import { TaggedSets } from './taggedSets';
import { type CachedTranslation, type TranslationCache } from './translationCache';
import { TranslationColumns } from './translationColumns';

/**
 * Translations by tag and page, of all page sizes at once; also the cache of a device (ATS). Two ways in: entries as objects,
 * and slots as numbers, for loops: a slot is good until the cache changes.
 */
export class Iotlb implements TranslationCache {
  readonly #tags: TaggedSets;
  readonly #columns: TranslationColumns;

  constructor(geometry: CacheGeometry, random: SeededRandom) {
    this.#tags = new TaggedSets(geometry, random);
    this.#columns = new TranslationColumns(this.#tags.capacity);
  }

  get size(): number {
    return this.#tags.size;
  }

  get capacity(): number {
    return this.#tags.capacity;
  }

  /** Slot of the smallest entry around a page, of this tag or global in its vm; -1: a miss. */
  find(vm: number, space: number, page: number): number {
    return this.#tags.find(vm, space, page);
  }

  /** Where an input page comes out that the entry covers. */
  outputPage(slot: number, page: number): number {
    return (this.#columns.outputPages[slot] ?? 0) + page - (this.#tags.pages[slot] ?? 0);
  }

  /** READ | WRITE; 0 for a cached refusal. */
  permission(slot: number): number {
    return this.#columns.permission(slot);
  }

  shift(slot: number): number {
    return this.#tags.shifts[slot] ?? 0;
  }

  isAccessedDone(slot: number): boolean {
    return this.#columns.isAccessedDone(slot);
  }

  isDirtyDone(slot: number): boolean {
    return this.#columns.isDirtyDone(slot);
  }

  /** A cached refusal; `entryAt` says which. */
  isFault(slot: number): boolean {
    return this.#columns.isFault(slot);
  }

  entryAt(slot: number): CachedTranslation {
    const { vms, spaces, pages, shifts, globals } = this.#tags;
    const tag = { vm: vms[slot] ?? -1, space: spaces[slot] ?? -1 };
    return this.#columns.read(slot, tag, globals[slot] === 1, pages[slot] ?? 0, shifts[slot] ?? 0);
  }

  dropSlot(slot: number): void {
    this.#tags.free(slot);
  }

  lookup(tag: CacheTag, page: number): CachedTranslation | undefined {
    const slot = this.find(tag.vm, tag.space, page);
    return slot < 0 ? undefined : this.entryAt(slot);
  }

  insert(entry: CachedTranslation): void {
    const { tag, page, shift, global } = entry;
    const slot = this.#tags.place(tag.vm, tag.space, page, shift, global);
    if (slot >= 0) this.#columns.write(slot, entry);
  }

  conflicting(entry: CachedTranslation): CachedTranslation | undefined {
    for (const shift of this.#tags.shiftsInUse) {
      if (shift === entry.shift) continue;
      const slot = shift > entry.shift ? this.#around(entry, shift) : this.#within(entry, shift);
      if (slot >= 0) return this.entryAt(slot);
    }
    return undefined;
  }

  drop({ tag, page, shift, global }: CachedTranslation): void {
    const slot = this.#tags.findSame(tag.vm, tag.space, page, shift, global);
    if (slot >= 0) this.#tags.free(slot);
  }

  invalidate(selection: TranslationSelection, removesLarger: boolean, ofLeaves = true): number {
    if (this.size === 0) return 0;
    const { shifts } = this.#tags;
    const { pages, guestPages } = selection;
    const largest = removesLarger ? 64 : (selection.largestShift ?? 64);
    let dropped = 0;
    for (let slot = 0; slot < shifts.length; slot++) {
      if (shifts[slot] === 0) continue;
      if (pages && !this.#isInput(pages, slot, largest, ofLeaves)) continue;
      if (guestPages && !this.#isGuest(guestPages, slot, largest, ofLeaves)) continue;
      if (!this.#hasTag(selection, slot)) continue;
      this.#tags.free(slot);
      dropped++;
    }
    return dropped;
  }

  evictOne(): boolean {
    const slot = this.#tags.pick();
    if (slot >= 0) this.#tags.free(slot);
    return slot >= 0;
  }

  clear(): void {
    this.#tags.clear();
  }

  *entries(): IterableIterator<CachedTranslation> {
    for (let slot = 0; slot < this.capacity; slot++) if (this.shift(slot) !== 0) yield this.entryAt(slot);
  }

  #hasTag(selection: TranslationSelection, slot: number): boolean {
    const { vms, spaces, globals } = this.#tags;
    const space = spaces[slot] ?? -1;
    return selectsTag(selection, vms[slot] ?? -1, space, globals[slot] === 1, space !== -1);
  }

  #isInput(range: PageRange, slot: number, largestShift: number, ofLeaves: boolean): boolean {
    const { pages, shifts } = this.#tags;
    const stage1 = this.#columns.stage1Shifts[slot] ?? 0;
    const leaf = stage1 === 0 ? (this.#columns.stage2Shifts[slot] ?? 0) : stage1;
    return reaches(range, pages[slot] ?? 0, shifts[slot] ?? 0, ofLeaves ? leaf : 0, largestShift);
  }

  #isGuest(range: PageRange, slot: number, largestShift: number, ofLeaves: boolean): boolean {
    const { guestPages, stage2Shifts } = this.#columns;
    const page = guestPages[slot] ?? -1;
    const leaf = ofLeaves ? (stage2Shifts[slot] ?? 0) : 0;
    return page >= 0 && reaches(range, page, this.shift(slot), leaf, largestShift);
  }

  /** Slot of an entry of this size that the first page of `entry` is in. */
  #around({ tag, page }: CachedTranslation, shift: number): number {
    return this.#tags.findOfShift(tag.vm, tag.space, page, shift);
  }

  /** Slot of an entry of this smaller size within `entry`. */
  #within(entry: CachedTranslation, shift: number): number {
    const { tag, page } = entry;
    const parts = powerOfTwo(entry.shift - shift);
    const step = powerOfTwo(shift - 12);
    if (parts > this.capacity) return this.#scanWithin(entry, shift);
    for (let part = 0; part < parts; part++) {
      const slot = this.#tags.findOfShift(tag.vm, tag.space, page + part * step, shift);
      if (slot >= 0) return slot;
    }
    return -1;
  }

  #scanWithin({ tag, page, shift: larger }: CachedTranslation, shift: number): number {
    const { vms, spaces, pages, shifts, globals } = this.#tags;
    for (let slot = 0; slot < shifts.length; slot++) {
      if (shifts[slot] !== shift || vms[slot] !== tag.vm) continue;
      if (spaces[slot] !== tag.space && (globals[slot] === 0 || tag.space === -1)) continue;
      const start = pages[slot] ?? 0;
      if (overlapsBlock({ startPage: start, endPage: start + 1 }, page, larger)) return slot;
    }
    return -1;
  }
}

/**
 * The part of a translation around a page that a cache holds whose entries have these sizes only (log2, ascending; undefined:
 * every size): the largest that is not larger than the translation; undefined: none is as small.
 */
export function heldPart(
  entry: CachedTranslation,
  shifts: readonly number[] | undefined,
  page: number,
): CachedTranslation | undefined {
  if (!shifts) return entry;
  const shift = shifts.filter((each) => each <= entry.shift).at(-1);
  if (shift === undefined) return undefined;
  const start = page - (page % powerOfTwo(shift - 12));
  const offset = start - entry.page;
  return {
    ...entry,
    page: start,
    shift,
    outputPage: entry.outputPage + offset,
    guestPage: entry.guestPage < 0 ? -1 : entry.guestPage + offset,
  };
}
