import { type Filter } from '../../engine/filter/filter';
import { levelOf } from '../../engine/formats/compile';
import { joinHalves } from '../../engine/memory/words';
import { type AddressSpace } from '../../engine/pageTable/addressSpace';
import { entryProblems } from '../../engine/pageTable/entryProblems';
import { listRuns } from '../../engine/pageTable/list';
import {
  entryAddress,
  pageOfEntry,
  rootPlace,
  tableItems,
  type TableItem,
  type TablePlace,
} from '../../engine/pageTable/tableItems';
import { bytesOf } from '../answers/addresses';
import { runAt } from '../answers/list';

import { type EntryRef, type Failure, type NodeId, type TreeNode } from '../protocol';
import { refuse } from '../requestError';
import { domainKey } from '../spaces';
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
export function standingAt(iommu: string, space: AddressSpace, indices: readonly number[]): Standing {
  let place = rootPlace(space);
  for (const index of indices) {
    const items = tableItems(space, place);
    const found = items?.find((item) => item.kind === 'table' && item.index === index);
    if (found?.kind !== 'table')
      return refuse(
        'request/node',
        `There is no table at entry ${index} of level ${levelName(space, place)}.`,
      );
    place = found.place;
  }
  return { iommu, space, place };
}

const levelName = ({ format }: AddressSpace, { depth }: TablePlace): number =>
  levelOf(format, depth).rule.level;

/** Children of a domain or table node: one for each entry at most, leaves merged into runs. */
export function* tableNodes(
  standing: Standing,
  parent: NodeId,
  filter: Filter | undefined,
): Work<TreeNode[]> {
  const { space, place } = standing;
  const items = tableItems(space, place);
  if (!items) return [{ kind: 'message', id: `${parent}/m`, why: unreadable(space, place) }];
  const nodes: TreeNode[] = [];
  for (const item of items) {
    if (item.kind === 'leaves') nodes.push(...(yield* runNodes(standing, parent, item, filter)));
    else if (item.kind === 'table') {
      const shown = filter === undefined || (yield* holdsMatch(standing, item, filter));
      if (shown) nodes.push(tableNode(standing, parent, item));
    } else if (filter === undefined) nodes.push(entryNode(standing, parent, item));
  }
  yield 512;
  if (filter === undefined) nodes.push(...unknownNodes(standing, parent));
  return nodes;
}

/** Says how much of a table the source does not say. */
function unknownNodes({ space, place }: Standing, parent: NodeId): TreeNode[] {
  const { memory, format } = space;
  if (!memory.knows) return [];
  const size = levelOf(format, place.depth).indexMask + 1;
  let unknown = 0;
  for (let index = 0; index < size; index++) if (!memory.knows(place.frame, index + place.before)) unknown++;
  if (unknown === 0) return [];
  const why: Failure = {
    code: 'table/known-in-part',
    message: `${unknown} of the ${size} entries of this table are not in the dump.`,
    hint: 'A dump lists every mapped page: nothing was mapped there when it was printed, unless the text was cut.',
  };
  return [{ kind: 'message', id: `${parent}/m`, why }];
}

function unreadable({ memory }: AddressSpace, place: TablePlace): Failure {
  return {
    code: 'table/unreadable',
    message: `This table cannot be read: ${memory.explainMissing(place.frame)}.`,
    hint: 'The image may lack this part of memory, or the pointer is wrong.',
  };
}

function* runNodes(
  standing: Standing,
  parent: NodeId,
  item: Extract<TableItem, { kind: 'leaves' }>,
  filter: Filter | undefined,
): Work<TreeNode[]> {
  const { iommu, space, place } = standing;
  const { pagesPerEntry } = levelOf(space.format, place.depth);
  const startPage = pageOfEntry(space, place, item.first);
  const list = yield* listRuns(space, {
    startPage,
    endPage: startPage + (item.end - item.first) * pagesPerEntry,
    limit: item.end - item.first,
    filter,
  });
  return Array.from({ length: list.runs.length }, (_, row): TreeNode => {
    const run = runAt(list.runs, row, iommu, space);
    const index = item.first + ((list.runs.page[row] ?? 0) - startPage) / pagesPerEntry;
    return { kind: 'run', id: runId(parent, index), run };
  });
}

function* holdsMatch(
  { space }: Standing,
  item: Extract<TableItem, { kind: 'table' }>,
  filter: Filter,
): Work<boolean> {
  if (item.cycle || !item.readable) return false;
  const { pagesPerEntry, indexMask } = levelOf(space.format, item.place.depth);
  const list = yield* listRuns(space, {
    startPage: item.place.base,
    endPage: item.place.base + pagesPerEntry * (indexMask + 1),
    limit: 1,
    filter,
    entryBudget: MATCH_BUDGET,
  });
  return list.gaveUp || list.runs.length > 0;
}

function tableNode(
  standing: Standing,
  parent: NodeId,
  item: Extract<TableItem, { kind: 'table' }>,
): TreeNode {
  const { place } = item;
  const { space } = standing;
  const why = item.cycle ? cycle(place) : item.readable ? undefined : unreadable(space, place);
  return {
    kind: 'table',
    id: tableId(parent, item.index),
    ...entryFacts(standing, item.index, item.lo, item.hi),
    level: levelName(space, place),
    table: bytesOf(place.frame),
    ...(why ? { failure: why } : {}),
  };
}

function cycle(place: TablePlace): Failure {
  return {
    code: 'table/cycle',
    message: `This entry points to a table above it, at 0x${bytesOf(place.frame).toString(16)}.`,
    hint: 'Hardware would walk it, one level lower each time. Lists, counts and this tree leave it out, as it mostly is damage and shows the same tables again. Walk an IOVA to see each step.',
  };
}

function entryNode(
  standing: Standing,
  parent: NodeId,
  item: Extract<TableItem, { kind: 'malformed' | 'stale' }>,
): TreeNode {
  const { space, place } = standing;
  const [problem] = entryProblems(space.format, place.depth, item.lo, item.hi);
  const why: Failure = problem ?? { code: 'entry/reserved-bits', message: 'Reserved bits are set.' };
  return {
    kind: 'entry',
    id: entryId(parent, item.index),
    ...entryFacts(standing, item.index, item.lo, item.hi),
    level: levelName(space, place),
    why,
    problems: 1,
  };
}

function entryFacts({ iommu, space, place }: Standing, index: number, lo: number, hi: number) {
  const { pagesPerEntry } = levelOf(space.format, place.depth);
  const first = pageOfEntry(space, place, index);
  const range = { start: bytesOf(first), end: bytesOf(first + pagesPerEntry) };
  const entry: EntryRef = {
    iommu,
    address: BigInt(entryAddress(place, index)),
    role: 'table',
    domain: domainKey(iommu, space),
    level: levelName(space, place),
    iova: range.start,
  };
  return { entry, word: joinHalves(lo, hi), range };
}
