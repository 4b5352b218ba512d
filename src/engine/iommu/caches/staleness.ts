import { type Fault } from '../../faults';
import { levelOf } from '../../formats/compile';
import { FRAME_ENTRIES, readEntry } from '../../memory/words';
import { type AddressSpace } from '../../pageTable/addressSpace';
import { pageShift, permissionText, powerOfTwo } from '../../pageTable/entry';
import { READ_WRITE, WRITE } from '../../pageTable/entryClass';
import { isDirty, marksDirty } from '../../pageTable/marks';
import { type TableWalk } from '../../pageTable/tableWalk';
import { walkTables } from '../../pageTable/walk';
import { formatSize, frameHalves, frameNumber, hex } from '../../values';
import { type CachedTranslation } from './translationCache';

/** What memory says of a page now. */
export type FreshTranslation =
  | {
      readonly ok: true;
      readonly outputPage: number;
      /** READ | WRITE of all stages. */
      readonly permission: number;
      /** log2 bytes of the leaf of each stage; 0: no such stage. */
      readonly stage1Shift: number;
      readonly stage2Shift: number;
      /** A write would have to set D first, in a leaf of one of the stages. */
      readonly clean: boolean;
    }
  | { readonly ok: false; readonly fault: Fault };

/** How a cached translation differs from memory, the worst that it does first. */
export interface Staleness {
  /** gone: memory refuses the page. moved: leads elsewhere. clean: writes go through without setting D. */
  readonly what: 'gone' | 'moved' | 'permission' | 'clean' | 'size';
  /** One sentence. */
  readonly says: string;
}

/**
 * Compares a cached translation with what memory says now; undefined: no difference that a request could meet. `rewalk` walks
 * its first page again, without changing anything. `isDevices`: an entry of a device TLB,
 * which knows nothing of stages.
 */
export function stalenessOf(
  entry: CachedTranslation,
  rewalk: (entry: CachedTranslation) => FreshTranslation,
  isDevices = false,
): Staleness | undefined {
  const fresh = rewalk(entry);
  if (entry.fault !== undefined) {
    if (!fresh.ok) return undefined;
    return { what: 'permission', says: `Memory translates this page now; ${entry.fault} is remembered.` };
  }
  if (!fresh.ok) return { what: 'gone', says: `Memory refuses this page now: ${fresh.fault}.` };
  const { outputPage, permission } = fresh;
  if (outputPage !== entry.outputPage)
    return { what: 'moved', says: `Memory leads to ${hex(BigInt(outputPage) << 12n)} now.` };
  if (isDevices ? (entry.permission & ~permission) !== 0 : permission !== entry.permission)
    return { what: 'permission', says: `Memory allows ${permissionText(permission)} now.` };
  if (fresh.clean && entry.dirtyDone && (entry.permission & WRITE) !== 0)
    return { what: 'clean', says: 'D is clear in memory: writes through this translation do not set it.' };
  return sizeDifference(entry, fresh, isDevices);
}

function sizeDifference(
  entry: CachedTranslation,
  { stage1Shift, stage2Shift }: FreshTranslation & { ok: true },
  isDevices: boolean,
): Staleness | undefined {
  const shift = Math.min(stage1Shift || 64, stage2Shift || 64);
  const differs = isDevices
    ? shift < entry.shift
    : stage1Shift !== entry.stage1Shift || stage2Shift !== entry.stage2Shift;
  if (!differs) return undefined;
  const sizes = [stage1Shift, stage2Shift]
    .filter((each) => each !== 0)
    .map((each) => formatSize(1n << BigInt(each)));
  return { what: 'size', says: `Memory maps it by a leaf of ${sizes.join(' over one of ')} now.` };
}

/** Walks the first page of a cached translation in these tables as they are now. `allowed`: what the device's entry leaves. */
export function rewalkIn(
  space: AddressSpace,
  allowed = READ_WRITE,
): (entry: CachedTranslation) => FreshTranslation {
  return ({ page }) => {
    const { lo, hi } = frameHalves(page);
    const walk = walkTables(space, lo, hi, false);
    const { outcome } = walk;
    if (!outcome.ok) return { ok: false, fault: outcome.fault };
    const own = outcome.pageShift;
    const below = space.stage2 && walk.under?.outcome.ok === true ? walk.under.outcome.pageShift : 0;
    return {
      ok: true,
      outputPage: outcome.paddrHi * 0x100000 + (outcome.paddrLo >>> 12),
      permission: outcome.permission & allowed,
      stage1Shift: space.stage === 1 ? own : 0,
      stage2Shift: space.stage === 1 ? below : own,
      clean: isClean(space, walk) || (space.stage2 && walk.under ? isClean(space.stage2, walk.under) : false),
    };
  };
}

/**
 * Whether no entry of the page has the dirty mark that hardware sets: where several entries are one page it may have marked any
 * of them, and software reads them all.
 */
function isClean({ format, memory }: AddressSpace, { steps }: TableWalk): boolean {
  const leaf = steps.at(-1);
  if (!leaf || !marksDirty(format, leaf.lo, leaf.hi) || isDirty(format, leaf.lo, leaf.hi)) return false;
  const level = levelOf(format, leaf.depth);
  const count = powerOfTwo(pageShift(format, level, leaf.lo, leaf.hi) - level.shift);
  const slot = leaf.address / 8;
  const first = slot - (slot % count);
  const halves = { lo: 0, hi: 0 };
  for (let each = first; each < first + count; each++) {
    const frame = frameNumber(Math.floor(each / FRAME_ENTRIES));
    if (readEntry(memory, frame, each % FRAME_ENTRIES, halves) && isDirty(format, halves.lo, halves.hi))
      return false;
  }
  return true;
}
