import { type BitField } from '../../bits/bitFields';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { type Failure } from '../../result';
import { pasid as pasidOf, requesterId, type Pasid, type RequesterId } from '../../values';
import {
  type DeviceDirectory,
  type DirectoryDevice,
  type DirectoryLookup,
  type Register,
  type StructureEntry,
  type StructureRole,
  type VendorWords,
} from '../deviceDirectory';
import { type Fault } from '../../faults';
import { MOST_PROBLEMS, ProcessBudget } from '../processBudget';
import { contextSplit } from './contextTable';
import { CD_LAYOUT, L1CD_LAYOUT, readCd } from './contexts';
import { smmuFaultCode } from './faultCodes';
import { smmuFeatures } from './features';
import { DSS_SUBSTREAM_0, SmmuLookup } from './lookup';
import { offAs } from './off';
import { smmuRegisters } from './registers';
import { StreamTable } from './streams';
import { CONFIG_BYPASS, CONFIG_STAGE1, L1STD_LAYOUT, STE_LAYOUT, type Ste } from './streamTable';

/** Context descriptors that are looked at for them, of all devices. */
const MOST_CONTEXTS = 2 ** 22;
const CDS_IN_FRAME = 64;

const TITLES: Readonly<Record<StructureRole, { readonly title: string; readonly section: string }>> = {
  root: { title: 'Level 1 stream table descriptor', section: 'IHI 0070 5.1' },
  context: { title: 'Stream table entry (STE)', section: 'IHI 0070 5.2' },
  'process-directory': { title: 'Level 1 context descriptor', section: 'IHI 0070 5.3' },
  process: { title: 'Context descriptor (CD)', section: 'IHI 0070 5.4' },
};

const LAYOUTS: Readonly<Record<StructureRole, readonly (readonly BitField[])[]>> = {
  root: L1STD_LAYOUT,
  context: STE_LAYOUT,
  'process-directory': L1CD_LAYOUT,
  process: CD_LAYOUT,
};

/** Stream table and context descriptors of an Arm SMMUv3 (IHI 0070). Interrupt messages are translated as all the rest. */
export class Smmuv3Directory implements DeviceDirectory {
  readonly mode: string;
  readonly words: VendorWords = {
    requester: 'StreamID',
    pasid: 'SubstreamID',
    stage1Tag: 'ASID',
    stage2Tag: 'VMID',
    contextEntry: 'STE',
  };
  readonly off: DeviceDirectory['off'];
  readonly interruptWindow = undefined;
  readonly registers: readonly Register[];
  readonly #streams: StreamTable;
  readonly #lookup: SmmuLookup;

  constructor(memory: PhysicalMemory, values: ReadonlyMap<string, bigint>) {
    const features = smmuFeatures(values);
    const base = values.get('STRTAB_BASE') ?? 0n;
    this.#streams = new StreamTable(memory, base, values.get('STRTAB_BASE_CFG') ?? 0n, features);
    this.#lookup = new SmmuLookup(memory, features, this.#streams);
    this.registers = smmuRegisters(values);
    this.mode = `SMMUv3, ${this.#streams.twoLevel ? '2-level' : 'linear'} stream table`;
    const off = offAs(values, features);
    if (off) this.off = off;
  }

  layouts(role: StructureRole): readonly (readonly BitField[])[] {
    return LAYOUTS[role];
  }

  titleOf(role: StructureRole) {
    return TITLES[role];
  }

  faultCode(fault: Fault): string | undefined {
    return smmuFaultCode(fault);
  }

  lookup(requester: RequesterId, pasid: Pasid | null): DirectoryLookup {
    const entries: StructureEntry[] = [];
    return { answer: this.#lookup.answer(requester, pasid, entries), entries };
  }

  problems(): Failure[] {
    const found: Failure[] = [];
    const last = Math.min(2 ** this.#streams.idBits, 2 ** 16);
    for (let stream = 0; stream < last && found.length < MOST_PROBLEMS;) {
      const entry = this.#streams.read(stream, []);
      if ('fault' in entry && UNREADABLE.has(entry.fault)) {
        const { fault, why, hint } = entry;
        found.push({ code: `directory/${fault}`, message: why, ...(hint === undefined ? {} : { hint }) });
        // A linear table is one piece of memory: more of the same tells nothing.
        if (!this.#streams.twoLevel) break;
      }
      stream = this.#streams.part(stream).next;
    }
    const end = this.#streams.listedEnd;
    if (end < 2 ** this.#streams.idBits) {
      found.push({
        code: 'directory/too-many-devices',
        message: `Devices are listed up to StreamID 0x${end.toString(16)} only: the linear stream table claims ${2 ** this.#streams.idBits} of them.`,
        hint: 'Check STRTAB_BASE_CFG: its low six bits are the log2 of the StreamIDs.',
      });
    }
    return found.slice(0, MOST_PROBLEMS);
  }

  /** Kernels fill stream tables with entries that abort every request: these tell of no device, and are left out. */
  *devices(): Generator<DirectoryDevice | undefined> {
    const budget = new ProcessBudget(MOST_CONTEXTS);
    const end = this.#streams.listedEnd;
    for (let start = 0; start < end;) {
      const { from, to, next } = this.#streams.part(start);
      for (let stream = from; stream < to; stream++) {
        const lookup = this.lookup(requesterId(stream), null);
        const entry = lookup.entries.find(({ role }) => role === 'context');
        const ste = entry && this.#lookup.read(entry);
        if (!ste?.valid || ste.config < CONFIG_BYPASS) continue;
        yield { requester: requesterId(stream), pasid: null, lookup };
        yield* this.#processes(requesterId(stream), ste, budget);
      }
      start = next;
      yield undefined;
    }
  }

  /** Substreams of a device with a valid context descriptor, but for the one that requests without SubstreamID use. */
  *#processes(
    requester: RequesterId,
    ste: Ste,
    budget: ProcessBudget,
  ): Generator<DirectoryDevice | undefined> {
    if ((ste.config & CONFIG_STAGE1) === 0 || ste.contextsLog2 === 0) return;
    const end = 2 ** Math.min(ste.contextsLog2, 20);
    const split = contextSplit(ste);
    const step = split === undefined ? CDS_IN_FRAME : 2 ** split;
    const first = ste.withoutSubstream === DSS_SUBSTREAM_0 ? 1 : 0;
    budget.startDevice();
    for (let start = 0; start < end; start += step) {
      for (let id = Math.max(start, first); id < Math.min(start + step, end); id++) {
        if (!budget.takeStep()) return;
        const lookup = this.lookup(requester, pasidOf(id));
        const last = lookup.entries.at(-1);
        // Without an entry of the process none of this part can be read.
        if (last?.role !== 'process') break;
        if (!readCd(last.words).valid) continue;
        if (!budget.takeRow()) return;
        yield { requester, pasid: pasidOf(id), lookup };
      }
      yield undefined;
    }
  }
}

const UNREADABLE: ReadonlySet<Fault> = new Set([
  'root-entry-unreadable',
  'root-entry-reserved',
  'context-entry-unreadable',
]);
