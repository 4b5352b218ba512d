import { smmuVendor } from '../../../iommu/vendors/smmuv3';
import { smmuCommands } from '../../../iommu/vendors/smmuv3/commands';
import { type Smmuv3Capabilities } from '../../capabilities/smmuv3';
import { type IommuDriver } from '../../iommuDriver';
import { assembleDriver } from '../common/assemble';
import { type WaitMaker } from '../common/submitter';
import { type DriverOptions } from '../options';
import { Smmuv3Driver } from './smmuv3Driver';

/** CMD_SYNC is done when hardware's index is beyond it. */
const wait: WaitMaker = () => ({
  command: { name: 'CMD_SYNC', words: smmuCommands.sync({}) },
  isDone: (isPassed) => isPassed,
});

/** The driver of an Arm SMMUv3. */
export const smmuv3Driver = (options: DriverOptions<Smmuv3Capabilities>): IommuDriver =>
  assembleDriver(options, {
    queue: smmuVendor.commands,
    isCoherent: ({ coherent }) => coherent,
    waits: () => wait,
    make: (capabilities, parts) => new Smmuv3Driver(capabilities, parts),
  });
