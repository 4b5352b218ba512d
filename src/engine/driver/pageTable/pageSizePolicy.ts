import { compileFormat, levelOf, type CompiledFormat } from '../../formats/compile';
import { type FormatHardware, type PageTableFormat } from '../../formats/pageTableFormat';
import { pageShifts } from '../../pageTable/pageSizes';

/** AMD processors that do not translate 512 GiB pages: Linux leaves that size out. */
const UNUSED_AMD_SHIFT = 39;

/** A size of pages, and the depth at which its leaves stand. */
export interface PageSize {
  readonly shift: number;
  readonly depth: number;
}

/** log2 sizes of the leaves that tables with this root can hold at a depth, ascending: a run must fit into its table. */
export function usableShifts(format: CompiledFormat, depth: number): number[] {
  const level = levelOf(format, depth);
  const indexBits = Math.log2(level.indexMask + 1);
  const most = format.runKind === 'size-in-address' ? indexBits : level.runLog2;
  return pageShifts(format, depth).filter((shift) => shift - level.shift <= most);
}

/** Sizes that mapping may use, largest first. `allowed`: log2 sizes; absent: all that the format has and that work. */
export function pageSizesOf(
  format: PageTableFormat,
  hardware: FormatHardware,
  mostDepth: number,
  rootIndexBits: number | undefined,
  allowed: readonly number[] | undefined,
): PageSize[] {
  const compiled = compileFormat(format, mostDepth, hardware, rootIndexBits);
  const sizes: PageSize[] = [];
  for (let depth = mostDepth; depth > 0; depth--) {
    for (const shift of usableShifts(compiled, depth).reverse()) sizes.push({ shift, depth });
  }
  const works = ({ shift }: PageSize) =>
    allowed?.includes(shift) ?? !(format.nextLevel !== undefined && shift === UNUSED_AMD_SHIFT);
  return sizes.filter(works).sort((a, b) => b.shift - a.shift);
}

/** The largest size that can map `page` to `frame` within `pages` pages; undefined when none can. */
export function bestSize(
  sizes: readonly PageSize[],
  page: number,
  frame: number,
  pages: number,
): PageSize | undefined {
  return sizes.find(({ shift }) => {
    const length = 2 ** (shift - 12);
    return length <= pages && page % length === 0 && frame % length === 0;
  });
}
