import { levelOf, type CompiledFormat } from '../../../formats/compile';
import { mask } from '../../../bits/bitFields';
import { type EntryHalves } from '../../../memory/words';
import { classify, leafFrame } from '../../../pageTable/entry';
import { LEAF } from '../../../pageTable/entryClass';
import { addressHalves } from '../../../pageTable/encode';
import { cleanedHalves, isDirty, marksOf } from '../../../pageTable/marks';
import { ACCESSED, DIRTY } from '../../../pageTable/runColumns';
import { frameNumber } from '../../../values';
import { refused } from '../../errno';
import { halvesOf } from '../leafEncoder';
import { likeLeaf } from '../inherit';
import { survey, type SurveyedLeaf } from '../survey';
import { type SoftwareStep } from '../../softwareStep';
import { type Steps } from '../../../steps';
import { immediately } from '../../vendors/common/immediately';
import { corrupt, type TableTree } from '../tableTree';
import { type Slot } from '../tableWords';
import { resultOf, type ProtocolStep, type StepResult } from './protocol';
import { freeBuilt, rangeOf, TableBuilder, type Replacement } from './replacement';

/** A step of split or collapse. */
export type ReplaceStep = ProtocolStep<Replacement>;

const ZERO: EntryHalves = { lo: 0, hi: 0 };
const changed = (): StepResult => ({
  refused: refused('EBUSY', 'someone else changed the entry meanwhile'),
});

/** Reads the leaf: every entry of it. */
export const readLeaf: ReplaceStep = function* (change) {
  const { tree, slots, depth } = change;
  const { format } = tree.top;
  yield* freeBuilt(change);
  if (!change.written.includes(true)) change.marks = 0;
  for (const [at, { table, index }] of slots.entries()) {
    if (change.written[at] === true) continue;
    const halves: EntryHalves = { lo: 0, hi: 0 };
    yield tree.words.load('read the leaf', table, index, halves);
    if (classify(format, levelOf(format, depth), halves.lo, halves.hi) !== LEAF) return changed();
    change.read[at] = halves;
    change.marks |= marksOf(format, halves.lo, halves.hi);
  }
  return 'next';
};

/** Which dirty mark new leaves begin with. */
type BirthMark = 'clean' | 'as-seen' | 'dirty';

/** Builds what goes into the slots: tables, or leaves of the same table, with the leaf's permission and attributes. */
export function build(birth: BirthMark): ReplaceStep {
  return function* (change) {
    const { tree, slots, depth, toShift } = change;
    const { format } = tree.top;
    const level = levelOf(format, depth);
    const inPlace = toShift >= level.shift;
    const toDepth = inPlace ? depth : depthOfSize(tree, toShift, depth);
    const dirty = birth === 'dirty' || (birth === 'as-seen' && (change.marks & DIRTY) !== 0);
    const marks = (change.marks & ACCESSED) | (dirty ? DIRTY | ACCESSED : 0);
    for (const [at, slot] of slots.entries()) {
      if (change.written[at] === true) continue;
      const leaf = change.read[at] ?? ZERO;
      const template = likeLeaf(format, depth, leaf, toDepth, toShift, marks);
      const first = leafFrame(format, level, leaf.lo, leaf.hi);
      const frame = format.runKind === 'own-address' ? first : first + at * level.pagesPerEntry;
      if (inPlace) {
        const place = at % template.entries;
        const word: EntryHalves = { lo: 0, hi: 0 };
        tree.encoder.write(format, template, frame - place * level.pagesPerEntry, place, word);
        change.words[at] = word;
        change.leaves[at] = [slot];
        continue;
      }
      const builder = new TableBuilder(tree, template);
      const table = yield* builder.build(depth - 1, frame);
      change.built.push(...builder.built);
      if (table === undefined) {
        yield* freeBuilt(change);
        return { refused: refused('ENOMEM', 'no memory is left for the smaller pages') };
      }
      change.leaves[at] = builder.leaves;
      change.words[at] = tree.encoder.pointer(format, depth, table, tree.marks);
    }
    return 'next';
  };
}

/** The depth below `depth` at which pages of this size stand. */
function depthOfSize({ top }: TableTree, shift: number, depth: number): number {
  let found = depth - 1;
  while (found > 1 && levelOf(top.format, found).shift > shift) found--;
  return found;
}

/** Puts the new words into the slots, each by compare-exchange with what was read. */
export function compareExchange(onFailure: 'give-up' | 'again'): ReplaceStep {
  return function* (change) {
    const { tree, slots } = change;
    for (const [at, { table, index }] of slots.entries()) {
      if (change.written[at] === true) continue;
      const { lo, hi } = change.words[at] ?? ZERO;
      const step = tree.words.compareExchange(
        'replace the entry',
        table,
        index,
        change.read[at] ?? ZERO,
        lo,
        hi,
      );
      yield step;
      change.written[at] = step.done;
      if (step.done) continue;
      if (onFailure === 'again') return 'again';
      yield* putBack(change);
      yield* freeBuilt(change);
      return { refused: refused('EBUSY', 'the entry changed between the read and the exchange') };
    }
    change.built = [];
    // A mark that came up on the way is of all slots, also of those that were replaced before.
    if (slots.length > 1 && (change.marks & DIRTY) !== 0)
      yield* markAll(tree, change.leaves.flat(), change.marks);
    return 'next';
  };
}

/** Undoes what an attempt that gives up has written: slots of a page must not stay half and half. */
function* putBack(change: Replacement): Steps<SoftwareStep, void> {
  const { tree, slots } = change;
  let any = false;
  for (const [at, { table, index }] of slots.entries()) {
    if (change.written[at] !== true) continue;
    const { lo, hi } = change.read[at] ?? ZERO;
    yield tree.words.store('put the leaf back', table, index, lo, hi);
    change.written[at] = false;
    any = true;
  }
  if (any) yield* tree.flusher.flush(rangeOf(change, true));
}

/** Puts the new words into the slots by plain stores. */
export const store: ReplaceStep = function* (change) {
  const { tree, slots, words } = change;
  for (const [at, { table, index }] of slots.entries()) {
    const { lo, hi } = words[at] ?? ZERO;
    yield tree.words.store('replace the entry', table, index, lo, hi);
  }
  change.built = [];
  return 'next';
};

/** Puts words into the slots and takes what stood there, with its marks. */
export function exchange(what: 'words' | 'nothing'): ReplaceStep {
  return function* (change) {
    const { tree, slots } = change;
    const { format } = tree.top;
    // Of what was read only A is kept: the exchange brings D as it is at last.
    change.marks &= ~DIRTY;
    for (const [at, { table, index }] of slots.entries()) {
      const { lo, hi } = what === 'nothing' ? ZERO : (change.words[at] ?? ZERO);
      const old: EntryHalves = { lo: 0, hi: 0 };
      const name = what === 'nothing' ? 'take out the entry' : 'exchange the entry';
      yield tree.words.exchange(name, table, index, lo, hi, old);
      change.old[at] = old;
      if (classify(format, levelOf(format, change.depth), old.lo, old.hi) === LEAF)
        change.marks |= marksOf(format, old.lo, old.hi);
    }
    if (what === 'words') change.built = [];
    return 'next';
  };
}

/** The nT bit of blocks (Arm DDI 0487 D8.16.1); undefined: these leaves have none. */
function noTranslateBit({ tree, depth }: Replacement): EntryHalves | undefined {
  const { format } = tree.top;
  const field = format.format.layout('leaf', levelOf(format, depth).rule).find(({ name }) => name === 'nT');
  return field && halvesOf(mask(field.high, field.low));
}

/** Takes nT back, and keeps the mark that came meanwhile. */
export const clearNoTranslate: ReplaceStep = function* (change) {
  const { tree, slots } = change;
  const { lo, hi } = noTranslateBit(change) ?? ZERO;
  const old: EntryHalves = { lo: 0, hi: 0 };
  for (const { table, index } of slots)
    yield tree.words.modify('clear nT', table, index, { lo: ~lo, hi: ~hi }, ZERO, old);
  yield* freeBuilt(change);
  return 'next';
};

/** Says by nT that a block is about to be replaced. */
export function markNoTranslate(how: 'store' | 'modify'): ReplaceStep {
  return function* (change) {
    const { tree, slots } = change;
    const bit = noTranslateBit(change);
    if (!bit) {
      yield* freeBuilt(change);
      return { refused: refused('EOPNOTSUPP', 'only blocks of Arm tables have the nT bit') };
    }
    for (const [at, { table, index }] of slots.entries()) {
      const { lo, hi } = change.read[at] ?? ZERO;
      const old: EntryHalves = { lo: 0, hi: 0 };
      if (how === 'store') yield tree.words.store('set nT', table, index, lo | bit.lo, hi | bit.hi);
      else yield tree.words.modify('set nT', table, index, { lo: -1, hi: -1 }, bit, old);
    }
    return 'next';
  };
}

/** Removes what caches hold of the old entries, and waits. `orElse`: what is still to be done when that is refused. */
export function invalidate(reach: 'whole' | 'leaves-only', orElse: readonly ReplaceStep[] = []): ReplaceStep {
  return function* (change) {
    const flushed = yield* change.tree.flusher.flush(rangeOf(change, reach === 'whole'));
    if (flushed.ok) return 'next';
    for (const step of orElse) yield* step(change);
    return resultOf(flushed);
  };
}

/** When the old leaf was dirty, all that it mapped is. */
export const sprinkle: ReplaceStep = function* (change) {
  if ((change.marks & DIRTY) !== 0) yield* markAll(change.tree, change.leaves.flat(), change.marks);
  return 'next';
};

/** Caches go on as before, so that writes may come that nobody hears of: what is replaced counts as dirty. */
export const takeForDirty: ReplaceStep = function* (change) {
  change.marks |= DIRTY;
  return yield* immediately<SoftwareStep, StepResult>('next');
};

/** Gives what was built, and is in no slot yet, the dirty mark of the old leaf. */
export const markBuilt: ReplaceStep = function* (change) {
  const { tree, slots, depth, toShift, marks } = change;
  if ((marks & DIRTY) === 0) return 'next';
  if (toShift < levelOf(tree.top.format, depth).shift) return yield* sprinkle(change);
  const { keep, set } = marking(tree.top.format, marks);
  for (const at of slots.keys()) {
    const { lo, hi } = change.words[at] ?? ZERO;
    change.words[at] = { lo: (lo & keep.lo) | set.lo, hi: (hi & keep.hi) | set.hi };
  }
  yield { kind: 'software', name: 'make the leaves dirty' };
  return 'next';
};

/** Puts back what was exchanged for nothing: nobody has seen what was to come. */
export const putOldBack: ReplaceStep = function* (change) {
  const { tree, slots, old } = change;
  for (const [at, { table, index }] of slots.entries()) {
    const { lo, hi } = old[at] ?? ZERO;
    yield tree.words.store('put the entry back', table, index, lo, hi);
  }
  yield* freeBuilt(change);
  return 'next';
};

/** Hardware that did not look may have marked the slot after the exchange: takes that mark, and gives it to all leaves. */
export const moveStray: ReplaceStep = function* (change) {
  const { tree, slots, depth } = change;
  const { format } = tree.top;
  const level = levelOf(format, depth);
  const halves: EntryHalves = { lo: 0, hi: 0 };
  let stray = false;
  for (const [at, { table, index }] of slots.entries()) {
    yield tree.words.load('read the slot again', table, index, halves);
    if (classify(format, level, halves.lo, halves.hi) === LEAF) {
      // Before the flush ended a mark may have been made by way of the old, larger page.
      stray ||= isDirty(format, halves.lo, halves.hi);
      continue;
    }
    const written = change.words[at] ?? ZERO;
    const markLo = (halves.lo ^ written.lo) & format.dirtyMarkLo;
    const markHi = (halves.hi ^ written.hi) & format.dirtyMarkHi;
    if ((markLo | markHi) === 0) continue;
    stray = true;
    const keep = { lo: ~format.dirtyMarkLo, hi: ~format.dirtyMarkHi };
    const set = { lo: written.lo & format.dirtyMarkLo, hi: written.hi & format.dirtyMarkHi };
    yield tree.words.modify('take the stray mark', table, index, keep, set, halves);
  }
  if (stray && (change.marks & DIRTY) === 0) {
    change.marks |= DIRTY;
    yield* markAll(tree, change.leaves.flat(), DIRTY);
  }
  return 'next';
};

/** The bits of a word that stay, and those that are set, when it gets marks. */
function marking(format: CompiledFormat, marks: number): { keep: EntryHalves; set: EntryHalves } {
  const dirty = (marks & DIRTY) !== 0;
  const accessed = (marks & ACCESSED) !== 0 || dirty;
  const mark = { lo: dirty ? format.dirtyMarkLo : 0, hi: dirty ? format.dirtyMarkHi : 0 };
  const keep = { lo: ~mark.lo, hi: ~mark.hi };
  const set = {
    lo: (format.dirtyValueLo & mark.lo) | (accessed ? format.accessedLo : 0),
    hi: (format.dirtyValueHi & mark.hi) | (accessed ? format.accessedHi : 0),
  };
  return { keep, set };
}

/** ORs marks into leaves, each atomically. */
export function* markAll(tree: TableTree, leaves: readonly Slot[], marks: number): Steps<SoftwareStep, void> {
  const { keep, set } = marking(tree.top.format, marks);
  const old: EntryHalves = { lo: 0, hi: 0 };
  for (const { table, index } of leaves)
    yield tree.words.modify('mark the leaf dirty', table, index, keep, set, old);
}

/** Reads every entry of the tables below the slots. Refused when they are not one page's worth of like leaves. */
export const readChildren: ReplaceStep = function* (change) {
  const { tree, slots, depth, startPage, endPage } = change;
  const { format } = tree.top;
  const [first] = slots;
  if (!first) return 'next';
  change.marks = 0;
  for (const [at, { table, index }] of slots.entries()) {
    const halves: EntryHalves = { lo: 0, hi: 0 };
    yield tree.words.load('read the slot', table, index, halves);
    change.read[at] = halves;
  }
  const found = yield* survey(tree, first.table, depth, startPage, endPage);
  if (found.isCorrupt) return { refused: corrupt(startPage) };
  if (found.holes) return { refused: refused('ENOENT', 'a page of the range is not mapped') };
  change.surveyed = found.leaves;
  change.loose = found.tables;
  for (const leaf of found.leaves) change.marks |= marksOf(format, leaf.lo, leaf.hi);
  return makeLarge(change);
};

/** The words of the page that the surveyed leaves are together. */
function makeLarge(change: Replacement): StepResult {
  const { tree, depth, toShift, surveyed: leaves, slots, startPage } = change;
  const { format } = tree.top;
  const [first] = leaves;
  if (!first) return { refused: refused('ENOENT', 'nothing is mapped in the range') };
  const length = 2 ** (toShift - 12);
  if (first.frame % length !== 0) return unlike('their output is not a multiple of the larger size');
  const plain = likeLeaf(format, first.depth, first, depth, toShift, 0);
  const alike = new Set<string>();
  for (const leaf of leaves) {
    if (leaf.frame - first.frame !== leaf.page - startPage)
      return unlike('they do not map one piece of memory in order');
    const kind = kindOf(format, leaf);
    if (alike.has(kind)) continue;
    const other = likeLeaf(format, leaf.depth, leaf, depth, toShift, 0);
    if (other.words.some((half, place) => half !== plain.words[place]))
      return unlike('they differ in permission or attributes');
    alike.add(kind);
  }
  const made = likeLeaf(format, first.depth, first, depth, toShift, change.marks);
  change.words = slots.map((_, at) => {
    const word: EntryHalves = { lo: 0, hi: 0 };
    tree.encoder.write(format, made, first.frame, at, word);
    return word;
  });
  return 'next';
}

/** All that a leaf says but its marks and where it leads. */
function kindOf(format: CompiledFormat, leaf: SurveyedLeaf): string {
  const { lo, hi } = cleanedHalves(format, leaf);
  const page = Math.floor(leaf.frame / leaf.pages) * leaf.pages;
  const address: EntryHalves = { lo: 0, hi: 0 };
  addressHalves(format, page, address);
  return `${leaf.depth} ${leaf.shift} ${leaf.place} ${(lo & ~format.accessedLo) ^ address.lo} ${(hi & ~format.accessedHi) ^ address.hi}`;
}

const unlike = (why: string): StepResult => ({
  refused: refused('EINVAL', `the leaves cannot become one page: ${why}`),
});

/** Reads the leaves of the replaced tables, now out of reach, once more: what was marked late counts too. */
export const readChildrenAgain: ReplaceStep = function* (change) {
  const { tree, depth } = change;
  const { format } = tree.top;
  const halves: EntryHalves = { lo: 0, hi: 0 };
  for (const leaf of change.surveyed) {
    if (leaf.depth === depth) continue;
    yield tree.words.load('read the old leaf again', leaf.table, leaf.index, halves);
    change.marks |= marksOf(format, halves.lo, halves.hi);
  }
  return 'next';
};

/** Makes the large leaf's words anew, with the marks that are known now; when that cannot be, the tables come back. */
export const remakeLarge: ReplaceStep = function* (change) {
  const result = makeLarge(change);
  yield { kind: 'software', name: 'make the large leaf' };
  if (result !== 'next') yield* putOldBack(change);
  return result;
};

/** Marks the large leaf with what came to light after it was written. */
export const markLarge: ReplaceStep = function* (change) {
  const { tree, slots, words, marks } = change;
  const { lo, hi } = words[0] ?? ZERO;
  if ((marks & ~marksOf(tree.top.format, lo, hi)) !== 0) yield* markAll(tree, slots, marks);
  return 'next';
};

/** Frees the tables that were replaced. */
export const freeChildren: ReplaceStep = function* ({ tree, loose }) {
  if (loose.length === 0) return 'next';
  for (const { frame, frames } of loose) tree.frames.free(frameNumber(frame), frames);
  yield { kind: 'software', name: `free ${loose.length} table${loose.length === 1 ? '' : 's'}` };
  return 'next';
};
