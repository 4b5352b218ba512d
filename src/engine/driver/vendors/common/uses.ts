import { type Pasid, type RequesterId } from '../../../values';
import { type Attachment, type KernelDomain, type NestedDomain } from '../../iommuDriver';

/** What one device, or one of its PASIDs, is attached to. */
export interface Use {
  readonly requester: RequesterId;
  readonly pasid: Pasid | null;
  readonly attachment: Attachment;
  /** The device has a TLB and uses it. */
  readonly ats: boolean;
}

export const BLOCKED: Attachment = { kind: 'blocked' };

/** Uses as a driver records them. While an attachment changes both the old and the new one count: both may be cached. */
export class Uses {
  readonly #now = new Map<string, Use>();
  readonly #leaving = new Map<string, Use>();
  /** Refused, but perhaps cached. */
  readonly #stale = new Map<string, readonly Use[]>();
  readonly #ats = new Map<RequesterId, boolean>();

  /** Blocked, when nothing was attached. */
  of(requester: RequesterId, pasid: Pasid | null): Use {
    const attachment = this.#now.get(keyOf(requester, pasid))?.attachment ?? BLOCKED;
    return { requester, pasid, attachment, ats: this.hasAts(requester) };
  }

  hasAts(requester: RequesterId): boolean {
    return this.#ats.get(requester) ?? false;
  }

  begin(use: Use): void {
    const key = keyOf(use.requester, use.pasid);
    const before = this.#now.get(key);
    if (before) this.#leaving.set(key, before);
    this.#now.set(key, use);
    this.#ats.set(use.requester, use.ats);
  }

  /** The change is done: nothing of the old one is cached any more. */
  settle({ requester, pasid, attachment }: Use): void {
    const key = keyOf(requester, pasid);
    this.#leaving.delete(key);
    if (attachment.kind === 'blocked') this.#now.delete(key);
    this.#forgetStale(key, attachment);
  }

  /** The change was refused, and what was before is there again; `isCached`: but not in all caches. */
  cancel(use: Use, isCached: boolean): void {
    const key = keyOf(use.requester, use.pasid);
    this.#forgetStale(key, use.attachment);
    if (isCached) this.#stale.set(key, [...(this.#stale.get(key) ?? []), use]);
    const before = this.#leaving.get(key);
    this.#leaving.delete(key);
    if (before) this.#now.set(key, before);
    else this.#now.delete(key);
    if (before) this.#ats.set(use.requester, before.ats);
  }

  isStale(requester: RequesterId, pasid: Pasid | null, attachment: Attachment): boolean {
    const stale = this.#stale.get(keyOf(requester, pasid)) ?? [];
    return stale.some((use) => isSame(use.attachment, attachment));
  }

  #forgetStale(key: string, attachment: Attachment): void {
    const stale = this.#stale.get(key) ?? [];
    this.#stale.set(
      key,
      stale.filter((use) => !isSame(use.attachment, attachment)),
    );
  }

  /** Of a device: with and without PASID. */
  ofDevice(requester: RequesterId): Use[] {
    return [...this.#now.values()].filter((use) => use.requester === requester).map(this.#withAts);
  }

  /** Attached to the domain itself; cached: or perhaps in caches as if it were. */
  direct(domain: KernelDomain, which: Which = 'attached'): Use[] {
    return this.#all(which, ({ attachment }) => attachment.kind === 'paging' && attachment.domain === domain);
  }

  /** Attached to a nested domain above it. */
  above(domain: KernelDomain, which: Which = 'attached'): Use[] {
    return this.#all(
      which,
      ({ attachment }) => attachment.kind === 'nested' && attachment.domain.parent === domain,
    );
  }

  ofNested(domain: NestedDomain): Use[] {
    return this.#all(
      'attached',
      ({ attachment }) => attachment.kind === 'nested' && attachment.domain === domain,
    );
  }

  #all(which: Which, wanted: (use: Use) => boolean): Use[] {
    const stale = which === 'cached' ? [...this.#stale.values()].flat() : [];
    return [...this.#now.values(), ...this.#leaving.values(), ...stale].filter(wanted).map(this.#withAts);
  }

  /** ATS is of the whole device: what was attached before it was switched on is in its TLB as well. */
  readonly #withAts = (use: Use): Use => ({ ...use, ats: use.ats || this.hasAts(use.requester) });
}

type Which = 'attached' | 'cached';

function isSame(one: Attachment, other: Attachment): boolean {
  if (one.kind === 'paging') return other.kind === 'paging' && one.domain === other.domain;
  if (one.kind === 'nested') return other.kind === 'nested' && one.domain === other.domain;
  return one.kind === other.kind;
}

const keyOf = (requester: RequesterId, pasid: Pasid | null): string => `${requester} ${pasid ?? 'none'}`;
