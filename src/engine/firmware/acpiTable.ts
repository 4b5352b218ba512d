import { type PhysicalMemory } from '../memory/physicalMemory';
import { type ByteReader, readBytes } from './byteReader';

/** The ACPI tables that say which IOMMU translates for a device. */
export const TABLE_SIGNATURES = ['DMAR', 'IVRS', 'IORT'] as const;
export type TableSignature = (typeof TABLE_SIGNATURES)[number];

/** A table whose length and checksum are right. */
export interface AcpiTable {
  readonly signature: TableSignature;
  /** Physical byte address. */
  readonly address: number;
  /** The whole table with its header. */
  readonly bytes: ByteReader;
}

/** Bytes of the header that every table begins with (ACPI 6.5 §5.2.6). */
export const HEADER_BYTES = 36;
/** DMAR, IVRS and IORT alike have 12 bytes of their own before the first structure. */
export const FIXED_BYTES = 48;
/** Tables of the largest machines have some ten KiB; what claims more is damaged. */
const MAX_TABLE_BYTES = 256 * 1024;

export const isWanted = (signature: string): signature is TableSignature =>
  TABLE_SIGNATURES.some((wanted) => wanted === signature);

export const isPossibleLength = (length: number, atLeast: number): boolean =>
  length >= atLeast && length <= MAX_TABLE_BYTES;

/** `ok`, or why the bytes at an address are no table. */
export type TableRead =
  { readonly ok: true; readonly bytes: ByteReader } | { readonly ok: false; readonly why: string };

/** Reads a table of any signature: its length must be possible, its bytes held, its checksum right. */
export function readTable(memory: PhysicalMemory, address: number, atLeast = HEADER_BYTES): TableRead {
  const header = readBytes(memory, address, HEADER_BYTES);
  if (!header) return { ok: false, why: 'is not in the image' };
  const length = header.u32(4);
  if (!isPossibleLength(length, atLeast)) {
    return { ok: false, why: `claims an impossible length of ${length} bytes` };
  }
  const bytes = readBytes(memory, address, length);
  if (!bytes) return { ok: false, why: 'is in the image only in part' };
  return bytes.sumsToZero() ? { ok: true, bytes } : { ok: false, why: 'has a wrong checksum' };
}
