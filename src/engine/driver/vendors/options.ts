import { type IommuPort } from '../../iommu/iommuPort';
import { type FrameAllocator, type WritableMemory } from '../../memory/writableMemory';

/** What a driver is made from. */
export interface DriverOptions<Capabilities> {
  readonly port: IommuPort;
  readonly memory: WritableMemory;
  /** Frames of structures, queues and logs. */
  readonly frames: FrameAllocator;
  /** Of the IOMMU behind the port: checked ones. */
  readonly capabilities: Capabilities;
  /** Ids of `DRIVER_FAULTS`. */
  readonly faults?: readonly string[];
  /** Puts words from the CPU's caches to where a walker that does not snoop sees them. */
  readonly writeBack?: (address: number, words: number) => void;
}
