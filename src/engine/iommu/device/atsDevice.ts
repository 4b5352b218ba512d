import { WRITE } from '../../pageTable/entryClass';
import { powerOfTwo } from '../../pageTable/entry';
import { type SeededRandom } from '../../random';
import { runSteps, type Steps } from '../../steps';
import { type RequesterId } from '../../values';
import { pageAt } from '../addressHalves';
import { Iotlb } from '../caches/iotlb';
import { type CachedTranslation } from '../caches/translationCache';
import { type DeviceTlbOperation } from '../cacheOperation';
import { type HardwareStep } from '../hardwareStep';
import { neededBy, type DmaRequest, type RequestOutcome } from '../request';
import { type CacheGeometry, type HardwareRules } from '../rules';
import { splitRequest } from '../splitRequest';
import { Invalidations, wasInvalidated, type Flight } from './invalidations';

/** Where a device's requests go. */
export interface DmaPort {
  /** `evictEvery`: requests between two that the device's TLB drops an entry before, on average; absent: never by itself. */
  readonly rules?: Pick<HardwareRules, 'evictEvery'>;
  request(request: DmaRequest): Steps<HardwareStep, RequestOutcome>;
}

export interface AtsDeviceOptions {
  readonly requester: RequesterId;
  readonly port: DmaPort;
  /** Translations that its TLB holds at most; 0: none are kept. */
  readonly entries: number;
  readonly random: SeededRandom;
  /** Asks for translations from the start (ATS control, Enable). */
  readonly ats: boolean;
}

/**
 * A PCIe device that does DMA. With ATS it asks for translations, keeps them in a TLB of its own, and sends translated requests
 * (PCIe 6.0 §10.2); without, all its requests are untranslated.
 */
export class AtsDevice {
  readonly requester: RequesterId;
  readonly tlb: Iotlb;
  readonly #port: DmaPort;
  readonly #random: SeededRandom;
  readonly #invalidations = new Invalidations();
  #ats: boolean;
  #running = true;
  #inFlight = 0;

  constructor({ requester, port, entries, random, ats }: AtsDeviceOptions) {
    this.requester = requester;
    this.tlb = new Iotlb(geometryOf(entries), random);
    this.#port = port;
    this.#random = random;
    this.#ats = ats;
  }

  get ats(): boolean {
    return this.#ats;
  }

  /** ATS control, Enable: a device that stops to use ATS forgets all translations (PCIe 6.0 §10.5.1.3). */
  setAts(enable: boolean): void {
    this.#ats = enable;
    if (!enable) this.tlb.clear();
  }

  /** Requests on their way. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** No request starts any more; those on their way end (VFIO device state STOP, once `inFlight` is 0). */
  stop(): void {
    this.#running = false;
  }

  resume(): void {
    this.#running = true;
  }

  get running(): boolean {
    return this.#running;
  }

  /**
   * One transfer of any length, cut at pages, until one is refused; the last outcome. With `kind` `translation` the device asks
   * without an access, when it uses ATS; otherwise it decides itself how it asks. Undefined: it was stopped before the end.
   */
  *dma(request: DmaRequest): Steps<HardwareStep, RequestOutcome | undefined> {
    let last: RequestOutcome | undefined;
    for (const piece of splitRequest(request)) {
      if (!this.#running) return undefined;
      last = yield* this.#piece(piece);
      if (!last.ok) return last;
    }
    return last;
  }

  /** As `dma`, in one go. */
  runDma(request: DmaRequest): RequestOutcome | undefined {
    return runSteps(this.dma(request));
  }

  /**
   * An Invalidate Request. What it selects is gone at once; its completion is sent when no request is on its way that uses
   * such a translation (PCIe 6.0 §10.3.1), and not before `completionDelay` calls of `complete`.
   */
  invalidate({ pasid, global, pages }: DeviceTlbOperation, completed: () => void): void {
    // Larger entries go, too: a device must not keep what has a part in the range.
    this.tlb.invalidate({ vm: 0, ...(global ? {} : { space: pasid ?? -1 }), pages }, true);
    this.#invalidations.start({ space: global ? undefined : (pasid ?? -1), pages }, completed);
  }

  /** How many calls of `complete` an invalidation takes at least; Infinity: the device does not answer. */
  set completionDelay(calls: number) {
    this.#invalidations.delay = calls;
  }

  /** Sends the completions that can be sent now, each to who asked. */
  complete(): void {
    this.#invalidations.complete();
  }

  /** Invalidations without a completion. */
  get pendingInvalidations(): number {
    return this.#invalidations.pending;
  }

  *#piece(request: DmaRequest): Steps<HardwareStep, RequestOutcome> {
    this.#inFlight++;
    try {
      if (this.#ats) return yield* this.#withAts(request);
      return yield* this.#port.request({ ...request, kind: 'untranslated' });
    } finally {
      this.#inFlight--;
    }
  }

  *#withAts(request: DmaRequest): Steps<HardwareStep, RequestOutcome> {
    const page = pageAt(request.addressLo, request.addressHi);
    const flight = this.#invalidations.takeOff(request.pasid ?? -1, page);
    try {
      if (request.kind === 'translation') return yield* this.#translate(request, flight);
      return yield* this.#translated(request, flight);
    } finally {
      this.#invalidations.land(flight);
    }
  }

  /** Through the device's own TLB, which it fills first when it has to. */
  *#translated(request: DmaRequest, flight: Flight): Steps<HardwareStep, RequestOutcome> {
    const { space, page } = flight;
    const tag = { vm: 0, space };
    const { evictEvery = 0 } = this.#port.rules ?? {};
    if (evictEvery > 0 && this.#random.below(evictEvery) === 0 && this.tlb.evictOne())
      yield { kind: 'evict', cache: 'device-tlb' };
    let found = this.tlb.lookup(tag, page);
    const needs = neededBy(request.access);
    if (found && (found.permission & needs) !== needs) {
      // It was asked for without write permission (No Write), or granted for another access.
      this.tlb.drop(found);
      found = undefined;
    }
    yield { kind: 'lookup', cache: 'device-tlb', hit: found !== undefined, tag };
    if (!found) {
      const outcome = yield* this.#translate({ ...request, noWrite: (needs & WRITE) === 0 }, flight);
      if (!outcome.ok) return outcome;
      if ((outcome.permission & needs) !== needs) return denied((needs & ~outcome.permission & WRITE) !== 0);
      found = answered(tag, page, outcome);
    }
    const output = found.outputPage + page - found.page;
    return yield* this.#port.request({
      ...request,
      kind: 'translated',
      addressLo: ((output % 0x100000) * 4096 + (request.addressLo & 0xfff)) >>> 0,
      addressHi: Math.floor(output / 0x100000),
      through: found,
    });
  }

  *#translate(request: DmaRequest, flight: Flight): Steps<HardwareStep, RequestOutcome> {
    const tag = { vm: 0, space: flight.space };
    const outcome = yield* this.#port.request({ ...request, kind: 'translation' });
    if (!outcome.ok || outcome.permission === 0) return outcome;
    const entry = answered(tag, flight.page, outcome);
    // An answer that was on its way while its range was invalidated may be old: it is good for this one access at most.
    if (wasInvalidated(flight, entry.page, entry.shift)) return outcome;
    this.tlb.insert(entry);
    yield { kind: 'fill', cache: 'device-tlb', tag, page: entry.page, shift: entry.shift };
    return outcome;
  }
}

/** What an ATS completion says, as the device keeps it: it knows of no stages and no leaves. */
function answered(
  tag: CachedTranslation['tag'],
  page: number,
  { outputLo, outputHi, permission, shift }: RequestOutcome & { ok: true },
): CachedTranslation {
  const offset = page % powerOfTwo(shift - 12);
  return {
    tag,
    global: false,
    page: page - offset,
    shift,
    outputPage: pageAt(outputLo, outputHi) - offset,
    permission,
    accessedDone: true,
    dirtyDone: (permission & WRITE) !== 0,
    stage1Shift: shift,
    stage2Shift: 0,
    guestPage: -1,
    stage1Leaf: -1,
    stage2Leaf: -1,
  };
}

/** The device itself refuses: it was granted less than it needs. */
const denied = (writes: boolean): RequestOutcome => ({
  ok: false,
  fault: writes ? 'write-denied' : 'read-denied',
  depth: 0,
  stage: null,
});

/** At most 4 ways; as many sets as fit. */
function geometryOf(entries: number): CacheGeometry {
  const ways = Math.min(entries, 4);
  return { sets: ways === 0 ? 0 : 2 ** Math.floor(Math.log2(entries / ways)), ways };
}
