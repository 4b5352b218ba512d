import { DRIVER_FAULTS } from '../../engine/driver/driverFaults';
import { TABLE_FAULTS } from '../../engine/driver/pageTable/tableFaults';
import { EMULATED_KINDS } from '../../engine/iommu/vendor';
import { Machine } from '../../engine/machine/machine';
import { collapseChoices, pageShiftsOf, splitChoices } from '../../engine/machine/choices';
import { type MachineSpec } from '../../engine/machine/spec';
import { tableChoices } from '../../engine/machine/tableChoices';
import { formatSize } from '../../engine/values';
import { KIND_TITLES } from '../../image/description/registers';
import { type MachineChoices, type ResultOf } from '../protocol';

/** What is wrong with a specification; a machine is made and thrown away, without the tables of its guest. */
export function checkMachine(spec: MachineSpec): ResultOf<'checkMachine'> {
  const made = Machine.create(spec);
  if (made.ok) return null;
  const { message, hint } = made.failure;
  return { message, ...(hint === undefined ? {} : { hint }) };
}

/** What machines can be made of. */
export function machineChoices(): MachineChoices {
  const vendors = EMULATED_KINDS.map((vendor) => ({
    vendor,
    title: KIND_TITLES[vendor],
    tables: tableChoices(vendor).map((choice) => ({
      id: choice.id,
      title: choice.title,
      pageSizes: pageShiftsOf(choice).map((shift) => formatSize(2n ** BigInt(shift))),
    })),
  }));
  const driverFaults = [...DRIVER_FAULTS, ...TABLE_FAULTS].map(({ id, leavesOut }) => ({
    id,
    title: leavesOut,
  }));
  return { vendors, splits: splitChoices(), collapses: collapseChoices(), driverFaults };
}
