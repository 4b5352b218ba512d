import { frameNumber, type FrameNumber } from '../values';
import { type CompiledFormat, type CompiledLevel } from '../formats/compile';

/** What hardware makes of one entry word. The rules of every walker, list and count stand in this file once. */
export const ABSENT = 0;
export const TABLE = 1;
export const LEAF = 2;
/** Present, with a reserved bit set: hardware faults. */
export const MALFORMED = 3;
export type EntryClass = typeof ABSENT | typeof TABLE | typeof LEAF | typeof MALFORMED;

/** Effective permission as bits. */
export const READ = 1;
export const WRITE = 2;
export const READ_WRITE = READ | WRITE;

/** Classifies an entry at a level. A present entry is checked for reserved bits before its permission is looked at. */
export function classify(format: CompiledFormat, level: CompiledLevel, lo: number, hi: number): EntryClass {
  if (((lo & format.presentLo) | (hi & format.presentHi)) === 0) return ABSENT;
  if (isLeaf(level, lo, hi)) {
    return ((lo & level.reservedLeafLo) | (hi & level.reservedLeafHi)) === 0 ? LEAF : MALFORMED;
  }
  return ((lo & level.reservedTableLo) | (hi & level.reservedTableHi)) === 0 ? TABLE : MALFORMED;
}

/** Whether a present entry maps memory (rather than pointing to a table). */
export function isLeaf(level: CompiledLevel, lo: number, hi: number): boolean {
  if (!level.canBeTable) return true;
  return level.canBeLeaf && (lo & level.leafLo) === level.leafLo && (hi & level.leafHi) === level.leafHi;
}

/** READ and WRITE bits that this entry allows. */
export function entryPermission(format: CompiledFormat, lo: number, hi: number): number {
  if (format.permissionInLowBits) return lo & READ_WRITE;
  const read = (lo & format.readLo) === format.readLo && (hi & format.readHi) === format.readHi ? READ : 0;
  const write =
    (lo & format.writeLo) === format.writeLo && (hi & format.writeHi) === format.writeHi ? WRITE : 0;
  return read | write;
}

export function isAccessed(format: CompiledFormat, lo: number, hi: number): boolean {
  return ((lo & format.accessedLo) | (hi & format.accessedHi)) !== 0;
}

export function isDirty(format: CompiledFormat, lo: number, hi: number): boolean {
  return ((lo & format.dirtyLo) | (hi & format.dirtyHi)) !== 0;
}

/** The frame an entry points to or maps: address bits 51:12. */
export function entryFrame(format: CompiledFormat, lo: number, hi: number): FrameNumber {
  return frameNumber((hi & format.addressHi) * 0x100000 + (lo >>> 12));
}

/** Whether a translation that ends at this physical address is refused for where it ends. */
export function isForbiddenOutput(format: CompiledFormat, paddrLo: number, paddrHi: number): boolean {
  const frame = (paddrHi >>> 0) * 0x100000 + (paddrLo >>> 12);
  return frame >= format.forbiddenStart && frame < format.forbiddenEnd;
}

/** Index at a level, from the halves of an input address. */
export function indexAt(level: CompiledLevel, addressLo: number, addressHi: number): number {
  const { shift, indexMask } = level;
  if (shift >= 32) return (addressHi >>> (shift - 32)) & indexMask;
  return ((addressLo >>> shift) | (addressHi << (32 - shift))) & indexMask;
}

export type PermissionText = 'RW' | 'R' | 'W' | '-';
const PERMISSION_TEXTS: readonly PermissionText[] = ['-', 'R', 'W', 'RW'];

export function permissionText(permission: number): PermissionText {
  return PERMISSION_TEXTS[permission & READ_WRITE] ?? '-';
}
