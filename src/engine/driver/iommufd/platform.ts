import { type RequesterId } from '../../values';
import { type Steps } from '../../steps';
import { type Outcome } from '../errno';
import { type FlushRange } from '../flusher';
import { type IommuDriver, type KernelDomain, type NestedDomain } from '../iommuDriver';
import { type SoftwareStep } from '../softwareStep';
import { type AddressRange } from './ranges';

/** Neighbouring frames of 4 KiB. */
export interface FrameExtent {
  readonly frame: number;
  readonly frames: number;
}

/** Pages of user memory that stay where they are, until they are unpinned. */
export interface Pin {
  /** What stands behind the pinned addresses, in their order. */
  readonly extents: readonly FrameExtent[];
}

/** User memory as a kernel reaches it. */
export interface PinnedMemory {
  /** Bytes of a page of the CPU, of which whole ones are pinned: a power of two, at least 4096. */
  readonly pageBytes: number;
  /**
   * Pins the pages of `length` bytes from a user address on, both multiples of 4096. Undefined when one of them is not
   * mapped, or not for the writes that are wanted. An owner that pins a page twice holds one reference.
   */
  pin(owner: object, address: bigint, length: bigint, write: boolean): Pin | undefined;
  unpin(pin: Pin): void;
}

/** READ and WRITE of a mapping. */
export interface MapAccess {
  readonly read: boolean;
  readonly write: boolean;
}

/** A page table of the kernel's with the operations on it that an IO address space needs. Pages are of 4 KiB. */
export interface PagingDomain {
  readonly kernel: KernelDomain;
  /** Bytes of the smallest page. */
  readonly granule: number;
  /** Input addresses that its tables can map. */
  readonly aperture: AddressRange;
  /** `small`: by pages of the smallest size only. */
  map(
    startPage: number,
    extent: FrameExtent,
    access: MapAccess,
    small: boolean,
  ): Steps<SoftwareStep, Outcome<null>>;
  /** Removes and flushes: when it is done, the frames may be used otherwise. */
  unmap(startPage: number, endPage: number): Steps<SoftwareStep, Outcome<null>>;
  /**
   * Tells dirty leaves by the pages that they map and, when asked, makes them clean; gaps are skipped. Returns what has to
   * be flushed; null: nothing was cleared. `bitmap` false: only to clear, which is allowed without tracking, too.
   */
  readDirty(
    startPage: number,
    endPage: number,
    options: { readonly clear: boolean; readonly bitmap: boolean },
    report: (startPage: number, endPage: number) => void,
  ): Steps<SoftwareStep, Outcome<FlushRange | null>>;
  /** Wherever it is attached. */
  flush(range: FlushRange): Steps<SoftwareStep, Outcome<null>>;
  setDirtyTracking(enable: boolean): Steps<SoftwareStep, Outcome<null>>;
  /** A device behind this driver's IOMMU is about to be attached to it, or to a stage 1 over it; or is no more. */
  join(driver: IommuDriver): Outcome<null>;
  leave(driver: IommuDriver): void;
  /** Gives its tables back. */
  destroy(): Steps<SoftwareStep, void>;
}

/** An array of user space's, as it came. */
export interface UserArray {
  readonly type: number;
  readonly entryLength: number;
  readonly entryNumber: number;
  /** Null: a bad pointer. */
  readonly data: Uint8Array | null;
}

/** A driver-specific structure of user space's. */
export interface UserData {
  readonly type: number;
  readonly length: number;
  /** Null: a bad pointer. */
  readonly data: Uint8Array | null;
}

/** How many entries of an array were handled before the first that failed. */
export interface Handled {
  readonly handled: number;
  readonly outcome: Outcome<null>;
}

/** One IOMMU and its driver, as iommufd asks it for domains. */
export interface IommufdPlatform {
  readonly driver: IommuDriver;
  /** IOMMU_GET_HW_INFO: out_data_type and the structure. */
  readonly hardwareInfo: { readonly type: number; readonly data: Uint8Array };
  createPaging(options: {
    readonly dirtyTracking: boolean;
    readonly nestParent: boolean;
  }): Steps<SoftwareStep, Outcome<PagingDomain>>;
  /** EOPNOTSUPP: other type; EINVAL: too short; EFAULT: bad pointer. `guest`: of the vIOMMU that asks. */
  createNested(parent: KernelDomain, data: UserData, guest?: GuestDomains): Outcome<NestedDomain>;
  /** Gives back what `createNested` took. */
  destroyNested(domain: NestedDomain, guest?: GuestDomains): void;
  invalidateNested(domain: NestedDomain, array: UserArray): Steps<SoftwareStep, Handled>;
  /** Absent: no vIOMMU here. */
  readonly virtual?: VirtualIommuPlatform;
}

/** What guests' own ids lead to, as hardware's tables hold it. */
export interface VirtualIds {
  /** The physical requester of a guest's; undefined: no such vDEVICE. */
  requesterOf(virtualId: bigint): RequesterId | undefined;
  /** The other way round. */
  virtualIdOf(requester: RequesterId): bigint | undefined;
  /** The host's domain id of a guest's; undefined: not used by the guest. */
  domainOf(guestDomain: number): number | undefined;
}

/** Host domain ids of a guest's, counted by the stage-1 tables that use them. */
export interface GuestDomains extends VirtualIds {
  useDomain(guestDomain: number, host: () => number): number;
  /** True: the host's id is free again. */
  dropDomain(guestDomain: number): boolean;
}

/** What an IOMMU adds for guests that have a vIOMMU object. */
export interface VirtualIommuPlatform {
  /** IOMMU_VIOMMU_TYPE_* that may be made. */
  readonly types: readonly number[];
  /** IOMMU_VEVENTQ_TYPE_* and IOMMU_HW_QUEUE_TYPE_* likewise. */
  readonly eventTypes: readonly number[];
  readonly queueTypes: readonly number[];
  /** Hardware queues that one vIOMMU may have. */
  readonly queues: number;
  invalidate(parent: KernelDomain, ids: VirtualIds, array: UserArray): Steps<SoftwareStep, Handled>;
}

/** A device that user space drives through iommufd. */
export interface PlatformDevice {
  readonly requester: RequesterId;
  readonly iommu: IommufdPlatform;
  /** Its IOMMU marks D for it. */
  readonly canTrackDirty: boolean;
  /** It can make page requests (PRI). */
  readonly canRequestPages: boolean;
  readonly ats: boolean;
  /** Input addresses that mean something else: interrupt messages. */
  readonly reserved: readonly AddressRange[];
}
