import { type Fault } from '../faults';
import { type CompiledFormat, type CompiledLevel } from '../formats/compile';
import { entryFrame, isLeaf, leafFrame, nextDepth } from './entry';
import { READ, WRITE } from './entryClass';
import { isAccessed, isDirty } from './marks';

// Which fault an entry gives, for walks and batches alike.

/** What permission refuses; undefined when it allows the access. */
export function accessFault(permission: number, write: boolean): Fault | undefined {
  if ((permission & (write ? WRITE : READ)) !== 0) return undefined;
  return write ? 'write-denied' : 'read-denied';
}

/** Why an entry that is not as it should be faults: an AMD level field that leads nowhere has a word of its own. */
export function malformedFault(format: CompiledFormat, level: CompiledLevel, lo: number): Fault {
  const table = !isLeaf(level, lo);
  return table && format.nextLevelShift >= 0 && nextDepth(format, level, lo) === 0
    ? 'level-skip'
    : 'entry-reserved';
}

/** What a good leaf refuses, in the format's order: for its permission, its marks, or where it leads. */
export function leafFault(
  format: CompiledFormat,
  level: CompiledLevel,
  lo: number,
  hi: number,
  permission: number,
  write: boolean,
): Fault | undefined {
  const denied = accessFault(permission, write);
  const tooFar = leadsTooFar(format, level, lo, hi) ? 'address-size' : undefined;
  const unaccessed = format.needsAccessed && !isAccessed(format, lo, hi) ? 'access-flag' : undefined;
  const needsDirty = format.needsDirty && (write || (format.readsNeedDirty && (permission & WRITE) !== 0));
  const undirtied = needsDirty && !isDirty(format, lo, hi) ? 'dirty-flag' : undefined;
  return format.format.permissionFirst === true
    ? (denied ?? unaccessed ?? undirtied ?? tooFar)
    : (tooFar ?? unaccessed ?? denied ?? undirtied);
}

/** Address bits of a large leaf below its size do not count; most leaves have a small address with them, too. */
function leadsTooFar(format: CompiledFormat, level: CompiledLevel, lo: number, hi: number): boolean {
  return (
    entryFrame(format, lo, hi) >= format.outputEnd && leafFrame(format, level, lo, hi) >= format.outputEnd
  );
}
