import { type CompiledFormat } from '../../formats/compile';
import { type FrameAllocator, type WritableMemory } from '../../memory/writableMemory';
import { type AddressSpace } from '../../pageTable/addressSpace';
import { type FrameNumber } from '../../values';

/** The tables of one domain as software holds them: where they are, and where new ones come from. */
export interface DomainTables {
  readonly memory: WritableMemory;
  readonly frames: FrameAllocator;
  /** Grows with the root. */
  readonly format: CompiledFormat;
  readonly root: FrameNumber;
  /** As hardware reads them. */
  readonly space: AddressSpace;
}
