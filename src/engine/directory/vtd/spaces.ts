import { bits } from '../../bits/bitFields';
import { compileFormat, type CompiledFormat } from '../../formats/compile';
import { type FormatHardware, type PageTableFormat } from '../../formats/pageTableFormat';
import { vtdSecondStage, vtdSecondStageIo } from '../../formats/vtdSecondStage';
import { vtdFirstStage } from '../../formats/x8664';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { signExtended, zeroExtended, type AddressSpace } from '../../pageTable/addressSpace';
import { domainId, frameNumber } from '../../values';
import { SpaceCache } from '../spaceCache';
import { firstStageHardware, secondStageHardware, usesIoPermissions } from './registers';

/** Second-stage tables as a context or PASID-table entry names them. */
export interface SecondStageRoot {
  readonly domain: number;
  /** Frame of the root. */
  readonly root: number;
  readonly levels: number;
  /** SSADE: hardware sets A and D. */
  readonly marks: boolean;
  /** It walks without snooping caches, and must not write to tables. */
  readonly refusesMarks?: boolean;
}

/** First-stage tables as a PASID-table entry names them. */
export interface FirstStageRoot {
  readonly domain: number;
  /** Frame of the root, a guest physical one with a stage 2 below. */
  readonly root: number;
  readonly levels: 4 | 5;
  /** Set for requests with supervisor privilege. */
  readonly privileged: boolean;
  /** WPE. */
  readonly writeProtect: boolean;
  readonly refusesMarks?: boolean;
}

/** The address spaces of one unit: one object for one (domain, root, format, stage 2). */
export class VtdSpaces {
  readonly #memory: PhysicalMemory;
  readonly #values: ReadonlyMap<string, bigint>;
  readonly #cache: SpaceCache;

  constructor(memory: PhysicalMemory, values: ReadonlyMap<string, bigint>) {
    this.#memory = memory;
    this.#values = values;
    this.#cache = new SpaceCache(memory);
  }

  /** Bits of a second-stage input address: the lesser of CAP.MGAW and what the levels take. */
  inputBits(levels: number): number {
    const cap = this.#values.get('CAP');
    // A width below that of a page is no machine's: CAP is rubbish, and the first page is what it leaves.
    const guestBits = cap === undefined ? 64 : Math.max(12, Number(bits(cap, 21, 16)) + 1);
    return Math.min(12 + 9 * levels, guestBits);
  }

  second({ domain, root, levels, marks, refusesMarks = false }: SecondStageRoot): AddressSpace {
    return this.#cache.space(`second ${domain} ${root} ${levels} ${marks} ${refusesMarks}`, () => {
      const format = usesIoPermissions(this.#values) ? vtdSecondStageIo : vtdSecondStage;
      const hardware = {
        ...secondStageHardware(this.#values),
        setsAccessed: marks,
        setsDirty: marks,
        refusesMarks,
      };
      const space: AddressSpace = {
        stage: 2,
        domainId: domainId(domain),
        root: frameNumber(root),
        rootEntry: 0,
        format: this.#format(format, levels, hardware),
        ...zeroExtended(this.inputBits(levels)),
        memory: this.#memory,
        stage2: undefined,
      };
      if (!marks) return space;
      // With SSADE even a read of a first-stage entry counts as a write: it needs R and W (VT-d 4.1 §3.8.1), and sets D (as
      // reads of guest tables do in EPT with A and D, SDM volume 3 §29.3.5).
      const features = { ...hardware.features, readsNeedDirty: true };
      const forTables = this.#format(readsNeedWrite(format), levels, { ...hardware, features });
      return { ...space, forTables: { ...space, format: forTables } };
    });
  }

  first(of: FirstStageRoot, stage2: AddressSpace | undefined): AddressSpace {
    const { domain, root, levels, privileged, writeProtect, refusesMarks = false } = of;
    const key = `first ${domain} ${root} ${levels} ${privileged} ${writeProtect} ${refusesMarks} ${this.#cache.numberOf(stage2)}`;
    return this.#cache.space(key, () => ({
      stage: 1,
      domainId: domainId(domain),
      root: frameNumber(root),
      rootEntry: 0,
      format: this.#format(vtdFirstStage, levels, {
        ...firstStageHardware(this.#values, stage2 !== undefined),
        privileged,
        refusesMarks,
        features: { writeProtect },
      }),
      ...signExtended(levels === 5 ? 57 : 48),
      memory: this.#cache.memoryAbove(stage2),
      stage2,
    }));
  }

  #format(format: PageTableFormat, levels: number, hardware: FormatHardware): CompiledFormat {
    const { setsAccessed, refusesMarks, privileged, features, forbiddenOutput } = hardware;
    const key = [
      format.id,
      levels,
      setsAccessed,
      refusesMarks,
      privileged,
      features?.writeProtect,
      forbiddenOutput !== undefined,
    ].join(' ');
    return this.#cache.format(key, () => compileFormat(format, levels, hardware));
  }
}

/** The same format where a read needs what a write needs, too. */
function readsNeedWrite(format: PageTableFormat): PageTableFormat {
  const permission: PageTableFormat['permission'] = (shape, hardware) => {
    const { read, write } = format.permission(shape, hardware);
    const both = [read, write].flatMap((tests) => (tests === true ? [] : tests));
    const mask = both.reduce((all, test) => all | test.mask, 0n);
    return { read: [{ mask, value: mask }], write };
  };
  return { ...format, id: `${format.id}-for-tables`, permission };
}
