import { type Hwpt } from './hwpt';
import { type PlatformDevice } from './platform';
import { type VirtualDevice } from './viommu';

/** A device that is bound to an iommufd context. */
export interface IommufdDevice {
  readonly kind: 'device';
  readonly id: number;
  users: number;
  readonly device: PlatformDevice;
  /** By PASID; null: requests without one. */
  readonly attached: Map<number | null, Hwpt>;
  virtual: VirtualDevice | undefined;
}
