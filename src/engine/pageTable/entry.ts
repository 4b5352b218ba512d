import { ENCODING_COLUMNS, type CompiledFormat, type CompiledLevel } from '../formats/compile';
import { frameNumber, type FrameNumber } from '../values';
import { ABSENT, LEAF, MALFORMED, READ, READ_WRITE, TABLE, WRITE, type EntryClass } from './entryClass';

// The rules of every walker, list and count stand once: what an entry is and says here, the faults of requests in
// entryFaults.ts, marks in marks.ts, and pages of several entries in pageAt.ts. What differs by format is data.

/** Classifies an entry at a level. A present entry is checked for reserved bits before its permission is looked at. */
export function classify(format: CompiledFormat, level: CompiledLevel, lo: number, hi: number): EntryClass {
  if (((lo & format.presentLo) | (hi & format.presentHi)) === 0) return ABSENT;
  if (isLeaf(level, lo)) {
    if (((lo & level.reservedLeafLo) | (hi & level.reservedLeafHi)) !== 0) return MALFORMED;
    if (level.encodingsLeaf.length !== 0 && isIllegal(level.encodingsLeaf, lo, hi)) return MALFORMED;
    return format.runKind === 'size-in-address' && !isRunSizeLegal(format, level, lo, hi) ? MALFORMED : LEAF;
  }
  if (((lo & level.reservedTableLo) | (hi & level.reservedTableHi)) !== 0) return MALFORMED;
  if (level.encodingsTable.length !== 0 && isIllegal(level.encodingsTable, lo, hi)) return MALFORMED;
  return nextDepth(format, level, lo) === 0 ? MALFORMED : TABLE;
}

/** Whether a present entry maps memory (rather than pointing to a table). */
export function isLeaf(level: CompiledLevel, lo: number): boolean {
  if (!level.canBeTable) return true;
  const bits = lo & level.leafMask;
  return (bits === level.leafValue || bits === level.leafOther) !== level.leafNot;
}

function isIllegal(encodings: Int32Array, lo: number, hi: number): boolean {
  for (let at = 0; at < encodings.length; at += ENCODING_COLUMNS) {
    if (passes(encodings, at, lo, hi) && !passes(encodings, at + 4, lo, hi)) return true;
  }
  return false;
}

/** Whether a word passes the test whose four numbers stand at `at`. */
function passes(tests: Int32Array, at: number, lo: number, hi: number): boolean {
  return (
    (lo & (tests[at] ?? 0)) === (tests[at + 1] ?? 0) && (hi & (tests[at + 2] ?? 0)) === (tests[at + 3] ?? 0)
  );
}

function passesAny(tests: Int32Array, lo: number, hi: number): boolean {
  for (let at = 0; at < tests.length; at += 4) if (passes(tests, at, lo, hi)) return true;
  return false;
}

/** Depth of the table that a table entry points to; 0 when it is not below this one. */
export function nextDepth(format: CompiledFormat, level: CompiledLevel, lo: number): number {
  if (format.nextLevelShift < 0) return level.depth - 1;
  const next = (lo >>> format.nextLevelShift) & format.nextLevelMask;
  return next < level.depth ? next : 0;
}

/**
 * Whether the input-address bits between an entry and a table more than one level below it are 0, as they must be
 * (AMD 48882 §2.2.3).
 */
export function skipsZeros(
  format: CompiledFormat,
  level: CompiledLevel,
  next: number,
  addressLo: number,
  addressHi: number,
): boolean {
  for (let depth = next + 1; depth < level.depth; depth++) {
    const skipped = format.levels[depth];
    if (skipped && indexAt(skipped, addressLo, addressHi) !== 0) return false;
  }
  return true;
}

/** READ and WRITE bits that an entry of this class allows. */
export function entryPermission(format: CompiledFormat, found: EntryClass, lo: number, hi: number): number {
  if (format.permissionInLowBits) return lo & READ_WRITE;
  const access = found === TABLE ? format.tableAccess : format.leafAccess;
  const { readMaskLo, readValueLo, readMaskHi, readValueHi, moreRead } = access;
  const { writeMaskLo, writeValueLo, writeMaskHi, writeValueHi, moreWrite } = access;
  const denies =
    isNotZero(((lo & readMaskLo) ^ readValueLo) | ((hi & readMaskHi) ^ readValueHi)) |
    (isNotZero(((lo & writeMaskLo) ^ writeValueLo) | ((hi & writeMaskHi) ^ writeValueHi)) << 1);
  let permission = READ_WRITE & ~denies;
  if (moreRead.length !== 0 && passesAny(moreRead, lo, hi)) permission |= READ;
  if (moreWrite.length !== 0 && passesAny(moreWrite, lo, hi)) permission |= WRITE;
  return permission;
}

/** 1 for every other number than 0, without a branch: what entries allow and were used for is not foreseen. */
export function isNotZero(bits: number): number {
  return (bits | (~bits + 1)) >>> 31;
}

/** The frame at the address field of an entry: that of the next table, or of a leaf with what its size adds. */
export function entryFrame(format: CompiledFormat, lo: number, hi: number): FrameNumber {
  if (format.plainAddress) return frameNumber((hi & format.addressHi) * 0x100000 + (lo >>> 12));
  return joinFrame(baseLo(format, lo), baseHi(format, lo, hi));
}

const joinFrame = (lo: number, hi: number): FrameNumber => frameNumber((hi >>> 0) * 0x100000 + (lo >>> 12));

/** The halves of the byte address at the address field of an entry. */
export function baseLo(format: CompiledFormat, lo: number): number {
  return (lo & format.addressLo) << format.addressMove;
}

export function baseHi(format: CompiledFormat, lo: number, hi: number): number {
  const { addressMove, extraShift, extraMask, extraTo } = format;
  // A shift by 32 would be none at all.
  const carried = ((lo & format.addressLo) >>> 1) >>> (31 - addressMove);
  return ((hi & format.addressHi) << addressMove) | carried | (((lo >>> extraShift) & extraMask) << extraTo);
}

/** The bits of the halves of an address below `shift`, 12 to 63. Powers would be calls, and doubles. */
export function belowLo(shift: number): number {
  return shift >= 32 ? -1 : (1 << shift) - 1;
}

export function belowHi(shift: number): number {
  return shift > 32 ? (1 << (shift - 32)) - 1 : 0;
}

/** 2 to the power of up to 52. */
export function powerOfTwo(exponent: number): number {
  return exponent < 31 ? 1 << exponent : 2 ** exponent;
}

/** Whether a leaf is one of a run of entries that are one page together. */
export function isRun(format: CompiledFormat, level: CompiledLevel, lo: number, hi: number): boolean {
  return (
    format.runKind !== 'none' &&
    (lo & format.runMaskLo) === format.runValueLo &&
    (hi & format.runMaskHi) === format.runValueHi &&
    (level.runLog2 !== 0 || format.runKind === 'size-in-address')
  );
}

/** log2 of the bytes of the page that a leaf is, or is a part of. */
export function pageShift(format: CompiledFormat, level: CompiledLevel, lo: number, hi: number): number {
  if (!isRun(format, level, lo, hi)) return level.shift;
  return format.runKind === 'size-in-address' ? sizeInAddress(format, lo, hi) : level.shift + level.runLog2;
}

/** log2 of the bytes of which a leaf says the address: input bits below are taken over. */
export function offsetShift(format: CompiledFormat, level: CompiledLevel, lo: number, hi: number): number {
  return format.runKind === 'own-address' ? level.shift : pageShift(format, level, lo, hi);
}

/** First frame of what a leaf maps: of its page, or with runs of `own-address` of its own part. */
export function leafFrame(format: CompiledFormat, level: CompiledLevel, lo: number, hi: number): FrameNumber {
  return alignedFrame(format, offsetShift(format, level, lo, hi), lo, hi);
}

/** The frame at the address field of an entry, without the bits of the address below `shift`. */
export function alignedFrame(format: CompiledFormat, shift: number, lo: number, hi: number): FrameNumber {
  return joinFrame(baseLo(format, lo) & ~belowLo(shift), baseHi(format, lo, hi) & ~belowHi(shift));
}

/** log2 of the page size: one more than the lowest clear bit of the address field (AMD 48882 §2.2.3, next level 7). */
function sizeInAddress(format: CompiledFormat, lo: number, hi: number): number {
  const clearLo = ~lo & 0xfffff000;
  if (clearLo !== 0) return 32 - Math.clz32(clearLo & -clearLo);
  const clearHi = ~hi & format.addressHi;
  return clearHi === 0 ? 64 : 64 - Math.clz32(clearHi & -clearHi);
}

/** A page is larger than an entry's part, and its entries stand in one table. */
function isRunSizeLegal(format: CompiledFormat, level: CompiledLevel, lo: number, hi: number): boolean {
  if (!isRun(format, level, lo, hi)) return true;
  const shift = sizeInAddress(format, lo, hi);
  return shift >= level.shift && shift < level.shift + level.rule.indexBits;
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
