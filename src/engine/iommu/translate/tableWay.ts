import { type AddressSpace } from '../../pageTable/addressSpace';
import { type Pasid, type RequesterId } from '../../values';
import { type CacheTag } from '../cacheOperation';
import { type DmaRequest } from '../request';
import { type IommuVendor } from '../vendor';

/** An address space as walks of one device go through it: with the tags that caches know its parts by. */
export interface TableWay {
  readonly space: AddressSpace;
  readonly tag: CacheTag;
  /** Through which its output goes; undefined: the output is physical. */
  readonly stage2: TableWay | undefined;
  /** Through which its tables are read. */
  readonly tables: TableWay | undefined;
  /** Used for what hardware reads by itself: what caches hold of it may be less than its tables allow. */
  readonly implicit: boolean;
  /** Of requests with privilege: the IOTLB has no tag for them, and keeps nothing of it. */
  readonly isKept?: false;
}

export function tableWay(
  vendor: IommuVendor,
  space: AddressSpace,
  requester: RequesterId,
  pasid: Pasid | null,
  contextWords: readonly bigint[],
): TableWay {
  const tag = vendor.tagOf(space, requester, pasid, contextWords);
  const { stage2 } = space;
  // Tables of stage 2 are known by their vm alone, whatever stage 1 is above.
  const below = stage2 && secondStage(stage2, tag.vm);
  return {
    space,
    tag: space.stage === 2 ? { vm: tag.vm, space: -1 } : tag,
    stage2: below,
    tables: stage2 && implicitWay(stage2, tag.vm),
    implicit: false,
  };
}

/** As a request with a PASID goes through it: with privilege, where tables know of that. */
export function wayWithPrivilege(way: TableWay, { privileged, pasid }: DmaRequest): TableWay {
  const space = privileged === true && pasid !== null ? way.space.privileged : undefined;
  return space ? { ...way, space, isKept: false } : way;
}

/** A stage 2 that is known by its vm. */
export const secondStage = (space: AddressSpace, vm: number): TableWay => ({
  space,
  tag: { vm, space: -1 },
  stage2: undefined,
  tables: undefined,
  implicit: false,
});

/** A stage 2 as hardware uses it for tables and structures that a guest keeps. */
export const implicitWay = (space: AddressSpace, vm: number): TableWay => ({
  ...secondStage(space.forTables ?? space, vm),
  implicit: true,
});
