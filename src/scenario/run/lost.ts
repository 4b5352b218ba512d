import { PageBits } from '../../engine/ledger/pageBits';
import { type Machine } from '../../engine/machine/machine';
import { type PageRange } from '../../engine/iommu/cacheOperation';

/**
 * Guest pages whose newest contents are neither at the destination nor pending: no dirty mark of a domain that tracks, no log of
 * the hypervisor's or of a device's has them, so that no read of what is dirty would ever report them.
 */
export function lostNow(machine: Machine): PageRange[] {
  const { ledger } = machine;
  const behind = ledger.behind;
  if (behind.length === 0) return [];
  const pending = new PageBits();
  for (const { id, paging, tracking } of machine.domains) {
    if (tracking !== 'on') continue;
    for (const range of ledger.pendingIn(paging.kernel.tables.space, id).runs()) pending.addRange(range);
  }
  return behind.flatMap(({ startPage, endPage }) => [...pending.gaps(startPage, endPage)]);
}
