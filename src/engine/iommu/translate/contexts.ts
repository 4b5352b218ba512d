import {
  type DeviceDirectory,
  type DirectoryAnswer,
  type DirectoryLookup,
  type StructureAccess,
  type StructureEntry,
} from '../../directory/deviceDirectory';
import { openDirectory } from '../../directory/index';
import { joinHalves } from '../../memory/words';
import { type WritableMemory } from '../../memory/writableMemory';
import { type AddressSpace } from '../../pageTable/addressSpace';
import { type SeededRandom } from '../../random';
import { type Failure } from '../../result';
import { type Steps } from '../../steps';
import { FRAME_BYTES, frameNumber, type Pasid, type RequesterId } from '../../values';
import { StructureCache, StructureCaches, type CachedStructure } from '../caches/structureCache';
import { type HardwareStep } from '../hardwareStep';
import { type HardwareRules } from '../rules';
import { type AtsSettings, type IommuVendor, type RegisterFile } from '../vendor';
import { StructureView } from './structureView';
import { implicitWay, tableWay, type TableWay } from './tableWay';
import { walkStage } from './stageWalk';
import { TO_READ, type StageResult, type WalkRefusal, type WalkUnit } from './walkGoals';

/** What an IOMMU knows of one requester and PASID. */
export interface Context {
  readonly answer: DirectoryAnswer;
  /** Of the answer's space, and of the one for upper addresses. */
  readonly way: TableWay | undefined;
  readonly upper: TableWay | undefined;
  readonly ats: AtsSettings;
  /** The entries read on the way. */
  readonly entries: readonly StructureEntry[];
  /** What stage 2 refused while structures were read. */
  readonly refused?: WalkRefusal;
}

/** A context with what it was made from: it is good as long as caches hold these. */
interface KeptContext {
  readonly context: Context;
  readonly device: CachedStructure;
  readonly process: CachedStructure | undefined;
}

const NO_ATS: AtsSettings = { enabled: false };

/** Two words are read at once, so that larger entries may be torn. */
const WORDS_OF_A_FETCH = 2;
/** Entries that a lookup may take: software that changes them all the time must not hold it up for ever. */
const MOST_FETCHES = 64;
/** Spaces that a directory has made are let go after so many lookups. */
const LOOKUPS_OF_A_DIRECTORY = 4096;
const MOST_KEPT = 4096;

/**
 * From a request to its tables, through caches of device contexts and of processes. What entries mean is said by the vendor's
 * directory, which is looked up in memory as the caches have it; entries that they do not have are fetched, and it is looked
 * up again.
 */
export class Contexts {
  readonly caches: StructureCaches;
  readonly #kind: string;
  readonly #view: StructureView;
  readonly #vendor: IommuVendor;
  readonly #registers: RegisterFile;
  readonly #unit: WalkUnit;
  readonly #rules: HardwareRules;
  readonly #kept = new Map<number, KeptContext>();
  #directory: DeviceDirectory | Failure | undefined;
  #lookups = 0;

  constructor(
    kind: string,
    memory: WritableMemory,
    vendor: IommuVendor,
    registers: RegisterFile,
    unit: WalkUnit,
    rules: HardwareRules,
    random: SeededRandom,
  ) {
    this.#kind = kind;
    this.#view = new StructureView(memory);
    this.#vendor = vendor;
    this.#registers = registers;
    this.#unit = unit;
    this.#rules = rules;
    this.caches = new StructureCaches(
      new StructureCache(rules.contextEntries, random),
      new StructureCache(rules.processEntries, random),
      rules.mistakes?.includes('keeps-processes'),
    );
  }

  /** The directory as registers have it now; or why there is none: then every request is refused. */
  get directory(): DeviceDirectory | Failure {
    if (this.#directory) return this.#directory;
    const opened = openDirectory(this.#kind, this.#view, this.#registers);
    this.#lookups = 0;
    return (this.#directory = opened.ok ? opened.value : opened.failure);
  }

  /** Registers changed: what is cached stays until it is invalidated. */
  reopen(): void {
    this.#directory = undefined;
    this.#kept.clear();
  }

  /** What is known without reading memory. */
  known(requester: RequesterId, pasid: Pasid | null): Context | undefined {
    const key = keyOf(requester, pasid);
    const kept = this.#kept.get(key);
    if (!kept) return undefined;
    const { contexts, processes } = this.caches;
    const isGood =
      contexts.find(requester, null) === kept.device &&
      (!kept.process || processes.find(requester, pasid) === kept.process);
    if (isGood) return kept.context;
    this.#kept.delete(key);
    return undefined;
  }

  /** Looks the context up, and fetches what is not cached. */
  *find(requester: RequesterId, pasid: Pasid | null): Steps<HardwareStep, Context> {
    const known = this.known(requester, pasid);
    yield { kind: 'lookup', cache: 'context', hit: known !== undefined };
    if (known) return known;
    const { contexts, processes } = this.caches;
    const held: StructureEntry[] = [
      ...(contexts.find(requester, null)?.lookup.entries ?? []),
      ...(processes.find(requester, pasid)?.lookup.entries ?? []),
    ];
    for (let fetches = 0; ; fetches++) {
      const epoch = this.#unit.epoch;
      const lookup = this.#lookUp(requester, pasid, held);
      if ('code' in lookup) return refusing(lookup.message);
      const { answer, entries } = lookup;
      const missing = entries.find((entry) => !held.some((each) => isSame(each, entry)));
      if (missing && moved(held, missing)) continue;
      if (!missing && !(answer.kind === 'fault' && answer.access))
        return this.#keep(requester, pasid, lookup, held);
      if (fetches === MOST_FETCHES) return refusing('The entries of the device change all the time.');
      if (missing) {
        const fetched = yield* this.#fetch(missing, requester, pasid);
        if ('fault' in fetched) return this.#stoppedBelow(fetched, answer, held);
        // An invalidation meanwhile means what was read before it, too.
        if (this.#unit.epoch === epoch) held.push(fetched);
        else held.length = 0;
      } else if (answer.kind === 'fault' && answer.access) {
        const refused = yield* this.#below(answer.access, requester, pasid);
        if (!refused.ok) return this.#stoppedBelow(refused, answer, held);
      }
    }
  }

  #lookUp(
    requester: RequesterId,
    pasid: Pasid | null,
    held: readonly StructureEntry[],
  ): DirectoryLookup | Failure {
    if (this.#lookups++ > LOOKUPS_OF_A_DIRECTORY) this.reopen();
    this.#view.show(held);
    const { directory } = this;
    return 'code' in directory ? directory : directory.lookup(requester, pasid);
  }

  /** Where stage 2 puts a structure: hardware's own read. */
  *#below(
    { space, addressLo, addressHi }: StructureAccess,
    requester: RequesterId,
    pasid: Pasid | null,
  ): Steps<HardwareStep, StageResult> {
    const { vm } = this.#vendor.tagOf(space, requester, pasid);
    const found = yield* walkStage(this.#unit, implicitWay(space, vm), addressLo, addressHi, TO_READ);
    return found.ok ? found : { ...found, guestLo: addressLo, guestHi: addressHi, implicit: true };
  }

  #stoppedBelow(refused: WalkRefusal, answer: DirectoryAnswer, entries: readonly StructureEntry[]): Context {
    const why = answer.kind === 'fault' ? answer.why : 'Stage 2 refuses the access to a structure.';
    const fault = this.#vendor.structureFault?.(refused.fault) ?? refused.fault;
    return {
      ...refusing(why),
      entries,
      answer: { kind: 'fault', fault, why, stage: 2 },
      refused: { ...refused, fault },
    };
  }

  /** Reads an entry piece by piece; where its address is a guest's, stage 2 is walked for it first. */
  *#fetch(
    { role, address, index, words, says, under, through }: StructureEntry,
    requester: RequesterId,
    pasid: Pasid | null,
  ): Steps<HardwareStep, StructureEntry | WalkRefusal> {
    let from = address;
    if (under && through) {
      const access = { space: through, addressLo: under.inputLo, addressHi: under.inputHi };
      const found = yield* this.#below(access, requester, pasid);
      if (!found.ok) return found;
      from = found.hi * 0x1_0000_0000 + found.lo;
    }
    const read: bigint[] = [];
    while (read.length < words.length) {
      const at = from + read.length * 8;
      const count = Math.min(WORDS_OF_A_FETCH, words.length - read.length);
      for (let word = 0; word < count; word++) read.push(this.#word(at + word * 8));
      this.#unit.counters.fetches++;
      yield { kind: 'fetch', role, address: at, words: count };
    }
    return { role, address, index, words: read, says, ...(under && through ? { under, through } : {}) };
  }

  /** 0 where there is no memory, which the directory has said before. */
  #word(address: number): bigint {
    const halves = { lo: 0, hi: 0 };
    const frame = frameNumber(Math.floor(address / FRAME_BYTES));
    const held = this.#unit.memory.readEntry(frame, (address % FRAME_BYTES) / 8, halves);
    return held ? joinHalves(halves.lo, halves.hi) : 0n;
  }

  /** Caches what an answer was made from; a refusal only where hardware caches what is not present. */
  #keep(
    requester: RequesterId,
    pasid: Pasid | null,
    { answer, entries }: DirectoryLookup,
    held: readonly StructureEntry[],
  ): Context {
    const used = entries.map((entry) => held.find((each) => isSame(each, entry)) ?? entry);
    const context = this.#contextOf(answer, used, requester, pasid);
    const isRefused = answer.kind === 'fault' && !this.#rules.cachesNotPresent;
    const ofDevice = used.filter(({ role }) => role === 'root' || role === 'context');
    const ofProcess = used.filter(({ role }) => role === 'process-directory' || role === 'process');
    if (isRefused && ofProcess.length === 0) return context;
    const vm = context.way?.tag.vm ?? this.#vendor.domainOf?.(used) ?? -1;
    const device = this.#cached(requester, null, ofProcess.length === 0 ? vm : -1, answer, ofDevice);
    this.caches.contexts.insert(device);
    if (isRefused) return context;
    const process =
      ofProcess.length === 0 ? undefined : this.#cached(requester, pasid, vm, answer, ofProcess);
    if (process) this.caches.processes.insert(process);
    if (this.#kept.size === MOST_KEPT) this.#kept.clear();
    this.#kept.set(keyOf(requester, pasid), { context, device, process });
    return context;
  }

  /** What is cached already, when it is the same: other processes of the device rest on it. */
  #cached(
    requester: RequesterId,
    pasid: Pasid | null,
    vm: number,
    answer: DirectoryAnswer,
    entries: readonly StructureEntry[],
  ): CachedStructure {
    const cache = entries.some(({ role }) => role === 'root' || role === 'context')
      ? this.caches.contexts
      : this.caches.processes;
    const known = cache.find(requester, pasid);
    const isKnown =
      known?.lookup.entries.length === entries.length &&
      known.lookup.entries.every((entry, index) => entry === entries[index]);
    return isKnown ? known : { requester, pasid, vm, lookup: { answer, entries } };
  }

  #contextOf(
    answer: DirectoryAnswer,
    entries: readonly StructureEntry[],
    requester: RequesterId,
    pasid: Pasid | null,
  ): Context {
    const words = entries.find(({ role }) => role === 'context')?.words ?? [];
    const wayOf = (space: AddressSpace | undefined): TableWay | undefined =>
      space && tableWay(this.#vendor, space, requester, pasid, words);
    const { space, upper } = answer.kind === 'table' ? answer : {};
    return {
      answer,
      way: wayOf(space),
      upper: wayOf(upper),
      ats: words.length === 0 ? NO_ATS : this.#vendor.atsOf(answer, words),
      entries,
    };
  }
}

const isSame = (one: StructureEntry, other: StructureEntry): boolean =>
  one.address === other.address && one.role === other.role && one.words.length === other.words.length;

/** Shows an entry that is known by its guest physical address where stage 2 has it now; false: it is not known. */
function moved(held: StructureEntry[], { role, under, address }: StructureEntry): boolean {
  const index = held.findIndex(
    (each) =>
      under &&
      each.role === role &&
      each.under?.inputLo === under.inputLo &&
      each.under.inputHi === under.inputHi,
  );
  const known = held[index];
  if (known) held[index] = { ...known, address };
  return known !== undefined;
}

/** Requester ids have up to 32 bits, PASIDs 20. */
const keyOf = (requester: RequesterId, pasid: Pasid | null): number =>
  requester * 2 ** 21 + (pasid ?? -1) + 1;

function refusing(why: string): Context {
  const answer: DirectoryAnswer = { kind: 'fault', fault: 'translation-blocked', why };
  return { answer, way: undefined, upper: undefined, ats: NO_ATS, entries: [] };
}
