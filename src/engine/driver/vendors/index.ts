import { type MachineCapabilities } from '../capabilities/index';
import { type IommuDriver } from '../iommuDriver';
import { type DriverOptions } from './options';
import { vtdDriver } from './vtd/index';

/** The kernel's driver of an IOMMU with these capabilities. */
export function makeDriver(options: DriverOptions<MachineCapabilities>): IommuDriver {
  const { capabilities } = options;
  switch (capabilities.vendor) {
    case 'vt-d':
      return vtdDriver({ ...options, capabilities });
    default:
      throw new Error(`no driver of ${capabilities.vendor} yet`);
  }
}
