import { compileFormat, type CompiledFormat } from '../../formats/compile';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { upperEnd, zeroExtended, type AddressSpace } from '../../pageTable/addressSpace';
import { NestedMemory } from '../../pageTable/nestedMemory';
import { FRAME_BYTES, domainId, frameNumber } from '../../values';
import { type TableRegime } from './regime';

/** What distinguishes the stage 1 spaces of one pair of tags and tables. */
export interface Stage1Use {
  readonly asid: number;
  /** Takes the upper end of the addresses. */
  readonly upper: boolean;
  readonly ignoresTopByte: boolean;
  readonly stage2: AddressSpace | undefined;
}

/** The address spaces of an SMMU: one object for one pair of tags and tables, so that devices share it. */
export class SmmuSpaces {
  readonly #memory: PhysicalMemory;
  readonly #formats = new Map<string, CompiledFormat>();
  readonly #spaces = new Map<string, AddressSpace>();
  readonly #nested = new Map<AddressSpace, NestedMemory>();
  readonly #numbers = new Map<AddressSpace, number>();

  constructor(memory: PhysicalMemory) {
    this.#memory = memory;
  }

  stage2(vmid: number, regime: TableRegime): AddressSpace {
    return this.#kept(`2:${vmid}:${keyOf(regime)}`, () => {
      const space: AddressSpace = {
        ...this.#common(regime),
        ...zeroExtended(regime.inputBits),
        stage: 2,
        domainId: domainId(vmid),
        memory: this.#memory,
        stage2: undefined,
      };
      const { hardwareForTables: hardware } = regime;
      if (!hardware) return space;
      return { ...space, forTables: { ...space, format: this.#format({ ...regime, hardware }) } };
    });
  }

  stage1(regime: TableRegime, { asid, upper, ignoresTopByte, stage2 }: Stage1Use): AddressSpace {
    const below = stage2 === undefined ? 0 : this.#numberOf(stage2);
    const key = `1:${asid}:${upper}:${ignoresTopByte}:${below}:${keyOf(regime)}`;
    return this.#kept(key, () => ({
      ...this.#common(regime),
      ...(upper ? upperEnd(regime.inputBits) : zeroExtended(regime.inputBits)),
      ...(ignoresTopByte ? { ignoresTopByte } : {}),
      stage: 1,
      domainId: domainId(asid),
      memory: this.memoryOf(stage2),
      stage2,
    }));
  }

  /** Where the tables and context descriptors of a stream are read. */
  memoryOf(stage2: AddressSpace | undefined): PhysicalMemory {
    if (!stage2) return this.#memory;
    const known = this.#nested.get(stage2) ?? new NestedMemory(this.#memory, stage2.forTables ?? stage2);
    this.#nested.set(stage2, known);
    return known;
  }

  #common(regime: TableRegime) {
    const offset = regime.root % FRAME_BYTES;
    return {
      root: frameNumber((regime.root - offset) / FRAME_BYTES),
      rootEntry: offset / 8,
      format: this.#format(regime),
    };
  }

  #format({ format, start, hardware }: TableRegime): CompiledFormat {
    const key = `${format.id}:${start.levels}:${start.rootIndexBits}:${JSON.stringify(hardware)}`;
    const known =
      this.#formats.get(key) ?? compileFormat(format, start.levels, hardware, start.rootIndexBits);
    this.#formats.set(key, known);
    return known;
  }

  #kept(key: string, make: () => AddressSpace): AddressSpace {
    const known = this.#spaces.get(key) ?? make();
    this.#spaces.set(key, known);
    return known;
  }

  #numberOf(space: AddressSpace): number {
    const known = this.#numbers.get(space) ?? this.#numbers.size + 1;
    this.#numbers.set(space, known);
    return known;
  }
}

function keyOf({ format, start, hardware, hardwareForTables, inputBits, root }: TableRegime): string {
  const rules = JSON.stringify([hardware, hardwareForTables]);
  return `${format.id}:${start.levels}:${start.rootIndexBits}:${inputBits}:${root}:${rules}`;
}
