import { type PageRange } from '../iommu/cacheOperation';
import { PageBits } from '../ledger/pageBits';
import { runSteps } from '../steps';
import { type Ledger } from '../ledger/ledger';
import { type Arena } from '../memory/arena';
import { type RequesterId } from '../values';
import { type CpuSide } from './cpuSide';
import { type DeviceSides } from './deviceSides';
import { type MachineHwpt } from './domains';
import { type GuestLayout } from './layout';
import { type AttachedTo } from './unit';

/** Of 64 MB of tables: 32 GB by pages of 4K. */
const MOST_FRAMES_SEARCHED = 2 ** 14;
/** Pages whose entries are looked at between two yields: 8 GB. */
const PAGES_A_SLICE = 2 ** 21;
const PAGE = 4096n;

/** What of a machine is searched. */
interface Searched {
  readonly ledger: Ledger;
  readonly memory: Arena;
  readonly layout: GuestLayout;
  readonly cpu: CpuSide;
  readonly sides: DeviceSides;
  readonly domains: readonly MachineHwpt[];
  readonly devices: readonly { readonly requester: RequesterId; readonly to: AttachedTo }[];
  areasOf(hwpt: MachineHwpt): readonly { readonly start: bigint; readonly end: bigint }[];
}

/**
 * Guest pages whose newest contents are neither at the destination nor reported nor pending: no dirty mark of a domain that tracks,
 * no log of the hypervisor's, of a device's or of a container's has them, so that no read of what is dirty will ever report them.
 * Gives way between slices.
 */
export function* searchLost(machine: Searched): Generator<undefined, readonly PageRange[], void> {
  const { ledger, cpu } = machine;
  if (ledger.behind.length === 0) return [];
  const pending = new PageBits();
  for (const range of loggedRanges(machine)) pending.addRange(range);
  for (const { space, domain, pages } of markedBy(machine, cpu))
    for (const part of partsOf(pages)) {
      for (const range of ledger.pendingIn(space, domain, part).runs()) pending.addRange(range);
      yield undefined;
    }
  return ledger.unaccounted(pending);
}

/** Keeps what was found: several views ask after each operation, and the search goes through all tables. */
export class LostPages {
  #last:
    { readonly operations: number; readonly step: number; readonly pages: readonly PageRange[] } | undefined;

  /** Undefined: there is too much to look at while somebody waits. */
  find(machine: Searched, operations: number): readonly PageRange[] | undefined {
    if (machine.memory.counts.frames > MOST_FRAMES_SEARCHED) return undefined;
    const { step } = machine.ledger;
    if (this.#last?.operations !== operations || this.#last.step !== step)
      this.#last = { operations, step, pages: runSteps(searchLost(machine)) };
    return this.#last.pages;
  }
}

type Space = Parameters<Ledger['pendingIn']>[0];

/** Tables of which the entries are marked, and the pages that they map. */
function* markedBy(
  machine: Searched,
  { stage }: CpuSide,
): Generator<{
  readonly space: Space;
  readonly domain: number | undefined;
  readonly pages: Iterable<PageRange>;
}> {
  for (const hwpt of machine.domains) {
    if (hwpt.tracking !== 'on') continue;
    const pages = machine
      .areasOf(hwpt)
      .map(({ start, end }) => ({ startPage: Number(start / PAGE), endPage: Number(end / PAGE) }));
    yield { space: hwpt.paging.kernel.tables.space, domain: hwpt.id, pages };
  }
  if (stage?.logging === 'dirty-bits')
    yield { space: stage.tables.space, domain: undefined, pages: machine.layout.regions };
}

function* partsOf(ranges: Iterable<PageRange>): Generator<PageRange> {
  for (const { startPage, endPage } of ranges)
    for (let page = startPage; page < endPage; page += PAGES_A_SLICE)
      yield { startPage: page, endPage: Math.min(endPage, page + PAGES_A_SLICE) };
}

/** Guest pages that software or devices have noted. */
function* loggedRanges({ ledger, cpu, sides, devices }: Searched): Generator<PageRange> {
  if (cpu.stage) yield* cpu.stage.logged;
  if (sides.type1) yield* sides.type1.pending;
  for (const { requester, to } of devices) {
    const log = sides.get(requester)?.log;
    if (!log || typeof to !== 'number') continue;
    for (const range of log.logged) yield* ledger.guestRanges(to, range);
  }
}
