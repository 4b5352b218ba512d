import { addressGateOfPage, gateOfPage } from '../../directory/gate';
import { type DirectoryAnswer } from '../../directory/deviceDirectory';
import { type AccessObserver, type Writer } from '../../ledger/accessObserver';
import { READ, WRITE } from '../../pageTable/entryClass';
import { type Steps } from '../../steps';
import { frameHalves, type Pasid, type RequesterId } from '../../values';
import { pageAt } from '../addressHalves';
import { heldPart, type Iotlb } from '../caches/iotlb';
import { type CachedTranslation } from '../caches/translationCache';
import { type HardwareStep } from '../hardwareStep';
import { neededBy, type DmaRequest, type RequestOutcome } from '../request';
import { type HardwareRules } from '../rules';
import { type AtsSettings, type FaultReport, type IommuVendor } from '../vendor';
import {
  BLOCKED,
  DISALLOWED,
  conflict,
  deniedBy,
  deniedByCached,
  filled,
  goalOf,
  outcomeAt,
  translated,
  wayOf,
  type Refusal,
  type Translation,
  type Walked,
} from './answers';
import { isAnsweredAll, isOfDevice } from './ats';
import { type Context, type Contexts } from './contexts';
import { type InFlight } from './inFlight';
import { walkStage } from './stageWalk';
import { wayWithPrivilege, type TableWay } from './tableWay';
import { guestPageOf, inputPage, isEnough, mayLeave, translationOf } from './translated';
import { TO_PREFETCH, type StageLeaf, type WalkGoal, type WalkRefusal, type WalkUnit } from './walkGoals';

/** Where refused requests are told. */
export interface FaultSink {
  /** False: nothing was recorded, as the vendor records no such fault, or the log has no room. */
  record(report: FaultReport): boolean;
}

/** What requests of one IOMMU share. */
export interface RequestUnit {
  readonly name: string;
  readonly vendor: IommuVendor;
  readonly rules: HardwareRules;
  readonly walk: WalkUnit;
  readonly iotlb: Iotlb;
  readonly contexts: Pick<Contexts, 'directory' | 'known' | 'find'>;
  readonly faults: FaultSink;
  readonly inFlight: InFlight;
  readonly observer: AccessObserver;
}

const AGAIN = Symbol('the request starts again');
/** An invalidation starts a request again that is not translated yet: at most so often. */
const MOST_RESTARTS = 1000;

/** Number of the request in flight; 0: not yet, or not any more. */
interface Flight {
  ticket: number;
  /** What is known of the device, once it is. */
  context?: Context;
}

/** Requests of devices, step by step, and in one go where the IOTLB answers. */
export class Requests {
  readonly #unit: RequestUnit;

  constructor(unit: RequestUnit) {
    this.#unit = unit;
  }

  /** One request; each step is one atomic action. It lies within one page (`splitRequest`). */
  *request(request: DmaRequest): Steps<HardwareStep, RequestOutcome> {
    this.#unit.walk.counters.requests++;
    const flight: Flight = { ticket: 0 };
    try {
      for (let restarts = 0; restarts < MOST_RESTARTS; restarts++) {
        const outcome = yield* this.#attempt(request, flight);
        if (outcome !== AGAIN) return outcome;
        this.#unit.walk.counters.retries++;
      }
      return yield* this.#refuse(request, flight, { fault: 'table-unreadable', depth: 0, stage: null });
    } finally {
      this.#unit.inFlight.land(flight.ticket);
    }
  }

  /**
   * As `request` in one go, for a request that the caches answer: the same outcome, counters and observed access, without the
   * steps. Undefined: it takes more than that, and nothing was done. `lookedUp` is called before the data lands.
   */
  answerFromCaches(request: DmaRequest, lookedUp?: () => void): RequestOutcome | undefined {
    const { iotlb, contexts, rules, walk } = this.#unit;
    const { requester, pasid, access } = request;
    if (request.kind !== 'untranslated' || request.privileged === true || rules.bbml < 2) return undefined;
    const context = contexts.known(requester, pasid);
    const { directory } = contexts;
    if (context?.answer.kind !== 'table' || 'code' in directory) return undefined;
    const asked = pageAt(request.addressLo, request.addressHi);
    if (gateOfPage(directory, asked, pasid) || addressGateOfPage(directory, context.answer, asked))
      return undefined;
    const needs = neededBy(access);
    const way = wayOf(context, asked);
    if (!way || (context.answer.permission & needs) !== needs) return undefined;
    const page = inputPage(way, request);
    const slot = iotlb.find(way.tag.vm, way.tag.space, page);
    if (slot < 0 || !isEnough(iotlb, slot, goalOf(request)) || !mayLeave(way, iotlb, slot, page))
      return undefined;
    walk.counters.requests++;
    walk.counters.hits++;
    const outputPage = iotlb.outputPage(slot, page);
    const shift = iotlb.shift(slot);
    const permission = iotlb.permission(slot) & context.answer.permission;
    const cached = iotlb.entryAt(slot);
    lookedUp?.();
    this.#land(request, asked, outputPage, cached);
    return outcomeAt(request, outputPage, permission, shift, true);
  }

  /** A translation that no request asked for: cached when there is one. It sets no D. */
  *prefetch(requester: RequesterId, pasid: Pasid | null, page: number): Steps<HardwareStep, boolean> {
    const { contexts, walk } = this.#unit;
    const { directory } = contexts;
    if ('code' in directory || gateOfPage(directory, page, pasid)) return false;
    const { epoch } = walk;
    const context = yield* contexts.find(requester, pasid);
    const way = wayOf(context, page);
    if (walk.epoch !== epoch || !way) return false;
    if (addressGateOfPage(directory, context.answer, page)) return false;
    const found = yield* this.#walk(way, page, frameHalves(page), TO_PREFETCH);
    if (found === AGAIN || 'ok' in found) return false;
    const held = this.#held(found, page);
    if (!held || held.permission === 0) return false;
    this.#unit.iotlb.insert(held);
    walk.counters.prefetches++;
    yield filled(held);
    return true;
  }

  *#attempt(request: DmaRequest, flight: Flight): Steps<HardwareStep, RequestOutcome | typeof AGAIN> {
    const { contexts, walk } = this.#unit;
    const { requester, pasid, kind } = request;
    const { epoch } = walk;
    const { directory } = contexts;
    if ('code' in directory) return yield* this.#refuse(request, flight, BLOCKED);
    const page = pageAt(request.addressLo, request.addressHi);
    const gate = gateOfPage(directory, page, pasid);
    if (gate) return yield* this.#meet(request, gate.answer, flight);
    const context = yield* contexts.find(requester, pasid);
    if (walk.epoch !== epoch) return AGAIN;
    flight.context = context;
    const { answer, ats } = context;
    if (kind !== 'untranslated' && !(answer.kind === 'fault' && isOfDevice(answer.fault))) {
      if (!ats.enabled) return yield* this.#refuse(request, flight, DISALLOWED);
      if (kind === 'translated' && ats.givesGuestAddresses !== true)
        return yield* this.#pass(request, READ | WRITE, flight);
    }
    if (answer.kind === 'fault') return yield* this.#meet(request, answer, flight, context.refused);
    if (kind !== 'translated' && this.#refusesPrivilege(request, context))
      return yield* this.#refuse(request, flight, DISALLOWED);
    const tooWide = addressGateOfPage(directory, answer, page);
    if (tooWide) return yield* this.#meet(request, tooWide.answer, flight);
    if (kind !== 'translation') {
      const missing = neededBy(request.access) & ~answer.permission;
      if (missing !== 0) return yield* this.#refuse(request, flight, deniedBy(missing, null));
    }
    if (answer.kind === 'pass-through') return yield* this.#pass(request, answer.permission, flight);
    const way = wayOf(context, page);
    const through = kind === 'translated' ? (way?.stage2 ?? way) : way && wayWithPrivilege(way, request);
    if (!through) return yield* this.#refuse(request, flight, BLOCKED);
    const found = yield* this.#translate(request, through, flight);
    if (found === AGAIN) return AGAIN;
    if (found.fault) return yield* this.#refuse(request, flight, found);
    if (kind !== 'translation') return yield* this.#access(request, found, answer.permission, flight);
    return this.#grant(request, through, found, answer.permission, ats);
  }

  #refusesPrivilege({ privileged, pasid }: DmaRequest, { entries }: Context): boolean {
    return privileged === true && pasid !== null && this.#unit.vendor.refusesPrivilege?.(entries) === true;
  }

  /** From the IOTLB, or from the tables; then the request is in flight. */
  *#translate(
    request: DmaRequest,
    way: TableWay,
    flight: Flight,
  ): Steps<HardwareStep, Translation | Refusal | typeof AGAIN> {
    const { iotlb, rules, walk } = this.#unit;
    const { counters } = walk;
    const { tag } = way;
    const goal = goalOf(request);
    const page = inputPage(way, request);
    const slot = way.isKept === false ? -1 : iotlb.find(tag.vm, tag.space, page);
    const cached = slot < 0 ? undefined : iotlb.entryAt(slot);
    const refused =
      cached?.fault ??
      (cached && rules.refusesFromCache === true && !way.stage2 ? deniedByCached(cached, goal) : undefined);
    const isHit =
      refused !== undefined || (slot >= 0 && isEnough(iotlb, slot, goal) && mayLeave(way, iotlb, slot, page));
    if (isHit) counters.hits++;
    else counters.misses++;
    // What is not enough for this request is of no more use: the walk puts another one in its place.
    if (cached && !isHit && !isEnough(iotlb, slot, goal)) iotlb.dropSlot(slot);
    const conflicts = cached && rules.bbml < 2 && iotlb.conflicting(cached) !== undefined;
    if (isHit && refused === undefined && !conflicts) this.#takeOff(request, flight);
    yield { kind: 'lookup', cache: 'iotlb', hit: isHit, tag };
    if (conflicts) return conflict(way);
    if (refused !== undefined) return { fault: refused, depth: 0, stage: way.space.stage, way };
    if (isHit && cached) return translated(cached, page, true);
    const address = { lo: request.addressLo >>> 0, hi: request.addressHi >>> 0 };
    const found = yield* this.#walk(way, page, address, goal);
    if (found === AGAIN) return AGAIN;
    if ('ok' in found) {
      if (way.isKept !== false && this.#keepRefusal(way, page, found)) yield filled({ tag, page, shift: 12 });
      return { ...found, way };
    }
    const held = way.isKept === false ? undefined : this.#held(found, page);
    if (held) {
      const conflicting = rules.bbml < 2 && iotlb.conflicting(held) !== undefined;
      iotlb.insert(held);
      if (!conflicting) this.#takeOff(request, flight);
      yield filled(held);
      if (conflicting) return conflict(way);
    } else this.#takeOff(request, flight);
    return translated(held ?? found.entry, page, false);
  }

  /** Both stages, without the IOTLB. */
  *#walk(
    way: TableWay,
    page: number,
    { lo, hi }: { readonly lo: number; readonly hi: number },
    goal: WalkGoal,
  ): Steps<HardwareStep, Walked | WalkRefusal | typeof AGAIN> {
    const { vendor, walk } = this.#unit;
    const { epoch } = walk;
    const leaf = yield* walkStage(walk, way, lo, hi, goal);
    if (!leaf.ok) return leaf;
    let below: StageLeaf | undefined;
    if (way.stage2) {
      const allowed = goal.write && (goal.kind === 'access' || (leaf.permission & WRITE) !== 0);
      const under = yield* walkStage(walk, way.stage2, leaf.lo, leaf.hi, { ...goal, write: allowed });
      if (walk.epoch !== epoch) return AGAIN;
      if (!under.ok) return under;
      below = under;
    }
    return { entry: translationOf(vendor, way, page, leaf, below), mayHold: this.#mayHold(way, leaf, below) };
  }

  #mayHold(way: TableWay, leaf: StageLeaf, below: StageLeaf | undefined): boolean {
    const { vendor, rules } = this.#unit;
    if (!vendor.mayHold) return true;
    const mayHold = ({ space }: TableWay, { depth, leafLo }: StageLeaf): boolean =>
      vendor.mayHold?.(space, depth, leafLo, rules.bbml) ?? true;
    return mayHold(way, leaf) && (!below || !way.stage2 || mayHold(way.stage2, below));
  }

  /** The part of a translation that the IOTLB holds; undefined: it holds no such. */
  #held({ entry, mayHold }: Walked, page: number): CachedTranslation | undefined {
    const { iotlb, vendor, rules } = this.#unit;
    return iotlb.capacity === 0 || !mayHold
      ? undefined
      : heldPart(entry, rules.cachedShifts ?? vendor.cachedShifts, page);
  }

  /** Not-present entries are cached where software is told to reckon with it (VT-d CAP.CM, AMD NpCache). */
  #keepRefusal(way: TableWay, page: number, { fault, stage, guestLo, guestHi }: WalkRefusal): boolean {
    const { iotlb, rules } = this.#unit;
    if (!rules.cachesNotPresent || fault !== 'not-present' || iotlb.capacity === 0) return false;
    const guest = guestLo === undefined || guestHi === undefined ? -1 : pageAt(guestLo, guestHi);
    iotlb.insert({
      tag: way.tag,
      global: false,
      page,
      shift: 12,
      outputPage: 0,
      permission: 0,
      accessedDone: false,
      dirtyDone: false,
      stage1Shift: way.space.stage === 1 ? 12 : 0,
      stage2Shift: stage === 2 ? 12 : 0,
      guestPage: stage === 2 ? guest : -1,
      stage1Leaf: -1,
      stage2Leaf: -1,
      fault,
    });
    return true;
  }

  /** An answer that needs no tables. */
  *#meet(
    request: DmaRequest,
    answer: DirectoryAnswer,
    flight: Flight,
    refused?: WalkRefusal,
  ): Steps<HardwareStep, RequestOutcome> {
    if (answer.kind === 'fault') {
      const { fault, stage = null } = answer;
      return yield* this.#refuse(request, flight, refused ?? { fault, depth: 0, stage });
    }
    if (request.kind !== 'untranslated') return yield* this.#refuse(request, flight, DISALLOWED);
    return yield* this.#pass(request, answer.permission, flight);
  }

  /** Goes where its address says. */
  *#pass(request: DmaRequest, permission: number, flight: Flight): Steps<HardwareStep, RequestOutcome> {
    const page = pageAt(request.addressLo, request.addressHi);
    if (request.kind === 'translation')
      return outcomeAt(request, page, permission, this.#unit.rules.bareShift ?? 12, false);
    this.#takeOff(request, flight);
    const direct: Translation = { outputPage: page, permission, shift: 12, hit: false, cached: undefined };
    return yield* this.#access(request, direct, permission, flight);
  }

  /** The access itself. */
  *#access(
    request: DmaRequest,
    { outputPage, permission, shift, hit, cached }: Translation,
    allowed: number,
    flight: Flight,
  ): Steps<HardwareStep, RequestOutcome> {
    const asked = pageAt(request.addressLo, request.addressHi);
    this.#land(request, asked, outputPage, cached);
    this.#unit.inFlight.land(flight.ticket);
    flight.ticket = 0;
    const outcome = outcomeAt(request, outputPage, permission & allowed, shift, hit);
    yield {
      kind: 'access',
      outputLo: outcome.outputLo,
      outputHi: outcome.outputHi,
      length: request.length,
      write: request.access !== 'read',
    };
    return outcome;
  }

  /** Tells of an access as its data lands. */
  #land(request: DmaRequest, asked: number, frame: number, cached: CachedTranslation | undefined): void {
    const { observer, name } = this.#unit;
    const { requester, pasid, access, addressLo, length, through } = request;
    const writer: Writer = { kind: 'device', iommu: name, requester, pasid };
    // A device with a TLB of its own asked for another page.
    const page = through ? through.page + asked - through.outputPage : asked;
    const used = through ?? cached;
    const offset = addressLo & 0xfff;
    if (access !== 'write') observer.read(writer, page, frame, offset, length, used);
    if (access !== 'read') observer.wrote(writer, page, frame, offset, length, used);
  }

  /** The answer to a translation request. */
  #grant(
    request: DmaRequest,
    way: TableWay,
    { outputPage, permission, shift, hit, cached }: Translation,
    allowed: number,
    ats: AtsSettings,
  ): RequestOutcome {
    // Writes are granted only where they need no mark any more: the device will not ask again.
    const granted = cached?.dirtyDone === false ? permission & ~WRITE : permission;
    const page = inputPage(way, request);
    const guest = way.stage2 && cached ? guestPageOf(cached, page) : page;
    const output =
      ats.givesGuestAddresses === true && (way.stage2 ?? way).space.stage === 2 ? guest : outputPage;
    return outcomeAt(request, output, granted & allowed, shift, hit);
  }

  #takeOff(request: DmaRequest, flight: Flight): void {
    if (request.kind !== 'translation') flight.ticket = this.#unit.inFlight.start(neededBy(request.access));
  }

  *#refuse(
    request: DmaRequest,
    { context }: Flight,
    { fault, depth, stage, guestLo, guestHi, implicit = false, implicitWrite = false, way }: Refusal,
  ): Steps<HardwareStep, RequestOutcome> {
    const { vendor, faults, walk } = this.#unit;
    if (request.kind === 'translation' && isAnsweredAll(vendor.kind, fault))
      return outcomeAt(request, 0, 0, 12, false);
    walk.counters.faults++;
    const guest = guestLo === undefined || guestHi === undefined ? {} : { guestLo, guestHi };
    const space = way ? { space: way.space } : {};
    const entries = context ? { entries: context.entries } : {};
    const where = { fault, depth, stage, implicit, implicitWrite };
    const recorded = faults.record({ request, ...where, ...guest, ...space, ...entries });
    yield { kind: 'fault', fault, recorded };
    return { ok: false, fault, depth, stage, ...guest, ...(implicit ? { implicit } : {}) };
  }
}
