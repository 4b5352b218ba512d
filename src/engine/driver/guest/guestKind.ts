import { type EmulatedKind } from '../../iommu/vendor';
import { type MachineCapabilities } from '../capabilities/index';
import { type EncodedCommand } from '../vendors/common/encodedCommand';
import { type FlushRange } from '../flusher';
import { type TableTop } from '../iommuDriver';

/** 64-bit words of a structure, or of a command. */
export type Words = readonly bigint[];

/** A stage 1 in guest memory, as the guest's own driver has it. */
export interface GuestStage {
  /** Frames are guest physical ones. */
  readonly tables: TableTop;
  /** What the guest's commands name it by: ASID, PSCID, DomainID. VT-d guests need none. */
  readonly space: number;
  /** Guest physical address of a page of zeros, for structures above the tables. */
  readonly structures: bigint;
  /** Writes words at a guest physical address. */
  readonly put: (address: bigint, words: Words) => void;
}

/** How one vendor's guests tell the hardware of their tables and of changes: one file each. */
export interface GuestKind {
  readonly kind: EmulatedKind;
  /** Table formats, by the ids of machines: of the kernel's stage below, and of the guest's own. */
  readonly parent: string;
  readonly tables: string;
  /** Writes the guest's structures, where there are any, and says the nested domain: `NestedDomain.words`. */
  readonly describe: (stage: GuestStage, capabilities: MachineCapabilities) => Words;
  /**
   * Commands by name, the usual one first; each of them removes all that a change of the range made stale. Null: everything of
   * the space. As the kernel takes them: ids are the guest's, and those that name a domain are put in by the kernel.
   */
  readonly flushes: Readonly<Record<string, (range: FlushRange | null, space: number) => readonly Words[]>>;
  /**
   * What removes it from the TLB of a device, by the guest's id of it; none where the kernel does that by itself. Null:
   * everything.
   */
  readonly devices: (range: FlushRange | null, requester: number) => readonly Words[];
  /** What a guest that has a queue of its own ends its commands with; absent: no such queues. */
  readonly wait?: EncodedCommand;
}
