import { levelOf, type CompiledFormat } from '../formats/compile';
import { classify } from '../pageTable/entry';
import { ABSENT, MALFORMED } from '../pageTable/entryClass';
import { entryProblems } from '../pageTable/entryProblems';
import { isAccessed, isDirty } from '../pageTable/marks';

/**
 * Why a word must not stand in a table of this depth; undefined: it may. Either its format faults on it, or software misreads
 * it: where presence is said by the permission bits (VT-d second stage), software takes any word but 0 for a mapping, so that
 * a slot without permission must have no A or D. A stray D in a table pointer is an oddity where the format ignores it.
 */
export function corruptSlot(
  format: CompiledFormat,
  depth: number,
  lo: number,
  hi: number,
): string | undefined {
  const found = classify(format, levelOf(format, depth), lo, hi);
  if (found === MALFORMED)
    return entryProblems(format, depth, lo, hi)[0]?.message ?? 'Hardware faults on it.';
  const { present } = format.format;
  const saidByPermission = (present & (present - 1n)) !== 0n;
  if (found !== ABSENT || !saidByPermission) return undefined;
  if (!isAccessed(format, lo, hi) && !isDirty(format, lo, hi)) return undefined;
  return 'The slot maps nothing, and hardware has marked it: software takes the word for a mapping.';
}
