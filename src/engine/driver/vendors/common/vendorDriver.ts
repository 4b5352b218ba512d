import { type IommuPort } from '../../../iommu/iommuPort';
import { type Steps } from '../../../steps';
import { type DriverPolicy } from '../../driverFaults';
import { type Outcome } from '../../errno';
import { type FlushRange } from '../../flusher';
import { type GuestIds, type KernelDomain, type NestedDomain } from '../../iommuDriver';
import { type SoftwareStep } from '../../softwareStep';
import { type StatusPage } from './statusPage';
import { type StructureMemory } from './structureMemory';
import { type EncodedCommand } from './encodedCommand';
import { type Submitter } from './submitter';
import { type Use } from './uses';

/** What a guest's command is about. `nested` null: any domain above the parent (the vIOMMU of a guest). */
export interface GuestTarget {
  readonly parent: KernelDomain;
  readonly nested: NestedDomain | null;
  /** The uses it may touch. */
  readonly uses: readonly Use[];
  readonly ids: GuestIds;
}

/** What a vendor's driver works with. */
export interface VendorParts {
  readonly port: IommuPort;
  readonly memory: StructureMemory;
  readonly submitter: Submitter;
  /** Where completions are stored. */
  readonly status: StatusPage;
  readonly policy: DriverPolicy;
}

/** One vendor's structures and commands; what is the same for all is `KernelIommuDriver`. */
export interface VendorDriver {
  /** Stages in whose tables hardware can mark D. */
  readonly dirtyStages: readonly (1 | 2)[];
  /** Caches hold what is not present, too. */
  readonly cachesNotPresent: boolean;
  initialise(): Steps<SoftwareStep, Outcome<null>>;
  /** Refuses what this IOMMU cannot do before anything is written. `others`: of the same device, but for this one. */
  check(use: Use, others: readonly Use[]): Outcome<null>;
  /** Writes the structures and drops what was cached of them and of the attachment before. ENOMEM: nothing was written. */
  attach(use: Use, before: Use, others: readonly Use[]): Steps<SoftwareStep, Outcome<null>>;
  /** Writes into the structures of these uses whether hardware marks A and D, and drops what was cached without. */
  track(uses: readonly Use[], enable: boolean): Steps<SoftwareStep, Outcome<null>>;
  /** The tables of a domain have another root: writes it for these uses. */
  changeTop(domain: KernelDomain, uses: readonly Use[]): Steps<SoftwareStep, Outcome<null>>;
  /** What removes translations of a domain from the IOMMU's caches. Null: all of them. */
  translationCommands(domain: KernelDomain, uses: readonly Use[], range: FlushRange | null): EncodedCommand[];
  /** What removes them from the TLB of one device; `range` null: all of them. */
  deviceTlbCommands(use: Use, range: FlushRange | null): EncodedCommand[];
  /** A guest's command as this IOMMU may get it: limited to the guest, with the host's ids. */
  guestCommands(target: GuestTarget, words: readonly bigint[]): Outcome<readonly EncodedCommand[]>;
}
