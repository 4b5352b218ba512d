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
  }

  /** The change was refused before anything was written. */
  cancel(use: Use): void {
    const key = keyOf(use.requester, use.pasid);
    const before = this.#leaving.get(key);
    this.#leaving.delete(key);
    if (before) this.#now.set(key, before);
    else this.#now.delete(key);
    if (before) this.#ats.set(use.requester, before.ats);
  }

  /** Of a device: with and without PASID. */
  ofDevice(requester: RequesterId): Use[] {
    return [...this.#now.values()].filter((use) => use.requester === requester).map(this.#withAts);
  }

  /** Attached to the domain itself. */
  direct(domain: KernelDomain): Use[] {
    return this.#all(({ attachment }) => attachment.kind === 'paging' && attachment.domain === domain);
  }

  /** Attached to a nested domain above it. */
  above(domain: KernelDomain): Use[] {
    return this.#all(({ attachment }) => attachment.kind === 'nested' && attachment.domain.parent === domain);
  }

  ofNested(domain: NestedDomain): Use[] {
    return this.#all(({ attachment }) => attachment.kind === 'nested' && attachment.domain === domain);
  }

  #all(wanted: (use: Use) => boolean): Use[] {
    return [...this.#now.values(), ...this.#leaving.values()].filter(wanted).map(this.#withAts);
  }

  /** ATS is of the whole device: what was attached before it was switched on is in its TLB as well. */
  readonly #withAts = (use: Use): Use => ({ ...use, ats: use.ats || this.hasAts(use.requester) });
}

const keyOf = (requester: RequesterId, pasid: Pasid | null): string => `${requester} ${pasid ?? 'none'}`;
