import { type DirectoryLookup } from '../../directory/deviceDirectory';
import { type SeededRandom } from '../../random';
import { type CacheOperation } from '../cacheOperation';

/** What an IOMMU keeps of the structures above the tables, for one requester and PASID. */
export interface CachedStructure {
  readonly requester: number;
  /** Null: of requests without a PASID, or of the device as a whole. */
  readonly pasid: number | null;
  /** The domain it names; -1: none. */
  readonly vm: number;
  /** The entries as they were read, with their addresses, and what they say. */
  readonly lookup: DirectoryLookup;
}

/** Which ones a command means. What is absent does not count; bits of `mask` in the requester do not count either. */
export interface StructureSelection {
  readonly requester?: number;
  readonly mask?: number;
  /** Null: of requests without a PASID. */
  readonly pasid?: number | null;
  readonly vm?: number;
}

/** Device contexts or entries of processes: any of them by their key, `capacity` at most. */
export class StructureCache {
  readonly #slots: (CachedStructure | undefined)[];
  readonly #slotOf = new Map<number, number>();
  readonly #free: number[];
  readonly #random: SeededRandom;

  /** `capacity` 0: holds nothing. */
  constructor(capacity: number, random: SeededRandom) {
    this.#slots = Array.from({ length: capacity }, () => undefined);
    this.#free = Array.from({ length: capacity }, (_, index) => capacity - 1 - index);
    this.#random = random;
  }

  get size(): number {
    return this.#slotOf.size;
  }

  find(requester: number, pasid: number | null): CachedStructure | undefined {
    const slot = this.#slotOf.get(keyOf(requester, pasid));
    return slot === undefined ? undefined : this.#slots[slot];
  }

  /** In the place of the same one, in a free one, or in that of one by seed. */
  insert(entry: CachedStructure): void {
    if (this.#slots.length === 0) return;
    const key = keyOf(entry.requester, entry.pasid);
    const same = this.#slotOf.get(key);
    if (same === undefined && this.#free.length === 0) this.#drop(this.#random.below(this.#slots.length));
    const slot = same ?? this.#free.pop() ?? 0;
    this.#slots[slot] = entry;
    this.#slotOf.set(key, slot);
  }

  /** Returns how many went. */
  invalidate(selection: StructureSelection): number {
    let dropped = 0;
    for (const [slot, entry] of this.#slots.entries()) {
      if (!entry || !isSelected(selection, entry)) continue;
      this.#drop(slot);
      dropped++;
    }
    return dropped;
  }

  /** Drops one by seed; false when there is none. */
  evictOne(): boolean {
    if (this.size === 0) return false;
    let slot = this.#random.below(this.#slots.length);
    while (this.#slots[slot] === undefined) slot = (slot + 1) % this.#slots.length;
    this.#drop(slot);
    return true;
  }

  clear(): void {
    this.invalidate({});
  }

  *entries(): IterableIterator<CachedStructure> {
    for (const entry of this.#slots) if (entry) yield entry;
  }

  #drop(slot: number): void {
    const entry = this.#slots[slot];
    if (!entry) return;
    this.#slotOf.delete(keyOf(entry.requester, entry.pasid));
    this.#slots[slot] = undefined;
    this.#free.push(slot);
  }
}

/** Requester ids have up to 32 bits (Arm StreamID), PASIDs 20. */
const keyOf = (requester: number, pasid: number | null): number => requester * 2 ** 21 + (pasid ?? -1) + 1;

function isSelected({ requester, mask = 0, pasid, vm }: StructureSelection, entry: CachedStructure): boolean {
  if (requester !== undefined && ((requester ^ entry.requester) & ~mask) !== 0) return false;
  if (pasid !== undefined && pasid !== entry.pasid) return false;
  return vm === undefined || vm === entry.vm;
}

/** The caches of device contexts and of processes. */
export class StructureCaches {
  readonly contexts: StructureCache;
  readonly processes: StructureCache;
  readonly #keepsProcesses: boolean;

  /** `keepsProcesses`: a command for a context leaves what is cached of its processes; a mistake. */
  constructor(contexts: StructureCache, processes: StructureCache, keepsProcesses = false) {
    this.contexts = contexts;
    this.processes = processes;
    this.#keepsProcesses = keepsProcesses;
  }

  /**
   * Drops what a command selects; returns how many went. Entries of processes were found through a context, so they go with
   * it (RISC-V IOMMU 1.0 §3.1.3 IODIR.INVAL_DDT, Arm IHI 0070 §4.3.2 CMD_CFGI_STE).
   */
  invalidate({ contexts, processes }: Pick<CacheOperation, 'contexts' | 'processes'>): number {
    let dropped = 0;
    if (contexts) {
      dropped += this.contexts.invalidate(contexts);
      if (!this.#keepsProcesses) dropped += this.processes.invalidate(contexts);
    }
    if (processes && !(contexts && this.#keepsProcesses)) dropped += this.processes.invalidate(processes);
    return dropped;
  }
}
