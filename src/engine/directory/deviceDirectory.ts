import { type BitField } from '../bits/bitFields';
import { type CompiledFormat } from '../formats/compile';
import { type DomainId, type FrameNumber, type Pasid, type RequesterId } from '../values';
import { type Failure, type Result } from '../result';
import { type PhysicalMemory } from '../memory/physicalMemory';

/** Why a request is refused, in words that every vendor shares. docs/faults.md gives each vendor's own code. */
export const FAULTS = [
  'iommu-not-found',
  'root-entry-not-present',
  'root-entry-reserved',
  'root-entry-unreadable',
  'context-entry-not-present',
  'context-entry-reserved',
  'context-entry-invalid',
  'context-entry-unreadable',
  'pasid-not-supported',
  'interrupt-window',
  'address-width',
  'not-present',
  'read-denied',
  'write-denied',
  'entry-reserved',
  'interrupt-output',
  'table-unreadable',
] as const;
export type Fault = (typeof FAULTS)[number];

/** Structures above the page tables. */
export type StructureRole = 'root' | 'context';

/** A structure entry that was read: two or more 64-bit words at a physical byte address. */
export interface StructureEntry {
  readonly role: StructureRole;
  /** Physical byte address, below 2^52. */
  readonly address: number;
  readonly index: number;
  readonly words: readonly bigint[];
  /** What the entry says, in one sentence. */
  readonly says: string;
}

/** One input address space: a root table and how to read it. */
export interface AddressSpace {
  readonly domainId: DomainId;
  readonly root: FrameNumber;
  readonly format: CompiledFormat;
  /** Input addresses of this many bits pass; the rest fault. At most `format.addressBits`. */
  readonly inputBits: number;
}

/** What the directory says about one (requester, PASID). */
export type DirectoryAnswer =
  | { readonly kind: 'table'; readonly space: AddressSpace }
  | { readonly kind: 'pass-through' }
  | { readonly kind: 'fault'; readonly fault: Fault; readonly why: string; readonly hint?: string };

export interface DirectoryLookup {
  readonly answer: DirectoryAnswer;
  /** The entries read on the way, in order. */
  readonly entries: readonly StructureEntry[];
}

/** A device that the directory knows of: its entry is present. */
export interface DirectoryDevice {
  readonly requester: RequesterId;
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
}

/** The vendor's structures above the page tables, as one IOMMU uses them. */
export interface DeviceDirectory {
  /** `VT-d legacy` */
  readonly mode: string;
  /** False: every request passes untranslated. */
  readonly translating: boolean;
  readonly interruptWindow: PageWindow;
  readonly registers: readonly Register[];
  lookup(requester: RequesterId, pasid: Pasid | null): DirectoryLookup;
  /** What is wrong above the devices, so that devices may be missing: at most a few. */
  problems(): Failure[];
  /** Devices with a present entry, by requester id. Yields undefined after each bounded step of work. */
  devices(): Generator<DirectoryDevice | undefined>;
  /** Layouts of the words of a structure entry, lowest word first. */
  layouts(role: StructureRole): readonly (readonly BitField[])[];
  /** Name and section of a structure entry. */
  titleOf(role: StructureRole): { readonly title: string; readonly section: string };
}

/** One vendor's way from registers to a directory. */
export interface DirectoryKind {
  readonly kind: string;
  open(memory: PhysicalMemory, registers: ReadonlyMap<string, bigint>): Result<DeviceDirectory>;
}
