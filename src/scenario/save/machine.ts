import { type MachineDevice, type MachineSpec } from '../../engine/machine/spec';
import { parseInteger } from '../../engine/values';
import { type SavedNames } from './names';
import { type Written, type WrittenMap } from './yamlText';

/** Sections of a scenario that make a machine of this specification. */
export function machineSections(spec: MachineSpec, names: SavedNames): WrittenMap {
  return { machine: machineOf(spec), devices: devicesOf(spec, names), domains: domainsOf(spec, names) };
}

function machineOf(spec: MachineSpec): WrittenMap {
  const { vendor, tables, memory, iommus, seed, capabilities, rules, driverFaults, cpu, type1 } = spec;
  return {
    vendor,
    tables,
    memory,
    ...(iommus === 1 ? {} : { iommus }),
    ...(seed === 1 ? {} : { seed }),
    ...(capabilities ? { capabilities } : {}),
    ...(rules ? { rules: plain(rules) } : {}),
    ...(driverFaults ? { driverFaults } : {}),
    ...(cpu ? { cpu: plain(cpu) } : {}),
    ...(type1 ? { type1: plain(type1) } : {}),
  };
}

/** Records of specifications are plain JSON already. */
const plain = (record: object): WrittenMap => ({ ...record });

function devicesOf(spec: MachineSpec, names: SavedNames): WrittenMap {
  const known = spec.devices.map((device): [string, Written] => [
    names.device(device.requester) ?? '',
    deviceOf(device),
  ]);
  return {
    ...Object.fromEntries(known),
    ...Object.fromEntries(names.strangers.map((each) => [each.name, strangerOf(each)])),
  };
}

const strangerOf = ({
  requester,
  ats,
}: {
  readonly requester: string;
  readonly ats: boolean;
}): WrittenMap => ({
  requester,
  ...(ats ? { ats } : {}),
});

const deviceOf = ({ requester, ats, vfio, log }: MachineDevice): WrittenMap => ({
  requester,
  ...(ats === true ? { ats } : {}),
  ...(vfio
    ? {
        vfio: {
          ...vfio,
          ...(vfio.writeBackTo === undefined ? {} : { writeBackTo: address(vfio.writeBackTo) }),
        },
      }
    : {}),
  ...(log ? { log: plain(log) } : {}),
});

const address = (text: string): Written => parseInteger(text) ?? text;

function domainsOf(spec: MachineSpec, names: SavedNames): WrittenMap {
  const { mapping, dirtyTracking, nestParent, devices } = spec;
  const attached = devices.filter(({ attached: is }) => is !== false);
  return {
    [names.firstDomain]: {
      maps: mapping.what === 'guest' ? 'guest' : 'nothing',
      ...(mapping.pages.length > 0 ? { pages: mapping.pages } : {}),
      ...(dirtyTracking === 'none' ? {} : { dirtyTracking }),
      ...(nestParent === true ? { nestParent } : {}),
      ...(attached.length > 0
        ? { devices: attached.map(({ requester }) => names.device(requester) ?? requester) }
        : {}),
    },
  };
}
