import { type NamedForm } from './vendors/layout';
import { type DirectoryAnswer, type StructureEntry } from '../directory/deviceDirectory';
import { type Fault } from '../faults';
import { type AddressSpace } from '../pageTable/addressSpace';
import { type Pasid, type RequesterId } from '../values';
import { type CacheTag } from './cacheOperation';
import { type Command } from './commands';
import { type DmaRequest } from './request';

/** The vendors whose IOMMUs are emulated; names as in the description of an image. */
export const EMULATED_KINDS = ['vt-d', 'amd-vi', 'smmuv3', 'riscv'] as const;
export type EmulatedKind = (typeof EMULATED_KINDS)[number];

/** Registers of an IOMMU by the names of its specification; 64-bit values. */
export type RegisterFile = Map<string, bigint>;

/** A refused request, before it becomes a record. */
export interface FaultReport {
  readonly request: DmaRequest;
  readonly fault: Fault;
  readonly stage: 1 | 2 | null;
  readonly depth: number;
  /** What the directory knew of the request's tables; absent when it refused. */
  readonly space?: AddressSpace;
  readonly guestLo?: number;
  readonly guestHi?: number;
  /** Refused was hardware's own access to a table or structure of stage 1, and whether to mark it. */
  readonly implicit: boolean;
  readonly implicitWrite?: boolean;
  /** What the lookup of the device read: its entries say whether faults are recorded at all. */
  readonly entries?: readonly StructureEntry[];
}

/** A fault record as people read it, decoded again from its words. */
export interface DecodedFault {
  /** The vendor's name and code: `F_TRANSLATION`, `fault reason 6h`, `cause 13`. */
  readonly code: string;
  readonly requester: number;
  readonly pasid: number | null;
  readonly address: bigint;
  readonly write: boolean;
  readonly words: readonly bigint[];
}

/** A ring in memory, as the registers place it. */
export interface RingPlace {
  readonly baseAddress: number;
  /** Slots; a power of two. */
  readonly slots: number;
  readonly slotBytes: number;
  readonly enabled: boolean;
  /** Head and tail count modulo twice the slots (Arm wrap bits): the ring is full when they differ by its slots, not by one less. */
  readonly wraps: boolean;
}

/** Head or tail of a ring: a position, of which the slot is the rest modulo the slots. */
export interface RingPointer {
  readonly register: string;
  position(registers: RegisterFile): number;
  /** The register's value with that position: what software writes. */
  value(registers: RegisterFile, position: number): bigint;
}

/**
 * illegal: a command that the decoder refuses. fetch: a command cannot be read. store: a completion cannot be written. timeout: a
 * device did not complete an invalidation.
 */
export type CommandError = 'illegal' | 'fetch' | 'store' | 'timeout';

/** The invalidation queue of a vendor. */
export interface CommandSide {
  ring(registers: RegisterFile): RingPlace;
  readonly head: RingPointer;
  readonly tail: RingPointer;
  /** Decodes the command in these words (lowest address first). `registers`: what the IOMMU can do. */
  decode(words: readonly bigint[], registers: RegisterFile): Command;
  /**
   * Sets the error bits; most errors stop the queue. Returns the record for the fault log where the vendor logs it (AMD).
   * `commandAddress`: of the command at fault.
   */
  refuse(registers: RegisterFile, error: CommandError, commandAddress: number): readonly bigint[] | undefined;
  /** Whether an error keeps the queue stopped until software clears it. */
  isStopped(registers: RegisterFile): boolean;
  /** What becomes of the wait that met a timeout: it is done again when the error is cleared, skipped, or goes on. */
  readonly afterTimeout: 'repeats' | 'skips' | 'goes-on';
  /** A wait that asks for an interrupt is done: sets its pending bit. */
  interrupt(registers: RegisterFile): void;
}

/** The fault log of a vendor. */
export interface LogSide {
  /** Undefined: records go to registers, by `store`. */
  ring(registers: RegisterFile): RingPlace | undefined;
  readonly head: RingPointer;
  readonly tail: RingPointer;
  /** The record's words; undefined: this fault is not recorded, by its kind or because its device entry says so. */
  encode(report: FaultReport, registers: RegisterFile): readonly bigint[] | undefined;
  decode(words: readonly bigint[], registers: RegisterFile): DecodedFault | undefined;
  /** Whether every record is thrown away until software clears an error. */
  isBlocked(registers: RegisterFile): boolean;
  /** The log is full, and a record is lost. */
  overflow(registers: RegisterFile): void;
  overflowed(registers: RegisterFile): boolean;
  /** The ring's memory cannot be written. */
  memoryFault(registers: RegisterFile): void;
  /** A record was written: sets what tells software. */
  logged(registers: RegisterFile): void;
  /** Where records go to registers: false when there is no free one. */
  store?(registers: RegisterFile, words: readonly bigint[]): boolean;
  stored?(registers: RegisterFile): readonly (readonly bigint[])[];
}

/** What a device entry says of ATS. */
export interface AtsSettings {
  readonly enabled: boolean;
  /** Answers are guest physical addresses, and translated requests go through stage 2: RISC-V T2GPA, Arm EATS = 2. */
  readonly givesGuestAddresses?: boolean;
}

/** What one vendor's IOMMU does in its own way: one folder each under vendors/. */
export interface IommuVendor {
  readonly kind: EmulatedKind;
  /** Whether hardware must remove cached entries larger than what a page-selective command says. Each with its source. */
  readonly removesLarger: boolean;
  /** log2 sizes that its IOTLB holds; undefined: every size. */
  readonly cachedShifts: readonly number[] | undefined;

  /** What caches know a translation by. `contextWords`: the device entry, for what stands only there. */
  tagOf(
    space: AddressSpace,
    requester: RequesterId,
    pasid: Pasid | null,
    contextWords?: readonly bigint[],
  ): CacheTag;
  /** The domain id in the entries of a request that passes, by which commands name them; absent: they have none. VT-d. */
  domainOf?(entries: readonly StructureEntry[]): number | undefined;
  /** Whether a leaf of stage 1 is good for all address spaces of its vm. */
  isGlobal(space: AddressSpace, lo: number, hi: number): boolean;
  /** Whether caches may hold a leaf at this depth; absent: any. `bbml`: that of the rules. */
  mayHold?(space: AddressSpace, depth: number, lo: number, bbml: 0 | 1 | 2): boolean;
  /** Whether translated and translation requests of a device are allowed, as its device entry says. */
  atsOf(answer: DirectoryAnswer, contextWords: readonly bigint[]): AtsSettings;

  /** What a fault of stage 2 is called when it met an access to a structure of stage 1; absent: the same. */
  structureFault?(fault: Fault): Fault;
  /** Whether entries of a process refuse its requests with privilege; absent: never. */
  refusesPrivilege?(entries: readonly StructureEntry[]): boolean;

  /** A write of software to a register, with what hardware makes of it: bits that are read-only, cleared by 1, or start things. */
  write(registers: RegisterFile, name: string, value: bigint): void;
  /** What commands look like, by name. */
  readonly forms: Readonly<Record<string, NamedForm>>;
  readonly commands: CommandSide;
  readonly faults: LogSide;
}
