/**
 * A guest that wants out of its stage 2: tables, structures and commands of its own are rubbish with a purpose, in memory that it
 * may write everywhere. Each action of hardware and each word of memory that hardware touches is checked against a model of
 * what stage 2 maps, which is kept apart from all tables.
 */
import assert from 'node:assert/strict';
import {
  defaultCapabilities,
  registersOf,
  type MachineCapabilities,
} from '../../../src/engine/driver/capabilities';
import {
  type IommuDriver,
  type KernelDomain,
  type NestedDomain,
} from '../../../src/engine/driver/iommuDriver';
import { type GuestKind } from '../../../src/engine/driver/guest/guestKind';
import { DomainTables } from '../../../src/engine/driver/pageTable/domainTables';
import { type SoftwareStep } from '../../../src/engine/driver/softwareStep';
import { makeDriver } from '../../../src/engine/driver/vendors';
import { AtsDevice } from '../../../src/engine/iommu/device/atsDevice';
import { compileFormat, type CompiledFormat } from '../../../src/engine/formats/compile';
import { type HardwareStep } from '../../../src/engine/iommu/hardwareStep';
import { Iommu } from '../../../src/engine/iommu/iommu';
import { type DmaAccess } from '../../../src/engine/iommu/request';
import { DEFAULT_RULES } from '../../../src/engine/iommu/rules';
import { runCommands } from '../../../src/engine/machine/runDriver';
import { TABLE_CHOICES } from '../../../src/engine/machine/tableChoices';
import { Arena } from '../../../src/engine/memory/arena';
import { RangeAllocator } from '../../../src/engine/memory/frameAllocator';
import { type EntryHalves } from '../../../src/engine/memory/words';
import { type WritableMemory } from '../../../src/engine/memory/writableMemory';
import { READ, READ_WRITE, WRITE } from '../../../src/engine/pageTable/entryClass';
import { SeededRandom } from '../../../src/engine/random';
import { type Steps } from '../../../src/engine/steps';
import { frameHalves, frameNumber, hex, type FrameNumber } from '../../../src/engine/values';
import { hostileWord } from './hostileWords';
import { DEVICE, valueOf } from './invalidationBench';

/** Host frames of everything; guest pages are numbered likewise, so that one taken for the other leads somewhere. */
const HOST_START = 0x100;
const HOST_END = 0x4000;
const GUEST_START = 0x200;
const SMALL_PAGES = 160;
/** One page of 2M of guest memory. */
const BLOCK = 0x400;
const BLOCK_PAGES = 512;
/** Guest pages that are full of hostile words, and that most of them point to. */
const TABLES = 20;
/** Pages that the device asks for again and again. */
const KNOWN = 16;
const PARENT_ID = 5;
const NESTED_ID = 6;
/** ASID, PSCID or DomainID that the guest uses. */
const GUEST_SPACE = 9;

/** What happened, so that a test can tell that something did. */
export interface HostileCounts {
  requests: number;
  reads: number;
  updates: number;
  reached: number;
  refusedByStage2: number;
}

/** Where hardware was that it must not be. */
export class Escape extends Error {}

export class HostileBench {
  readonly counts: HostileCounts = { requests: 0, reads: 0, updates: 0, reached: 0, refusedByStage2: 0 };
  readonly #kind: GuestKind;
  readonly #random: SeededRandom;
  readonly #arena = new Arena();
  readonly #frames = new RangeAllocator(this.#arena, HOST_START, HOST_END);
  readonly #iommu: Iommu;
  readonly #driver: IommuDriver;
  readonly #device: AtsDevice;
  readonly #parent: KernelDomain;
  #nested: NestedDomain;
  /** The model: permission by host frame, host frame by guest page. Frames that were the guest's once are given to nobody else. */
  readonly #permissions = new Map<number, number>();
  readonly #frameOf = new Map<number, number>();
  readonly #owned = new Set<number>();
  readonly #tables: number[] = [];
  readonly #structures: number;
  readonly #capabilities: MachineCapabilities;
  readonly #guestFormat: CompiledFormat;
  /** What may still be reached while the kernel is about to take it away. */
  #lent: ReadonlyMap<number, number> = new Map();
  #isHardware = false;
  /** Pages of requests that got somewhere. */
  readonly #reached: number[] = [];

  constructor(kind: GuestKind, seed: number) {
    const random = new SeededRandom(seed);
    this.#kind = kind;
    this.#random = random;
    const capabilities = defaultCapabilities(kind.kind);
    this.#capabilities = capabilities;
    const sizes = [
      { sets: 1024, ways: 4 },
      { sets: 2, ways: 2 },
      { sets: 0, ways: 0 },
    ] as const;
    const size = () => sizes[random.below(3)] ?? sizes[0];
    this.#iommu = new Iommu({
      name: 'iommu0',
      kind: kind.kind,
      memory: new WatchedMemory(this.#arena, (frame, needs) => {
        if (this.#isHardware) this.#require(frame, needs, 'a word of memory', true);
      }),
      registers: registersOf(capabilities),
      rules: {
        ...DEFAULT_RULES,
        update: random.below(2) === 0 ? 'compare' : 'blind',
        iotlb: size(),
        walkCache: size(),
        evictEvery: [0, 2, 8][random.below(3)] ?? 0,
        prefetchEvery: [0, 3][random.below(2)] ?? 0,
      },
      random,
      observer: {
        wrote: (writer, _page, frame) => {
          this.#require(frame, WRITE, `a write by the ${writer.kind}`);
        },
        read: (reader, _page, frame) => {
          this.#require(frame, READ, `a read by the ${reader.kind}`);
        },
      },
    });
    this.#driver = makeDriver({ port: this.#iommu, memory: this.#arena, frames: this.#frames, capabilities });
    const ats = random.below(2) === 0;
    this.#device = new AtsDevice({ requester: DEVICE, port: this.#iommu, entries: 8, random, ats });
    this.#iommu.devices.set(DEVICE, this.#device);
    valueOf(this.#drive(this.#driver.initialise()));
    const choice = TABLE_CHOICES.find((each) => each.vendor === kind.kind && each.id === kind.parent);
    assert.ok(choice);
    const tables = valueOf(
      DomainTables.create({
        ...choice.shape(capabilities),
        stage: choice.stage,
        memory: this.#arena,
        frames: this.#frames,
        id: PARENT_ID,
        bbml: 2,
      }),
    );
    this.#parent = { tables, id: PARENT_ID, stage: 2, dirtyTracking: false };
    tables.flusher = this.#driver.flusherOf(this.#parent);
    const own = TABLE_CHOICES.find((each) => each.vendor === kind.kind && each.id === kind.tables);
    assert.ok(own);
    const { format, rootDepth, hardware, rootIndexBits } = own.shape(capabilities);
    this.#guestFormat = compileFormat(format, rootDepth, hardware, rootIndexBits);
    this.#structures = this.#giveMemory();
    this.#nested = this.#nestedDomain(this.#table(false));
    this.#attach();
    if (this.#driver.dirtyStages.includes(2))
      valueOf(this.#drive(this.#driver.setDirtyTracking(this.#parent, true)));
  }

  /** Something that somebody does, and then a request of the device. */
  try(): void {
    const random = this.#random;
    switch (random.below(24)) {
      case 0:
        this.#kernelUnmaps();
        break;
      case 1:
        this.#kernelMaps();
        break;
      case 2:
        this.#kernelChangesLeaves();
        break;
      case 3:
        this.#guestInvalidates();
        break;
      case 4:
        this.#nested = this.#nestedDomain(random.below(8) === 0 ? random.below(0x1400) : this.#table(false));
        this.#attach();
        break;
      case 5:
        this.#iommu.evict();
        break;
      case 6:
      case 7:
        this.#write(this.#pick(this.#tables), random.below(512), this.#word(random.below(2) === 0));
        break;
      case 8:
        // A context or an entry of the table of processes.
        if (random.below(4) === 0) this.#write(this.#structures, random.below(8), this.#word(false));
        break;
      default:
    }
    this.#request();
  }

  #request(): void {
    const random = this.#random;
    const isKnown = this.#reached.length > 0 && random.below(3) > 0;
    const page = isKnown ? this.#pick(this.#reached) : random.below(2 ** 27) + random.below(2 ** 8) * 2 ** 27;
    const { lo, hi } = frameHalves(page);
    const access: DmaAccess = (['read', 'write', 'atomic'] as const)[random.below(3)] ?? 'read';
    const kind = random.below(8) === 0 ? 'translation' : 'untranslated';
    this.counts.requests++;
    this.#isHardware = true;
    const steps = this.#device.dma({
      ...{ requester: DEVICE, pasid: null, addressLo: lo, addressHi: hi, length: 8, access, kind },
    });
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done !== true) {
        this.#check(step.value);
        continue;
      }
      if (step.value?.ok === false && step.value.stage === 2) this.counts.refusedByStage2++;
      // Caches are of use for what is asked for again only.
      if (step.value?.ok === true && !isKnown) {
        if (this.#reached.length >= KNOWN) this.#reached.shift();
        this.#reached.push(page);
      }
      break;
    }
    this.#isHardware = false;
  }

  #check(step: HardwareStep): void {
    switch (step.kind) {
      case 'fetch': {
        const isGuests =
          step.role.startsWith('process') && (this.#kind.kind === 'amd-vi' || this.#kind.kind === 'smmuv3');
        this.#require(Math.floor(step.address / 4096), READ, `the structure "${step.role}"`, !isGuests);
        break;
      }
      case 'read':
        if (step.stage === 1) this.counts.reads++;
        this.#requireTable(step.stage, step.address, READ);
        break;
      case 'update':
        if (step.stage === 1) this.counts.updates++;
        this.#requireTable(step.stage, step.address, WRITE);
        break;
      case 'access':
        this.counts.reached++;
        this.#require(
          step.outputHi * 0x100000 + (step.outputLo >>> 12),
          step.write ? WRITE : READ,
          'an access',
        );
        break;
      default:
    }
  }

  #requireTable(stage: 1 | 2, address: number, needs: number): void {
    const frame = Math.floor(address / 4096);
    if (stage === 1)
      this.#require(frame, needs, needs === WRITE ? 'a mark of stage 1' : 'an entry of stage 1');
    else if (!this.#isKernels(frame))
      throw new Escape(`stage 2 at ${hex(address)}, which is not the kernel's`);
  }

  #isKernels(frame: number): boolean {
    return frame >= HOST_START && frame < HOST_END && !this.#owned.has(frame);
  }

  #require(frame: number, needs: number, what: string, orKernels = false): void {
    const allowed = (this.#permissions.get(frame) ?? 0) | (this.#lent.get(frame) ?? 0);
    if ((allowed & needs) === needs || (orKernels && this.#isKernels(frame))) return;
    throw new Escape(
      `${what}: frame ${hex(frame)} is ${needs === WRITE ? 'not mapped writable' : 'not mapped'}`,
    );
  }

  /** Requests come between the steps of the kernel, too. */
  #drive<Result>(steps: Steps<SoftwareStep, Result>, requests = false): Result {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      if (step.value.kind === 'poll' && !step.value.done) runCommands([this.#iommu]);
      if (requests && this.#random.below(4) === 0) this.#request();
    }
  }

  #giveMemory(): number {
    const block = this.#frames.allocate(BLOCK_PAGES);
    assert.ok(block !== undefined);
    valueOf(this.#drive(this.#parent.tables.map(BLOCK, block, BLOCK_PAGES, READ_WRITE)));
    for (let page = 0; page < BLOCK_PAGES; page++) this.#own(BLOCK + page, block + page, READ_WRITE);
    for (let page = GUEST_START; page < GUEST_START + SMALL_PAGES; page++) {
      const kind = this.#random.below(8);
      if (kind >= 2) this.#mapPage(page, kind === 2 ? READ : READ_WRITE, false);
    }
    const writable = [...this.#frameOf].filter(([, frame]) => this.#permissions.get(frame) === READ_WRITE);
    const pages = writable.map(([page]) => page);
    const small = pages.filter((page) => page < BLOCK);
    const structures = this.#pick(pages);
    for (let count = 0; count < TABLES; count++) {
      // Most are of 4K: the kernel takes those away.
      const table = count % 3 > 0 ? this.#pick(small) : (pages.at(-1 - this.#random.below(100)) ?? BLOCK);
      if (table !== structures) this.#tables.push(table);
    }
    for (const table of this.#tables) this.#fill(table);
    return structures;
  }

  #own(page: number, frame: number, permission: number): void {
    this.#frameOf.set(page, frame);
    this.#permissions.set(frame, permission);
    this.#owned.add(frame);
  }

  #mapPage(page: number, permission: number, requests: boolean): void {
    const frame = this.#frames.allocate();
    if (frame === undefined) return;
    // Ahead: a request between the steps may get there already.
    this.#owned.add(frame);
    this.#lent = new Map([[frame, permission]]);
    valueOf(this.#drive(this.#parent.tables.map(page, frame, 1, permission), requests));
    this.#lent = new Map();
    this.#own(page, frame, permission);
  }

  /** A page of guest memory goes; what it was in is nobody's afterwards. */
  #kernelUnmaps(): void {
    const page =
      this.#random.below(2) === 0 ? this.#pick(this.#tables) : GUEST_START + this.#random.below(SMALL_PAGES);
    const frame = this.#frameOf.get(page);
    if (frame === undefined || page >= BLOCK) return;
    this.#lent = new Map([[frame, this.#permissions.get(frame) ?? 0]]);
    this.#permissions.delete(frame);
    valueOf(this.#drive(this.#parent.tables.unmap(page, 1), true));
    this.#lent = new Map();
    this.#frameOf.delete(page);
  }

  #kernelMaps(): void {
    const away = this.#tables.filter((table) => !this.#frameOf.has(table));
    const page = away.length > 0 ? this.#pick(away) : GUEST_START + this.#random.below(SMALL_PAGES);
    if (this.#frameOf.has(page)) return;
    this.#mapPage(page, this.#random.below(4) === 0 ? READ : READ_WRITE, true);
    if (this.#tables.includes(page)) this.#fill(page);
  }

  #fill(table: number): void {
    const isLeafmost = this.#tables.indexOf(table) % 2 === 1;
    for (let index = 0; index < 512; index++) this.#write(table, index, this.#word(isLeafmost));
  }

  #kernelChangesLeaves(): void {
    const { tables } = this.#parent;
    const which = this.#random.below(3);
    const harvest = { startPage: GUEST_START, pages: BLOCK + BLOCK_PAGES - GUEST_START, clear: true };
    if (which === 0) this.#drive(tables.split(BLOCK, 12), true);
    else if (which === 1) this.#drive(tables.collapse(BLOCK, 21), true);
    else this.#drive(tables.readAndClearDirty(harvest), true);
  }

  #guestInvalidates(): void {
    const random = this.#random;
    const startPage = random.below(2 ** 27);
    const pages = 2 ** random.below(10);
    const [smallestShift, largestShift] = random.below(2) === 0 ? [12, 12] : [12, 21];
    const range = {
      startPage,
      endPage: startPage + pages,
      smallestShift,
      largestShift,
      tables: random.below(2) === 0,
    };
    const { flushes, devices } = this.#kind;
    const [make] = [Object.values(flushes)[random.below(Object.keys(flushes).length)] ?? devices];
    const commands = [...make(range, GUEST_SPACE), ...devices(range, DEVICE)].slice(0, 8);
    const rubbish = commands.map((command) =>
      command.map((word) => (random.below(4) === 0 ? this.#any() : word)),
    );
    this.#drive(
      this.#driver.invalidateNested(this.#nested, random.below(2) === 0 ? commands : rubbish),
      true,
    );
  }

  #nestedDomain(root: number): NestedDomain {
    const put = (address: bigint, words: readonly bigint[]): void => {
      words.forEach((word, index) => {
        this.#write(Number(address >> 12n), index, word);
      });
    };
    const tables = { root: frameNumber(root), format: this.#guestFormat, space: { rootEntry: 0 } };
    const structures = BigInt(this.#structures) << 12n;
    const words = this.#kind.describe({ tables, space: GUEST_SPACE, structures, put }, this.#capabilities);
    const isParents = this.#kind.kind === 'smmuv3' || this.#kind.kind === 'riscv';
    return { parent: this.#parent, id: isParents ? PARENT_ID : NESTED_ID, words };
  }

  #attach(): void {
    const attachment = { kind: 'nested', domain: this.#nested } as const;
    valueOf(this.#drive(this.#driver.attach(DEVICE, null, attachment, { ats: this.#device.ats }), true));
  }

  /** The guest's CPU writes; what is not mapped is not there for it either. */
  #write(page: number, index: number, word: bigint): void {
    const frame = this.#frameOf.get(page);
    if (frame === undefined || this.#permissions.get(frame) !== READ_WRITE) return;
    this.#arena.writeEntry(frameNumber(frame), index, Number(word & 0xffffffffn), Number(word >> 32n));
  }

  #word(leaf: boolean): bigint {
    const random = this.#random;
    const which = random.below(16);
    const page =
      which < 13 ? this.#table(leaf || random.below(3) === 0) : which < 14 ? BLOCK : random.below(0x1400);
    return which === 15 ? this.#any() : hostileWord(this.#kind.tables, page, leaf, random);
  }

  #any(): bigint {
    return BigInt(this.#random.below(2 ** 32)) | (BigInt(this.#random.below(2 ** 32)) << 32n);
  }

  /** Every other table is meant to hold leaves. */
  #table(leaves: boolean): number {
    return this.#tables[2 * this.#random.below(this.#tables.length >> 1) + Number(leaves)] ?? BLOCK;
  }

  #pick(pages: readonly number[]): number {
    return pages[this.#random.below(pages.length)] ?? BLOCK;
  }
}

/** Memory that tells of each frame that is touched, before it is. */
class WatchedMemory implements WritableMemory {
  readonly #memory: WritableMemory;
  readonly #touches: (frame: number, needs: number) => void;

  constructor(memory: WritableMemory, touches: (frame: number, needs: number) => void) {
    this.#memory = memory;
    this.#touches = touches;
  }

  get generation(): number {
    return this.#memory.generation;
  }

  get version(): number {
    return this.#memory.version;
  }

  readFrame(frame: FrameNumber): Uint32Array | undefined {
    this.#touches(frame, READ);
    return this.#memory.readFrame(frame);
  }

  explainMissing(frame: FrameNumber): string {
    return this.#memory.explainMissing(frame);
  }

  readEntry(frame: FrameNumber, index: number, into: EntryHalves): boolean {
    this.#touches(frame + Math.floor(index / 512), READ);
    return this.#memory.readEntry(frame, index, into);
  }

  writeEntry(frame: FrameNumber, index: number, lo: number, hi: number): boolean {
    this.#touches(frame + Math.floor(index / 512), WRITE);
    return this.#memory.writeEntry(frame, index, lo, hi);
  }

  casEntry(...[frame, index, ...words]: Parameters<WritableMemory['casEntry']>): boolean {
    this.#touches(frame + Math.floor(index / 512), WRITE);
    return this.#memory.casEntry(frame, index, ...words);
  }
}
