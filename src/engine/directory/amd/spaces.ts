import { amdV1 } from '../../formats/amdV1';
import { compileFormat } from '../../formats/compile';
import { amdV2 } from '../../formats/x8664';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { signExtended, zeroExtended, type AddressSpace } from '../../pageTable/addressSpace';
import { domainId, type FrameNumber } from '../../values';
import { SpaceCache } from '../spaceCache';
import { type DeviceTableEntry } from './entries';
import { type AmdHardware } from './registers';

/** The address spaces of one directory. */
export class AmdSpaces {
  readonly #memory: PhysicalMemory;
  readonly #hardware: AmdHardware;
  readonly #cache: SpaceCache;

  constructor(memory: PhysicalMemory, hardware: AmdHardware) {
    this.#memory = memory;
    this.#hardware = hardware;
    this.#cache = new SpaceCache(memory);
  }

  /** The host tables of a device table entry whose Mode is 1 to 6. `root`: without an encryption bit. */
  host({ had, mode, domainId: id }: DeviceTableEntry, root: FrameNumber): AddressSpace {
    return this.#cache.space(`host ${id} ${root} ${mode} ${had}`, () => {
      const format = this.#cache.format(`host ${mode} ${had}`, () =>
        compileFormat(amdV1, mode, {
          notAddress: this.#hardware.notAddress,
          setsAccessed: (had & 1) === 1 && this.#hardware.hostAccessed,
          setsDirty: had === 3 && this.#hardware.hostDirty,
        }),
      );
      return {
        stage: 2,
        domainId: domainId(id),
        root,
        rootEntry: 0,
        format,
        ...zeroExtended(format.addressBits),
        memory: this.#memory,
        stage2: undefined,
      };
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
    const below = this.#cache.numberOf(host);
    return this.#cache.space(`guest ${id} ${root} ${levels} ${pasid === 0} ${below}`, () => {
      const format = this.#cache.format(`guest ${levels}`, () =>
        compileFormat(amdV2, levels, {
          notAddress: this.#hardware.notAddress,
          setsAccessed: this.#hardware.guestAccessed,
          setsDirty: this.#hardware.guestDirty,
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
    return this.#cache.memoryAbove(host);
  }
}
