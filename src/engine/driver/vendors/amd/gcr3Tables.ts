import { type Pasid, type RequesterId } from '../../../values';
import { type StructureMemory } from '../common/structureMemory';
import { gcr3Entry, gcr3Target } from './entries';

const FRAME = 4096;
const LEVEL_BITS = 9;

/** GCR3 tables of the kernel's, one a device: from a PASID to the root of its guest tables (AMD 48882 3.10 §2.2.6). */
export class DeviceGcr3Tables {
  readonly levels: number;
  readonly #memory: StructureMemory;
  readonly #roots = new Map<RequesterId, number>();

  constructor(memory: StructureMemory, pasidBits: number, mostLevels: number) {
    this.#memory = memory;
    this.levels = Math.min(mostLevels, Math.ceil(pasidBits / LEVEL_BITS));
  }

  /** PASIDs that there are places for. */
  get pasids(): number {
    return 2 ** (LEVEL_BITS * this.levels);
  }

  /** Byte address of a device's table; undefined: it has none, or memory is full. */
  root(requester: RequesterId, make: boolean): number | undefined {
    const known = this.#roots.get(requester);
    if (known !== undefined || !make) return known;
    const made = this.#memory.allocate(FRAME);
    if (made !== undefined) this.#roots.set(requester, made);
    return made;
  }

  /** Byte address of the entry of a PASID; tables on the way are made. Undefined: memory is full. */
  entry(requester: RequesterId, pasid: Pasid | null): number | undefined {
    let table = this.root(requester, true);
    for (let level = this.levels - 1; level >= 0 && table !== undefined; level--) {
      const index = ((pasid ?? 0) >> (LEVEL_BITS * level)) % 2 ** LEVEL_BITS;
      const address = table + 8 * index;
      if (level === 0) return address;
      table = gcr3Target(this.#memory.read(address)) ?? this.#link(address);
    }
    return undefined;
  }

  #link(address: number): number | undefined {
    const table = this.#memory.allocate(FRAME);
    if (table !== undefined) this.#memory.put(address, [gcr3Entry(table)]);
    return table;
  }
}
