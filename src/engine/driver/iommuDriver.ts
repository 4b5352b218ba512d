import { type IommuPort } from '../iommu/iommuPort';
import { type Pasid, type RequesterId } from '../values';
import { type Steps } from '../steps';
import { type Outcome } from './errno';
import { type Flusher } from './flusher';
import { type DomainTables } from './pageTable/domainTables';
import { type EncodedCommand } from './vendors/common/encodedCommand';
import { type SoftwareStep } from './softwareStep';
import { type AddressSpace } from '../pageTable/addressSpace';

/** Where tables begin, and how they are read: what structures above them say. */
export interface TableTop extends Pick<DomainTables, 'format' | 'root'> {
  readonly space: Pick<AddressSpace, 'rootEntry'>;
}

/** A page table that the kernel owns, with what attaches it. */
export interface KernelDomain {
  readonly tables: DomainTables;
  /** DID, DomainID, VMID or ASID, GSCID or PSCID. */
  readonly id: number;
  readonly stage: 1 | 2;
  /** Hardware marks D for the devices attached to it. */
  dirtyTracking: boolean;
}

/** A stage 1 that a guest owns, over a kernel's stage 2. Words as user space hands them over. */
export interface NestedDomain {
  readonly parent: KernelDomain;
  /** Of the caches: VT-d has a DID of its own for it. */
  readonly id: number;
  /** The vendor's words: VT-d {flags, pgtbl_addr, addr_width}, Arm STE words 0 and 1, AMD guest DTE, RISC-V DC.fsc and ta. */
  readonly words: readonly bigint[];
}

/** What a device's requests meet. */
export type Attachment =
  | { readonly kind: 'blocked' }
  | { readonly kind: 'pass-through' }
  | { readonly kind: 'paging'; readonly domain: KernelDomain }
  | { readonly kind: 'nested'; readonly domain: NestedDomain };

/** What ids of a guest's stand for. */
export interface GuestIds {
  /** The physical requester of a guest's; undefined: the guest has no such device. */
  requesterOf(virtualId: bigint): RequesterId | undefined;
  /** The host's domain id of a guest's; undefined: the guest has no such domain. */
  domainOf(guestDomain: number): number | undefined;
}

/** How many commands were handled before the first that was refused. */
export interface HandledCommands {
  readonly handled: number;
  readonly outcome: Outcome<null>;
}

/** The kernel's driver of one IOMMU: writes the vendor's structures and commands. One folder a vendor. */
export interface IommuDriver {
  readonly port: IommuPort;
  /** Builds the root structures, the queues and the fault log in memory, and switches translation on. */
  initialise(): Steps<SoftwareStep, Outcome<null>>;
  /** The attachment of a device (of one of its PASIDs) now. */
  attached(requester: RequesterId, pasid: Pasid | null): Attachment;
  /**
   * Replaces the attachment of a device: hitless where the vendor's structures allow it; flushes what was cached. Refused, the
   * device keeps what it had, and is flushed for both as long as `mayReach` is true.
   */
  attach(
    requester: RequesterId,
    pasid: Pasid | null,
    attachment: Attachment,
    options?: { readonly ats?: boolean },
  ): Steps<SoftwareStep, Outcome<null>>;
  /** Whether caches may hold an attachment that was refused: the queue refused to forget it, too. Attaching it anew ends that. */
  mayReach(requester: RequesterId, pasid: Pasid | null, attachment: Attachment): boolean;
  /** Whether a guest's stage 1 is one that the kernel lets hardware use: what attaching it would be refused for. */
  checkNested(domain: NestedDomain): Outcome<null>;
  /** Whether hardware can mark D in tables of some stage (capabilities of the vendor). */
  readonly canTrackDirty: boolean;
  /** In whose tables: of stage 1, of stage 2. */
  readonly dirtyStages: readonly (1 | 2)[];
  /** Enables or disables marks of A and D for every device of the domain, also behind nested ones, and flushes. */
  setDirtyTracking(domain: KernelDomain, enable: boolean): Steps<SoftwareStep, Outcome<null>>;
  /** What removes the domain's cached translations here: by every id under which they may be cached. */
  flusherOf(domain: KernelDomain): Flusher;
  /**
   * Commands of host software, raw words, with a wait after them. EINVAL: hardware does not take one, and nothing is
   * submitted.
   */
  submit(commands: readonly EncodedCommand[]): Steps<SoftwareStep, Outcome<null>>;
  /** Commands of a guest's stage 1, raw words, limited and translated as the kernel does (docs/hardware.md); handled: how many. */
  invalidateNested(
    domain: NestedDomain,
    commands: readonly (readonly bigint[])[],
  ): Steps<SoftwareStep, HandledCommands>;
  /** The same through a vIOMMU over `parent`: requesters and domains are the guest's own, `ids` says what they stand for. */
  invalidateVirtual(
    parent: KernelDomain,
    ids: GuestIds,
    commands: readonly (readonly bigint[])[],
  ): Steps<SoftwareStep, HandledCommands>;
}
