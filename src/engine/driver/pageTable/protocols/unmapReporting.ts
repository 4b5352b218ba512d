import { type EntryHalves } from '../../../memory/words';
import { levelOf } from '../../../formats/compile';
import { classify, entryPermission } from '../../../pageTable/entry';
import { LEAF, WRITE } from '../../../pageTable/entryClass';
import { isDirty } from '../../../pageTable/marks';
import { type Steps } from '../../../steps';
import { done, refused, type Outcome } from '../../errno';
import { type SoftwareStep } from '../../softwareStep';
import { halvesOf } from '../leafEncoder';
import { survey, type SurveyedLeaf } from '../survey';
import { corrupt, type TableTree } from '../tableTree';
import { resultOf, runProtocol, type ProtocolStep } from './protocol';

/** An unmap that says at last what was dirty. */
export interface UnmapRequest {
  readonly startPage: number;
  readonly pages: number;
  readonly sink: (startPage: number, pages: number) => void;
  readonly copy?: (startPage: number, pages: number) => void;
}

interface Unmapping {
  readonly tree: TableTree;
  readonly request: UnmapRequest;
  readonly leaves: readonly SurveyedLeaf[];
  /** First pages of leaves that were dirty, with their length. */
  readonly dirty: Map<number, number>;
  /** Leaves that were writable, with their words as they were then. */
  protected: { readonly leaf: SurveyedLeaf; readonly old: EntryHalves }[];
}

type UnmapStep = ProtocolStep<Unmapping>;

function note({ tree, dirty }: Unmapping, leaf: SurveyedLeaf, { lo, hi }: EntryHalves): void {
  const { format } = tree.top;
  if (classify(format, levelOf(format, leaf.depth), lo, hi) !== LEAF || !isDirty(format, lo, hi)) return;
  // Of a page of several entries any may have the mark of all.
  dirty.set(leaf.page - leaf.place * leaf.pages, 2 ** (leaf.shift - 12));
}

const readMarks: UnmapStep = function* (context) {
  const halves: EntryHalves = { lo: 0, hi: 0 };
  for (const leaf of context.leaves) {
    yield context.tree.words.load('read the dirty mark', leaf.table, leaf.index, halves);
    note(context, leaf, halves);
  }
  return 'next';
};

const storeNothing: UnmapStep = function* ({ tree, leaves }) {
  for (const { table, index } of leaves) yield tree.words.store('clear the leaf', table, index, 0, 0);
  return 'next';
};

const exchangeNothing: UnmapStep = function* (context) {
  const old: EntryHalves = { lo: 0, hi: 0 };
  for (const leaf of context.leaves) {
    yield context.tree.words.exchange('take out the leaf', leaf.table, leaf.index, 0, 0, old);
    note(context, leaf, old);
  }
  return 'next';
};

/** Takes the permission to write, and with it the right to mark; where that is one bit (Arm), the mark is seen here last. */
const protect: UnmapStep = function* (context) {
  const { tree, leaves } = context;
  const { format } = tree.top;
  const { keep, set } = readOnly(tree);
  for (const leaf of leaves) {
    if ((entryPermission(format, LEAF, leaf.lo, leaf.hi) & WRITE) === 0) continue;
    const old: EntryHalves = { lo: 0, hi: 0 };
    yield tree.words.modify('take the permission to write', leaf.table, leaf.index, keep, set, old);
    note(context, leaf, old);
    context.protected.push({ leaf, old });
  }
  return 'next';
};

/** Gives the permission to write back, to pages that stay. */
const allowWrites: UnmapStep = function* ({ tree, protected: leaves }) {
  const { keep } = readOnly(tree);
  const now: EntryHalves = { lo: 0, hi: 0 };
  for (const { leaf, old } of leaves) {
    const set = { lo: old.lo & ~keep.lo, hi: old.hi & ~keep.hi };
    yield tree.words.modify('give the permission to write back', leaf.table, leaf.index, keep, set, now);
  }
  return 'next';
};

/** Fails the test for writes by the bits that reads do not need, and takes the bit that lets hardware mark (Arm DBM). */
function readOnly({ top }: TableTree): { keep: EntryHalves; set: EntryHalves } {
  const { format, hardware } = top.format;
  const { read, write } = format.permission('leaf', hardware);
  const [first] = write === true ? [] : write;
  const shared = read === true ? 0n : (read[0]?.mask ?? 0n);
  const bits = (first?.mask ?? 0n) & ~shared;
  const value = first?.value ?? 0n;
  const allows = format.dirtyMark === undefined ? 0n : format.dirty.mask & ~format.dirtyMark;
  return { keep: halvesOf(~(bits | allows) & ALL_BITS), set: halvesOf(~value & bits) };
}

const ALL_BITS = (1n << 64n) - 1n;

/** `orElse`: what is still to be done when the flush is refused. */
function invalidate(orElse: UnmapStep): UnmapStep {
  return function* (context) {
    const { tree, request, leaves } = context;
    const shifts = leaves.map(({ shift }) => shift);
    const flushed = yield* tree.flusher.flush({
      startPage: request.startPage,
      endPage: request.startPage + request.pages,
      smallestShift: shifts.reduce((least, shift) => Math.min(least, shift), 64),
      largestShift: shifts.reduce((most, shift) => Math.max(most, shift), 12),
      tables: false,
    });
    if (!flushed.ok) yield* orElse(context);
    return resultOf(flushed);
  };
}

const report: UnmapStep = function* ({ request, dirty }) {
  for (const [page, pages] of dirty) request.sink(page, pages);
  yield { kind: 'software', name: `report ${dirty.size} dirty leaves` };
  return 'next';
};

const copy: UnmapStep = function* ({ request, dirty }) {
  for (const [page, pages] of dirty) request.copy?.(page, pages);
  yield { kind: 'software', name: 'copy the pages' };
  return 'next';
};

/** Ways to unmap pages whose last dirty marks are wanted. */
export const UNMAPS = {
  'unmap.read-store': [readMarks, storeNothing, invalidate(report), report, copy],
  'unmap.xchg-report': [exchangeNothing, invalidate(report), report, copy],
  'unmap.protect-first': [
    protect,
    invalidate(allowWrites),
    readMarks,
    storeNothing,
    invalidate(report),
    report,
    copy,
  ],
} as const satisfies Readonly<Record<string, readonly UnmapStep[]>>;

export type UnmapProtocol = keyof typeof UNMAPS;

/**
 * Unmaps whole leaves and reports which were dirty. ENOENT: a page is not mapped; EIO: changed by someone else; EINVAL: a leaf sticks out of the range.
 * Tables stay until something larger is mapped in their place, or the domain goes.
 */
export function* unmapReporting(
  tree: TableTree,
  request: UnmapRequest,
  protocol: UnmapProtocol = 'unmap.xchg-report',
): Steps<SoftwareStep, Outcome<null>> {
  const { root, format } = tree.top;
  const end = request.startPage + request.pages;
  const { leaves, holes, isCorrupt } = yield* survey(tree, root, format.rootDepth, request.startPage, end);
  if (isCorrupt) return corrupt(request.startPage);
  if (holes) return refused('ENOENT', 'a page of the range is not mapped');
  const sticksOut = leaves.some(({ page, place, pages, shift }) => {
    const start = page - place * pages;
    return start < request.startPage || start + 2 ** (shift - 12) > end;
  });
  if (sticksOut) return refused('EINVAL', 'a leaf sticks out of the range, and leaves are not split');
  const context: Unmapping = { tree, request, leaves, dirty: new Map(), protected: [] };
  const outcome = yield* runProtocol<Unmapping>(UNMAPS[protocol], context);
  return outcome.ok ? done(null) : outcome;
}
