import { domainKeyOf } from '../mapping';
import { type Inspection } from '../inspection';
import { type AddressSpace } from '../../engine/pageTable/addressSpace';
import { type Failure, type Run } from '../protocol';
import { type Aspect, type CompareParams, type Difference, type DifferencePage } from '../questions';
import { refuse } from '../requestError';
import { domainKey } from '../spaces';
import { type Work } from '../work';
import { bytesOf, checkLimit } from './addresses';
import { planOf, type SpacePair } from './comparePlan';
import {
  ATTRIBUTES,
  MARKS,
  PADDR,
  PAGE_SIZE,
  PERMISSION,
  RunComparison,
  type RunDifference,
} from './compareRuns';
import { leafRun } from './find';
import { newBudget } from './runStream';
import { checkReadable } from './unread';

/** Where a page begins: a row above the tables, or a page of a pair of address spaces. */
interface Place {
  readonly section: 'heads' | 'runs';
  readonly index: number;
  readonly page: number;
}

/** A page of what differs between two sources; `after` is the later one. */
export function* comparePage(
  before: Inspection,
  after: Inspection,
  { ignoreMarks = false, page }: CompareParams,
): Work<DifferencePage> {
  const limit = checkLimit(page.limit);
  checkReadable(before);
  checkReadable(after);
  const place = placeOf(page.cursor);
  const { heads, pairs, unread } = yield* planOf(before, after);
  const rows: Difference[] = [];
  let index = 0;
  let startPage = 0;
  if (place.section === 'heads') {
    const end = place.index + limit;
    rows.push(...heads.slice(place.index, end));
    if (end < heads.length) {
      return {
        rows,
        next: cursorOf({ section: 'heads', index: end, page: 0 }),
        unreadableTables: 0,
        cycles: 0,
        ...unread,
      };
    }
  } else {
    index = place.index;
    startPage = place.page;
  }
  const budget = newBudget();
  let [unreadableTables, cycles] = [0, 0];
  for (; index < pairs.length; index++, startPage = 0) {
    const pair = pairs[index];
    if (!pair) break;
    const comparison = new RunComparison(pair.before, pair.after, budget, startPage, ignoreMarks);
    let next: number | undefined;
    for (;;) {
      const found = yield* comparison.next();
      if (!found) break;
      if (rows.length >= limit) {
        next = found.start;
        break;
      }
      rows.push(yield* differenceOf(pair, found));
    }
    unreadableTables += comparison.unreadableTables;
    cycles += comparison.cycles;
    const counts = { unreadableTables, cycles, ...unread };
    if (next !== undefined) {
      return { rows, next: cursorOf({ section: 'runs', index, page: next }), ...counts };
    }
    if (comparison.gaveUp) {
      const at = { section: 'runs', index, page: comparison.resumeAt } as const;
      return { rows, next: cursorOf(at), ...counts, gaveUp: tooMuch(pair, at.page) };
    }
    yield 1;
  }
  return { rows, unreadableTables, cycles, ...unread };
}

function tooMuch({ iommus, before }: SpacePair, page: number): Failure {
  return {
    code: 'compare/too-much',
    message: `Paused at IOVA 0x${bytesOf(page).toString(16)} of domain ${before.domainId} of ${iommus.before}: the tables claim to map more than can be compared at once.`,
    hint: 'Go on from there. Tables that share one table make this happen.',
  };
}

function placeOf(cursor: string | undefined): Place {
  if (cursor === undefined) return { section: 'heads', index: 0, page: 0 };
  const match = /^([hr])(\d{1,9})\/([0-9a-f]{1,13})$/.exec(cursor);
  if (!match) return refuse('request/cursor', `"${cursor}" is not a cursor of this list.`);
  const [, section = '', index = '', page = ''] = match;
  return { section: section === 'h' ? 'heads' : 'runs', index: Number(index), page: parseInt(page, 16) };
}

const cursorOf = ({ section, index, page }: Place): string =>
  `${section === 'heads' ? 'h' : 'r'}${index}/${page.toString(16)}`;

const ASPECTS: readonly (readonly [number, Aspect])[] = [
  [PADDR, 'paddr'],
  [PERMISSION, 'permission'],
  [PAGE_SIZE, 'page-size'],
  [ATTRIBUTES, 'attributes'],
  [MARKS, 'marks'],
];

function* differenceOf({ before, after, iommus }: SpacePair, found: RunDifference): Work<Difference> {
  const { start, end, what } = found;
  const old = found.before < 0 ? undefined : yield* clipped(iommus.before, before, start, end);
  const now = found.after < 0 ? undefined : yield* clipped(iommus.after, after, start, end);
  yield 16;
  return {
    kind: 'run',
    change: !old ? 'added' : !now ? 'removed' : 'changed',
    what: ASPECTS.flatMap(([bit, aspect]) => ((what & bit) === 0 ? [] : [aspect])),
    domains: {
      before: domainKeyOf(domainKey(iommus.before, before)),
      after: domainKeyOf(domainKey(iommus.after, after)),
    },
    range: { start: bytesOf(start), end: bytesOf(end) },
    ...(old && { before: old }),
    ...(now && { after: now }),
  };
}

/** What a space maps at pages [start, end), which lie in one run. */
function* clipped(iommu: string, space: AddressSpace, start: number, end: number): Work<Run | undefined> {
  const leaf = yield* leafRun(iommu, space, start);
  if (!leaf) return undefined;
  const iova = bytesOf(start);
  const within = iova - leaf.iova;
  const length = bytesOf(end - start);
  const count = Number(((iova & (leaf.pageSize - 1n)) + length + leaf.pageSize - 1n) / leaf.pageSize);
  return { ...leaf, iova, length, paddr: leaf.paddr + within, count };
}
