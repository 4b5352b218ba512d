import { compileFormat, type CompiledFormat } from '../../formats/compile';
import { type PageTableFormat } from '../../formats/pageTableFormat';
import { sv39, sv39x4, sv48, sv48x4, sv57, sv57x4 } from '../../formats/riscv';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { interruptPages, signExtended, zeroExtended, type AddressSpace } from '../../pageTable/addressSpace';
import { NestedMemory } from '../../pageTable/nestedMemory';
import { assert } from '../../result';
import { domainId, frameNumber } from '../../values';
import { isOn, type DeviceContext, type ModePointer } from './entries';
import { formatFeatures, physicalBits, type RiscvRegisters } from './registers';

const FIRST: Readonly<Record<number, PageTableFormat>> = { 8: sv39, 9: sv48, 10: sv57 };
const SECOND: Readonly<Record<number, PageTableFormat>> = { 8: sv39x4, 9: sv48x4, 10: sv57x4 };

/** Guest addresses of contexts with 32-bit first-stage modes (RISC-V IOMMU 1.0 §2.1.3.1, SXL). */
const NARROW_GUEST_BITS = 34;

/** Address spaces of device and process contexts: one object for one (id, root, mode, what lies below). */
export class RiscvSpaces {
  readonly #memory: PhysicalMemory;
  readonly #registers: RiscvRegisters;
  readonly #formats = new Map<string, CompiledFormat>();
  readonly #spaces = new Map<string, AddressSpace>();
  readonly #nested = new Map<AddressSpace, { readonly memory: NestedMemory; readonly number: number }>();

  constructor(memory: PhysicalMemory, registers: RiscvRegisters) {
    this.#memory = memory;
    this.#registers = registers;
  }

  /** The second stage of a context that is good; undefined when it is Bare. */
  secondStage(context: DeviceContext): AddressSpace | undefined {
    const { guest, msi } = context;
    if (guest.mode === 0) return undefined;
    const sets = isOn(context, 'GADE');
    const narrow = isOn(context, 'SXL');
    const pages = msi.mode === 0 ? undefined : { mask: msi.mask, pattern: msi.pattern & ~msi.mask };
    const pattern = pages ? `${pages.mask}:${pages.pattern}` : 'none';
    const key = `2:${guest.id}:${guest.page}:${guest.mode}:${sets}:${narrow}:${pattern}`;
    return this.#once(key, () => {
      const format = this.#format(SECOND, guest.mode, sets, true);
      const forTables: AddressSpace = {
        stage: 2,
        domainId: domainId(guest.id),
        root: frameNumber(guest.page),
        rootEntry: 0,
        format,
        ...zeroExtended(narrow ? NARROW_GUEST_BITS : format.addressBits),
        memory: this.#memory,
        stage2: undefined,
      };
      return pages
        ? { ...forTables, interruptPattern: interruptPages(pages.mask, pages.pattern), forTables }
        : forTables;
    });
  }

  /** The first stage that a context names: `id` is its PSCID, `pointer` its fsc, which must not be Bare. */
  firstStage(context: DeviceContext, id: number, pointer: ModePointer): AddressSpace {
    const stage2 = this.secondStage(context);
    const sets = isOn(context, 'SADE');
    const below = stage2 ? this.#below(stage2) : undefined;
    const key = `1:${id}:${pointer.page}:${pointer.mode}:${sets}:${below?.number ?? 'physical'}`;
    return this.#once(key, () => {
      // What a first stage leads to is a guest address: the second stage says how many bits it may have.
      const format = this.#format(FIRST, pointer.mode, sets, !stage2);
      return {
        stage: 1,
        domainId: domainId(id),
        root: frameNumber(pointer.page),
        rootEntry: 0,
        format,
        ...signExtended(format.addressBits),
        memory: below?.memory ?? this.#memory,
        stage2,
      };
    });
  }

  /** Where the addresses that a context's guest gives are read. */
  memoryOf(context: DeviceContext): PhysicalMemory {
    const stage2 = this.secondStage(context);
    return stage2 ? this.#below(stage2).memory : this.#memory;
  }

  #below(stage2: AddressSpace) {
    const known = this.#nested.get(stage2);
    if (known) return known;
    const made = {
      memory: new NestedMemory(this.#memory, stage2.forTables ?? stage2),
      number: this.#nested.size,
    };
    this.#nested.set(stage2, made);
    return made;
  }

  #format(
    formats: Readonly<Record<number, PageTableFormat>>,
    mode: number,
    sets: boolean,
    physical: boolean,
  ): CompiledFormat {
    const format = formats[mode];
    assert(format, `mode ${mode} was checked before`);
    const key = `${format.id}:${sets}:${physical}`;
    const known = this.#formats.get(key);
    if (known) return known;
    const made = compileFormat(format, format.levels.length, {
      setsAccessed: sets,
      setsDirty: sets,
      features: formatFeatures(this.#registers),
      ...(physical ? { outputBits: physicalBits(this.#registers) } : {}),
    });
    this.#formats.set(key, made);
    return made;
  }

  #once(key: string, make: () => AddressSpace): AddressSpace {
    const known = this.#spaces.get(key);
    if (known) return known;
    const made = make();
    this.#spaces.set(key, made);
    return made;
  }
}
