import { levelOf } from '../../formats/compile';
import { ABSENT, LEAF, TABLE } from '../../pageTable/entryClass';
import { DIRTY } from '../../pageTable/runColumns';
import { formatSize, hex } from '../../values';
import { type Steps } from '../../steps';
import { done, refused, type Outcome } from '../errno';
import { type SoftwareStep } from '../softwareStep';
import { usableShifts } from './pageSizePolicy';
import { COLLAPSES, safeCollapse, type CollapseProtocol } from './protocols/collapse';
import { runProtocol } from './protocols/protocol';
import { type Replacement } from './protocols/replacement';
import { safeSplit, SPLITS, type SplitProtocol } from './protocols/split';
import { type ReplaceStep } from './protocols/steps';
import { descend, indexOf, runOf, type TableTree } from './tableTree';
import { type Slot } from './tableWords';

/** What became of a page whose size was changed. */
export interface Resized {
  /** Half-open. */
  readonly startPage: number;
  readonly endPage: number;
  /** log2 bytes: of the large page, and of the small ones. */
  readonly largeShift: number;
  readonly smallShift: number;
  readonly protocol: SplitProtocol | CollapseProtocol;
  /** What was taken over was dirty. */
  readonly dirty: boolean;
}

const at = (page: number): string => hex(BigInt(page) << 12n);
const size = (shift: number): string => formatSize(2 ** shift);

/**
 * Replaces the leaf that maps a page by leaves of 2^shift bytes: same output, permission, attributes and software's bits,
 * and no dirty mark lost with the default protocol. ENOENT: nothing is mapped there; EINVAL: no smaller size of the format.
 */
export function* splitLeaf(
  tree: TableTree,
  page: number,
  shift: number,
  protocol?: SplitProtocol,
): Steps<SoftwareStep, Outcome<Resized>> {
  const { format } = tree.top;
  const found = yield* descend(tree, page, 1);
  if (found.class !== LEAF) return refused('ENOENT', `no page is mapped at ${at(page)}`);
  const { first, count, shift: large } = runOf(format, found);
  if (shift >= large || !isSize(tree, shift))
    return refused(
      'EINVAL',
      `${size(shift)} is no smaller page size than ${size(large)} in ${format.format.title}`,
    );
  const chosen = protocol ?? safeSplit(tree.bbml, count > 1);
  const length = 2 ** (large - 12);
  const startPage = page - (page % length);
  const slots = Array.from({ length: count }, (_, place): Slot => ({
    table: found.table,
    index: first + place,
  }));
  const change = replacement(tree, found.depth, slots, startPage, length, large, shift);
  const outcome = yield* runProtocol<Replacement>(SPLITS[chosen] satisfies readonly ReplaceStep[], change);
  return outcome.ok ? done(resized(change, large, shift, chosen)) : outcome;
}

/**
 * Replaces all that maps a naturally aligned range of 2^shift bytes by one leaf of that size. EINVAL: no page size of the
 * format, or the leaves do not map one aligned piece of memory with like permission and attributes; ENOENT: a part is not
 * mapped; EEXIST: a page of this size or more is there already. Refused, it has changed nothing.
 */
export function* collapseLeaves(
  tree: TableTree,
  page: number,
  shift: number,
  protocol?: CollapseProtocol,
): Steps<SoftwareStep, Outcome<Resized>> {
  const { format } = tree.top;
  const length = 2 ** (shift - 12);
  const depth = depthOf(tree, shift);
  if (depth === undefined)
    return refused('EINVAL', `${size(shift)} is no page size of ${format.format.title}`);
  if (page % length !== 0 || !tree.takes(page, length))
    return refused('EINVAL', `${at(page)} is not where a page of ${size(shift)} can begin`);
  const found = yield* descend(tree, page, depth);
  if (found.class === ABSENT) return refused('ENOENT', `no page is mapped at ${at(page)}`);
  if (found.class === LEAF && runOf(format, found).shift >= shift)
    return refused(
      'EEXIST',
      `${at(page)} is mapped by a page of ${size(runOf(format, found).shift)} already`,
    );
  if (found.class !== LEAF && found.class !== TABLE)
    return refused('EIO', `the entry of ${at(page)} is malformed: the tables were changed by someone else`);
  const chosen = protocol ?? safeCollapse(tree.bbml);
  const count = 2 ** (shift - levelOf(format, depth).shift);
  const index = indexOf(format, depth, page);
  const slots = Array.from({ length: count }, (_, place): Slot => ({
    table: found.table,
    index: index + place,
  }));
  const smallest = tree.sizes.at(-1)?.shift ?? 12;
  const change = replacement(tree, depth, slots, page, length, smallest, shift);
  const outcome = yield* runProtocol<Replacement>(COLLAPSES[chosen] satisfies readonly ReplaceStep[], change);
  if (!outcome.ok) return outcome;
  const small = change.surveyed.reduce((least, leaf) => Math.min(least, leaf.shift), shift);
  return done(resized(change, shift, small, chosen));
}

function replacement(
  tree: TableTree,
  depth: number,
  slots: readonly Slot[],
  startPage: number,
  pages: number,
  fromShift: number,
  toShift: number,
): Replacement {
  return {
    tree,
    depth,
    slots,
    startPage,
    endPage: startPage + pages,
    fromShift,
    toShift,
    read: [],
    old: [],
    words: [],
    written: [],
    leaves: [],
    built: [],
    marks: 0,
    surveyed: [],
    loose: [],
  };
}

function resized(
  { startPage, endPage, marks }: Replacement,
  largeShift: number,
  smallShift: number,
  protocol: SplitProtocol | CollapseProtocol,
): Resized {
  return { startPage, endPage, largeShift, smallShift, protocol, dirty: (marks & DIRTY) !== 0 };
}

const isSize = (tree: TableTree, shift: number): boolean => depthOf(tree, shift) !== undefined;

/** The depth at which pages of this size stand. */
function depthOf({ top }: TableTree, shift: number): number | undefined {
  for (let depth = 1; depth <= top.format.rootDepth; depth++)
    if (usableShifts(top.format, depth).includes(shift)) return depth;
  return undefined;
}
