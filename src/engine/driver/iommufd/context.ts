import { type Access } from './access';
import { type BitmapCarelessness } from './dirtyBitmap';
import { type IommufdDevice } from './viommu';
import { type EventQueue } from './eventQueue';
import { type FaultQueue } from './faultQueue';
import { type HardwareQueue } from './hardwareQueue';
import { type PagingHwpt } from './hwpt';
import { type NestedHwpt } from './viommu';
import { type Ioas } from './ioas';
import { type ObjectTable } from './objects';
import { type PinnedMemory } from './platform';
import { type VirtualDevice, type VirtualIommu } from './viommu';

/** A mediated device's use of an address space. */
export interface AccessObject {
  readonly kind: 'access';
  readonly id: number;
  users: number;
  access: Access;
}

export type AnyObject =
  | Ioas
  | IommufdDevice
  | PagingHwpt
  | NestedHwpt
  | FaultQueue
  | VirtualIommu
  | VirtualDevice
  | EventQueue<VirtualIommu>
  | HardwareQueue<VirtualIommu>
  | AccessObject;

/** What one open of /dev/iommu has. */
export interface IommufdContext {
  readonly objects: ObjectTable<AnyObject>;
  readonly memory: PinnedMemory;
  /** How the writer of dirty bitmaps is careless. */
  readonly bitmap: BitmapCarelessness | undefined;
}
