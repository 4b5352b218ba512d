import { type AccessObserver } from '../ledger/accessObserver';
import { type WritableMemory } from '../memory/writableMemory';
import { type AddressSpace } from '../pageTable/addressSpace';
import { type SeededRandom } from '../random';
import { runSteps, type Steps } from '../steps';
import { FRAME_BYTES, type Pasid, type RequesterId } from '../values';
import { addressOf, hiOf, loOf, pageAt } from './addressHalves';
import { betweenSteps, type Between } from './betweenSteps';
import { type CacheOperation } from './cacheOperation';
import { CommandQueue, type InvalidatedDevice } from './commandQueue';
import { FaultLog } from './faultLog';
import { storeValue } from './ringMemory';
import { Iotlb } from './caches/iotlb';
import { type StructureCache } from './caches/structureCache';
import { WalkCache } from './caches/walkCache';
import { type CacheName, type HardwareStep } from './hardwareStep';
import { type IommuPort } from './iommuPort';
import { type DmaRequest, type RequestOutcome } from './request';
import { type HardwareRules } from './rules';
import { type EmulatedKind, type IommuVendor, type RegisterFile } from './vendor';
import { Contexts } from './translate/contexts';
import { noCounts, type Counters } from './translate/counters';
import { InFlight } from './translate/inFlight';
import { Requests } from './translate/requests';
import { CpuCache, walkedMemory } from './translate/staleView';
import { walkStage } from './translate/stageWalk';
import { TO_WRITE, type WalkUnit } from './translate/walkGoals';
import { secondStage } from './translate/tableWay';
import { vendorOf } from './vendors/index';
import { misreading } from './vendors/riscv/misreading';

export interface IommuOptions {
  readonly name: string;
  readonly kind: EmulatedKind;
  /** As software sees it: a `CpuCache` where `rules.snoopsCaches` is false. */
  readonly memory: WritableMemory;
  readonly registers: RegisterFile;
  readonly rules: HardwareRules;
  readonly random: SeededRandom;
  readonly observer: AccessObserver;
}

/** Of a walk of four levels with its fetches: what happens by itself comes before one of so many steps. */
const STEPS_OF_A_REQUEST = 8;

/** What an IOMMU keeps. */
export interface IommuCaches {
  readonly iotlb: Iotlb;
  readonly walk: WalkCache;
  readonly contexts: StructureCache;
  readonly processes: StructureCache;
}

/** One emulated IOMMU: requests through its caches and the tables in memory, commands, faults. */
export class Iommu implements IommuPort {
  readonly name: string;
  readonly kind: EmulatedKind;
  readonly registers: RegisterFile;
  readonly rules: HardwareRules;
  readonly caches: IommuCaches;
  readonly counters: Counters = noCounts();
  readonly faults: FaultLog;
  /** Devices whose TLBs take invalidations, by requester id. */
  readonly devices = new Map<number, InvalidatedDevice>();
  readonly commands: CommandQueue;
  /** Requests that are translated, and have not accessed memory yet. */
  readonly inFlight = new InFlight();
  readonly #memory: WritableMemory;
  readonly #vendor: IommuVendor;
  readonly #random: SeededRandom;
  readonly #observer: AccessObserver;
  readonly #walk: WalkUnit;
  readonly #contexts: Contexts;
  readonly #requests: Requests;
  #epoch = 0;

  constructor(options: IommuOptions) {
    const { name, kind, memory, registers, rules, random, observer } = options;
    const vendor = misreading(vendorOf(kind), rules.mistakes);
    this.name = name;
    this.kind = kind;
    this.registers = registers;
    this.rules = rules;
    this.faults = new FaultLog(vendor, memory, registers);
    const { faults, inFlight } = this;
    this.#memory = memory;
    this.#vendor = vendor;
    this.#random = random;
    const iotlb = new Iotlb(rules.iotlb, random);
    const walkCache = new WalkCache(rules.walkCache, random);
    const epoch = (): number => this.#epoch;
    const walked = walkedMemory(memory, rules.snoopsCaches);
    const walk: WalkUnit = {
      memory: walked,
      rules,
      walkCache,
      counters: this.counters,
      get epoch() {
        return epoch();
      },
      markedGuest(guestAddress, address) {
        const frame = Math.floor(address / FRAME_BYTES);
        const page = Math.floor(guestAddress / FRAME_BYTES);
        observer.wrote({ kind: 'walker', iommu: name }, page, frame, address % FRAME_BYTES, 8);
      },
    };
    this.#observer = observer;
    this.#walk = walk;
    this.#contexts = new Contexts(kind, walked, vendor, registers, walk, rules, random);
    const { contexts, processes } = this.#contexts.caches;
    this.caches = { iotlb, walk: walkCache, contexts, processes };
    this.#requests = new Requests({
      name,
      vendor,
      rules,
      walk,
      iotlb,
      contexts: this.#contexts,
      faults,
      inFlight,
      observer,
    });
    this.commands = new CommandQueue({
      vendor,
      memory,
      registers,
      log: faults,
      store: (address, value, bytes) => storeValue(memory, address, value, bytes),
      apply: (operation) => {
        this.invalidate(operation);
      },
      device: (requester) => this.devices.get(requester),
      inFlight,
      drains: rules.drains,
    });
  }

  /** One request of a device, which lies within one page (`splitRequest`), as steps. */
  request(request: DmaRequest): Steps<HardwareStep, RequestOutcome> {
    const { requester, pasid, addressLo, addressHi } = request;
    const steps = this.#requests.request(request);
    const others = [
      ...this.#chosen(this.rules.evictEvery, () => {
        const evicted = this.evict();
        return evicted ? [evicted] : [];
      }),
      ...this.#chosen(this.rules.prefetchEvery, () =>
        this.prefetch(requester, pasid, pageAt(addressLo, addressHi) + this.#random.below(8)),
      ),
    ];
    return others.length === 0 ? steps : betweenSteps(steps, others);
  }

  /** What hardware does by itself during one of so many requests, and before which step. */
  #chosen(every: number, steps: () => Iterable<HardwareStep>): Between<HardwareStep>[] {
    if (every === 0 || this.#random.below(every) > 0) return [];
    return [{ at: this.#random.below(STEPS_OF_A_REQUEST), steps }];
  }

  /** The same in one go. */
  run(request: DmaRequest): RequestOutcome {
    return this.answer(request) ?? runSteps(this.request(request));
  }

  /**
   * The same when the caches answer it; undefined: they do not, and nothing was done. `lookedUp`: two lookups are done, that of the
   * context and that of the translation, and the data has not landed.
   */
  answer(request: DmaRequest, lookedUp?: () => void): RequestOutcome | undefined {
    const { evictEvery, prefetchEvery } = this.rules;
    return evictEvery + prefetchEvery === 0 ? this.#requests.answerFromCaches(request, lookedUp) : undefined;
  }

  /** Hardware caches a translation by itself: any that a walk could make now. True: it did. It sets no D. */
  prefetch(requester: RequesterId, pasid: Pasid | null, page: number): Steps<HardwareStep, boolean> {
    return this.#requests.prefetch(requester, pasid, page);
  }

  /** Hardware drops one cached entry by itself, by seed; undefined: there is none. `of`: of this cache only. */
  evict(of?: Exclude<CacheName, 'device-tlb'>): HardwareStep | undefined {
    const { iotlb, walk, contexts, processes } = this.caches;
    const named = { iotlb, walk, context: contexts, process: processes } as const;
    const filled = (Object.keys(named) as (keyof typeof named)[]).filter(
      (name) => named[name].size > 0 && (of === undefined || name === of),
    );
    const cache: (CacheName & keyof typeof named) | undefined = filled[this.#random.below(filled.length)];
    if (cache === undefined) return undefined;
    named[cache].evictOne();
    this.counters.evictions++;
    return { kind: 'evict', cache };
  }

  /** Drops what a command says from all caches; walks that are under way start again. */
  invalidate({ translations, tables, contexts, processes }: CacheOperation): void {
    this.#epoch++;
    const removesLarger = this.rules.removesLarger ?? this.#vendor.removesLarger;
    const ofLeaves = this.rules.mistakes?.includes('reaches-part-of-leaf') !== true;
    if (translations) this.caches.iotlb.invalidate(translations, removesLarger, ofLeaves);
    if (tables) this.caches.walk.invalidate(tables);
    this.#contexts.caches.invalidate({
      ...(contexts ? { contexts } : {}),
      ...(processes ? { processes } : {}),
    });
  }

  /**
   * A store of its own at a guest physical address, as completions of a guest's commands are: through the tables of a stage 2
   * that caches know by `vm`, with their marks, as a write of a device. False: it leads nowhere.
   */
  *store(
    space: AddressSpace,
    vm: number,
    address: number,
    value: bigint,
    bytes: 4 | 8,
  ): Steps<HardwareStep, boolean> {
    const found = yield* walkStage(
      this.#walk,
      secondStage(space, vm),
      loOf(address),
      hiOf(address),
      TO_WRITE,
    );
    if (!found.ok || !storeValue(this.#memory, addressOf(found), value, bytes)) return false;
    const offset = address % FRAME_BYTES;
    const page = Math.floor(address / FRAME_BYTES);
    const frame = pageAt(found.lo, found.hi);
    this.#observer.wrote({ kind: 'walker', iommu: this.name }, page, frame, offset, bytes);
    return true;
  }

  /** Writes words back from the CPUs' caches, so that a walker that does not snoop sees them. `address`: in bytes. */
  cleanLine(address: number, words: number): void {
    if (this.#memory instanceof CpuCache) this.#memory.clean(address, words);
  }

  /** Does one command of the queue; undefined: there is none, the queue is stopped, or a command has to wait. */
  runCommand(): HardwareStep | undefined {
    const step = this.commands.runOne();
    if (step?.kind === 'command' && step.done) this.counters.commands++;
    return step;
  }

  /** One access of software to a register, with its effect. */
  writeRegister(name: string, value: bigint): void {
    const { registers } = this;
    const { size } = registers;
    this.#vendor.write(registers, name, value);
    const { directory } = this.#contexts;
    const isSame =
      !('code' in directory) &&
      registers.size === size &&
      directory.registers.every((each) => registers.get(each.name) === each.value);
    if (!isSame) this.#contexts.reopen();
  }
}
