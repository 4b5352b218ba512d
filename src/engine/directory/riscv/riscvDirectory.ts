import { type BitField, bits } from '../../bits/bitFields';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { READ_WRITE } from '../../pageTable/entryClass';
import { type AddressSpace } from '../../pageTable/addressSpace';
import { type Failure } from '../../result';
import { pasid as pasidOf, type Pasid, type RequesterId } from '../../values';
import {
  type DeviceDirectory,
  type DirectoryAnswer,
  type DirectoryDevice,
  type DirectoryLookup,
  type Register,
  type StructureEntry,
  type StructureRole,
  type VendorWords,
} from '../deviceDirectory';
import { type Fault } from '../../faults';
import { ProcessBudget } from '../processBudget';
import { refusal } from '../structures';
import { notRead } from './contextChecks';
import { DeviceTables, type LocatedContext } from './deviceTables';
import {
  DDTE_LAYOUT,
  PDTE_LAYOUT,
  PROCESS_LAYOUT,
  isOn,
  processAllows,
  readPointer,
  type DeviceContext,
  type ModePointer,
} from './entries';
import { riscvFaultCode } from './faultCodes';
import { ProcessTables } from './processTables';
import { DDTP_MODES, riscvRegisters, type RiscvRegisters } from './registers';
import { RiscvSpaces } from './spaces';

const OFF = 0;
const BARE = 1;

const TITLES: Readonly<Record<StructureRole, { readonly title: string; readonly section: string }>> = {
  root: { title: 'Non-leaf DDT entry', section: 'RISC-V IOMMU 1.0 §2.1.1' },
  context: { title: 'Device context (DC)', section: 'RISC-V IOMMU 1.0 §2.1.2' },
  'process-directory': { title: 'Non-leaf PDT entry', section: 'RISC-V IOMMU 1.0 §2.2.1' },
  process: { title: 'Process context (PC)', section: 'RISC-V IOMMU 1.0 §2.2.2' },
};

/** Device and process directories of the RISC-V IOMMU (1.0 §2.3). */
export class RiscvDirectory implements DeviceDirectory {
  readonly mode: string;
  readonly words: VendorWords = {
    requester: 'device_id',
    pasid: 'process_id',
    stage1Tag: 'PSCID',
    stage2Tag: 'GSCID',
    contextEntry: 'DC',
  };
  readonly off: DeviceDirectory['off'];
  /** Interrupt messages are told by each device context, not by a fixed range. */
  readonly interruptWindow = undefined;
  readonly registers: readonly Register[];
  readonly #memory: PhysicalMemory;
  readonly #registers: RiscvRegisters;
  readonly #tables: DeviceTables;
  readonly #spaces: RiscvSpaces;

  constructor(memory: PhysicalMemory, registers: RiscvRegisters, given: ReadonlyMap<string, bigint>) {
    this.#memory = memory;
    this.#registers = registers;
    this.registers = riscvRegisters(given);
    this.#tables = new DeviceTables(memory, registers);
    this.#spaces = new RiscvSpaces(memory, registers);
    const mode = Number(bits(registers.ddtp, 3, 0));
    this.mode = `RISC-V ${DDTP_MODES[mode] ?? ''}`;
    this.off = offAs(mode);
  }

  layouts(role: StructureRole): readonly (readonly BitField[])[] {
    if (role === 'context') return this.#tables.contextLayout;
    return role === 'root' ? DDTE_LAYOUT : role === 'process' ? PROCESS_LAYOUT : PDTE_LAYOUT;
  }

  titleOf(role: StructureRole) {
    return TITLES[role];
  }

  faultCode(fault: Fault, access: 'read' | 'write', stage: 1 | 2 | null): string | undefined {
    return riscvFaultCode(fault, access, stage);
  }

  /** In the order of the specification's process to translate an IOVA (§2.3). */
  lookup(requester: RequesterId, pasid: Pasid | null): DirectoryLookup {
    if (this.off) return { answer: this.off.answer, entries: [] };
    return this.#lookupIn(this.#tables.locate(requester), pasid);
  }

  problems(): Failure[] {
    return this.off ? [] : this.#tables.problems();
  }

  *devices(): Generator<DirectoryDevice | undefined> {
    if (this.off) return;
    const left = new ProcessBudget();
    for (const requester of this.#tables.devices()) {
      if (requester === undefined) {
        yield undefined;
        continue;
      }
      const located = this.#tables.locate(requester);
      yield { requester, pasid: null, lookup: this.#lookupIn(located, null) };
      left.startDevice();
      for (const pasid of this.#processesOf(located)) {
        if (!(pasid === undefined ? left.takeStep() : left.takeRow())) break;
        yield pasid === undefined ? undefined : { requester, pasid, lookup: this.#lookupIn(located, pasid) };
      }
    }
  }

  /** Processes with a valid context, without the one that requests without process_id use. */
  *#processesOf({ found }: LocatedContext): Generator<Pasid | undefined> {
    if (!found.ok) return;
    const { context } = found;
    const readable = isOn(context, 'PDTV') && context.first.mode !== 0;
    if (!readable || notRead(context, 0, this.#registers)) return;
    const known = isOn(context, 'DPE') ? 0 : undefined;
    for (const pasid of this.#processTables(context).processes(this.#spaces.memoryOf(context)))
      if (pasid === undefined || pasid !== known) yield pasid;
  }

  #lookupIn({ entries: above, found }: LocatedContext, pasid: Pasid | null): DirectoryLookup {
    const entries = [...above];
    if (!found.ok) return { answer: found.refusal, entries };
    return { answer: this.#answer(found.context, pasid, entries), entries };
  }

  #answer(context: DeviceContext, pasid: Pasid | null, entries: StructureEntry[]): DirectoryAnswer {
    const { first } = context;
    if (!isOn(context, 'PDTV')) {
      if (pasid === null) return this.#translate(context, context.process, first);
      const why =
        'The device context has no process directory (tc.PDTV = 0), and the request has a process_id.';
      return refusal('pasid-not-supported', why, 'Ask without a process_id.');
    }
    const process = pasid ?? (isOn(context, 'DPE') ? pasidOf(0) : undefined);
    // Without a process_id, or without a directory, there is no first stage.
    if (process === undefined || first.mode === 0) return this.#translate(context, 0, { mode: 0, page: 0 });
    const tables = this.#processTables(context);
    const tooWide = tables.tooWide(process);
    if (tooWide) return tooWide;
    const unread = notRead(context, 0, this.#registers);
    if (unread) return unread;
    const located = tables.locate(process, entries);
    if (!located.ok) return located.answer;
    const [attribute = 0n, fsc = 0n] = located.words;
    const userAccess = processAllows(attribute, 'SUM');
    return this.#translate(context, Number(bits(attribute, 31, 12)), readPointer(fsc), userAccess);
  }

  /** Through the first stage at `pointer` when it is not Bare, then the second of the context when that is not. */
  #translate(
    context: DeviceContext,
    id: number,
    pointer: ModePointer,
    userAccess?: boolean,
  ): DirectoryAnswer {
    const unread = notRead(context, pointer.mode, this.#registers);
    if (unread) return unread;
    const space: AddressSpace | undefined =
      pointer.mode === 0
        ? this.#spaces.secondStage(context)
        : this.#spaces.firstStage(context, id, pointer, userAccess);
    const permission = READ_WRITE;
    return space ? { kind: 'table', space, permission } : { kind: 'pass-through', permission };
  }

  #processTables(context: DeviceContext): ProcessTables {
    const stage2 = this.#spaces.secondStageOfStructures(context);
    return new ProcessTables(this.#memory, this.#registers, context, stage2);
  }
}

/** What every request meets when there is no device directory. */
function offAs(mode: number): DeviceDirectory['off'] {
  if (mode === OFF) {
    const why = 'ddtp.iommu_mode is Off: all inbound transactions are disallowed.';
    return { answer: refusal('translation-blocked', why), why };
  }
  if (mode !== BARE) return undefined;
  const why = 'ddtp.iommu_mode is Bare: every request passes untranslated.';
  return { answer: { kind: 'pass-through', permission: READ_WRITE }, why };
}
