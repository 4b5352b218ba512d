import { type IommuDriver } from '../driver/iommuDriver';
import { type IommufdPlatform } from '../driver/iommufd/platform';
import { type AtsDevice } from '../iommu/device/atsDevice';
import { type Iommu } from '../iommu/iommu';
import { type Pasid, type RequesterId } from '../values';

/** An IOMMU of a machine, and the kernel's driver of it. */
export interface MachineUnit {
  readonly name: string;
  readonly iommu: Iommu;
  readonly driver: IommuDriver;
  readonly platform: IommufdPlatform;
}

/** A device of a machine. */
export interface MachineFunction {
  readonly unit: MachineUnit;
  readonly requester: RequesterId;
  readonly device: AtsDevice;
  /** Its object at iommufd. */
  readonly id: number;
  /** By PASID; null: requests without one. */
  readonly attached: Map<Pasid | null, AttachedTo>;
}

/** The HWPT's id, or what takes the place of one. */
export type AttachedTo = number | 'pass-through' | 'blocked';
