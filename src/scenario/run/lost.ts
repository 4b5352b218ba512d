import { type PageRange } from '../../engine/iommu/cacheOperation';
import { PageBits } from '../../engine/ledger/pageBits';
import { type Machine } from '../../engine/machine/machine';
import { type Slices } from './live';

/** Pages whose entries are looked at between two yields: 8 GB. */
const PAGES_PER_YIELD = 2 ** 21;
const PAGE = 4096n;
const LOOKING = { message: 'Looking for lost pages' };

/**
 * Guest pages whose newest contents are neither at the destination nor pending: no dirty mark of a domain that tracks, no log of
 * the hypervisor's, of a device's or of a container's has them, so that no read of what is dirty would ever report them.
 */
export function* lostNow(machine: Machine): Slices<PageRange[]> {
  const { ledger, cpu } = machine;
  const behind = ledger.behind;
  if (behind.length === 0) return [];
  const pending = new PageBits();
  for (const range of loggedRanges(machine)) pending.addRange(range);
  const sweep = function* (space: Space, domain: number | undefined, all: Iterable<PageRange>): Slices<void> {
    for (const part of parts(all)) {
      for (const range of ledger.pendingIn(space, domain, part).runs()) pending.addRange(range);
      yield LOOKING;
    }
  };
  for (const hwpt of machine.domains) {
    if (hwpt.tracking !== 'on') continue;
    const mapped = machine.areasOf(hwpt).map(({ start, end }) => ({
      startPage: Number(start / PAGE),
      endPage: Number(end / PAGE),
    }));
    yield* sweep(hwpt.paging.kernel.tables.space, hwpt.id, mapped);
  }
  if (cpu.stage?.logging === 'dirty-bits')
    yield* sweep(cpu.stage.tables.space, undefined, machine.layout.regions);
  return behind.flatMap(({ startPage, endPage }) => [...pending.gaps(startPage, endPage)]);
}

type Space = Parameters<Machine['ledger']['pendingIn']>[0];

function* parts(ranges: Iterable<PageRange>): Generator<PageRange> {
  for (const { startPage, endPage } of ranges)
    for (let page = startPage; page < endPage; page += PAGES_PER_YIELD)
      yield { startPage: page, endPage: Math.min(endPage, page + PAGES_PER_YIELD) };
}

/** Guest pages that software or devices have noted. */
function* loggedRanges({ ledger, cpu, sides, devices }: Machine): Generator<PageRange> {
  if (cpu.stage) yield* cpu.stage.logged;
  if (sides.type1) yield* sides.type1.pending;
  for (const { requester, to } of devices) {
    const log = sides.get(requester)?.log;
    if (!log || typeof to !== 'number') continue;
    for (const range of log.logged) yield* ledger.guestRanges(to, range);
  }
}
