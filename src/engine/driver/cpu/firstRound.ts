import { type PageRange } from '../../iommu/cacheOperation';
import { type Ledger } from '../../ledger/ledger';
import { PageBits } from '../../ledger/pageBits';
import { type GuestRegion } from '../../ledger/guestMemory';
import { type CpuSecondStage } from './secondStage';

/** What the first round of a migration copies. */
export type FirstRound = 'everything' | 'populated-only';

/** The pages of a first round, and what one would miss that only takes what the CPU's second stage has populated. */
export interface FirstRoundPlan {
  readonly ranges: readonly PageRange[];
  readonly pages: number;
  /** Of these: nobody wrote to them, so that a mark is enough. */
  readonly zeroPages: number;
  /** Pages that the destination lacks and this round does not copy. */
  readonly missed: readonly PageRange[];
}

/**
 * Plans a first round. populated-only: the populated pages and those of the dirty log, sound only when host writers are logged
 * and what is dirty is harvested as entries go away, from before the vCPUs start.
 */
export function planFirstRound(
  round: FirstRound,
  cpu: CpuSecondStage,
  guestMemory: readonly GuestRegion[],
  ledger: Ledger,
): FirstRoundPlan {
  const copied = new PageBits();
  const sources = round === 'everything' ? guestMemory : [...cpu.populated, ...cpu.logged];
  for (const range of sources) copied.addRange(range);
  const missed = new PageBits();
  for (const { startPage, endPage } of ledger.behind)
    for (const gap of copied.gaps(startPage, endPage)) missed.addRange(gap);
  const ranges = [...copied.runs()];
  let zeroPages = 0;
  for (const { startPage, endPage } of ranges)
    for (let page = startPage; page < endPage; page++)
      if (cpu.isUnwritten(page) && !ledger.lastWrite(page)) zeroPages++;
  return { ranges, pages: copied.count(), zeroPages, missed: [...missed.runs()] };
}
