import { type FaultQueue } from './faultQueue';
import { type Ioas } from './ioas';
import { type IommufdPlatform, type PagingDomain } from './platform';

/** Flags of IOMMU_HWPT_ALLOC. */
export const HWPT_ALLOC_NEST_PARENT = 1;
export const HWPT_ALLOC_DIRTY_TRACKING = 2;
export const HWPT_FAULT_ID_VALID = 4;

/** IOMMU_HWPT_DATA_*: what a driver-specific structure is. */
export const HWPT_DATA_NONE = 0;

/** A page table of the kernel's that maps an IO address space. */
export interface PagingHwpt {
  readonly kind: 'hwpt';
  readonly id: number;
  users: number;
  readonly ioas: Ioas;
  readonly platform: IommufdPlatform;
  readonly domain: PagingDomain;
  /** Made for an attach to the address space; goes with its last device. */
  readonly auto: boolean;
  readonly nestParent: boolean;
  readonly dirtyTracking: boolean;
  readonly fault: FaultQueue | undefined;
}
