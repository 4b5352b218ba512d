import { done, refused, type Outcome } from '../../driver/errno';
import { Gather } from '../../driver/pageTable/gather';
import { UNMAPS, type UnmapProtocol } from '../../driver/pageTable/protocols/unmapReporting';
import { type SoftwareStep } from '../../driver/softwareStep';
import { type PageRange } from '../../iommu/cacheOperation';
import { type Steps } from '../../steps';
import { formatSize, hex } from '../../values';
import { type MachineCore } from '../core';
import { DirtyRanges } from '../dirtyRanges';
import { type MachineHwpt } from '../domains';
import { type OperationReport } from '../operation';
import { PAGE, pagesIn, report, target, touching, type Doing, type Of } from './common';

/** Ranges of one gather. */
const MOST_RANGES = 256;

/** Unmaps as user space asks iommufd to, or as the kernel asks its page-table code. */
export function* unmap(machine: MachineCore, operation: Of<'unmap'>): Doing {
  const { domain, iova, length, through = 'iommufd', more, flush, protocol } = operation;
  const found = target(machine, domain, iova, length);
  if (!found.ok) return report(found, '');
  const { hwpt, start, bytes } = found.value;
  if (through === 'tables') return yield* throughTables(machine, operation);
  const way: string = through;
  if (way !== 'iommufd') return report(refused('EINVAL', `"${way}" is no way to unmap: iommufd, tables`), '');
  if (more !== undefined || flush !== undefined || protocol !== undefined)
    return report(refused('EINVAL', 'more, flush and protocol are for unmapping through tables'), '');
  const outcome = yield* machine.unmap(hwpt, start, bytes);
  const went = outcome.ok ? outcome.value : 0n;
  const summary = `Unmapped ${formatSize(went)} from ${hex(start)}.`;
  return touching(report(outcome, summary, { pages: pagesIn(went) }), domain, start, bytes);
}

function* throughTables(machine: MachineCore, operation: Of<'unmap'>): Doing {
  const { domain, iova, length, more = [], flush = 'gathered', protocol } = operation;
  if (more.length >= MOST_RANGES)
    return report(refused('EINVAL', `${MOST_RANGES} ranges at most go in one gather`), '');
  const ranges: PageRange[] = [];
  for (const each of [{ iova, length }, ...more]) {
    const range = wholePages(machine, domain, each.iova, each.length);
    if (!range.ok) return report(range, '');
    ranges.push(range.value);
  }
  const found = target(machine, domain, iova, length);
  if (!found.ok) return report(found, '');
  const { hwpt, start, bytes } = found.value;
  if (protocol !== undefined && !isUnmap(protocol)) {
    const ids = Object.keys(UNMAPS).join(', ');
    return report(refused('EINVAL', `"${protocol}" is no protocol; there are ${ids}`), '');
  }
  if (protocol !== undefined && flush === 'everything')
    return report(refused('EINVAL', 'a protocol does its own flush'), '');
  const done = protocol
    ? yield* reporting(machine, hwpt, ranges, protocol)
    : yield* gathering(machine, hwpt, ranges, flush);
  return touching(done, domain, start, bytes);
}

/** All ranges in one gather, which is flushed at the end. */
function* gathering(
  machine: MachineCore,
  hwpt: MachineHwpt,
  ranges: readonly PageRange[],
  flush: 'gathered' | 'everything',
): Doing {
  const { ledger } = machine;
  const { tables } = hwpt.paging.kernel;
  const gone: PageRange[] = [];
  const steps = function* (): Steps<SoftwareStep, Outcome<null>> {
    const gather = new Gather();
    let refusal: Outcome<null> = done(null);
    for (const { startPage, endPage } of ranges) {
      ledger.unmapBegins(hwpt.id, { startPage, endPage });
      const unmapped = yield* tables.unmap(startPage, endPage - startPage, gather);
      if (!unmapped.ok) {
        refusal = unmapped;
        break;
      }
      // A leaf in which the range ends goes as a whole.
      const range = { startPage, endPage: startPage + unmapped.value };
      ledger.unmapBegins(hwpt.id, range);
      gone.push(range);
    }
    const synced = flush === 'everything' ? yield* tables.flusher.flushAll() : yield* tables.sync(gather);
    return refusal.ok ? synced : refusal;
  };
  const outcome = yield* machine.software(steps());
  let pages = 0;
  for (const range of gone) {
    ledger.invalidationDone(hwpt.id, range);
    pages += range.endPage - range.startPage;
  }
  hwpt.paging.mappedPages -= pages;
  const summary = `Unmapped ${formatSize(BigInt(pages) * PAGE)} of domain ${hwpt.id}, and flushed ${flush === 'everything' ? 'all of it' : 'what was gathered'}.`;
  return report(outcome, summary, { pages });
}

/** Each range by a protocol that tells at last which of its pages were dirty, and copies them. */
function* reporting(
  machine: MachineCore,
  hwpt: MachineHwpt,
  ranges: readonly PageRange[],
  protocol: UnmapProtocol,
): Doing {
  const { ledger } = machine;
  const { tables } = hwpt.paging.kernel;
  const dirty = new DirtyRanges(() => undefined);
  let pages = 0;
  let outcome: Outcome<null> = done(null);
  for (const range of ranges) {
    const { startPage, endPage } = range;
    const guest = ledger.guestView(hwpt.id, range);
    const part = (page: number, length: number) => guest({ startPage: page, endPage: page + length });
    ledger.unmapBegins(hwpt.id, range);
    outcome = yield* machine.software(
      tables.unmapReporting(
        {
          startPage,
          pages: endPage - startPage,
          sink: (page, length) => {
            dirty.addPages(page, page + length);
            machine.named(part(page, length));
          },
          copy: (page, length) => {
            for (const copied of part(page, length)) ledger.copied(copied);
          },
        },
        protocol,
      ),
    );
    if (!outcome.ok) break;
    ledger.invalidationDone(hwpt.id, range);
    pages += endPage - startPage;
  }
  hwpt.paging.mappedPages -= pages;
  dirty.finish();
  const summary = `Unmapped ${formatSize(BigInt(pages) * PAGE)} of domain ${hwpt.id} by ${protocol}: ${dirty.pages.toLocaleString('en')} dirty.`;
  const of: OperationReport = report(outcome, summary, { pages, dirty: dirty.pages });
  return outcome.ok ? { ...of, dirty: dirty.told } : of;
}

const isUnmap = (id: string): id is UnmapProtocol => Object.hasOwn(UNMAPS, id);

function wholePages(machine: MachineCore, domain: number, iova: string, length: string): Outcome<PageRange> {
  const found = target(machine, domain, iova, length);
  if (!found.ok) return found;
  const { start, bytes } = found.value;
  if (start % PAGE !== 0n || bytes % PAGE !== 0n || bytes === 0n || start + bytes > 1n << 64n)
    return refused('EINVAL', `${hex(start)} and ${formatSize(bytes)} are no whole pages`);
  return done({ startPage: pagesIn(start), endPage: pagesIn(start + bytes) });
}
