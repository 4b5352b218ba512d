import { type AddressSpace } from '../../engine/directory/deviceDirectory';
import { type Filter } from '../../engine/filter/filter';
import { levelOf } from '../../engine/formats/compile';
import { joinHalves } from '../../engine/memory/words';
import { READ_WRITE } from '../../engine/pageTable/entry';
import { entryProblems } from '../../engine/pageTable/entryProblems';
import { listRuns } from '../../engine/pageTable/list';
import { entryAddress, tableItems, type TableItem, type TablePlace } from '../../engine/pageTable/tableItems';
import { bytesOf } from '../answers/addresses';
import { runAt } from '../answers/list';
import { domainKey, type Inspection } from '../inspection';
import { type EntryRef, type Failure, type NodeId, type TreeNode } from '../protocol';
import { refuse } from '../requestError';
import { type Work } from '../work';
import { entryId, runId, tableId } from './nodeId';

/** Entries to look at for one match below a table; past that the table is shown unasked. */
const MATCH_BUDGET = 2 ** 22;

/** One table of one domain of one IOMMU, as the tree stands on it. */
export interface Standing {
  readonly iommu: string;
  readonly space: AddressSpace;
  readonly place: TablePlace;
}

/** The table that the indices lead to from the root. */
export function standingAt(
  inspection: Inspection,
  iommu: string,
  space: AddressSpace,
  indices: readonly number[],
): Standing {
  let place: TablePlace = {
    frame: space.root,
    level: space.format.rootLevel,
    base: 0,
    permission: READ_WRITE,
    above: [],
  };
  for (const index of indices) {
    const items = tableItems(inspection.memory, space, place);
    const found = items?.find((item) => item.kind === 'table' && item.index === index);
    if (found?.kind !== 'table')
      return refuse('request/node', `There is no table at entry ${index} of level ${place.level}.`);
    place = found.place;
  }
  return { iommu, space, place };
}

/** Children of a domain or table node: at most 512 entries, leaves merged into runs. */
export function* tableNodes(
  inspection: Inspection,
  standing: Standing,
  parent: NodeId,
  filter: Filter | undefined,
): Work<TreeNode[]> {
  const { space, place } = standing;
  const items = tableItems(inspection.memory, space, place);
  if (!items) return [{ kind: 'message', id: `${parent}/m`, why: unreadable(inspection, place) }];
  const nodes: TreeNode[] = [];
  for (const item of items) {
    if (item.kind === 'leaves') nodes.push(...(yield* runNodes(inspection, standing, parent, item, filter)));
    else if (item.kind === 'table') {
      const shown = filter === undefined || (yield* holdsMatch(inspection, standing, item, filter));
      if (shown) nodes.push(tableNode(inspection, standing, parent, item));
    } else if (filter === undefined) nodes.push(entryNode(standing, parent, item));
  }
  yield 512;
  return nodes;
}

function unreadable(inspection: Inspection, place: TablePlace): Failure {
  return {
    code: 'table/unreadable',
    message: `This table cannot be read: ${inspection.memory.explainMissing(place.frame)}.`,
    hint: 'The image may lack this part of memory, or the pointer is wrong.',
  };
}

function* runNodes(
  inspection: Inspection,
  standing: Standing,
  parent: NodeId,
  item: Extract<TableItem, { kind: 'leaves' }>,
  filter: Filter | undefined,
): Work<TreeNode[]> {
  const { iommu, space, place } = standing;
  const { pagesPerEntry } = levelOf(space.format, place.level);
  const list = yield* listRuns(inspection.memory, space, {
    startPage: place.base + item.first * pagesPerEntry,
    endPage: place.base + item.end * pagesPerEntry,
    limit: 512,
    filter,
  });
  return Array.from({ length: list.runs.length }, (_, row): TreeNode => {
    const run = runAt(list.runs, row, iommu, space);
    const index = ((list.runs.page[row] ?? 0) - place.base) / pagesPerEntry;
    return { kind: 'run', id: runId(parent, index), run };
  });
}

function* holdsMatch(
  inspection: Inspection,
  { space }: Standing,
  item: Extract<TableItem, { kind: 'table' }>,
  filter: Filter,
): Work<boolean> {
  if (item.cycle || !item.readable) return false;
  const above = levelOf(space.format, item.place.level + 1);
  const list = yield* listRuns(inspection.memory, space, {
    startPage: item.place.base,
    endPage: item.place.base + above.pagesPerEntry,
    limit: 1,
    filter,
    entryBudget: MATCH_BUDGET,
  });
  return list.gaveUp || list.runs.length > 0;
}

function tableNode(
  inspection: Inspection,
  standing: Standing,
  parent: NodeId,
  item: Extract<TableItem, { kind: 'table' }>,
): TreeNode {
  const { place } = item;
  const why = item.cycle ? cycle(place) : item.readable ? undefined : unreadable(inspection, place);
  return {
    kind: 'table',
    id: tableId(parent, item.index),
    ...entryFacts(standing, item.index, item.lo, item.hi),
    level: place.level,
    table: bytesOf(place.frame),
    ...(why ? { failure: why } : {}),
  };
}

function cycle(place: TablePlace): Failure {
  return {
    code: 'table/cycle',
    message: `This entry points to a table above it, at 0x${bytesOf(place.frame).toString(16)}.`,
    hint: 'Hardware would walk it; it is not listed, since that never ends. Walk an IOVA to see each step.',
  };
}

function entryNode(
  standing: Standing,
  parent: NodeId,
  item: Extract<TableItem, { kind: 'malformed' | 'stale' }>,
): TreeNode {
  const { space, place } = standing;
  const [problem] = entryProblems(space.format, place.level, item.lo, item.hi);
  const why: Failure = problem ?? { code: 'entry/reserved-bits', message: 'Reserved bits are set.' };
  return {
    kind: 'entry',
    id: entryId(parent, item.index),
    ...entryFacts(standing, item.index, item.lo, item.hi),
    level: place.level,
    why,
    problems: 1,
  };
}

function entryFacts({ iommu, space, place }: Standing, index: number, lo: number, hi: number) {
  const { pagesPerEntry } = levelOf(space.format, place.level);
  const first = place.base + index * pagesPerEntry;
  const range = { start: bytesOf(first), end: bytesOf(first + pagesPerEntry) };
  const entry: EntryRef = {
    iommu,
    address: BigInt(entryAddress(place.frame, index)),
    role: 'table',
    domain: domainKey(iommu, space),
    level: place.level,
    iova: range.start,
  };
  return { entry, word: joinHalves(lo, hi), range };
}
