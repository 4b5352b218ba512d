import { amdV1 } from '../../formats/amdV1';
import { compileFormat, type CompiledFormat } from '../../formats/compile';
import { amdV2 } from '../../formats/x8664';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { signExtended, zeroExtended, type AddressSpace } from '../../pageTable/addressSpace';
import { NestedMemory } from '../../pageTable/nestedMemory';
import { domainId, type FrameNumber } from '../../values';
import { type DeviceTableEntry } from './entries';
import { type AmdHardware } from './registers';

/** The address spaces of one directory: one object for each, so that devices of a domain share it. */
export class AmdSpaces {
  readonly #memory: PhysicalMemory;
  readonly #hardware: AmdHardware;
  readonly #formats = new Map<string, CompiledFormat>();
  readonly #spaces = new Map<string, AddressSpace>();
  readonly #nested = new Map<AddressSpace, NestedMemory>();
  /** Numbers for the host spaces, to name the guest spaces above them. */
  readonly #hostNumbers = new Map<AddressSpace, number>();

  constructor(memory: PhysicalMemory, hardware: AmdHardware) {
    this.#memory = memory;
    this.#hardware = hardware;
  }

  /** The host tables of a device table entry whose Mode is 1 to 6. `root`: without an encryption bit. */
  host(entry: DeviceTableEntry, root: FrameNumber): AddressSpace {
    const { had, mode, domainId: id } = entry;
    return kept(this.#spaces, `host ${id} ${root} ${mode} ${had}`, () => {
      const format = kept(this.#formats, `host ${mode} ${had}`, () =>
        compileFormat(amdV1, mode, {
          notAddress: this.#hardware.notAddress,
          setsAccessed: (had & 1) === 1 && this.#hardware.hostAccessed,
          setsDirty: had === 3 && this.#hardware.hostDirty,
        }),
      );
      const space = {
        stage: 2 as const,
        domainId: domainId(id),
        root,
        rootEntry: 0,
        format,
        ...zeroExtended(format.addressBits),
        memory: this.#memory,
        stage2: undefined,
      };
      this.#hostNumbers.set(space, this.#hostNumbers.size);
      return space;
    });
  }

  /**
   * The guest tables of a PASID. Those of PASID 0 take the lower half of the address space only, by all their bits; the
   * others are sign-extended as those of a processor.
   */
  guest(
    id: number,
    root: FrameNumber,
    levels: number,
    pasid: number,
    host: AddressSpace | undefined,
  ): AddressSpace {
    const below = host ? (this.#hostNumbers.get(host) ?? '') : 'none';
    return kept(this.#spaces, `guest ${id} ${root} ${levels} ${pasid === 0} ${below}`, () => {
      const format = kept(this.#formats, `guest ${levels}`, () =>
        compileFormat(amdV2, levels, {
          notAddress: this.#hardware.notAddress,
          setsAccessed: true,
          setsDirty: true,
          features: { executeDisable: this.#hardware.noExecute },
        }),
      );
      return {
        stage: 1,
        domainId: domainId(id),
        root,
        rootEntry: 0,
        format,
        ...(pasid === 0 ? zeroExtended(format.addressBits) : signExtended(format.addressBits)),
        memory: this.memoryAbove(host),
        stage2: host,
      };
    });
  }

  /** Where guest physical addresses are read: through the host tables, or straight where there are none. */
  memoryAbove(host: AddressSpace | undefined): PhysicalMemory {
    return host ? kept(this.#nested, host, () => new NestedMemory(this.#memory, host)) : this.#memory;
  }
}

/** The value of a key, made when it is asked for first. */
function kept<Key, Value>(values: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = values.get(key);
  if (known !== undefined) return known;
  const made = make();
  values.set(key, made);
  return made;
}
