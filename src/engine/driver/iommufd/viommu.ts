import { type RequesterId } from '../../values';
import { type NestedDomain } from '../iommuDriver';
import { type FaultQueue } from './faultQueue';
import { type EventQueue } from './eventQueue';
import { type PagingHwpt } from './hwpt';
import { type HardwareQueue } from './hardwareQueue';
import { type GuestDomains, type IommufdPlatform, type PlatformDevice } from './platform';

/** IOMMU_VIOMMU_TYPE_*. */
export const VIOMMU_TYPE_DEFAULT = 0;
export const VIOMMU_TYPE_SMMUV3 = 1;

/** A slice of an IOMMU that a guest has: over a nest parent, with ids of the guest's own. */
export class VirtualIommu implements GuestDomains {
  readonly kind = 'viommu';
  readonly id: number;
  users = 0;
  readonly type: number;
  readonly platform: IommufdPlatform;
  readonly parent: PagingHwpt;
  /** By the guest's id. */
  readonly devices = new Map<bigint, VirtualDevice>();
  readonly queues: HardwareQueue<VirtualIommu>[] = [];
  /** By type. */
  readonly events = new Map<number, EventQueue<VirtualIommu>>();
  /** Guest domain ids, and how many of the guest's stage-1 tables use each. */
  readonly #domains = new Map<number, { readonly host: number; users: number }>();

  constructor(id: number, type: number, platform: IommufdPlatform, parent: PagingHwpt) {
    this.id = id;
    this.type = type;
    this.platform = platform;
    this.parent = parent;
  }

  requesterOf(virtualId: bigint): RequesterId | undefined {
    return this.devices.get(virtualId)?.device.device.requester;
  }

  virtualIdOf(requester: RequesterId): bigint | undefined {
    for (const [virtualId, { device }] of this.devices)
      if (device.device.requester === requester) return virtualId;
    return undefined;
  }

  domainOf(guestDomain: number): number | undefined {
    return this.#domains.get(guestDomain)?.host;
  }

  /** Gives a guest's domain id a host's, or counts one more user of the one it has. */
  useDomain(guestDomain: number, host: () => number): number {
    const entry = this.#domains.get(guestDomain) ?? { host: host(), users: 0 };
    entry.users++;
    this.#domains.set(guestDomain, entry);
    return entry.host;
  }

  /** One user less; true: the host's id is free again. */
  dropDomain(guestDomain: number): boolean {
    const entry = this.#domains.get(guestDomain);
    if (!entry || --entry.users > 0) return false;
    return this.#domains.delete(guestDomain);
  }
}

/** A guest's device: which of ours its requester id means. */
export interface VirtualDevice {
  readonly kind: 'vdevice';
  readonly id: number;
  users: number;
  readonly viommu: VirtualIommu;
  readonly device: IommufdDevice;
  readonly virtualId: bigint;
}

interface StaleAttachment {
  readonly pasid: number | null;
  readonly hwpt: Hwpt;
}

/** A device that is bound to an iommufd context. */
export interface IommufdDevice {
  readonly kind: 'device';
  readonly id: number;
  users: number;
  readonly device: PlatformDevice;
  /** By PASID; null: requests without one. */
  readonly attached: Map<number | null, Hwpt>;
  /** Page tables whose attachment was refused, but which caches may lead to: they count as used. */
  stale: readonly StaleAttachment[];
  virtual: VirtualDevice | undefined;
}

/** A page table of user space's over one of the kernel's. */
export interface NestedHwpt {
  readonly kind: 'nested';
  readonly id: number;
  users: number;
  readonly parent: PagingHwpt;
  readonly platform: IommufdPlatform;
  readonly domain: NestedDomain;
  readonly viommu: VirtualIommu | undefined;
  readonly fault: FaultQueue | undefined;
}

export type Hwpt = PagingHwpt | NestedHwpt;

/** The kernel's page table of either. */
export const pagingOf = (hwpt: Hwpt): PagingHwpt => (hwpt.kind === 'hwpt' ? hwpt : hwpt.parent);
