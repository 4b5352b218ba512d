import { refused } from '../../driver/errno';
import { HARVESTS, type HarvestProtocol } from '../../driver/pageTable/protocols/harvest';
import { formatSize } from '../../values';
import { type MachineCore } from '../core';
import { DirtyRanges } from '../dirtyRanges';
import { type MachineHwpt } from '../domains';
import { numberIn } from '../inputs';
import { hwptOf, PAGE, pagesIn, report, target, type Doing, type Of } from './common';

/** Bits of one bitmap: larger ranges are read in parts, as an ioctl has one buffer. */
const MOST_BITS = 2 ** 26;

interface Area {
  readonly start: bigint;
  readonly end: bigint;
}

/** Reads dirty pages: by GET_DIRTY_BITMAP, or by an order of clear, flush and copy. */
export function* readDirty(machine: MachineCore, operation: Of<'readDirty'>): Doing {
  const { domain, iova, length, pageSize, protocol } = operation;
  const found = hwptOf(machine, domain);
  if (!found.ok) return report(found, '');
  const hwpt = found.value;
  const granule = String(hwpt.paging.granule);
  const given = iova === undefined ? undefined : target(machine, domain, iova, length ?? pageSize ?? granule);
  if (given && !given.ok) return report(given, '');
  const areas = given
    ? [{ start: given.value.start, end: given.value.start + given.value.bytes }]
    : machine.areasOf(hwpt);
  return protocol === undefined
    ? yield* byBitmap(machine, hwpt, areas, operation)
    : yield* byProtocol(machine, hwpt, areas, operation, protocol);
}

function* byBitmap(
  machine: MachineCore,
  hwpt: MachineHwpt,
  areas: readonly Area[],
  { pageSize, clear, bitmapOffset = 0 }: Of<'readDirty'>,
): Doing {
  const size = numberIn(pageSize ?? String(hwpt.paging.granule), 'the page size');
  if (!size.ok) return report(size, '');
  const unit = size.value;
  if (!Number.isInteger(bitmapOffset) || bitmapOffset < 0 || bitmapOffset > 4095)
    return report(refused('EINVAL', `a bitmap begins 0 to 4095 bytes into a page, not ${bitmapOffset}`), '');
  const dirty = new DirtyRanges((start, end) => {
    machine.reported(hwpt, pagesIn(start), pagesIn(end), clear);
  });
  const most = BigInt(MOST_BITS) * unit;
  for (const area of areas) {
    for (let start: bigint = area.start; start < area.end;) {
      const end: bigint = area.end - start > most && most > 0n ? start + most : area.end;
      const bits = unit > 0n ? Number((end - start) / unit) : 0;
      const bytes = new Uint8Array(bitmapOffset + Math.ceil(bits / 8));
      const outcome = yield* machine.software(
        machine.iommufd.hwptGetDirtyBitmap({
          hwptId: hwpt.id,
          flags: clear ? 0 : 1,
          iova: start,
          length: end - start,
          pageSize: unit,
          data: { bytes, offset: bitmapOffset },
        }),
      );
      if (!outcome.ok) return report(outcome, '');
      dirty.add(bytes.subarray(bitmapOffset), bits, start, unit);
      start = end;
    }
  }
  dirty.finish();
  const { pages } = dirty;
  const fate = clear ? 'reported and made clean' : 'reported, and left dirty';
  return { summary: `${dirtyPages(pages, unit)} ${fate}.`, counts: { pages }, dirty: dirty.told };
}

function* byProtocol(
  machine: MachineCore,
  hwpt: MachineHwpt,
  areas: readonly Area[],
  { clear, bitmapOffset, pageSize }: Of<'readDirty'>,
  protocol: string,
): Doing {
  if (!isHarvest(protocol)) {
    const ids = Object.keys(HARVESTS).join(', ');
    return report(refused('EINVAL', `"${protocol}" is no protocol; there are ${ids}`), '');
  }
  if (!clear) return report(refused('EINVAL', 'a protocol makes clean what it reports: clear is true'), '');
  if (bitmapOffset !== undefined || pageSize !== undefined)
    return report(refused('EINVAL', 'a protocol fills no bitmap: no bitmapOffset, no pageSize'), '');
  if (hwpt.tracking === 'none')
    return report(refused('EOPNOTSUPP', `domain ${hwpt.id} was made without dirty tracking`), '');
  if (hwpt.tracking === 'off') return report(refused('EINVAL', 'dirty tracking is off'), '');
  const { ledger } = machine;
  const { tables } = hwpt.paging.kernel;
  const dirty = new DirtyRanges(() => undefined);
  const guest = (startPage: number, pages: number) =>
    ledger.guestRanges(hwpt.id, { startPage, endPage: startPage + pages });
  // Each entry by an access of its own: what comes between them is what protocols differ in.
  tables.granularity = 'entry';
  try {
    for (const { start, end } of areas) {
      const outcome = yield* machine.software(
        tables.harvest(
          {
            startPage: pagesIn(start),
            pages: pagesIn(end - start),
            sink: (page, pages) => {
              dirty.addPages(page, page + pages);
              machine.named(guest(page, pages));
            },
            copy: (page, pages) => {
              for (const range of guest(page, pages)) ledger.copied(range);
            },
          },
          protocol,
        ),
      );
      if (!outcome.ok) return report(outcome, '');
    }
  } finally {
    tables.granularity = 'table';
  }
  dirty.finish();
  const { pages } = dirty;
  const summary = `${dirtyPages(pages, PAGE)} reported, made clean and copied by ${protocol}.`;
  return { summary, counts: { pages }, dirty: dirty.told };
}

const isHarvest = (id: string): id is HarvestProtocol => Object.hasOwn(HARVESTS, id);

const dirtyPages = (pages: number, unit: bigint): string =>
  `${pages.toLocaleString('en')} dirty ${pages === 1 ? 'page' : 'pages'} of ${formatSize(unit)}`;
