/** One IOMMU with its driver, a device and a domain; whether what a request meets is what memory says at that moment. */
import assert from 'node:assert/strict';
import { openDirectory } from '../../../src/engine/directory';
import {
  type MachineCapabilities,
  defaultCapabilities,
  registersOf,
} from '../../../src/engine/driver/capabilities';
import { type Outcome } from '../../../src/engine/driver/errno';
import { type IommuDriver, type KernelDomain } from '../../../src/engine/driver/iommuDriver';
import { DomainTables, type DomainTablesOptions } from '../../../src/engine/driver/pageTable/domainTables';
import { type SoftwareStep } from '../../../src/engine/driver/softwareStep';
import { makeDriver } from '../../../src/engine/driver/vendors';
import { rewalkIn, stalenessOf, type Staleness } from '../../../src/engine/iommu/caches/staleness';
import { AtsDevice } from '../../../src/engine/iommu/device/atsDevice';
import { Iommu } from '../../../src/engine/iommu/iommu';
import { type DmaAccess, type DmaRequest } from '../../../src/engine/iommu/request';
import { DEFAULT_RULES, type HardwareRules } from '../../../src/engine/iommu/rules';
import { type EmulatedKind } from '../../../src/engine/iommu/vendor';
import { runDriver } from '../../../src/engine/machine/runDriver';
import { Arena } from '../../../src/engine/memory/arena';
import { levelOf } from '../../../src/engine/formats/compile';
import { RangeAllocator } from '../../../src/engine/memory/frameAllocator';
import { type AddressSpace } from '../../../src/engine/pageTable/addressSpace';
import { WRITE } from '../../../src/engine/pageTable/entryClass';
import { isDirty, marksDirty } from '../../../src/engine/pageTable/marks';
import { type TableWalk } from '../../../src/engine/pageTable/tableWalk';
import { walkTables } from '../../../src/engine/pageTable/walk';
import { SeededRandom } from '../../../src/engine/random';
import { runSteps, type Steps } from '../../../src/engine/steps';
import { frameHalves, frameNumber, hex, requesterId } from '../../../src/engine/values';

export const DEVICE = requesterId(0x10);
/** Frames of structures and tables, and of the guest's memory behind them. */
const TABLES_START = 0x100;
const TABLES_END = 0x2_0000;

/** What is between a run and another of the same operations. */
export interface Conditions {
  readonly rules?: Partial<HardwareRules>;
  readonly ats?: boolean;
  readonly seed?: number;
  /** VT-d and AMD: not-present entries are cached, and registers say so. */
  readonly cachesNotPresent?: boolean;
}

export function valueOf<T>(outcome: Outcome<T>): T {
  assert.ok(outcome.ok, outcome.ok ? '' : `${outcome.errno}: ${outcome.message}`);
  return outcome.value;
}

export class InvalidationBench {
  readonly memory = new Arena();
  readonly frames = new RangeAllocator(this.memory, TABLES_START, TABLES_END);
  readonly capabilities: MachineCapabilities;
  readonly iommu: Iommu;
  readonly driver: IommuDriver;
  readonly device: AtsDevice;
  /** Guest pages of tables that hardware marked during the last access. */
  readonly #markedTables: number[] = [];

  constructor(
    kind: EmulatedKind,
    { rules = {}, ats = false, seed = 1, cachesNotPresent = false }: Conditions,
  ) {
    const { memory, frames } = this;
    const random = new SeededRandom(seed);
    this.capabilities = capabilitiesOf(kind, cachesNotPresent);
    this.iommu = new Iommu({
      name: 'iommu0',
      kind,
      memory,
      registers: registersOf(this.capabilities),
      rules: {
        ...DEFAULT_RULES,
        cachesNotPresent: cachesNotPresent && (kind === 'vt-d' || kind === 'amd-vi'),
        ...rules,
      },
      random,
      observer: {
        wrote: (writer, page) => {
          if (writer.kind === 'walker') this.#markedTables.push(page);
        },
        read: () => undefined,
      },
    });
    this.driver = makeDriver({ port: this.iommu, memory, frames, capabilities: this.capabilities });
    const entries = this.iommu.rules.deviceTlbEntries;
    this.device = new AtsDevice({ requester: DEVICE, port: this.iommu, entries, random, ats });
    this.iommu.devices.set(DEVICE, this.device);
    valueOf(this.run(this.driver.initialise()));
  }

  run<Result>(steps: Steps<SoftwareStep, Result>): Result {
    return runDriver(steps, [this.iommu]);
  }

  /** Empty tables that the driver flushes for. */
  domain(id: number, options: Omit<DomainTablesOptions, 'memory' | 'frames' | 'id'>): KernelDomain {
    const { memory, frames } = this;
    const tables = valueOf(DomainTables.create({ ...options, memory, frames, id }));
    const domain: KernelDomain = { tables, id, stage: options.stage ?? 2, dirtyTracking: false };
    tables.flusher = this.driver.flusherOf(domain);
    return domain;
  }

  /** The tables that memory leads to for the device now. */
  get space(): AddressSpace {
    const opened = openDirectory(this.iommu.kind, this.memory, this.iommu.registers);
    assert.ok(opened.ok);
    const { answer } = opened.value.lookup(DEVICE, null);
    assert.ok(answer.kind === 'table', 'why' in answer ? answer.why : answer.kind);
    return answer.space;
  }

  /** One access of the device; a text says how it differs from what memory says, undefined: not at all. */
  access(page: number, access: DmaAccess): { readonly met: string; readonly wrong: string | undefined } {
    const { lo, hi } = frameHalves(page);
    const request: DmaRequest = {
      requester: DEVICE,
      pasid: null,
      addressLo: lo,
      addressHi: hi,
      length: 8,
      access,
      kind: 'untranslated',
    };
    const expected = this.#expected(page, access);
    this.#markedTables.length = 0;
    const outcome = this.device.runDma(request);
    assert.ok(outcome);
    const met = outcome.ok ? hex(outcome.outputHi * 2 ** 32 + outcome.outputLo) : 'refused';
    const what = `${access} of page ${hex(page)}`;
    if (met !== expected) return { met, wrong: `${what}: ${met}, not ${expected}` };
    const { space } = this;
    if (outcome.ok && access !== 'read' && isClean(space, walkPage(space, page, true)))
      return { met, wrong: `${what} left it clean` };
    const { stage2 } = space;
    const forgotten = this.#markedTables.find(
      (each) => stage2 && isClean(stage2, walkPage(stage2, each, true)),
    );
    return {
      met,
      wrong:
        forgotten === undefined
          ? undefined
          : `${what} wrote to tables in guest page ${hex(forgotten)}, which is clean`,
    };
  }

  #expected(page: number, access: DmaAccess): string {
    const { outcome } = walkPage(this.space, page, access !== 'read');
    if (!outcome.ok) return 'refused';
    if (access === 'atomic' && !walkPage(this.space, page, false).outcome.ok) return 'refused';
    return hex(outcome.paddrHi * 2 ** 32 + outcome.paddrLo);
  }

  /** Cached translations that lead or allow what memory does not, or that would hide a write. */
  stale(): { readonly where: string; readonly staleness: Staleness }[] {
    const rewalk = rewalkIn(this.space);
    const check = (cache: 'iotlb' | 'tlb', isDevices: boolean) =>
      [...(isDevices ? this.device.tlb : this.iommu.caches.iotlb).entries()].flatMap((entry) => {
        const staleness = stalenessOf(entry, rewalk, isDevices);
        const isHarmless =
          staleness === undefined ||
          staleness.what === 'size' ||
          // A device that was granted less than memory allows by now asks again.
          (staleness.what === 'permission' && (entry.permission & WRITE) === 0 && entry.fault === undefined);
        return isHarmless ? [] : [{ where: `${cache} ${hex(entry.page)} 2^${entry.shift}`, staleness }];
      });
    return [...check('iotlb', false), ...check('tlb', true)];
  }

  prefetch(page: number): void {
    runSteps(this.iommu.prefetch(DEVICE, null, page));
  }
}

function capabilitiesOf(kind: EmulatedKind, cachesNotPresent: boolean): MachineCapabilities {
  if (kind === 'vt-d') return { ...defaultCapabilities(kind), cachingMode: cachesNotPresent };
  if (kind === 'amd-vi') return { ...defaultCapabilities(kind), cachesNotPresent };
  return defaultCapabilities(kind);
}

const walkPage = (space: AddressSpace, page: number, write: boolean): TableWalk => {
  const { lo, hi } = frameHalves(page);
  return walkTables(space, lo, hi, write);
};

/** Whether a leaf of one of the stages lacks the D that hardware sets for a write, in all of its entries. */
function isClean(space: AddressSpace, walk: TableWalk): boolean {
  const { format, stage2, memory } = space;
  const leaf = walk.steps.at(-1);
  if (stage2 && walk.under && isClean(stage2, walk.under)) return true;
  if (!leaf || !walk.outcome.ok || !marksDirty(format, leaf.lo, leaf.hi)) return false;
  const entries = 2 ** (walk.outcome.pageShift - levelOf(format, leaf.depth).shift);
  const index = (leaf.address % 4096) / 8;
  const words = memory.readFrame(frameNumber(Math.floor(leaf.address / 4096)));
  assert.ok(words);
  return !Array.from({ length: entries }, (_, at) => 2 * (index - (index % entries) + at)).some((at) =>
    isDirty(format, words[at] ?? 0, words[at + 1] ?? 0),
  );
}
