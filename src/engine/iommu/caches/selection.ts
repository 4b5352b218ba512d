import { powerOfTwo } from '../../pageTable/entry';
import { type PageRange, type TagSelection } from '../cacheOperation';

/** Whether a command that selects tags means what is cached under this one. */
export function selectsTag(
  { vm, space, keepsGlobal, stage1 }: TagSelection,
  tagVm: number,
  tagSpace: number,
  global: boolean,
  hasStage1: boolean,
): boolean {
  if (vm !== undefined && vm !== tagVm) return false;
  if (stage1 !== undefined && stage1 !== hasStage1) return false;
  if (space === undefined) return true;
  // What is global is there for every space: a command for one means it too, unless it says that it does not.
  return global ? keepsGlobal !== true && space !== -1 : space === tagSpace;
}

/** Whether a range has pages of the block of 2^shift bytes around a page. */
export function overlapsBlock({ startPage, endPage }: PageRange, page: number, shift: number): boolean {
  const pages = powerOfTwo(shift - 12);
  const start = Math.floor(page / pages) * pages;
  return Math.max(startPage, start) < Math.min(endPage, start + pages);
}

/**
 * Whether a range that software says it changed reaches what is cached from a leaf: `cachedShift` bytes around `page`, of a
 * leaf of `leafShift` bytes; less is cached where the other stage, or the cache, has smaller pages. Leaf and cached bytes both
 * count: RISC-V IOMMU 1.0 §3.1.1 drops every entry of a leaf that holds the address. `largestShift`: what is larger than so
 * many bytes stays, the least that VT-d (§6.5.2), AMD and Arm with TTL demand.
 */
export function reaches(
  range: PageRange,
  page: number,
  cachedShift: number,
  leafShift: number,
  largestShift: number,
): boolean {
  if (cachedShift <= largestShift && overlapsBlock(range, page, cachedShift)) return true;
  return leafShift > cachedShift && leafShift <= largestShift && overlapsBlock(range, page, leafShift);
}
