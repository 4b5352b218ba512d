import { DRIVER_FAULTS } from '../../engine/driver/driverFaults';
import { BITMAP_FAULTS } from '../../engine/driver/iommufd/bitmapFaults';
import { TABLE_FAULTS } from '../../engine/driver/pageTable/tableFaults';
import { EMULATED_KINDS } from '../../engine/iommu/vendor';
import { Machine } from '../../engine/machine/machine';
import { collapseChoices, pageShiftsOf, splitChoices } from '../../engine/machine/choices';
import { type MachineSpec } from '../../engine/machine/spec';
import { tableChoices } from '../../engine/machine/tableChoices';
import { type Failure } from '../../engine/result';
import { runSteps } from '../../engine/steps';
import { formatSize } from '../../engine/values';
import { KIND_TITLES } from '../../image/description/registers';
import { type MachineChoices, type ResultOf } from '../protocol';

/** What is wrong with a specification; a machine is made, set up without its guest's memory, and thrown away. */
export function checkMachine(spec: MachineSpec): ResultOf<'checkMachine'> {
  const made = Machine.create(spec);
  if (!made.ok) return saidOf(made.failure);
  const empty = Machine.create({ ...spec, mapping: { ...spec.mapping, what: 'none' } });
  if (!empty.ok) return saidOf(empty.failure);
  const ready = runSteps(empty.value.setUp());
  return ready.ok ? null : saidOf(ready.failure);
}

const saidOf = ({ message, hint }: Failure): ResultOf<'checkMachine'> => ({
  message,
  ...(hint === undefined ? {} : { hint }),
});

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
  const driverFaults = [...DRIVER_FAULTS, ...TABLE_FAULTS, ...BITMAP_FAULTS].map(({ id, leavesOut }) => ({
    id,
    title: leavesOut,
  }));
  return { vendors, splits: splitChoices(), collapses: collapseChoices(), driverFaults };
}
