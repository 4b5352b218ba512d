/** A kernel's driver with its IOMMU, guests' tables, devices, and the ledger that hears of all they do. */
import assert from 'node:assert/strict';
import { Gather } from '../../../../src/engine/driver/pageTable/gather';
import { type Attachment, type KernelDomain } from '../../../../src/engine/driver/iommuDriver';
import { type RequestOutcome } from '../../../../src/engine/iommu/request';
import { type EmulatedKind } from '../../../../src/engine/iommu/vendor';
import { type FindingKind } from '../../../../src/engine/ledger/finding';
import { Ledger } from '../../../../src/engine/ledger/ledger';
import { READ_WRITE } from '../../../../src/engine/pageTable/entryClass';
import { Live, LIVE_VENDORS, type LiveOptions } from '../../../unit/engine/driver/vendors/live';

/** What a device names, the guest page behind it where a guest's tables come first, and the frame behind that. */
export const PAGE = 0x201;
export const GUEST_PAGE = 0x333;
export const FRAME = 0x9000;
export const DEVICE = 0x10;
export const OTHER = 0x123;

interface AttachOptions {
  readonly pasid?: number;
  readonly ats?: boolean;
}

/** Every step that changes what software promises is told to the ledger, whose guest pages are frames here. */
export class Story extends Live {
  readonly ledger: Ledger;

  constructor(kind: EmulatedKind, options: LiveOptions = {}) {
    const vendor = LIVE_VENDORS.find((each) => each.kind === kind);
    assert.ok(vendor);
    const ledger = new Ledger();
    super(vendor, { ...options, observer: ledger });
    this.ledger = ledger;
  }

  override map(domain: KernelDomain, page: number, frame: number, pages = 1): void {
    super.map(domain, page, frame, pages);
    this.ledger.mapped(domain.id, { startPage: page, endPage: page + pages }, frame, READ_WRITE);
  }

  /** Unmaps ranges whose invalidations are gathered, and done before it returns. `flush`: how the last word is said. */
  unmap(
    domain: KernelDomain,
    ranges: readonly (readonly [page: number, pages: number])[],
    flush: 'gathered' | 'everything' = 'gathered',
  ): void {
    const { tables } = domain;
    const gather = new Gather();
    const gone = ranges.map(([page, pages]) => {
      const range = { startPage: page, endPage: page + pages };
      this.ledger.unmapBegins(domain.id, range);
      const went = this.mustRun(tables.unmap(page, pages, gather));
      this.ledger.unmapBegins(domain.id, { startPage: page, endPage: page + went });
      return { startPage: page, endPage: page + went };
    });
    this.mustRun(flush === 'everything' ? tables.flusher.flushAll() : tables.sync(gather));
    for (const range of gone) this.ledger.invalidationDone(domain.id, range);
  }

  override attach(requester: number, attachment: Attachment, options: AttachOptions = {}): void {
    const space = { iommu: 'iommu0', requester, pasid: options.pasid ?? null };
    this.ledger.attachBegins(space, promised(attachment));
    super.attach(requester, attachment, options);
    this.ledger.attachEnds(space);
  }

  /** The guest's page `PAGE` leads to `GUEST_PAGE`, and that to `FRAME`. */
  guest() {
    const parent = this.domain(2);
    this.map(parent, GUEST_PAGE, FRAME, 4);
    const { attachment, tables } = this.nested(parent);
    this.mustRun(tables.map(PAGE, GUEST_PAGE, 4, READ_WRITE));
    return { parent, attachment, tables };
  }

  override dma(
    requester: number,
    page: number,
    access: 'read' | 'write' | 'atomic',
    process: number | null = null,
  ): RequestOutcome {
    const outcome = super.dma(requester, page, access, process);
    const space = { iommu: 'iommu0', requester, pasid: process };
    if (!outcome.ok) this.ledger.faulted(space, page, access !== 'read', outcome.fault);
    return outcome;
  }

  /** Tracking begins: everything is copied once. */
  track(domain: KernelDomain): void {
    this.harvest(domain, GUEST_PAGE, 4);
    this.mustRun(this.driver.setDirtyTracking(domain, true));
    this.ledger.trackingStarted();
    this.copyAll();
  }

  /** The destination has what memory holds now. */
  copyAll(): void {
    for (const range of this.ledger.behind) this.ledger.copied(range);
  }

  /** A round of a migration over pages of a domain: what is reported is copied. */
  round(domain: KernelDomain, page: number, pages: number): void {
    for (const each of this.harvest(domain, page, pages)) {
      const range = { startPage: each, endPage: each + 1 };
      this.ledger.harvested([range], domain.id);
      for (const guest of this.ledger.guestRanges(domain.id, range)) this.ledger.copied(guest);
    }
  }

  /** What went wrong, a kind once; data pages that the destination lacks, tables of guests left out. */
  verdict(): { readonly kinds: readonly FindingKind[]; readonly lost: readonly number[] } {
    this.ledger.finish();
    const all = this.ledger.findings.all().filter(({ kind }) => kind !== 'over-report');
    const lost = all
      .filter(({ kind }) => kind === 'lost-dirty')
      .flatMap(({ startPage, endPage }) =>
        Array.from({ length: endPage - startPage }, (_, index) => startPage + index),
      )
      .filter((page) => page >= FRAME);
    const kinds = new Set(all.map(({ kind }) => kind).filter((kind) => kind !== 'lost-dirty'));
    return { kinds: lost.length > 0 ? ['lost-dirty', ...kinds] : [...kinds], lost };
  }
}

const promised = (attachment: Attachment) => {
  if (attachment.kind === 'paging') return { domain: attachment.domain.id, nested: false };
  return attachment.kind === 'nested' ? { domain: attachment.domain.parent.id, nested: true } : null;
};

/** Plays the same story with the omission and without it; both in one assertion, so that each is seen beside the other. */
export function compare<T>(fault: string, play: (faults: readonly string[]) => T, broken: T, fixed: T): void {
  assert.deepEqual({ broken: play([fault]), fixed: play([]) }, { broken, fixed });
}
