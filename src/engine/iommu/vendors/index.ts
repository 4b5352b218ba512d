import { type EmulatedKind, type IommuVendor } from '../vendor';
import { amdVendor } from './amd';
import { riscvVendor } from './riscv';
import { smmuVendor } from './smmuv3';
import { vtdVendor } from './vtd';

const VENDORS: Readonly<Record<EmulatedKind, IommuVendor>> = {
  'vt-d': vtdVendor,
  'amd-vi': amdVendor,
  smmuv3: smmuVendor,
  riscv: riscvVendor,
};

/** What an IOMMU of this kind does in its vendor's way. */
export const vendorOf = (kind: EmulatedKind): IommuVendor => VENDORS[kind];
