import { type PageRange } from '../../engine/iommu/cacheOperation';
import { PageBits } from '../../engine/ledger/pageBits';
import { type Machine } from '../../engine/machine/machine';

/**
 * Guest pages whose newest contents are neither at the destination nor pending: no dirty mark of a domain that tracks, no log of
 * the hypervisor's, of a device's or of a container's has them, so that no read of what is dirty would ever report them.
 */
export function lostNow(machine: Machine): PageRange[] {
  const behind = machine.ledger.behind;
  if (behind.length === 0) return [];
  const pending = new PageBits();
  for (const range of pendingRanges(machine)) pending.addRange(range);
  return behind.flatMap(({ startPage, endPage }) => [...pending.gaps(startPage, endPage)]);
}

/** Guest pages that somebody knows to be dirty. */
function* pendingRanges(machine: Machine): Generator<PageRange> {
  const { ledger, cpu, sides } = machine;
  for (const { id, paging, tracking } of machine.domains)
    if (tracking === 'on') yield* ledger.pendingIn(paging.kernel.tables.space, id).runs();
  if (cpu.stage) {
    yield* cpu.stage.logged;
    if (cpu.stage.logging === 'dirty-bits') yield* ledger.pendingIn(cpu.stage.tables.space).runs();
  }
  if (sides.type1) yield* sides.type1.pending;
  for (const { requester, to } of machine.devices) {
    const log = sides.get(requester)?.log;
    if (!log || typeof to !== 'number') continue;
    for (const range of log.logged) yield* ledger.guestRanges(to, range);
  }
}
