import { type BitField } from '../bits/bitFields';
import { type PhysicalMemory } from '../memory/physicalMemory';
import { type AddressSpace } from '../pageTable/addressSpace';
import { type TableWalk } from '../pageTable/tableWalk';
import { type Failure, type Result } from '../result';
import { type Pasid, type RequesterId } from '../values';
import { type Fault } from '../faults';

/**
 * Structures above the page tables. root: what leads to device entries (VT-d root entry, level-1 stream table descriptor,
 * non-leaf DDT entry). context: a device entry (context entry, DTE, STE, DC). process-directory and process: what leads to
 * the entry of a process, and that entry (PASID entry, GCR3 table entry, CD, PC).
 */
export type StructureRole = 'root' | 'context' | 'process-directory' | 'process';

/** A structure entry that was read: one or more 64-bit words at a physical byte address. */
export interface StructureEntry {
  readonly role: StructureRole;
  /** Physical byte address, a multiple of 8: up to 56 bits of it fit a number. */
  readonly address: number;
  readonly index: number;
  readonly words: readonly bigint[];
  /** What the entry says, in one sentence. */
  readonly says: string;
  /** The stage-2 walk that found its physical address, when software gives it as a guest physical one. */
  readonly under?: TableWalk;
  /** That stage 2, as hardware uses it for structures. */
  readonly through?: AddressSpace;
}

/** An access to a structure at a guest physical address, and the stage 2 that it goes through. */
export interface StructureAccess {
  readonly space: AddressSpace;
  readonly addressLo: number;
  readonly addressHi: number;
}

/** What the directory says about one (requester, PASID). `permission`: READ | WRITE that its entries leave. */
export type DirectoryAnswer =
  | {
      readonly kind: 'table';
      readonly space: AddressSpace;
      /** Takes the addresses with bit 55 set, `space` those without. Arm TTBR1. */
      readonly upper?: AddressSpace;
      /** Why addresses with bit 55 clear (set) are refused before any table. Arm CD.EPD0 and CD.EPD1. */
      readonly blocked?: { readonly lower?: string; readonly upper?: string };
      /** Addresses with more bits are refused before any table: they are beyond what the IOMMU has. Arm without stage 1. */
      readonly addressBits?: number;
      readonly permission: number;
    }
  | { readonly kind: 'pass-through'; readonly addressBits?: number; readonly permission: number }
  | {
      readonly kind: 'fault';
      readonly fault: Fault;
      readonly why: string;
      readonly hint?: string;
      /** Set when stage 2 refused the access to a structure; `level` is that of its entry, as the specification numbers it. */
      readonly stage?: 2;
      readonly level?: number | null;
      readonly access?: StructureAccess;
    };

export interface DirectoryLookup {
  readonly answer: DirectoryAnswer;
  /** The entries read on the way, in order. */
  readonly entries: readonly StructureEntry[];
}

/** A device that the directory knows of: its entry is present. */
export interface DirectoryDevice {
  readonly requester: RequesterId;
  /** Null: requests without a PASID. */
  readonly pasid: Pasid | null;
  readonly lookup: DirectoryLookup;
}

/** A register as it was given. */
export interface Register {
  readonly name: string;
  readonly value: bigint;
  readonly layout: readonly BitField[];
}

/** Half-open range of page numbers that never reaches the tables: interrupt messages. */
export interface PageWindow {
  readonly startPage: number;
  readonly endPage: number;
  /** Requests with a PASID are translated there as elsewhere (VT-d). */
  readonly translatesPasids?: boolean;
}

/** The vendor's own words for what every vendor has. */
export interface VendorWords {
  /** `source-id`, `DeviceID`, `StreamID`, `device_id` */
  readonly requester: string;
  /** `PASID`, `SubstreamID`, `process_id` */
  readonly pasid: string;
  /** What names a domain of stage 1 and of stage 2: `DID`, `ASID` and `VMID`. */
  readonly stage1Tag: string;
  readonly stage2Tag: string;
  /** Title of a device entry: `Context entry`, `DTE`, `STE`, `DC`. */
  readonly contextEntry: string;
}

/** The vendor's structures above the page tables, as one IOMMU uses them. */
export interface DeviceDirectory {
  /** `VT-d legacy` */
  readonly mode: string;
  readonly words: VendorWords;
  /** Set when translation is off as a whole: what every request meets, and the register that says so. */
  readonly off: { readonly answer: DirectoryAnswer; readonly why: string } | undefined;
  readonly interruptWindow: PageWindow | undefined;
  /** Requests of a device whose entry is not valid pass untranslated: `devices()` does not list these. */
  readonly passesWithoutEntry?: true;
  readonly registers: readonly Register[];
  lookup(requester: RequesterId, pasid: Pasid | null): DirectoryLookup;
  /** What is wrong above the devices, so that devices may be missing: at most a few. */
  problems(): Failure[];
  /** Devices with a present entry, by requester id, then PASID (null first). Yields undefined after each bounded step of work. */
  devices(): Generator<DirectoryDevice | undefined>;
  /** Layouts of the words of a structure entry, lowest word first. */
  layouts(role: StructureRole): readonly (readonly BitField[])[];
  /** Bits that must be 0 in each word of a present entry, where registers reserve more than the layout does. */
  reserved?(role: StructureRole): readonly bigint[];
  /** Name and section of a structure entry. */
  titleOf(role: StructureRole): { readonly title: string; readonly section: string };
  /** What an index of such an entry within a 4 KiB frame means: `bus 0x3`; undefined where a frame does not tell. */
  placeOf?(role: StructureRole, index: number): string | undefined;
  /**
   * The vendor's own name or code for a fault: `fault reason 6h`, `F_TRANSLATION`; undefined where hardware has none. `stage`:
   * the one that refused; null: before any table.
   */
  faultCode(fault: Fault, access: 'read' | 'write', stage: 1 | 2 | null): string | undefined;
}

/** One vendor's way from registers to a directory. */
export interface DirectoryKind {
  readonly kind: string;
  open(memory: PhysicalMemory, registers: ReadonlyMap<string, bigint>): Result<DeviceDirectory>;
}
