import { riscvVendor } from '../../../iommu/vendors/riscv';
import { riscvCommands } from '../../../iommu/vendors/riscv/commands';
import { type RiscvCapabilities } from '../../capabilities/riscv';
import { type IommuDriver } from '../../iommuDriver';
import { assembleDriver } from '../common/assemble';
import { type WaitMaker } from '../common/submitter';
import { type DriverOptions } from '../options';
import { RiscvDriver } from './riscvDriver';

/** IOFENCE.C is done when the head is beyond it; PR and PW wait for what was read and written before. */
const wait: WaitMaker = () => ({
  command: { name: 'IOFENCE.C', words: riscvCommands.fence({ PR: true, PW: true }) },
  isDone: (isPassed) => isPassed,
});

/** The driver of a RISC-V IOMMU. */
export const riscvDriver = (options: DriverOptions<RiscvCapabilities>): IommuDriver =>
  assembleDriver(options, {
    queue: riscvVendor.commands,
    isCoherent: ({ coherent }) => coherent,
    waits: () => wait,
    make: (capabilities, parts) => new RiscvDriver(capabilities, parts),
  });
