import { type PageRange } from '../../engine/iommu/cacheOperation';
import { type Finding } from '../../engine/ledger/finding';
import { bytesOf, checkLimit, parseCursor } from '../answers/addresses';
import { type Inspection } from '../inspection';
import { type FaultPage, type FindingRow, type Page, type PageRequest } from '../protocol';
import { type Work } from '../work';
import { entryOnTheWay } from './places';

/** A stretch of rows that are there already. */
export function pageOfRows<Raw, Row>(
  rows: readonly Raw[],
  { limit, cursor }: PageRequest,
  row: (raw: Raw) => Row,
): Page<Row> {
  const count = checkLimit(limit);
  const first = parseCursor(cursor, 10);
  const end = Math.min(rows.length, first + count);
  return {
    rows: rows.slice(first, end).map(row),
    total: rows.length,
    ...(end < rows.length ? { next: String(end) } : {}),
  };
}

/** Records of the fault logs of all IOMMUs, as their vendor writes them. */
export function faultPage(inspection: Inspection, page: PageRequest): FaultPage {
  const { units } = inspection.emulated.current;
  const records = units.flatMap(({ name, iommu }) =>
    [...iommu.faults.entries()].map((fault, index) => ({ name, index, fault })),
  );
  const answer = pageOfRows(records, page, ({ name, index, fault }) => ({
    iommu: name,
    index,
    code: fault.code,
    requester: fault.requester,
    pasid: fault.pasid,
    iova: fault.address,
    write: fault.write,
    words: fault.words,
  }));
  const overflowed = units.filter(({ iommu }) => iommu.faults.overflowed).map(({ name }) => name);
  return { ...answer, overflowed };
}

/** What the ledger found, errors first. */
export function* findingPage(inspection: Inspection, page: PageRequest): Work<Page<FindingRow>> {
  const machine = inspection.emulated.current;
  const lost = (machine.lostPages() ?? []).map((range): Finding => lostPages(range, machine.ledger.step));
  const found = pageOfRows([...lost, ...machine.ledger.findings.all()], page, (finding) => finding);
  const rows: FindingRow[] = [];
  for (const { kind, of, startPage, endPage, step, why, entry: address } of found.rows) {
    const entry = address === undefined ? undefined : yield* entryOnTheWay(inspection, address, startPage);
    rows.push({
      kind,
      of,
      iova: bytesOf(startPage),
      length: bytesOf(endPage - startPage),
      says: why,
      operation: machine.operationAt(step),
      ...(entry ? { entry } : {}),
    });
    yield 1;
  }
  return { ...found, rows };
}

const lostPages = ({ startPage, endPage }: PageRange, step: number): Finding => ({
  ...{ kind: 'lost-dirty', of: 'guest', startPage, endPage, step },
  why: 'Written, and D is set nowhere: no read of dirty pages will report it.',
});
