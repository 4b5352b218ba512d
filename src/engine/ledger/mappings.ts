import { type CachedTranslation } from '../iommu/caches/translationCache';
import { type PageRange } from '../iommu/cacheOperation';
import { MappingLives, type MappingLife } from './mappingLives';

/** A device, or one PASID of it. */
export interface DeviceSpace {
  readonly iommu: string;
  readonly requester: number;
  readonly pasid: number | null;
}

/** The tables that a device's requests meet. */
export interface LedgerAttachment {
  /** The kernel's domain. */
  readonly domain: number;
  /** A guest's stage 1 stands before it: its pages are guest physical. */
  readonly nested: boolean;
}

/** What a device meets: null: nothing; `pass-through`: no tables, so that nothing it reaches is promised, or refused. */
export type LedgerAttached = LedgerAttachment | 'pass-through' | null;

/** A use of memory that no promise of software covers. */
export interface StaleUse {
  /** IOVA, or for a nested device guest physical page. */
  readonly page: number;
  readonly nested: boolean;
  /** The mapping that was used. */
  readonly life: MappingLife | undefined;
}

interface FaultWindow extends PageRange {
  readonly domain: number;
  readonly from: number;
  to: number;
}

/** Fault windows that are remembered after their end. */
const MOST_WINDOWS = 256;

/** Which domain each device uses, and what software mapped in each, now and before. */
export class Mappings {
  readonly #lives = new Map<number, MappingLives>();
  /** By IOMMU and device. While software replaces an attachment the device may use the old one and the new one. */
  readonly #attached = new Map<string, Map<number, readonly LedgerAttached[]>>();
  #windows: FaultWindow[] = [];

  lives(domain: number): MappingLives {
    const known = this.#lives.get(domain);
    if (known) return known;
    const lives = new MappingLives();
    this.#lives.set(domain, lives);
    return lives;
  }

  attachBegins(device: DeviceSpace, to: LedgerAttached): void {
    const known = this.#attached.get(device.iommu) ?? new Map<number, readonly LedgerAttached[]>();
    this.#attached.set(device.iommu, known);
    const [now = null] = known.get(deviceKey(device)) ?? [];
    known.set(deviceKey(device), [to, now]);
  }

  attachEnds(device: DeviceSpace): void {
    const known = this.#attached.get(device.iommu);
    const [now = null] = known?.get(deviceKey(device)) ?? [];
    known?.set(deviceKey(device), [now]);
  }

  /** What is wrong with an access of a device: undefined when it is covered, or nothing is known of the device. */
  judge(
    device: DeviceSpace,
    page: number,
    frame: number,
    write: boolean,
    cached: CachedTranslation | undefined,
  ): StaleUse | undefined {
    const attached = this.#attached.get(device.iommu)?.get(deviceKey(device));
    if (!attached || attached.includes('pass-through')) return undefined;
    let stale: StaleUse | undefined;
    for (const each of attached) {
      if (!each || each === 'pass-through') continue;
      const asked = each.nested ? guestPage(page, cached) : page;
      if (asked < 0) return undefined;
      const verdict = this.lives(each.domain).judge(asked, frame, write);
      if (verdict.kind === 'allowed') return undefined;
      if (!stale?.life) stale = { page: asked, nested: each.nested, life: verdict.life };
    }
    return stale ?? { page, nested: false, life: undefined };
  }

  /** Whether an access that began at step `since` and faulted now should not have. */
  isSpurious(device: DeviceSpace, page: number, write: boolean, since: number): boolean {
    const attached = this.#attached.get(device.iommu)?.get(deviceKey(device)) ?? [];
    const [only] = attached;
    if (attached.length !== 1 || !only || only === 'pass-through' || only.nested) return false;
    const excused = this.#windows.some(
      ({ domain, startPage, endPage, to }) =>
        domain === only.domain && page >= startPage && page < endPage && to >= since,
    );
    return !excused && this.lives(only.domain).promises(page, write, since);
  }

  /** From now on accesses of these pages may fault: a protocol that unmaps what it changes. */
  openWindow(domain: number, range: PageRange, step: number): void {
    this.#windows.push({
      domain,
      startPage: range.startPage,
      endPage: range.endPage,
      from: step,
      to: Infinity,
    });
    if (this.#windows.length > MOST_WINDOWS) this.#windows = this.#windows.slice(-MOST_WINDOWS);
  }

  closeWindows(domain: number, step: number): void {
    for (const window of this.#windows) if (window.domain === domain) window.to = Math.min(window.to, step);
  }
}

const deviceKey = ({ requester, pasid }: DeviceSpace): number =>
  requester * (2 ** 20 + 1) + (pasid ?? -1) + 1;

/** Where a request with a stage 1 went in stage 2; -1: not known. */
function guestPage(page: number, cached: CachedTranslation | undefined): number {
  if (!cached || cached.guestPage < 0) return -1;
  return cached.guestPage + page - cached.page;
}
