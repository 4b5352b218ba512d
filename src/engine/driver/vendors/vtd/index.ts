import { vtdCommands } from '../../../iommu/vendors/vtd/commands';
import { vtdVendor } from '../../../iommu/vendors/vtd';
import { type VtdCapabilities } from '../../capabilities/vtd';
import { type IommuDriver } from '../../iommuDriver';
import { assembleDriver } from '../common/assemble';
import { type StatusPage } from '../common/statusPage';
import { type WaitMaker } from '../common/submitter';
import { type DriverOptions } from '../options';
import { VtdDriver } from './vtdDriver';

/** Each wait descriptor has a status word of its own, that of its slot (VT-d 4.1 §6.5.2.8, SW). */
const waits =
  (status: StatusPage): WaitMaker =>
  (slot) => {
    const number = status.takeNumber();
    const words = vtdCommands.wait({ SW: true, SDATA: number, SADDR: status.addressOf(slot) });
    return {
      command: { name: 'wait', words },
      isDone: () => BigInt.asUintN(32, status.read(slot)) === number,
    };
  };

/** The driver of an Intel VT-d unit. */
export const vtdDriver = (options: DriverOptions<VtdCapabilities>): IommuDriver =>
  assembleDriver(options, {
    queue: vtdVendor.commands,
    isCoherent: ({ scalable, coherent, coherentScalable }) => (scalable ? coherentScalable : coherent),
    waits,
    make: (capabilities, parts) => new VtdDriver(capabilities, parts),
  });
