import { type MachineCapabilities } from '../driver/capabilities/index';
import { registersOf } from '../driver/capabilities/index';
import { type IommuDriver } from '../driver/iommuDriver';
import { guestPlatform } from '../driver/iommufd/guestPlatform';
import { type Iommufd } from '../driver/iommufd/iommufd';
import { type IommufdPlatform } from '../driver/iommufd/platform';
import { immediately } from '../driver/vendors/common/immediately';
import { makeDriver } from '../driver/vendors/index';
import { AtsDevice } from '../iommu/device/atsDevice';
import { Iommu } from '../iommu/iommu';
import { type HardwareRules } from '../iommu/rules';
import { type AccessObserver } from '../ledger/accessObserver';
import { type RangeAllocator } from '../memory/frameAllocator';
import { type WritableMemory } from '../memory/writableMemory';
import { type SeededRandom } from '../random';
import { type RequesterId } from '../values';
import { type MachineDomains } from './domains';
import { type MachineFunction, type MachineUnit } from './unit';

export interface UnitOptions {
  readonly name: string;
  readonly capabilities: MachineCapabilities;
  /** As software sees it. */
  readonly memory: WritableMemory;
  readonly frames: RangeAllocator;
  readonly rules: HardwareRules;
  readonly random: SeededRandom;
  readonly observer: AccessObserver;
  readonly domains: MachineDomains;
  /** Ids of `DRIVER_FAULTS`. */
  readonly faults: readonly string[];
}

/** An IOMMU as it is after reset, and its driver, which has not run yet. */
export function makeUnit(options: UnitOptions): MachineUnit {
  const { name, capabilities, memory, frames, rules, random, observer, domains, faults } = options;
  const iommu = new Iommu({
    ...{ name, kind: capabilities.vendor, memory, rules, random, observer },
    registers: registersOf(capabilities),
  });
  const writeBack = (address: number, words: number): void => {
    iommu.cleanLine(address, words);
  };
  const driver = makeDriver({ port: iommu, memory, frames, capabilities, faults, writeBack });
  return { name, iommu, driver, platform: platformOf(driver, domains) };
}

/** What iommufd asks of a unit. */
function platformOf(driver: IommuDriver, domains: MachineDomains): IommufdPlatform {
  return {
    ...guestPlatform(driver, domains.ids),
    createPaging: ({ dirtyTracking }) => immediately(domains.make(driver, dirtyTracking)),
  };
}

/** Interrupt messages: what a device's address space must leave free (VT-d 4.1 §3.14, AMD 48882 §2.1.4). */
const INTERRUPT_WINDOW = { start: 0xfee0_0000n, end: 0xfef0_0000n };

/** A device behind a unit, given to user space. */
export function makeFunction(
  unit: MachineUnit,
  requester: RequesterId,
  ats: boolean,
  { random, iommufd }: { readonly random: SeededRandom; readonly iommufd: Iommufd },
): MachineFunction {
  const { iommu, driver, platform } = unit;
  const entries = iommu.rules.deviceTlbEntries;
  const device = new AtsDevice({ requester, port: iommu, entries, random, ats });
  iommu.devices.set(requester, device);
  const id = iommufd.bind({
    requester,
    iommu: platform,
    canTrackDirty: driver.canTrackDirty,
    canRequestPages: false,
    ats,
    reserved: ['vt-d', 'amd-vi'].includes(iommu.kind) ? [INTERRUPT_WINDOW] : [],
  });
  return { unit, requester, device, id, attached: new Map([[null, 'blocked']]) };
}
