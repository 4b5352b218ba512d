import { READ, WRITE } from '../../pageTable/entryClass';
import { type Steps } from '../../steps';
import { FRAME_BYTES } from '../../values';
import { immediately } from '../vendors/common/immediately';
import { done, refused, type Outcome } from '../errno';
import { type Flusher, type FlushRange } from '../flusher';
import { type IommuDriver, type KernelDomain } from '../iommuDriver';
import { type DirtyReporting } from '../pageTable/dirty';
import { Gather } from '../pageTable/gather';
import { type SoftwareStep } from '../softwareStep';
import { type FrameExtent, type MapAccess, type PagingDomain } from './platform';
import { type AddressRange } from './ranges';

export interface TablesDomainOptions {
  readonly kernel: KernelDomain;
  /** Of the IOMMU that it was made for. */
  readonly home: IommuDriver;
  /** Input addresses that may be mapped. */
  readonly aperture: AddressRange;
  /** What is said of a dirty leaf that sticks out of the range. */
  readonly reporting: DirtyReporting;
  /** Gives the domain's id back. */
  readonly release: () => void;
}

/** A paging domain over real page tables, of one or more IOMMUs. */
export class TablesDomain implements PagingDomain {
  readonly kernel: KernelDomain;
  readonly granule: number;
  readonly aperture: AddressRange;
  readonly #home: IommuDriver;
  readonly #reporting: DirtyReporting;
  readonly #release: () => void;
  /** IOMMUs that it is attached at, with the number of attachments. */
  readonly #joined = new Map<IommuDriver, number>();

  constructor({ kernel, home, aperture, reporting, release }: TablesDomainOptions) {
    this.kernel = kernel;
    this.granule = 2 ** (kernel.tables.sizes.at(-1)?.shift ?? 12);
    this.aperture = aperture;
    this.#home = home;
    this.#reporting = reporting;
    this.#release = release;
    kernel.tables.flusher = this.#flusher();
  }

  /** AMD and VT-d have no marks to tell without tracking; those of SMMUv3 and RISC-V are always kept. */
  get #canReadDirty(): boolean {
    return this.kernel.dirtyTracking || ['smmuv3', 'riscv'].includes(this.#home.port.kind);
  }

  *map(
    startPage: number,
    { frame, frames }: FrameExtent,
    access: MapAccess,
    small: boolean,
  ): Steps<SoftwareStep, Outcome<null>> {
    const permission = (access.read ? READ : 0) | (access.write ? WRITE : 0);
    const { tables } = this.kernel;
    const step = small ? this.granule / FRAME_BYTES : frames;
    for (let at = 0; at < frames; at += step) {
      const outcome = yield* tables.map(startPage + at, frame + at, step, permission);
      if (outcome.ok) continue;
      if (at > 0) yield* this.unmap(startPage, startPage + at);
      return outcome;
    }
    return done(null);
  }

  *unmap(startPage: number, endPage: number): Steps<SoftwareStep, Outcome<null>> {
    const unmapped = yield* this.kernel.tables.unmap(startPage, endPage - startPage);
    if (!unmapped.ok) return unmapped;
    return unmapped.value === endPage - startPage
      ? done(null)
      : refused('EIO', `${unmapped.value} pages of ${endPage - startPage} were unmapped`);
  }

  *readDirty(
    startPage: number,
    endPage: number,
    { clear, bitmap }: { readonly clear: boolean; readonly bitmap: boolean },
    report: (startPage: number, endPage: number) => void,
  ): Steps<SoftwareStep, Outcome<FlushRange | null>> {
    if (bitmap && !this.#canReadDirty) return refused('EINVAL', 'dirty tracking is off');
    const gather = new Gather();
    const outcome = yield* this.kernel.tables.readAndClearDirty(
      {
        startPage,
        pages: endPage - startPage,
        clear,
        reporting: this.#reporting,
        sink: (page, pages) => {
          report(page, page + pages);
        },
      },
      gather,
    );
    if (outcome.ok) return done(gather.range ?? null);
    // Nobody else hears of what was cleared before.
    yield* this.kernel.tables.sync(gather);
    return outcome;
  }

  flush(range: FlushRange): Steps<SoftwareStep, Outcome<null>> {
    return this.kernel.tables.flusher.flush(range);
  }

  *setDirtyTracking(enable: boolean): Steps<SoftwareStep, Outcome<null>> {
    const { kernel } = this;
    const before = kernel.dirtyTracking;
    const told: IommuDriver[] = [];
    let outcome: Outcome<null> = done(null);
    for (const driver of this.#drivers()) {
      told.push(driver);
      outcome = yield* driver.setDirtyTracking(kernel, enable);
      if (!outcome.ok) break;
    }
    // Also the one that refuses may have told a part of its devices.
    if (!outcome.ok && before !== enable)
      for (const driver of told.reverse()) yield* driver.setDirtyTracking(kernel, before);
    kernel.dirtyTracking = outcome.ok ? enable : before;
    return outcome;
  }

  join(driver: IommuDriver): Outcome<null> {
    if (driver.port.kind !== this.#home.port.kind)
      return refused('EINVAL', `the tables are those of ${this.#home.port.name}, not of ${driver.port.name}`);
    this.#joined.set(driver, (this.#joined.get(driver) ?? 0) + 1);
    return done(null);
  }

  leave(driver: IommuDriver): void {
    const left = (this.#joined.get(driver) ?? 1) - 1;
    if (left > 0) this.#joined.set(driver, left);
    else this.#joined.delete(driver);
  }

  *destroy(): Steps<SoftwareStep, void> {
    yield* this.kernel.tables.dispose();
    this.#release();
  }

  #drivers(): IommuDriver[] {
    return [...new Set([this.#home, ...this.#joined.keys()])];
  }

  /** Wherever it is attached; a CPU that has to write entries back does so for the IOMMU that it was made for, too. */
  #flusher(): Flusher {
    const each = () => this.#drivers().map((driver) => driver.flusherOf(this.kernel));
    const all = (what: (flusher: Flusher) => Steps<SoftwareStep, Outcome<null>>) =>
      (function* () {
        for (const flusher of each()) {
          const outcome = yield* what(flusher);
          if (!outcome.ok) return outcome;
        }
        return done(null);
      })();
    return {
      flush: (range) => all((flusher) => flusher.flush(range)),
      flushAll: () => all((flusher) => flusher.flushAll()),
      clean: (address, words) => {
        for (const flusher of each()) flusher.clean(address, words);
      },
      changeTop: () => all((flusher) => flusher.changeTop()),
      mapped: (range) => all((flusher) => flusher.mapped?.(range) ?? immediately(done(null))),
    };
  }
}
