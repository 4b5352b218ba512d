import { type SeededRandom } from '../../random';
import { type CacheTag, type TableSelection } from '../cacheOperation';
import { type CacheGeometry } from '../rules';
import { overlapsBlock, selectsTag } from './selection';
import { TaggedSets } from './taggedSets';
import { type CachedTable, type TableCache } from './translationCache';

/** Pointers to tables of one stage. A slot is good until the cache changes. */
export class StageWalkCache {
  readonly stage: 1 | 2;
  readonly #tags: TaggedSets;
  readonly #depths: Uint8Array;
  readonly #frames: Float64Array;
  readonly #guestFrames: Float64Array;
  readonly #guestShifts: Uint8Array;
  readonly #permissions: Uint8Array;

  constructor(stage: 1 | 2, geometry: CacheGeometry, random: SeededRandom) {
    this.stage = stage;
    this.#tags = new TaggedSets(geometry, random);
    const { capacity } = this.#tags;
    this.#depths = new Uint8Array(capacity);
    this.#frames = new Float64Array(capacity);
    this.#guestFrames = new Float64Array(capacity);
    this.#guestShifts = new Uint8Array(capacity);
    this.#permissions = new Uint8Array(capacity);
  }

  get size(): number {
    return this.#tags.size;
  }

  /** Slot of the deepest table known for a page; -1: none. */
  find(vm: number, space: number, page: number): number {
    return this.#tags.find(vm, space, page);
  }

  depth(slot: number): number {
    return this.#depths[slot] ?? 0;
  }

  /** First frame of the table where it is read. */
  frame(slot: number): number {
    return this.#frames[slot] ?? 0;
  }

  guestFrame(slot: number): number {
    return this.#guestFrames[slot] ?? 0;
  }

  guestShift(slot: number): number {
    return this.#guestShifts[slot] ?? 0;
  }

  /** READ | WRITE that the entries above leave. */
  permission(slot: number): number {
    return this.#permissions[slot] ?? 0;
  }

  entryAt(slot: number): CachedTable {
    const { vms, spaces, pages, shifts } = this.#tags;
    return {
      tag: { vm: vms[slot] ?? -1, space: spaces[slot] ?? -1 },
      stage: this.stage,
      depth: this.depth(slot),
      frame: this.frame(slot),
      guestFrame: this.guestFrame(slot),
      guestShift: this.guestShift(slot),
      page: pages[slot] ?? 0,
      shift: shifts[slot] ?? 0,
      permission: this.permission(slot),
    };
  }

  insert({ tag, page, shift, depth, frame, guestFrame, guestShift, permission }: CachedTable): void {
    const slot = this.#tags.place(tag.vm, tag.space, page, shift, false);
    if (slot < 0) return;
    this.#depths[slot] = depth;
    this.#frames[slot] = frame;
    this.#guestFrames[slot] = guestFrame;
    this.#guestShifts[slot] = guestShift;
    this.#permissions[slot] = permission;
  }

  invalidate(selection: TableSelection): number {
    if (this.size === 0 || (selection.stage ?? this.stage) !== this.stage) return 0;
    const { shifts } = this.#tags;
    let dropped = 0;
    for (let slot = 0; slot < shifts.length; slot++) {
      if (shifts[slot] === 0 || !this.#selects(selection, slot)) continue;
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

  *entries(): IterableIterator<CachedTable> {
    for (let slot = 0; slot < this.#tags.capacity; slot++) {
      if (this.#tags.shifts[slot] !== 0) yield this.entryAt(slot);
    }
  }

  #selects(selection: TableSelection, slot: number): boolean {
    const { vms, spaces, pages, shifts } = this.#tags;
    const { pages: input, guestPages } = selection;
    if (!selectsTag(selection, vms[slot] ?? -1, spaces[slot] ?? -1, false, this.stage === 1)) return false;
    const page = pages[slot] ?? 0;
    const shift = shifts[slot] ?? 0;
    if (input && !overlapsBlock(input, page, shift)) return false;
    if (!guestPages) return true;
    if (this.stage === 2) return overlapsBlock(guestPages, page, shift);
    // Where a table of stage 1 stands is itself an answer of stage 2.
    const guestShift = this.guestShift(slot);
    return guestShift !== 0 && overlapsBlock(guestPages, this.guestFrame(slot), guestShift);
  }
}

/** Pointers to tables, of each stage for itself: input pages of stage 2 are guest physical ones. */
export class WalkCache implements TableCache {
  readonly stage1: StageWalkCache;
  readonly stage2: StageWalkCache;
  readonly #random: SeededRandom;

  /** Each stage has so many entries. */
  constructor(geometry: CacheGeometry, random: SeededRandom) {
    this.stage1 = new StageWalkCache(1, geometry, random);
    this.stage2 = new StageWalkCache(2, geometry, random);
    this.#random = random;
  }

  get size(): number {
    return this.stage1.size + this.stage2.size;
  }

  ofStage(stage: 1 | 2): StageWalkCache {
    return stage === 1 ? this.stage1 : this.stage2;
  }

  lookup({ vm, space }: CacheTag, stage: 1 | 2, page: number): CachedTable | undefined {
    const cache = this.ofStage(stage);
    const slot = cache.find(vm, space, page);
    return slot < 0 ? undefined : cache.entryAt(slot);
  }

  insert(entry: CachedTable): void {
    this.ofStage(entry.stage).insert(entry);
  }

  invalidate(selection: TableSelection): number {
    return this.stage1.invalidate(selection) + this.stage2.invalidate(selection);
  }

  evictOne(): boolean {
    if (this.size === 0) return false;
    return this.#random.below(this.size) < this.stage1.size ? this.stage1.evictOne() : this.stage2.evictOne();
  }

  clear(): void {
    this.stage1.clear();
    this.stage2.clear();
  }

  *entries(): IterableIterator<CachedTable> {
    yield* this.stage1.entries();
    yield* this.stage2.entries();
  }
}
