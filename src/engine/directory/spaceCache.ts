import { type CompiledFormat } from '../formats/compile';
import { type PhysicalMemory } from '../memory/physicalMemory';
import { type AddressSpace } from '../pageTable/addressSpace';
import { NestedMemory } from '../pageTable/nestedMemory';

/**
 * The address spaces of one directory, made when they are asked for first: one object for one key, so that devices of a
 * domain share it. Keys are the vendor's, and say all that tells two objects apart.
 */
export class SpaceCache {
  readonly #memory: PhysicalMemory;
  readonly #formats = new Map<string, CompiledFormat>();
  readonly #spaces = new Map<string, AddressSpace>();
  readonly #below = new Map<AddressSpace, { readonly memory: NestedMemory; readonly number: number }>();

  constructor(memory: PhysicalMemory) {
    this.#memory = memory;
  }

  space(key: string, make: () => AddressSpace): AddressSpace {
    return kept(this.#spaces, key, make);
  }

  format(key: string, make: () => CompiledFormat): CompiledFormat {
    return kept(this.#formats, key, make);
  }

  /** Where tables and structures above a stage 2 are read; without one physical memory. */
  memoryAbove(stage2: AddressSpace | undefined): PhysicalMemory {
    return stage2 ? this.#guest(stage2).memory : this.#memory;
  }

  /** Names a stage 2 in keys of what stands above it; 0: none. */
  numberOf(stage2: AddressSpace | undefined): number {
    return stage2 ? this.#guest(stage2).number : 0;
  }

  #guest(stage2: AddressSpace) {
    return kept(this.#below, stage2, () => ({
      memory: new NestedMemory(this.#memory, stage2.forTables ?? stage2),
      number: this.#below.size + 1,
    }));
  }
}

/** The value of a key, made when it is asked for first. */
function kept<Key, Value extends object>(values: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = values.get(key);
  if (known) return known;
  const made = make();
  values.set(key, made);
  return made;
}
