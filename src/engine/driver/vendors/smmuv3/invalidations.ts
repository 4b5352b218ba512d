import { smmuCommands } from '../../../iommu/vendors/smmuv3/commands';
import { type Pasid, type RequesterId } from '../../../values';
import { type Smmuv3Capabilities } from '../../capabilities/smmuv3';
import { type FlushRange } from '../../flusher';
import { addressOf, EVERY_ORDER, wholeLeaves, type Block } from '../common/ranges';
import { type EncodedCommand } from '../common/encodedCommand';

// The commands that the driver uses (IHI 0070 4.3 to 4.7).

/** Commands by address after which the whole address space is cheaper. */
const MOST_COMMANDS = 512;
/** NUM has 5 bits, so that one command counts up to 32. */
const MOST_COUNT = 32;

const named = (name: string, words: readonly bigint[]): EncodedCommand => ({ name, words });

export const invalidateEverything = (): EncodedCommand[] => [
  named('CMD_CFGI_ALL', smmuCommands.cfgiAll()),
  named('CMD_TLBI_NSNH_ALL', smmuCommands.tlbiNsnhAll()),
];

export const invalidateSte = (requester: RequesterId): EncodedCommand =>
  named('CMD_CFGI_STE', smmuCommands.cfgiSte({ StreamID: requester, Leaf: true }));

export const invalidateCd = (requester: RequesterId, pasid: Pasid | null): EncodedCommand =>
  named('CMD_CFGI_CD', smmuCommands.cfgiCd({ StreamID: requester, SubstreamID: pasid ?? 0, Leaf: true }));

export const invalidateAsid = (asid: number): EncodedCommand =>
  named('CMD_TLBI_NH_ASID', smmuCommands.tlbiNhAsid({ ASID: asid }));

/** Both stages of a VMID. */
export const invalidateVmid = (vmid: number): EncodedCommand =>
  named('CMD_TLBI_S12_VMALL', smmuCommands.tlbiS12Vmall({ VMID: vmid }));

/** Stage 1, and both stages together, of a VMID: what a stage 2 command by address does not reach. */
export const invalidateNestedOf = (vmid: number): EncodedCommand =>
  named('CMD_TLBI_NH_ALL', smmuCommands.tlbiNhAll({ VMID: vmid }));

/** Null: every page. */
export function invalidateAtc(
  requester: RequesterId,
  pasid: Pasid | null,
  block: Block | null,
): EncodedCommand {
  const { startPage, order } = block ?? { startPage: 0, order: EVERY_ORDER };
  const substream = pasid === null ? {} : { SSV: true, SubstreamID: pasid };
  const range = { Size: order, Address: addressOf(startPage) };
  return named('CMD_ATC_INV', smmuCommands.atcInv({ StreamID: requester, ...substream, ...range }));
}

/** Whose translations a command by address removes. */
export type RangeTarget =
  { readonly stage: 1; readonly asid: number } | { readonly stage: 2; readonly vmid: number };

/** Removes a range: by ranges where IDR3.RIL is 1, else by one command a leaf; all of the target where that takes too many. */
export function invalidateRange(
  target: RangeTarget,
  range: FlushRange,
  granuleShift: number,
  { ril }: Smmuv3Capabilities,
): EncodedCommand[] {
  return (ril ? byRanges(target, range, granuleShift) : byAddress(target, range)) ?? [wholeOf(target)];
}

const wholeOf = (target: RangeTarget): EncodedCommand =>
  target.stage === 1 ? invalidateAsid(target.asid) : invalidateVmid(target.vmid);

/** NUM, SCALE, TTL and TG of 4.4.1.1. */
interface Extent {
  readonly NUM: number;
  readonly SCALE: number;
  readonly TTL: number;
  readonly TG: number;
}

function command(target: RangeTarget, page: number, leaf: boolean, extent: Partial<Extent>): EncodedCommand {
  const where = { Leaf: leaf, Address: addressOf(page), ...extent };
  return target.stage === 1
    ? named('CMD_TLBI_NH_VA', smmuCommands.tlbiNhVa({ ASID: target.asid, ...where }))
    : named('CMD_TLBI_S2_IPA', smmuCommands.tlbiS2Ipa({ VMID: target.vmid, ...where }));
}

function byAddress(target: RangeTarget, range: FlushRange): EncodedCommand[] | undefined {
  const { start, end } = wholeLeaves(range);
  const step = 2 ** (range.smallestShift - 12);
  if ((end - start) / step > MOST_COMMANDS) return undefined;
  return Array.from({ length: Math.ceil((end - start) / step) }, (_, index) =>
    command(target, start + index * step, !range.tables, {}),
  );
}

function byRanges(
  target: RangeTarget,
  range: FlushRange,
  granuleShift: number,
): EncodedCommand[] | undefined {
  const leaf = !range.tables;
  const { start, end } = wholeLeaves(range);
  const pagesOfGranule = 2 ** (granuleShift - 12);
  const first = Math.floor(start / pagesOfGranule);
  let left = Math.ceil(end / pagesOfGranule) - first;
  const TTL = leaf ? levelOf(range, granuleShift) : 0;
  const TG = (granuleShift - 10) / 2;
  // A range of one granule without a level has no encoding: the one after it goes, too.
  if (TTL === 0) left = Math.max(left, 2);
  const commands: EncodedCommand[] = [];
  for (let at = first; left > 0;) {
    if (commands.length === MOST_COMMANDS) return undefined;
    const SCALE = Math.min(trailingZeros(left), 31);
    const count = Math.floor(left / 2 ** SCALE) % MOST_COUNT;
    // The last command of a range without a level may be one granule: two then, as above.
    const extent = { NUM: count - 1, SCALE, TTL, TG };
    const isReserved = count === 1 && SCALE === 0 && TTL === 0;
    commands.push(command(target, at * pagesOfGranule, leaf, isReserved ? { ...extent, NUM: 1 } : extent));
    at += count * 2 ** SCALE;
    left -= count * 2 ** SCALE;
  }
  return commands;
}

/** The level of the leaves when all have one size; 0: not known, so that every level is looked at. */
function levelOf({ smallestShift, largestShift }: FlushRange, granuleShift: number): number {
  const level = (shift: number) => 4 - Math.floor((shift - 3) / (granuleShift - 3));
  const found = level(smallestShift) === level(largestShift) ? Math.max(level(smallestShift), 0) : 0;
  // TTL 1 is reserved with a 16K granule (4.4.1.1).
  return granuleShift === 14 && found === 1 ? 0 : found;
}

function trailingZeros(value: number): number {
  let count = 0;
  while (value % 2 ** (count + 1) === 0) count++;
  return count;
}
