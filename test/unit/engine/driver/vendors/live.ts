import assert from 'node:assert/strict';
import { makeCapabilities, registersOf } from '../../../../../src/engine/driver/capabilities';
import { type Outcome } from '../../../../../src/engine/driver/errno';
import {
  type Attachment,
  type IommuDriver,
  type KernelDomain,
} from '../../../../../src/engine/driver/iommuDriver';
import { DomainTables } from '../../../../../src/engine/driver/pageTable/domainTables';
import { type TableFault } from '../../../../../src/engine/driver/pageTable/gather';
import { TABLE_FAULTS } from '../../../../../src/engine/driver/pageTable/tableFaults';
import { type SoftwareStep } from '../../../../../src/engine/driver/softwareStep';
import { makeDriver } from '../../../../../src/engine/driver/vendors';
import { amdV1 } from '../../../../../src/engine/formats/amdV1';
import { armFormat } from '../../../../../src/engine/formats/arm';
import { type PageTableFormat } from '../../../../../src/engine/formats/pageTableFormat';
import { sv48, sv48x4 } from '../../../../../src/engine/formats/riscv';
import { vtdSecondStage } from '../../../../../src/engine/formats/vtdSecondStage';
import { amdV2, vtdFirstStage } from '../../../../../src/engine/formats/x8664';
import { AtsDevice } from '../../../../../src/engine/iommu/device/atsDevice';
import { Iommu } from '../../../../../src/engine/iommu/iommu';
import { type DmaAccess, type RequestOutcome } from '../../../../../src/engine/iommu/request';
import { DEFAULT_RULES, type HardwareRules } from '../../../../../src/engine/iommu/rules';
import { type EmulatedKind } from '../../../../../src/engine/iommu/vendor';
import { type AccessObserver } from '../../../../../src/engine/ledger/accessObserver';
import { runDriver } from '../../../../../src/engine/machine/runDriver';
import { Arena } from '../../../../../src/engine/memory/arena';
import { RangeAllocator } from '../../../../../src/engine/memory/frameAllocator';
import { SeededRandom } from '../../../../../src/engine/random';
import { type Steps } from '../../../../../src/engine/steps';
import { pasid as pasidOf, requesterId } from '../../../../../src/engine/values';

/** Frames of guest memory: what a guest's tables are in, mapped one to one in its parent. */
const GUEST_START = 0x4000;
const GUEST_FRAMES = 0x200;

interface StageForm {
  readonly format: PageTableFormat;
  readonly rootDepth: number;
  readonly rootIndexBits?: number;
}

/** What the tests need of a vendor. */
export interface LiveVendor {
  readonly kind: EmulatedKind;
  readonly stages: Readonly<Record<1 | 2, StageForm>>;
  /** Marks that hardware sets in leaves of stage 1 and 2 from the beginning, without any switch. */
  readonly alwaysMarks: Readonly<Record<1 | 2, boolean>>;
  /** What a guest hands over for its tables, whose root is at this guest frame; may write to guest memory. */
  readonly nestedWords: (live: Live, root: number) => bigint[];
}

const ATTRIBUTES = 1n << 31n;

export const LIVE_VENDORS: readonly LiveVendor[] = [
  {
    kind: 'vt-d',
    stages: { 1: { format: vtdFirstStage, rootDepth: 4 }, 2: { format: vtdSecondStage, rootDepth: 4 } },
    alwaysMarks: { 1: true, 2: false },
    nestedWords: (_, root) => [0n, BigInt(root) << 12n, 48n],
  },
  {
    kind: 'amd-vi',
    stages: { 1: { format: amdV2, rootDepth: 4 }, 2: { format: amdV1, rootDepth: 4 } },
    alwaysMarks: { 1: true, 2: false },
    nestedWords: (live, root) => {
      // GCR3 table of one level, its entry 0 valid; V, GV, GIOV and the table's address below 32K bits 14:12, then 30:15.
      const table = live.guestFrame();
      live.memory.writeEntry(table, 0, ((root << 12) | 1) >>> 0, root >>> 20);
      const address = BigInt(table) << 12n;
      const low = ((address >> 12n) & 7n) << 58n;
      const middle = ((address >> 15n) & 0xffffn) << 16n;
      return [low | (1n << 55n) | (1n << 54n) | 1n, middle, 0n, 0n];
    },
  },
  {
    kind: 'smmuv3',
    stages: {
      1: { format: armFormat(1, '4K', '48'), rootDepth: 4 },
      2: { format: armFormat(2, '4K', '48'), rootDepth: 3, rootIndexBits: 10 },
    },
    alwaysMarks: { 1: true, 2: true },
    nestedWords: (live, root) => {
      const table = live.guestFrame();
      // T0SZ 16, cacheable, inner shareable, EPD1, V, IPS 48 bits, AA64, HD, HA, R, A, ASET, ASID 3; TTB0.
      const control =
        16n | (1n << 8n) | (1n << 10n) | (3n << 12n) | (1n << 30n) | ATTRIBUTES | (5n << 32n) | (7n << 41n);
      const cd = control | (7n << 45n) | (3n << 48n);
      live.writeWord(table, 0, cd);
      live.writeWord(table, 1, BigInt(root) << 12n);
      // V, Config = stage 1, one CD.
      return [1n | (5n << 1n) | (BigInt(table) << 12n), 1n << 28n];
    },
  },
  {
    kind: 'riscv',
    stages: { 1: { format: sv48, rootDepth: 4 }, 2: { format: sv48x4, rootDepth: 4 } },
    alwaysMarks: { 1: true, 2: true },
    nestedWords: (_, root) => [(9n << 60n) | BigInt(root), 3n << 12n],
  },
];

export interface LiveOptions {
  readonly capabilities?: Readonly<Record<string, unknown>>;
  /** Ids of `DRIVER_FAULTS` and `TABLE_FAULTS`. */
  readonly faults?: readonly string[];
  readonly rules?: Partial<HardwareRules>;
  readonly observer?: AccessObserver;
}

const NOBODY: AccessObserver = { wrote: () => undefined, read: () => undefined };

/** An IOMMU with its driver, and devices that do DMA. */
export class Live {
  readonly memory = new Arena();
  readonly frames = new RangeAllocator(this.memory, 0x100, 0x4000);
  readonly iommu: Iommu;
  readonly driver: IommuDriver;
  readonly #vendor: LiveVendor;
  readonly #guests = new RangeAllocator(this.memory, GUEST_START, GUEST_START + GUEST_FRAMES);
  readonly #devices = new Map<number, AtsDevice>();
  readonly #tableFaults: readonly TableFault[];
  #nextId = 1;

  constructor(vendor: LiveVendor, options: LiveOptions = {}) {
    const { capabilities: changes = {}, faults = [], rules = {}, observer = NOBODY } = options;
    this.#vendor = vendor;
    this.#tableFaults = TABLE_FAULTS.map(({ id }) => id).filter((id) => faults.includes(id));
    const checked = makeCapabilities(vendor.kind, changes);
    assert.ok(checked.ok, checked.ok ? '' : checked.failure.message);
    const capabilities = checked.value;
    this.iommu = new Iommu({
      name: 'iommu0',
      kind: vendor.kind,
      memory: this.memory,
      registers: registersOf(capabilities),
      rules: { ...DEFAULT_RULES, ...rules },
      random: new SeededRandom(7),
      observer,
    });
    const { memory, frames } = this;
    this.driver = makeDriver({ port: this.iommu, memory, frames, capabilities, faults });
    this.mustRun(this.driver.initialise());
  }

  run<Result>(steps: Steps<SoftwareStep, Result>): Result {
    return runDriver(steps, [this.iommu]);
  }

  mustRun<Value>(steps: Steps<SoftwareStep, Outcome<Value>>): Value {
    const outcome = this.run(steps);
    assert.ok(outcome.ok, outcome.ok ? '' : `${outcome.errno}: ${outcome.message}`);
    return outcome.value;
  }

  guestFrame() {
    const frame = this.#guests.allocate();
    assert.ok(frame !== undefined);
    return frame;
  }

  writeWord(frame: ReturnType<Live['guestFrame']>, index: number, word: bigint): void {
    this.memory.writeEntry(frame, index, Number(word & 0xffff_ffffn), Number(word >> 32n));
  }

  domain(stage: 1 | 2): KernelDomain {
    const id = this.#nextId++;
    const form = this.#vendor.stages[stage];
    const marks = this.driver.dirtyStages.includes(stage);
    const tables = DomainTables.create({
      memory: this.memory,
      frames: this.frames,
      ...form,
      hardware: { setsAccessed: marks, setsDirty: marks },
      stage,
      id,
      faults: this.#tableFaults,
    });
    assert.ok(tables.ok);
    const domain = { tables: tables.value, id, stage, dirtyTracking: false };
    domain.tables.flusher = this.driver.flusherOf(domain);
    return domain;
  }

  map(domain: KernelDomain, page: number, frame: number, pages = 1): void {
    this.mustRun(domain.tables.map(page, frame, pages, 3));
  }

  /** A guest's own tables over `parent`, which maps all guest memory one to one. */
  nested(parent: KernelDomain): { readonly attachment: Attachment; readonly tables: DomainTables } {
    this.map(parent, GUEST_START, GUEST_START, GUEST_FRAMES);
    const tables = DomainTables.create({
      memory: this.memory,
      frames: this.#guests,
      ...this.#vendor.stages[1],
      stage: 1,
    });
    assert.ok(tables.ok);
    const words = this.#vendor.nestedWords(this, tables.value.root);
    return {
      attachment: { kind: 'nested', domain: { parent, id: this.#nextId++, words } },
      tables: tables.value,
    };
  }

  attach(
    requester: number,
    attachment: Attachment,
    options: { readonly pasid?: number; readonly ats?: boolean } = {},
  ) {
    const { pasid, ats } = options;
    const steps = this.driver.attach(
      requesterId(requester),
      pasid === undefined ? null : pasidOf(pasid),
      attachment,
      ats === undefined ? {} : { ats },
    );
    this.mustRun(steps);
    this.device(requester).setAts(ats ?? this.device(requester).ats);
  }

  device(requester: number): AtsDevice {
    const known = this.#devices.get(requester);
    if (known) return known;
    const random = new SeededRandom(requester);
    const made = new AtsDevice({
      requester: requesterId(requester),
      port: this.iommu,
      entries: 64,
      random,
      ats: false,
    });
    this.#devices.set(requester, made);
    this.iommu.devices.set(requester, made);
    return made;
  }

  /** One transfer of eight bytes. */
  dma(requester: number, page: number, access: DmaAccess, process: number | null = null): RequestOutcome {
    const outcome = this.device(requester).runDma({
      requester: requesterId(requester),
      pasid: process === null ? null : pasidOf(process),
      addressLo: (page * 4096) >>> 0,
      addressHi: Math.floor(page / 0x100000),
      length: 8,
      access,
      kind: 'untranslated',
    });
    assert.ok(outcome);
    return outcome;
  }

  /** The frame that a transfer reaches; undefined: it is refused. */
  reach(
    requester: number,
    page: number,
    access: DmaAccess = 'read',
    process: number | null = null,
  ): number | undefined {
    const outcome = this.dma(requester, page, access, process);
    return outcome.ok ? outcome.outputHi * 0x100000 + (outcome.outputLo >>> 12) : undefined;
  }

  /** Pages that tables say are dirty, in a range; makes them clean and flushes. */
  harvest(domain: KernelDomain, startPage: number, pages: number): number[] {
    const dirty: number[] = [];
    this.mustRun(
      domain.tables.readAndClearDirty({
        startPage,
        pages,
        clear: true,
        sink: (start, count) => {
          for (let page = start; page < start + count; page++) dirty.push(page);
        },
      }),
    );
    return dirty;
  }
}
