import { type PageRange } from '../iommu/cacheOperation';
import { type Ledger } from '../ledger/ledger';
import { PageBits } from '../ledger/pageBits';
import { type MachineHwpt } from './domains';

/** Of 64 MB of tables: 32 GB by pages of 4K. */
const MOST_FRAMES_SEARCHED = 2 ** 14;

/** Finds what no read of dirty pages will tell. Several views ask after each operation, and the search goes through all tables. */
export class LostPages {
  #last:
    | { readonly operations: number; readonly step: number; readonly pages: readonly PageRange[] | undefined }
    | undefined;

  /** `frames`: that memory holds; `domains`: those that devices use. Undefined: nobody tracks, or there is too much to look at. */
  find(
    ledger: Ledger,
    operations: number,
    frames: number,
    domains: readonly MachineHwpt[],
  ): readonly PageRange[] | undefined {
    const { step } = ledger;
    if (this.#last?.operations !== operations || this.#last.step !== step)
      this.#last = { operations, step, pages: search(ledger, frames, domains) };
    return this.#last.pages;
  }
}

function search(
  ledger: Ledger,
  frames: number,
  domains: readonly MachineHwpt[],
): readonly PageRange[] | undefined {
  if (domains.length === 0 || domains.some(({ tracking }) => tracking !== 'on')) return undefined;
  if (frames > MOST_FRAMES_SEARCHED) return undefined;
  const pending = new PageBits();
  for (const { id, paging } of domains)
    for (const range of ledger.pendingIn(paging.kernel.tables.space, id).runs()) pending.addRange(range);
  return ledger.unaccounted(pending);
}
