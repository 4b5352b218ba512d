import { type DirectoryAnswer } from '../directory/deviceDirectory';
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
  /** Refused was hardware's own access to a table or structure of stage 1. */
  readonly implicit: boolean;
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
}

/** What one vendor's IOMMU does in its own way: one folder each under vendors/. */
export interface IommuVendor {
  readonly kind: EmulatedKind;
  /** Whether hardware must remove cached entries larger than what a page-selective command says. Each with its source. */
  readonly removesLarger: boolean;
  /** log2 sizes that its IOTLB holds; undefined: every size. */
  readonly cachedShifts: readonly number[] | undefined;

  /** What caches know a translation by. */
  tagOf(space: AddressSpace, requester: RequesterId, pasid: Pasid | null): CacheTag;
  /** Whether a leaf of stage 1 is good for all address spaces of its vm. */
  isGlobal(space: AddressSpace, lo: number, hi: number): boolean;
  /** Whether untranslated, translated and translation requests of a device are allowed: `entries` of the lookup say so. */
  atsOf(answer: DirectoryAnswer, contextWords: readonly bigint[]): { readonly enabled: boolean };

  /** Where the invalidation queue is. */
  commandRing(registers: RegisterFile): RingPlace;
  commandHead(registers: RegisterFile): number;
  commandTail(registers: RegisterFile): number;
  setCommandHead(registers: RegisterFile, slot: number): void;
  setCommandTail(registers: RegisterFile, slot: number): void;
  /** Decodes the command in these words (lowest address first). `registers`: what the IOMMU can do. */
  decode(words: readonly bigint[], registers: RegisterFile): Command;
  /** Sets the registers' error bits: the queue stops. */
  refuseCommand(registers: RegisterFile, why: 'illegal' | 'memory-fault' | 'timeout'): void;
  /** Whether an error bit keeps the queue stopped. */
  isStopped(registers: RegisterFile): boolean;

  /** Where fault records go: in registers (VT-d) `ring` is undefined and `record` writes them there. */
  faultRing(registers: RegisterFile): RingPlace | undefined;
  faultHead(registers: RegisterFile): number;
  faultTail(registers: RegisterFile): number;
  setFaultHead(registers: RegisterFile, slot: number): void;
  setFaultTail(registers: RegisterFile, slot: number): void;
  /** The record's words; undefined: this vendor records no such fault. */
  faultRecord(report: FaultReport, registers: RegisterFile): readonly bigint[] | undefined;
  decodeFault(words: readonly bigint[], registers: RegisterFile): DecodedFault | undefined;
  /** The log is full: sets the vendor's overflow bit. */
  faultOverflow(registers: RegisterFile): void;
  overflowed(registers: RegisterFile): boolean;
}
