import { assert } from '../../result';
import { type MachineCapabilities } from '../capabilities';
import { type IommuDriver } from '../iommuDriver';
import { amdDriver } from './amd';
import { type DriverOptions } from './options';
import { riscvDriver } from './riscv';
import { smmuv3Driver } from './smmuv3';
import { vtdDriver } from './vtd';

/** The driver of an IOMMU with these capabilities: `initialise` comes first. */
export function makeDriver(options: DriverOptions<MachineCapabilities>): IommuDriver {
  const { capabilities, port } = options;
  assert(capabilities.vendor === port.kind, 'the capabilities are those of the IOMMU behind the port');
  switch (capabilities.vendor) {
    case 'vt-d':
      return vtdDriver({ ...options, capabilities });
    case 'amd-vi':
      return amdDriver({ ...options, capabilities });
    case 'smmuv3':
      return smmuv3Driver({ ...options, capabilities });
    case 'riscv':
      return riscvDriver({ ...options, capabilities });
  }
}
