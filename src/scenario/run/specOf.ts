import { type EmulatedKind } from '../../engine/iommu/vendor';
import { type MachineDevice, type MachineSpec, type MachineVfio } from '../../engine/machine/spec';
import { tableChoices } from '../../engine/machine/tableChoices';
import { formatSize, hex } from '../../engine/values';
import { type Scenario } from '../language/schema/scenario';
import { definedOnly } from './definedOnly';

type Device = Scenario['devices'][string];
export type Domain = Scenario['domains'][string];

/** Page-table format of a scenario's domains that name none of their own. */
export function tablesOf({ machine }: Pick<Scenario, 'machine'>): string {
  return machine.tables ?? tableChoices(machine.vendor as EmulatedKind)[0]?.id ?? '';
}

export const sizesText = (sizes: readonly bigint[] | undefined): string[] => (sizes ?? []).map(formatSize);

/** Devices of a domain as it has them from the start; the PASID null: its requests without one. */
export const attachedTo = ({
  devices,
}: Domain): { readonly device: string; readonly pasid: number | null }[] =>
  devices.map((each) =>
    typeof each === 'string'
      ? { device: each, pasid: null }
      : { device: each.device, pasid: each.pasid ?? null },
  );

/**
 * The machine as it is before the first step. Its own domain is the first one of the scenario, with the devices that are attached
 * to it without a PASID; the other domains, and what is attached to them, are made by operations.
 */
export function specOf(scenario: Scenario): MachineSpec {
  const { machine, devices, domains } = scenario;
  const [first] = Object.values(domains);
  const attached = new Set(
    first ? attachedTo(first).flatMap(({ device, pasid }) => (pasid === null ? [device] : [])) : [],
  );
  const { capabilities, driverFaults, cpu, rules, type1 } = machine;
  return {
    version: 1,
    vendor: machine.vendor as EmulatedKind,
    tables: first?.tables ?? tablesOf(scenario),
    memory: formatSize(machine.memory),
    mapping: { what: first?.maps === 'guest' ? 'guest' : 'none', pages: sizesText(first?.pages) },
    devices: Object.entries(devices).map(([name, device]) => deviceOf(device, attached.has(name))),
    dirtyTracking: first?.dirtyTracking ?? 'none',
    iommus: machine.iommus === 2 ? 2 : 1,
    seed: machine.seed,
    ...(rules ? { rules: definedOnly(rules) as NonNullable<MachineSpec['rules']> } : {}),
    ...(capabilities ? { capabilities } : {}),
    ...(driverFaults ? { driverFaults } : {}),
    ...(first?.nestParent === true ? { nestParent: true } : {}),
    ...(cpu ? { cpu } : {}),
    ...(type1 ? { type1: definedOnly(type1) } : {}),
  };
}

function deviceOf({ requester, ats, vfio, log }: Device, attached: boolean): MachineDevice {
  return {
    requester,
    ...(ats === true ? { ats } : {}),
    ...(attached ? {} : { attached: false }),
    ...(vfio ? { vfio: vfioOf(vfio) } : {}),
    ...(log ? { log: definedOnly(log) } : {}),
  };
}

function vfioOf({ model, writesBack, writeBackTo, state }: NonNullable<Device['vfio']>): MachineVfio {
  return {
    model,
    ...(writesBack ? { writesBack } : {}),
    ...(writeBackTo === undefined ? {} : { writeBackTo: hex(writeBackTo) }),
    ...(state === undefined ? {} : { state: formatSize(state) }),
  };
}
