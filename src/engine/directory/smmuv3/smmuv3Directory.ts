import { bits, type BitField } from '../../bits/bitFields';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { type AddressSpace } from '../../pageTable/addressSpace';
import { READ_WRITE } from '../../pageTable/entryClass';
import { type Failure } from '../../result';
import { pasid as pasidOf, requesterId, type Pasid, type RequesterId } from '../../values';
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
import { PASSES } from '../gate';
import { type Fault } from '../faults';
import { contextSplit, readContext } from './contextTable';
import { CD_LAYOUT, L1CD_LAYOUT, readCd, type Cd } from './contexts';
import { smmuFaultCode } from './faultCodes';
import { intermediateBits, smmuFeatures, type SmmuFeatures } from './features';
import { smmuRegisters } from './registers';
import { SmmuSpaces } from './spaces';
import { cdProblem, isPrivileged, regionsWalked, stage1Regime, streamWorld } from './stage1';
import { stage2Regime } from './stage2';
import { steProblem } from './steChecks';
import { StreamTable } from './streams';
import {
  CONFIG_BYPASS,
  CONFIG_STAGE1,
  CONFIG_STAGE2,
  L1STD_LAYOUT,
  STE_LAYOUT,
  readSte,
  type Ste,
} from './streamTable';

/** Problems of the directory that are told at most. */
const MOST_PROBLEMS = 8;
/** Rows of processes that are given at most. */
const MOST_PROCESSES_OF_DEVICE = 65_536;
const MOST_PROCESSES = 200_000;

const DSS_BYPASS = 1;
const DSS_SUBSTREAM_0 = 2;

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
  readonly #memory: PhysicalMemory;
  readonly #features: SmmuFeatures;
  readonly #streams: StreamTable;
  readonly #spaces: SmmuSpaces;

  constructor(memory: PhysicalMemory, values: ReadonlyMap<string, bigint>) {
    this.#memory = memory;
    this.#features = smmuFeatures(values);
    const base = values.get('STRTAB_BASE') ?? 0n;
    this.#streams = new StreamTable(memory, base, values.get('STRTAB_BASE_CFG') ?? 0n, this.#features);
    this.#spaces = new SmmuSpaces(memory);
    this.registers = smmuRegisters(values);
    this.mode = `SMMUv3, ${this.#streams.twoLevel ? '2-level' : 'linear'} stream table`;
    const off = offAs(values, this.#features);
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
    return { answer: this.#answer(requester, pasid, entries), entries };
  }

  problems(): Failure[] {
    const found: Failure[] = [];
    const last = Math.min(2 ** this.#streams.idBits, 2 ** 16);
    for (let stream = 0; stream < last && found.length < MOST_PROBLEMS;) {
      const entry = this.#streams.read(stream, []);
      if ('fault' in entry && UNREADABLE.has(entry.fault)) {
        const { fault, why, hint } = entry;
        found.push({ code: `directory/${fault}`, message: why, ...(hint === undefined ? {} : { hint }) });
      }
      stream = this.#streams.part(stream).next;
    }
    return found;
  }

  /** Kernels fill stream tables with entries that abort every request: these tell of no device, and are left out. */
  *devices(): Generator<DirectoryDevice | undefined> {
    let left = MOST_PROCESSES;
    const end = 2 ** this.#streams.idBits;
    for (let start = 0; start < end;) {
      const { from, to, next } = this.#streams.part(start);
      for (let stream = from; stream < to; stream++) {
        const lookup = this.lookup(requesterId(stream), null);
        const entry = lookup.entries.find(({ role }) => role === 'context');
        const ste = entry && this.#read(entry);
        if (!ste?.valid || ste.config < CONFIG_BYPASS) continue;
        yield { requester: requesterId(stream), pasid: null, lookup };
        for (const device of this.#processes(requesterId(stream), ste, left)) {
          if (device) left--;
          yield device;
        }
      }
      start = next;
      yield undefined;
    }
  }

  /** Substreams of a device with a valid context descriptor, but for the one that requests without SubstreamID use. */
  *#processes(requester: RequesterId, ste: Ste, most: number): Generator<DirectoryDevice | undefined> {
    if ((ste.config & CONFIG_STAGE1) === 0 || ste.contextsLog2 === 0) return;
    const end = 2 ** Math.min(ste.contextsLog2, 20);
    const split = contextSplit(ste);
    const step = split === undefined ? 2 ** 8 : 2 ** split;
    let left = Math.min(most, MOST_PROCESSES_OF_DEVICE);
    const first = ste.withoutSubstream === DSS_SUBSTREAM_0 ? 1 : 0;
    for (let start = 0; start < end && left > 0; start += step) {
      for (let id = Math.max(start, first); id < Math.min(start + step, end) && left > 0; id++) {
        const lookup = this.lookup(requester, pasidOf(id));
        const last = lookup.entries.at(-1);
        // Without an entry of the process none of this part can be read.
        if (last?.role !== 'process') break;
        if (!readCd(last.words).valid) continue;
        left--;
        yield { requester, pasid: pasidOf(id), lookup };
      }
      yield undefined;
    }
  }

  /** An STE as the hardware takes it: without SubstreamIDs S1CDMax is ignored. */
  #read({ words }: StructureEntry): Ste {
    const ste = readSte(words);
    return this.#features.substreamIdBits === 0 ? { ...ste, contextsLog2: 0 } : ste;
  }

  #answer(stream: number, substream: number | null, entries: StructureEntry[]): DirectoryAnswer {
    const entry = this.#streams.read(stream, entries);
    if ('fault' in entry) return { kind: 'fault', ...entry };
    const ste = this.#read(entry);
    const refuse = (fault: Fault, why: string): DirectoryAnswer => ({ kind: 'fault', fault, why });
    if (!ste.valid) return refuse('context-entry-not-present', 'The STE is not valid (V = 0).');
    if (ste.config < CONFIG_BYPASS) {
      return refuse(
        'translation-blocked',
        `STE.Config is ${ste.config}: requests are aborted, and no event is recorded.`,
      );
    }
    const problem = steProblem(this.#features, ste);
    if (problem !== undefined) return refuse('context-entry-invalid', `The STE is illegal: ${problem}`);
    const stage2 = (ste.config & CONFIG_STAGE2) === 0 ? undefined : this.#stage2(ste);
    if (typeof stage2 === 'string') return refuse('context-entry-invalid', `The STE is illegal: ${stage2}`);
    if ((ste.config & CONFIG_STAGE1) === 0) {
      return substream === null
        ? this.#withoutStage1(stage2)
        : refuse(
            'pasid-not-supported',
            'Requests with a SubstreamID are aborted: STE.Config has no stage 1.',
          );
    }
    const context = this.#substream(ste, substream);
    if (context === 'bypass') return this.#withoutStage1(stage2);
    return typeof context === 'number' ? this.#stage1(ste, context, stage2, entries) : context;
  }

  /** Which context descriptor a request uses (IHI 0070 5.2 S1CDMax, S1DSS). */
  #substream(ste: Ste, substream: number | null): number | 'bypass' | DirectoryAnswer {
    const refuse = (fault: Fault, why: string): DirectoryAnswer => ({ kind: 'fault', fault, why });
    if (ste.contextsLog2 === 0) {
      if (substream === null) return 0;
      const why = this.#features.substreamIdBits === 0 ? 'IDR1.SSIDSIZE is 0' : 'STE.S1CDMax is 0';
      return refuse('pasid-not-supported', `Requests with a SubstreamID are aborted: ${why}.`);
    }
    if (substream === null) {
      if (ste.withoutSubstream === DSS_BYPASS) return 'bypass';
      if (ste.withoutSubstream === DSS_SUBSTREAM_0) return 0;
      const why = `Requests without a SubstreamID are aborted: STE.S1DSS is ${ste.withoutSubstream} (F_STREAM_DISABLED).`;
      return refuse('translation-blocked', why);
    }
    if (substream >= 2 ** ste.contextsLog2) {
      const why = `SubstreamID ${substream} is beyond the ${2 ** ste.contextsLog2} context descriptors of the stream.`;
      return refuse('pasid-out-of-range', why);
    }
    if (substream === 0 && ste.withoutSubstream === DSS_SUBSTREAM_0) {
      const why = 'SubstreamID 0 is of requests without a SubstreamID: STE.S1DSS is 2 (F_STREAM_DISABLED).';
      return refuse('translation-blocked', why);
    }
    return substream;
  }

  #withoutStage1(stage2: AddressSpace | undefined): DirectoryAnswer {
    if (!stage2) return passes(this.#features);
    const addressBits = intermediateBits(this.#features);
    return {
      kind: 'table',
      space: stage2,
      ...(addressBits === undefined ? {} : { addressBits }),
      permission: READ_WRITE,
    };
  }

  #stage2(ste: Ste): AddressSpace | string {
    const regime = stage2Regime(this.#features, ste);
    return typeof regime === 'string' ? regime : this.#spaces.stage2(ste.vmid, regime);
  }

  #stage1(
    ste: Ste,
    substream: number,
    stage2: AddressSpace | undefined,
    entries: StructureEntry[],
  ): DirectoryAnswer {
    const entry = readContext(this.#memory, stage2, ste, substream, entries);
    if ('kind' in entry) return entry;
    const refuse = (fault: Fault, why: string): DirectoryAnswer => ({ kind: 'fault', fault, why });
    const cd = readCd(entry.words);
    if (!cd.valid) return refuse('process-entry-not-present', 'The context descriptor is not valid (V = 0).');
    const world = streamWorld(this.#features, ste) ?? { single: false };
    const problem = cdProblem(this.#features, ste, world, cd);
    if (problem !== undefined) {
      return refuse('process-entry-invalid', `The context descriptor is illegal: ${problem}`);
    }
    const privileged = isPrivileged(this.#features, ste, world);
    const spaces: (AddressSpace | undefined)[] = [undefined, undefined];
    for (const region of regionsWalked(world, cd)) {
      const regime = stage1Regime(this.#features, world, cd, region, privileged);
      if (typeof regime === 'string') {
        return refuse('process-entry-invalid', `The context descriptor is illegal: ${regime}`);
      }
      spaces[region.region] = this.#spaces.stage1(regime, {
        asid: world.single ? 0 : cd.asid,
        upper: region.region === 1,
        ignoresTopByte: region.ignoresTopByte,
        stage2,
      });
    }
    return tableAnswer(spaces, world.single ? {} : blockedRanges(this.#features, cd, privileged));
  }
}

const UNREADABLE: ReadonlySet<Fault> = new Set([
  'root-entry-unreadable',
  'root-entry-reserved',
  'context-entry-unreadable',
]);

interface Blocked {
  readonly lower?: string;
  readonly upper?: string;
}

function tableAnswer(
  [lower, upper]: readonly (AddressSpace | undefined)[],
  blocked: Blocked,
): DirectoryAnswer {
  const space = lower ?? upper;
  if (!space || (blocked.lower !== undefined && blocked.upper !== undefined)) {
    const why = [...new Set([blocked.lower, blocked.upper])].join(' ');
    return { kind: 'fault', fault: 'translation-blocked', why };
  }
  return {
    kind: 'table',
    space,
    ...(lower && upper ? { upper } : {}),
    ...(Object.keys(blocked).length === 0 ? {} : { blocked }),
    permission: READ_WRITE,
  };
}

/** Why no table is walked for the lower and for the upper addresses: both end in F_TRANSLATION (IHI 0070 5.4). */
function blockedRanges(features: SmmuFeatures, cd: Cd, privileged: boolean): Blocked {
  const [lower, upper] = cd.regions.map(({ region, disabled, deniesUnprivileged }) => {
    if (disabled) return `CD.EPD${region} is 1: TTB${region} is not walked (F_TRANSLATION).`;
    const denied = deniesUnprivileged && !privileged && features.deniesUnprivileged === true;
    return denied ? `CD.E0PD${region} is 1: unprivileged requests fault (F_TRANSLATION).` : undefined;
  });
  return { ...(lower === undefined ? {} : { lower }), ...(upper === undefined ? {} : { upper }) };
}

function passes({ outputBits }: SmmuFeatures): DirectoryAnswer {
  if (outputBits === undefined) return PASSES;
  return { kind: 'pass-through', addressBits: outputBits, permission: READ_WRITE };
}

/** With CR0.SMMUEN clear GBPA decides (IHI 0070 6.3.9, 6.3.14). */
function offAs(values: ReadonlyMap<string, bigint>, features: SmmuFeatures): DeviceDirectory['off'] {
  const control = values.get('CR0');
  if (control === undefined || bits(control, 0) === 1n) return undefined;
  const bypass = values.get('GBPA');
  if (bypass === undefined) {
    const why = 'Translation is off (CR0.SMMUEN = 0); GBPA is not given, and is taken to let requests pass.';
    return { answer: passes(features), why };
  }
  if (bits(bypass, 20) === 0n) {
    return {
      answer: passes(features),
      why: 'Translation is off (CR0.SMMUEN = 0), and GBPA.ABORT = 0 lets requests pass.',
    };
  }
  const why = 'Translation is off (CR0.SMMUEN = 0), and GBPA.ABORT = 1 aborts every request.';
  return { answer: { kind: 'fault', fault: 'translation-blocked', why }, why };
}
