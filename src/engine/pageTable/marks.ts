import { type CompiledFormat } from '../formats/compile';
import { isNotZero } from './entry';
import { ACCESSED, DIRTY } from './runColumns';

/** ACCESSED | DIRTY of one leaf. */
export function marksOf(format: CompiledFormat, lo: number, hi: number): number {
  const { dirtyMaskLo, dirtyMaskHi, dirtyValueLo, dirtyValueHi } = format;
  const accessed = isNotZero((lo & format.accessedLo) | (hi & format.accessedHi));
  const clean = isNotZero(((lo & dirtyMaskLo) ^ dirtyValueLo) | ((hi & dirtyMaskHi) ^ dirtyValueHi));
  return (accessed * ACCESSED) | (format.hasDirty & ((clean ^ 1) * DIRTY));
}

export const isAccessed = (format: CompiledFormat, lo: number, hi: number): boolean =>
  (marksOf(format, lo, hi) & ACCESSED) !== 0;

export const isDirty = (format: CompiledFormat, lo: number, hi: number): boolean =>
  (marksOf(format, lo, hi) & DIRTY) !== 0;

/** Whether hardware may change the dirty mark of this leaf: where another bit allows it (Arm DBM), that bit must be set. */
function hasDirtyMark(format: CompiledFormat, lo: number, hi: number): boolean {
  const { dirtyMaskLo, dirtyMaskHi, dirtyMarkLo, dirtyMarkHi } = format;
  const otherLo = dirtyMaskLo & ~dirtyMarkLo;
  const otherHi = dirtyMaskHi & ~dirtyMarkHi;
  return (
    (lo & otherLo) === (format.dirtyValueLo & otherLo) && (hi & otherHi) === (format.dirtyValueHi & otherHi)
  );
}

/** Whether hardware writes to a leaf that it uses for a request, to mark it. */
export function marksLeaf(format: CompiledFormat, lo: number, hi: number, write: boolean): boolean {
  if (format.setsAccessed && !isAccessed(format, lo, hi)) return true;
  return write && format.setsDirty && hasDirtyMark(format, lo, hi) && !isDirty(format, lo, hi);
}

/** Whether hardware writes to a table entry that it uses. */
export function marksTable({ tableMarksLo, tableMarksHi }: CompiledFormat, lo: number, hi: number): boolean {
  return ((~lo & tableMarksLo) | (~hi & tableMarksHi)) !== 0;
}

/** The low (high) half without what hardware changes in this leaf. */
export function unmarkedLo(format: CompiledFormat, lo: number, hi: number): number {
  return lo & ~(format.accessedLo | (hasDirtyMark(format, lo, hi) ? format.dirtyMarkLo : 0));
}

export function unmarkedHi(format: CompiledFormat, lo: number, hi: number): number {
  return hi & ~(format.accessedHi | (hasDirtyMark(format, lo, hi) ? format.dirtyMarkHi : 0));
}
