/** Cached translations for tests: what a test does not say is what a fresh 4 KiB page of stage 2 has. */
import { type CachedTranslation } from '../../../../../src/engine/iommu/caches/translationCache';

export type EntryText = Partial<Omit<CachedTranslation, 'tag'>> & {
  readonly vm?: number;
  readonly space?: number;
};

export function cached({ vm = 1, space = -1, ...given }: EntryText): CachedTranslation {
  const { page = 0, shift = 12 } = given;
  return {
    tag: { vm, space },
    global: false,
    page,
    shift,
    outputPage: 0x1000 + page,
    permission: 3,
    accessedDone: true,
    dirtyDone: true,
    stage1Shift: space === -1 ? 0 : shift,
    stage2Shift: space === -1 ? shift : 0,
    guestPage: space === -1 ? page : -1,
    stage1Leaf: -1,
    stage2Leaf: -1,
    ...given,
  };
}

/** One page. */
export const onePage = (page: number) => ({ startPage: page, endPage: page + 1 });
