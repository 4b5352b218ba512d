import { FAULTS } from '../../faults';
import { READ_WRITE } from '../../pageTable/entryClass';
import { type CacheTag } from '../cacheOperation';
import { type CachedTranslation } from './translationCache';

const ACCESSED_DONE = 4;
const DIRTY_DONE = 8;

/** What an IOTLB knows of each translation beside its tag, as columns by slot. */
export class TranslationColumns {
  readonly outputPages: Float64Array;
  readonly guestPages: Float64Array;
  readonly stage1Shifts: Uint8Array;
  readonly stage2Shifts: Uint8Array;
  readonly #stage1Leaves: Float64Array;
  readonly #stage2Leaves: Float64Array;
  /** Permission in the lowest two bits, then what is done. */
  readonly #flags: Uint8Array;
  /** 1 + the place in FAULTS; 0: it translates. */
  readonly #faults: Uint8Array;

  constructor(capacity: number) {
    this.outputPages = new Float64Array(capacity);
    this.guestPages = new Float64Array(capacity);
    this.stage1Shifts = new Uint8Array(capacity);
    this.stage2Shifts = new Uint8Array(capacity);
    this.#stage1Leaves = new Float64Array(capacity);
    this.#stage2Leaves = new Float64Array(capacity);
    this.#flags = new Uint8Array(capacity);
    this.#faults = new Uint8Array(capacity);
  }

  write(slot: number, entry: CachedTranslation): void {
    this.outputPages[slot] = entry.outputPage;
    this.guestPages[slot] = entry.guestPage;
    this.stage1Shifts[slot] = entry.stage1Shift;
    this.stage2Shifts[slot] = entry.stage2Shift;
    this.#stage1Leaves[slot] = entry.stage1Leaf;
    this.#stage2Leaves[slot] = entry.stage2Leaf;
    this.#flags[slot] =
      entry.permission | (entry.accessedDone ? ACCESSED_DONE : 0) | (entry.dirtyDone ? DIRTY_DONE : 0);
    this.#faults[slot] = entry.fault === undefined ? 0 : 1 + FAULTS.indexOf(entry.fault);
  }

  permission(slot: number): number {
    return (this.#flags[slot] ?? 0) & READ_WRITE;
  }

  isAccessedDone(slot: number): boolean {
    return ((this.#flags[slot] ?? 0) & ACCESSED_DONE) !== 0;
  }

  isDirtyDone(slot: number): boolean {
    return ((this.#flags[slot] ?? 0) & DIRTY_DONE) !== 0;
  }

  isFault(slot: number): boolean {
    return this.#faults[slot] !== 0;
  }

  /** All of it, with the tag that is kept elsewhere. */
  read(slot: number, tag: CacheTag, global: boolean, page: number, shift: number): CachedTranslation {
    const flags = this.#flags[slot] ?? 0;
    const entry: CachedTranslation = {
      tag,
      global,
      page,
      shift,
      outputPage: this.outputPages[slot] ?? 0,
      permission: flags & READ_WRITE,
      accessedDone: (flags & ACCESSED_DONE) !== 0,
      dirtyDone: (flags & DIRTY_DONE) !== 0,
      stage1Shift: this.stage1Shifts[slot] ?? 0,
      stage2Shift: this.stage2Shifts[slot] ?? 0,
      guestPage: this.guestPages[slot] ?? -1,
      stage1Leaf: this.#stage1Leaves[slot] ?? -1,
      stage2Leaf: this.#stage2Leaves[slot] ?? -1,
    };
    const code = this.#faults[slot] ?? 0;
    const fault = code === 0 ? undefined : FAULTS[code - 1];
    return fault === undefined ? entry : { ...entry, fault };
  }
}
