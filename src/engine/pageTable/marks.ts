import { type CompiledFormat } from '../formats/compile';
import { type EntryHalves } from '../memory/words';
import { entryPermission, isNotZero } from './entry';
import { LEAF, WRITE } from './entryClass';
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
export function hasDirtyMark(format: CompiledFormat, lo: number, hi: number): boolean {
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
  return (write || dirtiesByReads(format, lo, hi)) && marksDirty(format, lo, hi) && !isDirty(format, lo, hi);
}

/** Whether even a read needs this leaf dirty: where it allows writes, and the format says so. */
export function dirtiesByReads(format: CompiledFormat, lo: number, hi: number): boolean {
  return format.readsNeedDirty && (entryPermission(format, LEAF, lo, hi) & WRITE) !== 0;
}

/** Whether hardware marks a leaf dirty that it uses for a write, when it is not yet. */
export function marksDirty(format: CompiledFormat, lo: number, hi: number): boolean {
  return format.setsDirty && hasDirtyMark(format, lo, hi);
}

/** The low (high) half of a leaf as hardware leaves it: accessed where it marks that, and with `dirty` dirty, too. */
export function markedLo(format: CompiledFormat, lo: number, dirty: boolean): number {
  const { dirtyMarkLo, dirtyValueLo } = format;
  const accessed = format.setsAccessed ? lo | format.accessedLo : lo;
  return dirty ? (accessed & ~dirtyMarkLo) | (dirtyValueLo & dirtyMarkLo) : accessed;
}

export function markedHi(format: CompiledFormat, hi: number, dirty: boolean): number {
  const { dirtyMarkHi, dirtyValueHi } = format;
  const accessed = format.setsAccessed ? hi | format.accessedHi : hi;
  return dirty ? (accessed & ~dirtyMarkHi) | (dirtyValueHi & dirtyMarkHi) : accessed;
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

/** A leaf without its dirty mark: a write has to mark it again. The same leaf where no hardware may mark it. */
export function cleanedHalves(format: CompiledFormat, { lo, hi }: Readonly<EntryHalves>): EntryHalves {
  if (!hasDirtyMark(format, lo, hi)) return { lo, hi };
  const { dirtyMarkLo, dirtyMarkHi, dirtyValueLo, dirtyValueHi } = format;
  return {
    lo: (lo & ~dirtyMarkLo) | (~dirtyValueLo & dirtyMarkLo),
    hi: (hi & ~dirtyMarkHi) | (~dirtyValueHi & dirtyMarkHi),
  };
}

/** A leaf with the marks of ACCESSED | DIRTY that are asked for; D only where it may be marked. */
export function markedHalves(
  format: CompiledFormat,
  { lo, hi }: Readonly<EntryHalves>,
  marks: number,
): EntryHalves {
  const accessed = (marks & ACCESSED) !== 0;
  const withLo = accessed ? lo | format.accessedLo : lo;
  const withHi = accessed ? hi | format.accessedHi : hi;
  if ((marks & DIRTY) === 0 || !hasDirtyMark(format, lo, hi)) return { lo: withLo, hi: withHi };
  const { dirtyMarkLo, dirtyMarkHi, dirtyValueLo, dirtyValueHi } = format;
  return {
    lo: (withLo & ~dirtyMarkLo) | (dirtyValueLo & dirtyMarkLo),
    hi: (withHi & ~dirtyMarkHi) | (dirtyValueHi & dirtyMarkHi),
  };
}
