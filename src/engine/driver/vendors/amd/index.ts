import { amdVendor } from '../../../iommu/vendors/amd';
import { amdCommands } from '../../../iommu/vendors/amd/commands';
import { type AmdCapabilities } from '../../capabilities/amd';
import { type IommuDriver } from '../../iommuDriver';
import { assembleDriver } from '../common/assemble';
import { type StatusPage } from '../common/statusPage';
import { type WaitMaker } from '../common/submitter';
import { type DriverOptions } from '../options';
import { AmdDriver } from './amdDriver';

/** All waits store to one word, by rising numbers: a wait is done when the word is its number or a later one. */
const waits =
  (status: StatusPage): WaitMaker =>
  () => {
    const number = status.takeNumber();
    const words = amdCommands.completionWait({
      s: true,
      StoreAddress: status.addressOf(0),
      StoreData: number,
    });
    return { command: { name: 'COMPLETION_WAIT', words }, isDone: () => status.read(0) >= number };
  };

/** The driver of an AMD IOMMU. */
export const amdDriver = (options: DriverOptions<AmdCapabilities>): IommuDriver =>
  assembleDriver(options, {
    queue: amdVendor.commands,
    isCoherent: ({ coherent }) => coherent,
    waits,
    make: (capabilities, parts) => new AmdDriver(capabilities, parts),
  });
