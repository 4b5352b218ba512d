import { levelOf } from '../../engine/formats/compile';
import { joinHalves } from '../../engine/memory/words';
import { ALL_PAGES, type AddressSpace } from '../../engine/pageTable/addressSpace';
import { permissionText } from '../../engine/pageTable/entry';
import { listRuns } from '../../engine/pageTable/list';
import { ACCESSED, DIRTY, type RunColumns } from '../../engine/pageTable/runColumns';
import { type Inspection } from '../inspection';
import { domainKey } from '../spaces';
import { type DomainKey, type Failure, type ListParams, type Run, type RunPage } from '../protocol';
import { type Work } from '../work';
import { bytesOf, checkLimit, parseCursor } from './addresses';
import { filterOf } from './filters';

/** One run as the protocol shows it. */
export function runAt(columns: RunColumns, row: number, iommu: string, space: AddressSpace): Run {
  const { level } = levelOf(space.format, columns.depthOf(row)).rule;
  const count = columns.count[row] ?? 0;
  const marks = columns.marksOf(row);
  const pageSize = 1n << BigInt(columns.pageShiftOf(row));
  const domain: DomainKey = domainKey(iommu, space);
  const iova = bytesOf(columns.page[row] ?? 0);
  return {
    iova,
    length: BigInt(count) * pageSize,
    paddr: bytesOf(columns.frame[row] ?? 0),
    pageSize,
    count,
    perm: permissionText(columns.permissionOf(row)),
    accessed: (marks & ACCESSED) !== 0,
    dirty: (marks & DIRTY) !== 0,
    level,
    entry: { iommu, address: BigInt(columns.entryAddress[row] ?? 0), role: 'table', domain, level, iova },
    word: joinHalves(columns.lo[row] ?? 0, columns.hi[row] ?? 0),
  };
}

export function* listPage(inspection: Inspection, params: ListParams): Work<RunPage> {
  const filter = filterOf(params.where);
  const limit = checkLimit(params.page.limit);
  const startPage = parseCursor(params.page.cursor, 16);
  const { space } = yield* inspection.space(params.domain);
  const endPage = ALL_PAGES;
  const list = yield* listRuns(space, { startPage, endPage, limit, filter });
  const rows = Array.from({ length: list.runs.length }, (_, row) =>
    runAt(list.runs, row, params.domain.iommu, space),
  );
  const { nextPage, unreadableTables, cycles } = list;
  return {
    rows,
    ...(nextPage === undefined ? {} : { next: nextPage.toString(16) }),
    scannedTo: bytesOf(nextPage ?? endPage),
    unreadableTables,
    cycles,
    ...(list.gaveUp ? { gaveUp: tooMuch(nextPage ?? 0) } : {}),
  };
}

function tooMuch(page: number): Failure {
  return {
    code: 'list/too-much',
    message: `Stopped at IOVA 0x${bytesOf(page).toString(16)}: these tables claim to map more than can be listed at once.`,
    hint: 'Go on from there, or narrow the list with iova in A..B. Tables that share one table make this happen.',
  };
}
