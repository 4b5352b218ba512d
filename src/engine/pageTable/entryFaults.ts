import { type Fault } from '../faults';
import { type CompiledFormat, type CompiledLevel } from '../formats/compile';
import { isLeaf, nextDepth } from './entry';
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

/** What a good leaf refuses: first what its marks say, then its permission. */
export function leafFault(
  format: CompiledFormat,
  lo: number,
  hi: number,
  permission: number,
  write: boolean,
): Fault | undefined {
  const denied = accessFault(permission, write);
  if (format.needsAccessed && !isAccessed(format, lo, hi)) {
    // Arm looks at the access flag before the permission (DDI 0487 D8.15); RISC-V at the permission first.
    return format.format.permissionBeforeMarks ? (denied ?? 'access-flag') : 'access-flag';
  }
  if (denied) return denied;
  return write && format.needsDirty && !isDirty(format, lo, hi) ? 'dirty-flag' : undefined;
}
