import { type CompiledFormat } from '../formats/compile';
import { type PhysicalMemory } from '../memory/physicalMemory';
import { type DomainId, type FrameNumber } from '../values';

/** Pages of a 64-bit address space. */
export const ALL_PAGES = 2 ** 52;

/** One input address space: a root table and how to read it. */
export interface AddressSpace {
  readonly stage: 1 | 2;
  /** What caches know it by: DID, DomainID, ASID, VMID, PSCID or GSCID. */
  readonly domainId: DomainId;
  /** First frame of the root table, and its first entry there: a short root may begin within a frame. */
  readonly root: FrameNumber;
  readonly rootEntry: number;
  readonly format: CompiledFormat;
  /** Input pages [0, lowEnd) and [highStart, 2^52) pass; the rest fault. */
  readonly lowEnd: number;
  readonly highStart: number;
  /** Bits 63:56 of an input address are a tag: bit 55 stands for them. Arm CD.TBI. */
  readonly ignoresTopByte?: boolean;
  /** Where its tables are read: physical memory, or guest physical memory through `stage2`. */
  readonly memory: PhysicalMemory;
  /** What translates its table and output addresses. */
  readonly stage2: AddressSpace | undefined;
  /** Input pages that are interrupt messages. RISC-V DC.msi_addr_*. */
  readonly interruptPattern?: InterruptPattern;
  /**
   * This space as hardware uses it for what it reads by itself, tables and directories: without its pattern, as that is never
   * a message; VT-d with SSADE, where such a read needs write permission, too; RISC-V with SADE and without GADE, where it
   * needs D in pages that allow writes.
   */
  readonly forTables?: AddressSpace;
  /** This space as requests with a PASID and privilege go through it; absent: like all others. RISC-V, under a process context. */
  readonly privileged?: AddressSpace;
}

/** Which input pages tables take: all of the tables' bits or fewer, zero-extended or with the upper half sign-extended. */
export function zeroExtended(bits: number): Pick<AddressSpace, 'lowEnd' | 'highStart'> {
  return { lowEnd: 2 ** (Math.min(bits, 64) - 12), highStart: ALL_PAGES };
}

export function signExtended(bits: number): Pick<AddressSpace, 'lowEnd' | 'highStart'> {
  const half = 2 ** (bits - 13);
  return { lowEnd: half, highStart: ALL_PAGES - half };
}

/** The upper end of the address space only: all bits above are 1. */
export function upperEnd(bits: number): Pick<AddressSpace, 'lowEnd' | 'highStart'> {
  return { lowEnd: 0, highStart: ALL_PAGES - 2 ** (bits - 12) };
}

/** The page that entry `index` of the root maps first: in the upper part the bits above the tables' are 1. */
export function rootPage(space: AddressSpace, page: number): number {
  return page < space.lowEnd ? page : page + highOffset(space);
}

/** What lies between a page of the upper part and the page the tables decode. */
export function highOffset({ highStart, format }: AddressSpace): number {
  return highStart === ALL_PAGES ? 0 : ALL_PAGES - 2 ** (format.addressBits - 12);
}

/** Input pages [start, end) whose entries in the root stand for pages from `offset` on. */
export interface Region {
  readonly start: number;
  readonly end: number;
  readonly offset: number;
}

/** The parts of a range of pages that an address space takes: zero-extended from below, sign-extended from above. */
export function regionsOf(space: AddressSpace, startPage = 0, endPage = ALL_PAGES): Region[] {
  const low = { start: startPage, end: Math.min(endPage, space.lowEnd), offset: 0 };
  const high = { start: Math.max(startPage, space.highStart), end: endPage, offset: highOffset(space) };
  return [low, high].filter(({ start, end }) => start < end);
}

/** True when the address space does not take this input address. */
export function beyondWidth(space: AddressSpace, addressLo: number, addressHi: number): boolean {
  const high = space.ignoresTopByte ? (addressHi << 8) >> 8 : addressHi;
  const page = (high >>> 0) * 0x100000 + (addressLo >>> 12);
  return page >= space.lowEnd && page < space.highStart;
}

/** Halves of addresses: those that have the pattern in the bits of the mask are interrupt messages. */
export interface InterruptPattern {
  readonly maskLo: number;
  readonly maskHi: number;
  readonly lo: number;
  readonly hi: number;
}

/** Of page numbers that have `pattern` in every bit but those of `mask`. */
export function interruptPages(mask: bigint, pattern: bigint): InterruptPattern {
  const low = (pages: bigint): number => Number((pages & 0xfffffn) << 12n) | 0;
  const high = (pages: bigint): number => Number((pages >> 20n) & 0xffffffffn) | 0;
  const pages = ~mask & ((1n << 52n) - 1n);
  return { maskLo: low(pages), maskHi: high(pages), lo: low(pattern), hi: high(pattern) };
}

export function isInterruptInput(pattern: InterruptPattern, lo: number, hi: number): boolean {
  return (((lo & pattern.maskLo) ^ pattern.lo) | ((hi & pattern.maskHi) ^ pattern.hi)) === 0;
}
