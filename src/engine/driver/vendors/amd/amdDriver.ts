import { type Steps } from '../../../steps';
import { type RequesterId } from '../../../values';
import { type AmdCapabilities } from '../../capabilities/amd';
import { done, refused, type Outcome } from '../../errno';
import { type FlushRange } from '../../flusher';
import { type KernelDomain } from '../../iommuDriver';
import { type SoftwareStep } from '../../softwareStep';
import { blockOf } from '../common/ranges';
import { type Use } from '../common/uses';
import { type GuestTarget, type VendorDriver, type VendorParts } from '../common/vendorDriver';
import { type EncodedCommand } from '../common/encodedCommand';
import { checkUse, FIRST_DEVICE_DOMAIN } from './checks';
import {
  BLOCKED_DTE,
  gcr3Entry,
  GUEST_PAGING_MODE,
  guestDte,
  HAD,
  hasGuest,
  hostDte,
  isValid,
  nestedDte,
  passThroughDte,
  withHostTables,
  type DteWords,
} from './entries';
import { DeviceGcr3Tables } from './gcr3Tables';
import { translateGuestCommand } from './guestCommands';
import {
  invalidateAll,
  invalidateDeviceTlb,
  invalidateDte,
  invalidateGuestPages,
  invalidateHostPages,
} from './invalidations';

const FULL = refused('ENOMEM', 'there is no memory for device or GCR3 tables');
const DTE_BYTES = 32;
const FRAME = 4096;
/** 256 commands. */
const QUEUE_LOG2 = 8;
/** Bits of Control (AMD 48882 3.10 §3.4). */
const CONTROL = { IommuEn: 0, EventLogEn: 2, Coherent: 10, CmdBufEn: 12, GTEn: 16, GCR3TRPMode: 58 } as const;

const isPaging = (use: Use, stage: 1 | 2): boolean =>
  use.attachment.kind === 'paging' && use.attachment.domain.stage === stage;

/** AMD-Vi as Linux drives it: host tables (v1) for domains that track, guest tables (v2) by GCR3 tables, nesting by guests' DTEs. */
export class AmdDriver implements VendorDriver {
  readonly dirtyStages: readonly (1 | 2)[];
  readonly cachesNotPresent: boolean;
  readonly #parts: VendorParts;
  readonly #capabilities: AmdCapabilities;
  readonly #gcr3: DeviceGcr3Tables;
  /** Devices with a domain id of their own. */
  readonly #deviceDomains = new Map<RequesterId, number>();
  #table = 0;

  constructor(capabilities: AmdCapabilities, parts: VendorParts) {
    this.#parts = parts;
    this.#capabilities = capabilities;
    this.#gcr3 = new DeviceGcr3Tables(parts.memory, capabilities.pasidBits, capabilities.gcr3Levels);
    this.cachesNotPresent = capabilities.cachesNotPresent;
    this.dirtyStages = capabilities.hostAccessed && capabilities.hostDirty ? [2] : [];
  }

  *initialise(): Steps<SoftwareStep, Outcome<null>> {
    const { memory, port, status, submitter } = this.#parts;
    const { deviceBits, eventRecords, invalidateAll: canInvalidateAll } = this.#capabilities;
    const devices = 2 ** deviceBits;
    const frames = (devices * DTE_BYTES) / FRAME;
    const table = memory.allocate(devices * DTE_BYTES);
    const queue = memory.allocate(FRAME);
    const log = memory.allocate(eventRecords * 16);
    if (table === undefined || queue === undefined || log === undefined || !status.make()) return FULL;
    for (let device = 0; device < devices; device++) memory.put(table + device * DTE_BYTES, [BLOCKED_DTE[0]]);
    this.#table = table;
    yield { kind: 'build', name: 'device table, command buffer and event log', frames: frames + 2 };
    port.writeRegister('DevTabBase', BigInt(table) | BigInt(frames - 1));
    port.writeRegister('CmdBufBase', BigInt(queue) | (BigInt(QUEUE_LOG2) << 56n));
    port.writeRegister('EventLogBase', BigInt(log) | (BigInt(Math.log2(eventRecords)) << 56n));
    yield { kind: 'software', name: 'base registers set' };
    port.writeRegister('Control', this.#control());
    yield { kind: 'software', name: 'translation on' };
    return canInvalidateAll ? yield* submitter.run([invalidateAll()]) : done(null);
  }

  #control(): bigint {
    const { guestLevels, gcr3AtGuestAddress, coherent } = this.#capabilities;
    const bits = [
      CONTROL.EventLogEn,
      CONTROL.CmdBufEn,
      CONTROL.IommuEn,
      ...(coherent ? [CONTROL.Coherent] : []),
      ...(guestLevels > 0 ? [CONTROL.GTEn] : []),
      ...(gcr3AtGuestAddress ? [CONTROL.GCR3TRPMode] : []),
    ];
    return bits.reduce((all, bit) => all | (1n << BigInt(bit)), 0n);
  }

  check(use: Use, others: readonly Use[]): Outcome<null> {
    return checkUse(use, others, this.#capabilities, this.#gcr3.pasids);
  }

  *attach(use: Use, before: Use, others: readonly Use[]): Steps<SoftwareStep, Outcome<null>> {
    const needsGcr3 = isPaging(use, 1) || isPaging(before, 1);
    const entry = needsGcr3 ? this.#gcr3.entry(use.requester, use.pasid) : undefined;
    if (needsGcr3 && entry === undefined) return FULL;
    // A new root is there before the DTE leads to it; an old one goes after the DTE does not any more.
    if (entry !== undefined && isPaging(use, 1)) {
      const linked = yield* this.#setGuestRoot(entry, use, before);
      if (!linked.ok) return linked;
    }
    const written = yield* this.#writeDte(use.requester, this.#dteOf([use, ...others]), before);
    if (!written.ok || entry === undefined || isPaging(use, 1)) return written;
    return yield* this.#setGuestRoot(entry, use, before);
  }

  /** One word: nothing is torn. What was cached of the PASID goes. */
  *#setGuestRoot(address: number, use: Use, before: Use): Steps<SoftwareStep, Outcome<null>> {
    const { memory } = this.#parts;
    const { attachment } = use;
    const isGuest = attachment.kind === 'paging' && attachment.domain.stage === 1;
    const next = isGuest ? gcr3Entry(attachment.domain.tables.root * FRAME) : 0n;
    const now = memory.read(address);
    if (now === next) return done(null);
    yield* memory.store('GCR3 entry', address, next);
    return (now & 1n) === 0n ? done(null) : yield* this.#forget(before, []);
  }

  /** What all uses of a device make of its entry. */
  #dteOf(uses: readonly Use[]): DteWords {
    const own = uses.find(({ pasid }) => pasid === null);
    const [first] = uses;
    const attachment = own?.attachment ?? { kind: 'blocked' };
    if (!first) return BLOCKED_DTE;
    const { requester, ats } = first;
    if (attachment.kind === 'nested') {
      const { parent, id, words } = attachment.domain;
      return nestedDte(parent, id, words, { marks: this.#marks(uses), ats });
    }
    if (attachment.kind === 'paging' && attachment.domain.stage === 2)
      return hostDte(attachment.domain, this.#marks(uses), ats);
    const guests = uses.flatMap((use) =>
      use.attachment.kind === 'paging' && use.attachment.domain.stage === 1 ? [use.attachment.domain] : [],
    );
    const [guest] = guests;
    if (!guest) {
      return attachment.kind === 'pass-through'
        ? passThroughDte(this.#deviceDomain(requester), ats)
        : BLOCKED_DTE;
    }
    const gcr3 = this.#gcr3.root(requester, false) ?? 0;
    const levels = guest.tables.format.rootDepth;
    // Without GIOV requests without a PASID pass; with it those of a blocked device find no root for PASID 0.
    const forAll = attachment.kind !== 'pass-through';
    const tables = { gcr3, gcr3Levels: this.#gcr3.levels, levels, forAll };
    return guestDte(this.#deviceDomain(requester), tables, ats);
  }

  #marks(uses: readonly Use[]): boolean {
    const attachment = uses.find(({ pasid }) => pasid === null)?.attachment;
    if (attachment?.kind === 'paging') return attachment.domain.dirtyTracking;
    return attachment?.kind === 'nested' && this.#parts.policy.tracksLateAttach
      ? attachment.domain.parent.dirtyTracking
      : false;
  }

  /** PASIDs of one device belong to several domains, and its entry has one id for all of them. */
  #deviceDomain(requester: RequesterId): number {
    const known = this.#deviceDomains.get(requester);
    if (known !== undefined) return known;
    const id = FIRST_DEVICE_DOMAIN + this.#deviceDomains.size;
    this.#deviceDomains.set(requester, id);
    return id;
  }

  /**
   * By halves of 128 bits: of an entry that gets valid, or keeps its host tables, the upper one first; of one with guest tables
   * the lower one first. Another number of guest levels goes by way of an entry that blocks.
   */
  *#writeDte(requester: RequesterId, next: DteWords, before: Use): Steps<SoftwareStep, Outcome<null>> {
    const { memory } = this.#parts;
    const address = this.#table + requester * DTE_BYTES;
    const [w0 = 0n, w1 = 0n, w2 = 0n, w3 = 0n] = memory.readAll(address, 4);
    const now: DteWords = [w0, w1, w2, w3];
    if (now.every((word, index) => word === next[index])) return done(null);
    const lower = () => memory.storePair('DTE words 0 and 1', address, [next[0], next[1]]);
    const upper = () => memory.storePair('DTE words 2 and 3', address + 16, [next[2], next[3]]);
    const upperSame = w2 === next[2] && w3 === next[3];
    const keepsGuest = hasGuest(now) && hasGuest(next);
    const otherLevels = keepsGuest && ((w2 ^ next[2]) & GUEST_PAGING_MODE) !== 0n;
    if (isValid(now) && otherLevels) {
      yield* memory.storePair('DTE words 0 and 1', address, [BLOCKED_DTE[0], BLOCKED_DTE[1]]);
      const forgotten = yield* this.#forget(before, [invalidateDte(requester)]);
      if (!forgotten.ok) return forgotten;
    }
    const upperFirst = !hasGuest(now) || otherLevels;
    if (upperFirst && !upperSame) yield* upper();
    yield* lower();
    if (!upperFirst && !upperSame) yield* upper();
    return yield* this.#forget(before, [invalidateDte(requester)]);
  }

  /** Drops what is cached of an attachment that was there before. */
  *#forget(before: Use, structures: readonly EncodedCommand[]): Steps<SoftwareStep, Outcome<null>> {
    const { submitter } = this.#parts;
    const forgotten = yield* submitter.run([...structures, ...this.#translationsOf(before)]);
    if (!forgotten.ok || !before.ats || before.attachment.kind === 'blocked') return forgotten;
    return yield* submitter.run(this.deviceTlbCommands(before, null));
  }

  #translationsOf({ requester, pasid, attachment }: Use): EncodedCommand[] {
    switch (attachment.kind) {
      case 'blocked':
        return [];
      case 'pass-through':
        return [invalidateHostPages(this.#deviceDomain(requester), null)];
      case 'paging':
        return attachment.domain.stage === 2
          ? [invalidateHostPages(attachment.domain.id, null)]
          : [invalidateGuestPages(this.#deviceDomain(requester), pasid, null)];
      case 'nested':
        return [invalidateHostPages(attachment.domain.id, null)];
    }
  }

  /** HAD in each entry, each forgotten; then all translations of the domain. */
  *track(uses: readonly Use[], enable: boolean): Steps<SoftwareStep, Outcome<null>> {
    const { memory, submitter } = this.#parts;
    for (const { requester } of uses) {
      const address = this.#table + requester * DTE_BYTES;
      const word = memory.read(address);
      const next = enable ? word | HAD : word & ~HAD;
      if (next === word) continue;
      yield* memory.store('DTE word 0 (HAD)', address, next);
      const forgotten = yield* submitter.run([invalidateDte(requester)]);
      if (!forgotten.ok) return forgotten;
    }
    const translations = uses.flatMap((use) => this.#translationsOf(use));
    const devices = uses.filter(({ ats }) => ats).flatMap((use) => this.deviceTlbCommands(use, null));
    return yield* submitter.flush(translations, devices);
  }

  /** Mode and root are in one word, so that a walk sees the old or the new tables; the entry's copy in caches goes. */
  *changeTop(domain: KernelDomain, uses: readonly Use[]): Steps<SoftwareStep, Outcome<null>> {
    const { memory, submitter } = this.#parts;
    for (const { requester } of uses) {
      const address = this.#table + requester * DTE_BYTES;
      yield* memory.store('DTE word 0 (Mode, root)', address, withHostTables(memory.read(address), domain));
    }
    return yield* submitter.run(uses.map(({ requester }) => invalidateDte(requester)));
  }

  translationCommands(
    domain: KernelDomain,
    uses: readonly Use[],
    range: FlushRange | null,
  ): EncodedCommand[] {
    const block = range && blockOf(range, this.#parts.policy);
    if (domain.stage === 1) {
      return uses.map(({ requester, pasid }) =>
        invalidateGuestPages(this.#deviceDomain(requester), pasid, block),
      );
    }
    const ids = uses.flatMap(({ attachment }) =>
      attachment.kind === 'paging' || attachment.kind === 'nested' ? [attachment.domain.id] : [],
    );
    return [...new Set(ids)].map((id) => invalidateHostPages(id, block));
  }

  deviceTlbCommands({ requester, pasid }: Use, range: FlushRange | null): EncodedCommand[] {
    return [invalidateDeviceTlb(requester, pasid, range && blockOf(range, this.#parts.policy))];
  }

  guestCommands(target: GuestTarget, words: readonly bigint[]): Outcome<readonly EncodedCommand[]> {
    return translateGuestCommand(target, words);
  }
}
