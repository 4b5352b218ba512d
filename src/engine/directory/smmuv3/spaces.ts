import { compileFormat, type CompiledFormat } from '../../formats/compile';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { upperEnd, zeroExtended, type AddressSpace } from '../../pageTable/addressSpace';
import { FRAME_BYTES, domainId, frameNumber } from '../../values';
import { SpaceCache } from '../spaceCache';
import { hardwareKey, type RegimeHardware, type TableRegime } from './regime';

/** What distinguishes the stage 1 spaces of one pair of tags and tables. */
export interface Stage1Use {
  readonly asid: number;
  /** Takes the upper end of the addresses. */
  readonly upper: boolean;
  readonly ignoresTopByte: boolean;
  readonly stage2: AddressSpace | undefined;
}

/** The address spaces of an SMMU: one object for one pair of tags and tables. */
export class SmmuSpaces {
  readonly #memory: PhysicalMemory;
  readonly #cache: SpaceCache;

  constructor(memory: PhysicalMemory) {
    this.#memory = memory;
    this.#cache = new SpaceCache(memory);
  }

  stage2(vmid: number, regime: TableRegime): AddressSpace {
    return this.#cache.space(`2:${vmid}:${keyOf(regime)}`, () => {
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
      return { ...space, forTables: { ...space, format: this.#format(regime, hardware) } };
    });
  }

  stage1(regime: TableRegime, { asid, upper, ignoresTopByte, stage2 }: Stage1Use): AddressSpace {
    const below = this.#cache.numberOf(stage2);
    const key = `1:${asid}:${upper}:${ignoresTopByte}:${below}:${keyOf(regime)}`;
    return this.#cache.space(key, () => ({
      ...this.#common(regime),
      ...(upper ? upperEnd(regime.inputBits) : zeroExtended(regime.inputBits)),
      ...(ignoresTopByte ? { ignoresTopByte } : {}),
      stage: 1,
      domainId: domainId(asid),
      memory: this.#cache.memoryAbove(stage2),
      stage2,
    }));
  }

  #common(regime: TableRegime) {
    const offset = regime.root % FRAME_BYTES;
    return {
      root: frameNumber((regime.root - offset) / FRAME_BYTES),
      rootEntry: offset / 8,
      format: this.#format(regime),
    };
  }

  #format(regime: TableRegime, hardware = regime.hardware): CompiledFormat {
    const { format, start } = regime;
    return this.#cache.format(formatKey(regime, hardware), () =>
      compileFormat(format, start.levels, hardware, start.rootIndexBits),
    );
  }
}

/** What tells the tables of two regimes apart, but for their tags. */
function keyOf(regime: TableRegime): string {
  const { hardware, hardwareForTables, inputBits, root } = regime;
  const tables = hardwareForTables ? hardwareKey(hardwareForTables) : '';
  return `${formatKey(regime, hardware)}:${inputBits}:${root}:${tables}`;
}

/** What tells two compiled formats apart. */
function formatKey({ format, start }: TableRegime, hardware: RegimeHardware): string {
  return `${format.id}:${start.levels}:${start.rootIndexBits}:${hardwareKey(hardware)}`;
}
