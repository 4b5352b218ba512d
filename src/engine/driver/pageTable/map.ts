import { levelOf } from '../../formats/compile';
import { type EntryHalves } from '../../memory/words';
import { classify } from '../../pageTable/entry';
import { ABSENT, LEAF, MALFORMED, TABLE } from '../../pageTable/entryClass';
import { formatSize, frameNumber, hex, type FrameNumber } from '../../values';
import { type Steps } from '../../steps';
import { done, refused, type Outcome } from '../errno';
import { type SoftwareStep } from '../softwareStep';
import { buildTable, freeTable, newTable } from './build';
import { Gather } from './gather';
import { type LeafTemplate } from './leafEncoder';
import { bestSize, type PageSize } from './pageSizePolicy';
import { collectEmptyTables } from './emptyTables';
import { corrupt, descend, indexOf, pagesOfTable, runOf, tableBelow, type TableTree } from './tableTree';
import { unmapPages } from './unmap';

/** What is to be mapped; pages and frames of 4 KiB. */
export interface Mapping {
  readonly page: number;
  readonly frame: number;
  readonly pages: number;
  /** READ | WRITE. */
  readonly permission: number;
}

const address = (page: number): string => hex(BigInt(page) << 12n);

/**
 * Maps pages, with the largest sizes that fit. Tables that are missing are installed by compare-exchange; a table of which
 * all is mapped by like leaves is built before it is installed. What fails leaves nothing mapped.
 */
export function* mapPages(tree: TableTree, mapping: Mapping): Steps<SoftwareStep, Outcome<null>> {
  const mapper = new Mapper(tree, mapping);
  const outcome = yield* mapper.run();
  const synced = yield* tree.sync(mapper.gather);
  if (outcome.ok) return synced;
  // A caller that is refused does not know how much was mapped.
  if (mapper.mapped > 0) {
    const gather = new Gather();
    yield* unmapPages(tree, mapping.page, mapper.mapped, gather);
    const undone = yield* tree.sync(gather);
    if (!undone.ok) return undone;
  }
  return outcome;
}

/** A table that the last pages were mapped in, from which the next ones are found. */
interface Place {
  readonly table: FrameNumber;
  readonly start: number;
}

class Mapper {
  readonly gather = new Gather();
  mapped = 0;
  readonly #tree: TableTree;
  readonly #mapping: Mapping;
  /** By depth. */
  readonly #places: (Place | undefined)[] = [];

  constructor(tree: TableTree, mapping: Mapping) {
    this.#tree = tree;
    this.#mapping = mapping;
  }

  *run(): Steps<SoftwareStep, Outcome<null>> {
    const { page: start, frame: first, pages } = this.#mapping;
    while (this.mapped < pages) {
      const page = start + this.mapped;
      const frame = first + this.mapped;
      const left = pages - this.mapped;
      const size = bestSize(this.#tree.sizes, page, frame, left);
      if (!size)
        return refused(
          'EINVAL',
          `no page size of ${this.#title()} maps ${address(page)} to ${address(frame)}`,
        );
      const template = this.#template(size);
      if (!template)
        return refused(
          'EINVAL',
          `${this.#title()} has no ${formatSize(2 ** size.shift)} leaf with this permission`,
        );
      const outcome = yield* this.#mapAt(page, frame, left, size, template);
      if (!outcome.ok) return outcome;
      this.mapped += outcome.value;
    }
    return done(null);
  }

  #title(): string {
    return this.#tree.top.format.format.title;
  }

  #template({ depth, shift }: PageSize): LeafTemplate | undefined {
    const { encoder, top, marks, faults } = this.#tree;
    const tracksDirty = this.#tree.tracksDirty && !faults.has('new-leaves-untracked');
    return encoder.template(top.format, depth, shift, this.#mapping.permission, marks, tracksDirty);
  }

  /** Maps a page, or a whole table of such pages; returns how many pages of 4 KiB. */
  *#mapAt(
    page: number,
    frame: number,
    left: number,
    { depth, shift }: PageSize,
    template: LeafTemplate,
  ): Steps<SoftwareStep, Outcome<number>> {
    const { format } = this.#tree.top;
    if (depth < format.rootDepth) {
      const span = pagesOfTable(format, depth);
      if (page % span === 0 && left >= span) {
        const whole = yield* this.#mapTable(page, frame, depth, template);
        if (!whole.ok || whole.value) return whole.ok ? done(span) : whole;
      }
    }
    const found = yield* this.#tableAt(page, depth);
    if (!found.ok) return found;
    const index = indexOf(format, depth, page);
    const count = template.entries;
    for (let each = index; each < index + count; each++) {
      const free = yield* this.#makeFree(found.value, each, depth, page);
      if (!free.ok) return free;
    }
    if (depth > 1 && this.#tree.faults.has('superpage-clears-beyond'))
      yield* this.#clearBeyond(found.value, index + count, depth, page, left);
    const leaf: EntryHalves = { lo: 0, hi: 0 };
    for (let each = 0; each < count; each++) {
      this.#tree.encoder.write(format, template, frame, each, leaf);
      yield this.#tree.words.store('write the leaf', found.value, index + each, leaf.lo, leaf.hi);
    }
    return done(2 ** (shift - 12));
  }

  /** Builds and installs a table that is mapped whole; false: something stands in its place. */
  *#mapTable(
    page: number,
    frame: number,
    depth: number,
    template: LeafTemplate,
  ): Steps<SoftwareStep, Outcome<boolean>> {
    const { format } = this.#tree.top;
    const above = yield* this.#tableAt(page, depth + 1);
    if (!above.ok) return above;
    const index = indexOf(format, depth + 1, page);
    const halves: EntryHalves = { lo: 0, hi: 0 };
    const { words } = this.#tree;
    yield words.load('read the slot of the table', above.value, index, halves);
    if (classify(format, levelOf(format, depth + 1), halves.lo, halves.hi) !== ABSENT) return done(false);
    const table = newTable(this.#tree, depth);
    if (table === undefined) return noMemory();
    yield buildTable(this.#tree, table, template, frame);
    const pointer = this.#tree.encoder.pointer(format, depth + 1, table, this.#tree.marks);
    const step = words.compareExchange(
      'install the table',
      above.value,
      index,
      halves,
      pointer.lo,
      pointer.hi,
    );
    yield step;
    if (!step.done) {
      freeTable(this.#tree, table, depth);
      yield { kind: 'software', name: 'free the table that lost the race' };
    }
    return done(step.done);
  }

  /** The table at a depth that has the entry of a page; installs what is missing. */
  *#tableAt(page: number, depth: number): Steps<SoftwareStep, Outcome<FrameNumber>> {
    const { format, root } = this.#tree.top;
    let at = depth;
    let place = this.#placeAt(page, at);
    while (!place && at < format.rootDepth) place = this.#placeAt(page, ++at);
    let table = place?.table ?? root;
    // Each try goes a level down, or lost a race to another writer.
    for (let tries = 0; at > depth; tries++) {
      const found = yield* descend(this.#tree, page, at, { table, depth: at });
      if (found.class === LEAF) return inUse(page);
      if (found.class === MALFORMED) return corrupt(page);
      if (found.class === TABLE) {
        const below = tableBelow(this.#tree, at, found);
        if (below === undefined) return corrupt(page);
        table = below;
        at--;
        this.#places[at] = { table, start: page - (page % pagesOfTable(format, at)) };
        continue;
      }
      if (tries > MOST_RACES) return refused('EBUSY', `others keep changing the tables of ${address(page)}`);
      const installed = yield* this.#install(found.table, found.index, at, found);
      if (!installed.ok) return installed;
    }
    return done(table);
  }

  #placeAt(page: number, depth: number): Place | undefined {
    const place = this.#places[depth];
    if (!place) return undefined;
    const offset = page - place.start;
    return offset >= 0 && offset < pagesOfTable(this.#tree.top.format, depth) ? place : undefined;
  }

  /** Puts a new, empty table into a slot; whoever loses the race reads the slot again. */
  *#install(
    above: FrameNumber,
    index: number,
    depth: number,
    expected: Readonly<EntryHalves>,
  ): Steps<SoftwareStep, Outcome<null>> {
    const tree = this.#tree;
    const table = newTable(tree, depth - 1);
    if (table === undefined) return noMemory();
    const { lo, hi } = tree.encoder.pointer(tree.top.format, depth, table, tree.marks);
    const step = tree.words.compareExchange('install the table', above, index, expected, lo, hi);
    yield step;
    if (step.done) return done(null);
    freeTable(tree, table, depth - 1);
    yield { kind: 'software', name: 'free the table that lost the race' };
    return done(null);
  }

  /** What a careless driver takes out of the table behind a large leaf. */
  *#clearBeyond(
    table: FrameNumber,
    from: number,
    depth: number,
    page: number,
    left: number,
  ): Steps<SoftwareStep, void> {
    const level = levelOf(this.#tree.top.format, depth);
    const end = indexOf(this.#tree.top.format, depth, page) + Math.ceil(left / level.pagesPerEntry);
    for (let index = from; index < Math.min(end, level.indexMask + 1); index++)
      yield this.#tree.words.store('clear the slot of a table', table, index, 0, 0);
  }

  /** Makes sure that a slot can take a leaf: a table of which nothing is mapped gives way. */
  *#makeFree(
    table: FrameNumber,
    index: number,
    depth: number,
    page: number,
  ): Steps<SoftwareStep, Outcome<null>> {
    const { words, top } = this.#tree;
    const { format } = top;
    const level = levelOf(format, depth);
    const halves: EntryHalves = { lo: 0, hi: 0 };
    yield words.load('read the slot', table, index, halves);
    const found = classify(format, level, halves.lo, halves.hi);
    if (found === ABSENT) return done(null);
    if (found === MALFORMED) return corrupt(page);
    if (found === LEAF) {
      const { shift } = runOf(format, { depth, table, index, class: found, ...halves });
      return inUse(page, formatSize(2 ** shift));
    }
    const start = page - (page % level.pagesPerEntry);
    const empty = yield* collectEmptyTables(this.#tree, page, depth, halves);
    if (!empty.ok) return empty;
    if (!empty.value) return inUse(page);
    yield words.store('take out the empty table', table, index, 0, 0);
    for (const { frame, frames } of empty.value)
      this.gather.addTable(frameNumber(frame), frames, start, start + level.pagesPerEntry);
    return done(null);
  }
}

/** Lost races after which an operation gives up. */
const MOST_RACES = 1000;

const noMemory = () => refused('ENOMEM', 'no memory is left for another table');
const inUse = (page: number, size?: string) =>
  refused(
    'EADDRINUSE',
    `${address(page)} is mapped already${size === undefined ? '' : ` by a page of ${size}`}`,
  );
