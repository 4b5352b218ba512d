import { isInterruptInput } from '../../pageTable/addressSpace';
import { powerOfTwo } from '../../pageTable/entry';
import { READ_WRITE, READ, WRITE } from '../../pageTable/entryClass';
import { frameHalves } from '../../values';
import { pageAt } from '../addressHalves';
import { type Iotlb } from '../caches/iotlb';
import { type CachedTranslation } from '../caches/translationCache';
import { type DmaRequest } from '../request';
import { type IommuVendor } from '../vendor';
import { type StageLeaf, type WalkGoal } from './walkGoals';
import { type TableWay } from './tableWay';

/** The page of an address that tables of this space decode: of addresses with a tag the one without. */
export function inputPage(way: TableWay, { addressLo, addressHi }: DmaRequest): number {
  return pageAt(addressLo, way.space.ignoresTopByte === true ? (addressHi << 8) >> 8 : addressHi);
}

/** Whether a cached translation holds all that a request is for: else it is dropped, and the tables are walked. */
export function isEnough(iotlb: Iotlb, slot: number, { kind, read, write }: WalkGoal): boolean {
  const permission = iotlb.permission(slot);
  const isDirty = iotlb.isDirtyDone(slot);
  if (kind !== 'access') return permission !== 0 && (!write || isDirty || (permission & WRITE) === 0);
  const needs = (read ? READ : 0) | (write ? WRITE : 0);
  return (permission & needs) === needs && (!write || isDirty);
}

/** Whether a page that a cached translation covers comes out where requests may go: parts of large ones may not. */
export function mayLeave(way: TableWay, iotlb: Iotlb, slot: number, page: number): boolean {
  const { space } = way.stage2 ?? way;
  const { format, interruptPattern } = space;
  if (format.forbiddenEnd > format.forbiddenStart) {
    const output = iotlb.outputPage(slot, page);
    if (output >= format.forbiddenStart && output < format.forbiddenEnd) return false;
  }
  if (!interruptPattern) return true;
  const { lo, hi } = frameHalves(way.stage2 ? guestPageOf(iotlb.entryAt(slot), page) : page);
  return !isInterruptInput(interruptPattern, lo, hi);
}

/** Where a page goes in guest physical memory. */
export const guestPageOf = (entry: CachedTranslation, page: number): number =>
  entry.guestPage + page - entry.page;

/** What the walk of both stages, or of one, has found: for the bytes that it is good for as a whole. */
export function translationOf(
  vendor: IommuVendor,
  way: TableWay,
  page: number,
  leaf: StageLeaf,
  below: StageLeaf | undefined,
): CachedTranslation {
  const shift = Math.min(leaf.heldShift, below?.heldShift ?? leaf.heldShift);
  const offset = page % powerOfTwo(shift - 12);
  const ofStage1 = way.space.stage === 1;
  const guest = pageAt(leaf.lo, leaf.hi);
  const last = below ?? leaf;
  const ofStage2 = ofStage1 ? below : leaf;
  return {
    tag: way.tag,
    global: ofStage1 && vendor.isGlobal(way.space, leaf.leafLo, leaf.leafHi),
    page: page - offset,
    shift,
    outputPage: pageAt(last.lo, last.hi) - offset,
    permission: leaf.permission & (below?.permission ?? READ_WRITE),
    accessedDone: true,
    dirtyDone: leaf.dirtyDone && (below?.dirtyDone ?? true),
    stage1Shift: ofStage1 ? leaf.pageShift : 0,
    stage2Shift: ofStage2?.pageShift ?? 0,
    guestPage: below ? guest - offset : ofStage1 ? -1 : page - offset,
    stage1Leaf: ofStage1 ? leaf.address : -1,
    stage2Leaf: ofStage2?.address ?? -1,
  };
}
