import { compileFormat, type CompiledFormat } from '../../formats/compile';
import { type PageTableFormat } from '../../formats/pageTableFormat';
import { sv39, sv39x4, sv48, sv48x4, sv57, sv57x4 } from '../../formats/riscv';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { interruptPages, signExtended, zeroExtended, type AddressSpace } from '../../pageTable/addressSpace';
import { assert } from '../../result';
import { domainId, frameNumber } from '../../values';
import { SpaceCache } from '../spaceCache';
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
  readonly #cache: SpaceCache;

  constructor(memory: PhysicalMemory, registers: RiscvRegisters) {
    this.#memory = memory;
    this.#registers = registers;
    this.#cache = new SpaceCache(memory);
  }

  /** The second stage of a context that is good; undefined when it is Bare. */
  secondStage(context: DeviceContext): AddressSpace | undefined {
    return this.#secondStage(context, false);
  }

  /** The second stage as accesses to process directories use it: they never are messages. */
  secondStageOfStructures(context: DeviceContext): AddressSpace | undefined {
    const stage2 = this.secondStage(context);
    return stage2?.forTables ?? stage2;
  }

  /**
   * `marked`: with SADE hardware reads entries of a first stage so that it may mark them. With GADE it then sets D of their
   * pages, where these allow writes, by reads already; without GADE such a page faults (as the reference model has it, for
   * first-stage entries only).
   */
  #secondStage(context: DeviceContext, marked: boolean): AddressSpace | undefined {
    const { guest, msi } = context;
    if (guest.mode === 0) return undefined;
    const sets = isOn(context, 'GADE');
    const narrow = isOn(context, 'SXL');
    const pages = msi.mode === 0 ? undefined : { mask: msi.mask, pattern: msi.pattern & ~msi.mask };
    const pattern = pages ? `${pages.mask}:${pages.pattern}` : 'none';
    const key = `2:${guest.id}:${guest.page}:${guest.mode}:${sets}:${narrow}:${pattern}:${marked}`;
    return this.#cache.space(key, () => {
      const format = this.#format(SECOND, guest.mode, sets, true);
      const plain: AddressSpace = {
        stage: 2,
        domainId: domainId(guest.id),
        root: frameNumber(guest.page),
        rootEntry: 0,
        format,
        ...zeroExtended(narrow ? NARROW_GUEST_BITS : format.addressBits),
        memory: this.#memory,
        stage2: undefined,
      };
      const interruptPattern = pages && interruptPages(pages.mask, pages.pattern);
      const space = interruptPattern ? { ...plain, interruptPattern } : plain;
      const forTables = marked
        ? { ...plain, format: this.#format(SECOND, guest.mode, sets, true, true) }
        : plain;
      return forTables === space ? space : { ...space, forTables };
    });
  }

  /**
   * The first stage that a context names: `id` is its PSCID, `pointer` its fsc, which must not be Bare. `userAccess`: SUM of a
   * process context; a device context has none, and what comes without a process_id has no privilege.
   */
  firstStage(context: DeviceContext, id: number, pointer: ModePointer, userAccess?: boolean): AddressSpace {
    const sets = isOn(context, 'SADE');
    const stage2 = this.#secondStage(context, sets);
    const from = this.#cache.numberOf(stage2);
    const key = `1:${id}:${pointer.page}:${pointer.mode}:${sets}:${from}:${userAccess ?? 'user'}`;
    return this.#cache.space(key, () => {
      // What a first stage leads to is a guest address: the second stage says how many bits it may have.
      const format = this.#format(FIRST, pointer.mode, sets, !stage2);
      const space: AddressSpace = {
        stage: 1,
        domainId: domainId(id),
        root: frameNumber(pointer.page),
        rootEntry: 0,
        format,
        ...signExtended(format.addressBits),
        memory: this.#cache.memoryAbove(stage2),
        stage2,
      };
      if (userAccess === undefined) return space;
      const privileged = this.#format(FIRST, pointer.mode, sets, !stage2, false, userAccess);
      return { ...space, privileged: { ...space, format: privileged } };
    });
  }

  /** Where the addresses that a context's guest gives are read. */
  memoryOf(context: DeviceContext): PhysicalMemory {
    return this.#cache.memoryAbove(this.secondStage(context));
  }

  #format(
    formats: Readonly<Record<number, PageTableFormat>>,
    mode: number,
    sets: boolean,
    physical: boolean,
    readsNeedDirty = false,
    supervisorUserAccess?: boolean,
  ): CompiledFormat {
    const format = formats[mode];
    assert(format, `mode ${mode} was checked before`);
    const key = `${format.id}:${sets}:${physical}:${readsNeedDirty}:${supervisorUserAccess ?? 'user'}`;
    const privilege = supervisorUserAccess === undefined ? {} : { supervisorUserAccess };
    return this.#cache.format(key, () =>
      compileFormat(format, format.levels.length, {
        setsAccessed: sets,
        setsDirty: sets,
        privileged: supervisorUserAccess !== undefined,
        features: { ...formatFeatures(this.#registers), readsNeedDirty, ...privilege },
        ...(physical ? { outputBits: physicalBits(this.#registers) } : {}),
      }),
    );
  }
}
