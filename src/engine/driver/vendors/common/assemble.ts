import { type CommandSide } from '../../../iommu/vendor';
import { type IommuDriver } from '../../iommuDriver';
import { policyOf } from '../../driverFaults';
import { type DriverOptions } from '../options';
import { KernelIommuDriver } from './kernelDriver';
import { StatusPage } from './statusPage';
import { StructureMemory } from './structureMemory';
import { Submitter, type WaitMaker } from './submitter';
import { type VendorDriver, type VendorParts } from './vendorDriver';

/** What one vendor adds to the parts that all have. */
export interface VendorRecipe<Capabilities> {
  /** The form of the vendor's queue. */
  readonly queue: CommandSide;
  readonly isCoherent: (capabilities: Capabilities) => boolean;
  readonly waits: (status: StatusPage) => WaitMaker;
  readonly make: (capabilities: Capabilities, parts: VendorParts) => VendorDriver;
}

/** The driver of one IOMMU. */
export function assembleDriver<Capabilities>(
  { port, memory, frames, capabilities, faults = [], writeBack }: DriverOptions<Capabilities>,
  { queue, isCoherent, waits, make }: VendorRecipe<Capabilities>,
): IommuDriver {
  const policy = policyOf(faults);
  const words = new StructureMemory(memory, frames, isCoherent(capabilities) ? undefined : writeBack);
  const status = new StatusPage(words);
  const submitter = new Submitter(port, queue, waits(status), words, policy);
  const parts = { port, memory: words, submitter, status, policy };
  return new KernelIommuDriver({ ...parts, vendor: make(capabilities, parts) });
}
