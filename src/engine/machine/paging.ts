import { type Outcome } from '../driver/errno';
import { type FlushRange } from '../driver/flusher';
import { type IommuDriver, type KernelDomain } from '../driver/iommuDriver';
import { type FrameExtent, type MapAccess, type PagingDomain } from '../driver/iommufd/platform';
import { type AddressRange } from '../driver/iommufd/ranges';
import { type SoftwareStep } from '../driver/softwareStep';
import { type Ledger } from '../ledger/ledger';
import { READ, WRITE } from '../pageTable/entryClass';
import { type Steps } from '../steps';

/** Hears what is mapped and unmapped, for the ledger. Pages and frames of 4 KiB. */
export interface PagingListener {
  mapping(startPage: number, frame: number, pages: number, permission: number): void;
  unmapping(startPage: number, endPage: number): void;
  unmapped(startPage: number, endPage: number): void;
}

/** A paging domain of a machine: tells what is mapped. */
export class HeardPaging implements PagingDomain {
  listener: PagingListener | undefined;
  /** Pages of 4 KiB that are mapped. */
  mappedPages = 0;
  readonly #domain: PagingDomain;

  constructor(domain: PagingDomain) {
    this.#domain = domain;
  }

  get kernel(): KernelDomain {
    return this.#domain.kernel;
  }

  get granule(): number {
    return this.#domain.granule;
  }

  get aperture(): AddressRange {
    return this.#domain.aperture;
  }

  *map(
    startPage: number,
    extent: FrameExtent,
    access: MapAccess,
    small: boolean,
  ): Steps<SoftwareStep, Outcome<null>> {
    const permission = (access.read ? READ : 0) | (access.write ? WRITE : 0);
    this.listener?.mapping(startPage, extent.frame, extent.frames, permission);
    const mapped = yield* this.#domain.map(startPage, extent, access, small);
    if (mapped.ok) this.mappedPages += extent.frames;
    else this.listener?.unmapping(startPage, startPage + extent.frames);
    return mapped;
  }

  *unmap(startPage: number, endPage: number): Steps<SoftwareStep, Outcome<null>> {
    this.listener?.unmapping(startPage, endPage);
    const unmapped = yield* this.#domain.unmap(startPage, endPage);
    if (unmapped.ok) this.mappedPages -= endPage - startPage;
    // iommufd gives the pages back whether they went or not: whoever reaches them from now on does so by mistake.
    this.listener?.unmapped(startPage, endPage);
    return unmapped;
  }

  readDirty(...request: Parameters<PagingDomain['readDirty']>): ReturnType<PagingDomain['readDirty']> {
    return this.#domain.readDirty(...request);
  }

  flush(range: FlushRange): Steps<SoftwareStep, Outcome<null>> {
    return this.#domain.flush(range);
  }

  setDirtyTracking(enable: boolean): Steps<SoftwareStep, Outcome<null>> {
    return this.#domain.setDirtyTracking(enable);
  }

  join(driver: IommuDriver): Outcome<null> {
    return this.#domain.join(driver);
  }

  leave(driver: IommuDriver): void {
    this.#domain.leave(driver);
  }

  destroy(): Steps<SoftwareStep, void> {
    return this.#domain.destroy();
  }
}

/** Tells a ledger what a domain maps. */
export const tellingLedger = (ledger: Ledger, domain: number): PagingListener => ({
  mapping(startPage, frame, pages, permission) {
    ledger.mapBegins(domain, { startPage, endPage: startPage + pages }, frame, permission);
  },
  unmapping(startPage, endPage) {
    ledger.unmapBegins(domain, { startPage, endPage });
  },
  unmapped(startPage, endPage) {
    ledger.invalidationDone(domain, { startPage, endPage });
  },
});
