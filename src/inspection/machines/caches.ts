import { type CachedRow } from '../../engine/machine/cachedRows';
import { permissionText } from '../../engine/pageTable/entry';
import { bytesOf, checkLimit, parseCursor } from '../answers/addresses';
import { type Inspection } from '../inspection';
import { type CacheRow, type EntryRef, type Page, type PageRequest } from '../protocol';
import { type Work } from '../work';
import { entryOnTheWay } from './places';

/** Translations looked at between two yields. */
const ROWS_PER_STEP = 64;

/** What IOTLBs and device TLBs hold, by address; what memory no longer says is marked. */
export function* cachePage(
  inspection: Inspection,
  staleOnly: boolean,
  { limit, cursor }: PageRequest,
): Work<Page<CacheRow>> {
  const count = checkLimit(limit);
  const first = parseCursor(cursor, 10);
  const all = [...inspection.emulated.current.cached()].sort(
    (one, other) => one.entry.page - other.entry.page || one.entry.tag.vm - other.entry.tag.vm,
  );
  const rows: CacheRow[] = [];
  let next = first;
  for (; next < all.length && rows.length < count; next++) {
    const cached = all[next];
    if (!cached) break;
    const row = yield* cacheRow(inspection, cached);
    if (!staleOnly || row.stale) rows.push(row);
    if (next % ROWS_PER_STEP === 0) yield ROWS_PER_STEP;
  }
  return {
    rows,
    ...(staleOnly ? {} : { total: all.length }),
    ...(next < all.length ? { next: String(next) } : {}),
  };
}

function* cacheRow(
  inspection: Inspection,
  { unit, requester, tag, entry, stale }: CachedRow,
): Work<CacheRow> {
  const entries: EntryRef[] = [];
  for (const address of [entry.stage1Leaf, entry.stage2Leaf]) {
    if (address < 0) continue;
    const page = address === entry.stage2Leaf && entry.stage1Leaf >= 0 ? entry.guestPage : entry.page;
    const ref = yield* entryOnTheWay(inspection, address, page);
    if (ref) entries.push(ref);
  }
  return {
    cache: requester === undefined ? 'iotlb' : 'device-tlb',
    iommu: unit,
    ...(requester === undefined ? {} : { requester }),
    tag,
    iova: bytesOf(entry.page),
    size: 2n ** BigInt(entry.shift),
    paddr: bytesOf(entry.outputPage),
    perm: permissionText(entry.permission),
    accessedDone: entry.accessedDone,
    dirtyDone: entry.dirtyDone,
    global: entry.global,
    ...(stale ? { stale } : {}),
    entries,
  };
}
