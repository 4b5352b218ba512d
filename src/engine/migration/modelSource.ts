import { RandomWords } from '../random';
import { type ScatteredPages, type TrafficGenerator } from '../traffic/generator';
import { type LeafMap } from './leafMap';
import { PageBatch } from './pageBatch';
import { BLOCK_PAGES, CHUNK_BLOCKS, CHUNK_PAGES, PageSet } from './pageSet';
import { Pace } from './pace';
import { type DirtySource, type Harvest, type Pending, type Slices, type TableWork } from './source';
import { type MigrationSpec } from './spec';
import { type Region, WorkingSet } from './workingSet';

export interface ModelOptions {
  /** Guest memory. What vCPUs write lies at its start. */
  readonly regions: readonly Region[];
  /** What maps it for devices: changed by splits. */
  readonly leaves: LeafMap;
  readonly devices: readonly {
    readonly traffic: TrafficGenerator;
    /** Bytes a second. */
    readonly rate: number;
  }[];
  readonly deviceState: { readonly running: number; readonly stopped: number };
  /** Pages that devices write back when they are stopped, or only when their state is saved. */
  readonly writesBack: readonly { readonly page: number; readonly when: 'stop' | 'save' }[];
  readonly spec: Pick<MigrationSpec, 'pages' | 'vcpus'>;
  /** Of places where there are too many accesses to draw each. */
  readonly seed: number;
}

const PAGE = 4096;
/** Accesses and ranges after which writing gives way. */
const LEAST_ACCESSES = 2 ** 20;
const MOST_NAMED = 2 ** 20;
const FEW_NAMED = 2 ** 16;
/** Chunks of 1 GiB after which a search gives way. */
const CHUNKS_A_SLICE = 64;
/** Of pages with a chance: all are written where fewer than so many are expected to be left out. */
const LEAST_LEFT_OUT = 0.01;

/**
 * A machine as leaves and written pages only: which page size maps what, and a bit for each page of 4 KiB that was written. What
 * hardware and driver do right is taken for granted, so nothing is lost but what a device writes back too late.
 */
export class ModelSource implements DirtySource {
  readonly operations = [];
  readonly memory: number;
  readonly deviceState: ModelOptions['deviceState'];
  readonly #options: ModelOptions;
  /** What devices and vCPUs wrote since the last harvest; what that harvest reported; what was written too late for any. */
  readonly #dirty: PageSet;
  readonly #batch: PageBatch;
  readonly #cpuDirty: PageSet;
  readonly #reported: PageSet;
  readonly #late: PageSet;
  readonly #paces: readonly Pace[];
  readonly #vcpus: WorkingSet;
  #share = 0;
  readonly #words: RandomWords;
  /** Large leaves that were split, and what they were made into. */
  readonly #splits: (Region & { readonly shift: number; readonly entries: number })[] = [];

  constructor(options: ModelOptions) {
    this.#options = options;
    this.deviceState = options.deviceState;
    this.#words = new RandomWords(options.seed);
    const end = options.regions.reduce(
      (most, { endPage }) => Math.max(most, endPage),
      options.leaves.endPage,
    );
    [this.#dirty, this.#cpuDirty] = [new PageSet(end), new PageSet(end)];
    this.#batch = new PageBatch(this.#dirty, end);
    [this.#reported, this.#late] = [new PageSet(end), new PageSet(end)];
    this.memory =
      options.regions.reduce((all, { startPage, endPage }) => all + endPage - startPage, 0) * PAGE;
    this.#paces = options.devices.map(({ rate, traffic }) => new Pace(rate / traffic.bytesPerAccess));
    this.#vcpus = new WorkingSet(options.regions, options.spec.vcpus);
  }

  get leaves(): number {
    return this.#options.leaves.leaves;
  }

  get bySize(): Readonly<Record<string, number>> {
    return this.#options.leaves.bySize;
  }

  get requests(): number {
    return this.#paces.reduce((all, { done }) => all + done, 0);
  }

  get share(): number {
    return this.#share;
  }

  *lost(): Slices<number> {
    yield;
    return this.#late.count * PAGE;
  }

  *prepare(): Slices<TableWork> {
    const { regions, spec } = this.#options;
    const work = { leaves: 0, flushes: 1, splits: 0, entries: 0 };
    if (spec.pages.policy !== 'split-eagerly') return work;
    for (const { startPage, endPage } of regions) {
      for (let page = startPage; page < endPage; page += CHUNK_PAGES) {
        const made = this.#split(page, Math.min(endPage, page + CHUNK_PAGES));
        work.splits += made.splits;
        work.entries += made.entries;
        yield;
      }
    }
    work.flushes += work.splits;
    return work;
  }

  *write(seconds: number): Slices<void> {
    const dues = this.#options.devices.map((_, index) => this.#paces[index]?.due(seconds) ?? 0);
    const all = dues.reduce((sum, due) => sum + due, 0);
    let done = 0;
    for (const [index, { traffic }] of this.#options.devices.entries()) {
      let left = dues[index] ?? 0;
      const scattered = traffic.scatter?.(left, (startPage, endPage) => {
        this.#wrote(startPage, endPage);
      });
      if (scattered) {
        for (const each of scattered) yield* this.#scatter(each);
        left = 0;
      }
      for (let slice = LEAST_ACCESSES; left > 0;) {
        let named = 0;
        const accesses = Math.min(left, slice);
        traffic.skip(accesses, (startPage, endPage) => {
          named++;
          this.#wrote(startPage, endPage);
        });
        left -= accesses;
        this.#share = (done + (dues[index] ?? 0) - left) / all;
        // Rings name few ranges however many accesses there are; what is drawn names one for each.
        if (named < FEW_NAMED) slice *= 8;
        else if (named > MOST_NAMED) slice = Math.max(LEAST_ACCESSES, slice / 2);
        yield;
      }
      done += dues[index] ?? 0;
      this.#share = all === 0 ? 0 : done / all;
    }
    this.#batch.flush();
    this.#vcpus.write(seconds, (startPage, endPage) => {
      this.#cpuDirty.addRange(startPage, endPage);
    });
  }

  /** Writes units of pages by their chance, all independently of each other. */
  *#scatter({ startPage, unitPages, units, chance }: ScatteredPages): Slices<void> {
    const { leaves } = this.#options;
    const endPage = startPage + units * unitPages;
    // Where not one is expected to be left out.
    const isAll = units * (1 - chance) < LEAST_LEFT_OUT;
    const biased = isAll || unitPages > 1 ? undefined : this.#words.biased(chance);
    const step = unitPages * Math.max(1, Math.floor(CHUNK_PAGES / unitPages));
    for (let page = startPage; page < endPage; page += step) {
      const end = Math.min(endPage, page + step);
      if (isAll) this.#wrote(page, end);
      else if (!biased) {
        for (let unit = page; unit < end; unit += unitPages)
          if (this.#words.next() >>> 0 < chance * 2 ** 32) this.#wrote(unit, unit + unitPages);
      } else {
        for (let block = Math.floor(page / BLOCK_PAGES); block * BLOCK_PAGES < end; block++) {
          const shift = leaves.blockShift(block);
          if (shift === undefined) {
            const [from, to] = [
              Math.max(page, block * BLOCK_PAGES),
              Math.min(end, (block + 1) * BLOCK_PAGES),
            ];
            for (let each = from; each < to; each++)
              if (this.#words.next() >>> 0 < chance * 2 ** 32) this.#wrote(each, each + 1);
          } else if (shift !== 0) this.#dirty.addSome(block, [page, end], this.#words, biased);
        }
      }
      yield;
    }
  }

  *pending(): Slices<Pending> {
    const leaves = new Map<number, number>();
    let pages = this.#cpuDirty.count;
    const small = yield* this.#eachDirtyLeaf((startPage, endPage, shift) => {
      leaves.set(shift, (leaves.get(shift) ?? 0) + 1);
      pages += endPage - startPage;
    });
    if (small > 0) leaves.set(12, small);
    return { leaves, bytes: Math.min((pages + small) * PAGE, this.memory) };
  }

  *harvest(onTop: boolean): Slices<Harvest> {
    const { leaves, spec } = this.#options;
    const { policy, to } = spec.pages;
    const scanned = leaves.leaves;
    const reported = this.#reported;
    if (!onTop) reported.clear();
    const before = reported.count;
    yield* addAll(this.#dirty, reported);
    yield* addAll(this.#cpuDirty, reported);
    const written = reported.count - before;
    const large: Region[] = [];
    const isFlushed = this.#dirty.count > 0;
    const byCpus = this.#cpuDirty.count * PAGE;
    yield* this.#eachDirtyLeaf((startPage, endPage, shift) => {
      reported.addRange(startPage, endPage);
      if (policy === 'split-on-dirty' && !onTop && shift > Math.log2(to)) large.push({ startPage, endPage });
    });
    this.#dirty.clear();
    this.#cpuDirty.clear();
    let [splits, entries] = [0, 0];
    for (const { startPage, endPage } of large) {
      const made = this.#split(startPage, endPage);
      splits += made.splits;
      entries += made.entries;
    }
    const flushes = (isFlushed ? 1 : 0) + splits;
    const bytes = (reported.count - before) * PAGE;
    return { leaves: scanned, flushes, splits, entries, reported: bytes, written: written * PAGE, byCpus };
  }

  *stop(): Slices<void> {
    for (const { page, when } of this.#options.writesBack) if (when === 'stop') this.#wrote(page, page + 1);
    this.#batch.flush();
    yield;
  }

  *save(): Slices<number> {
    for (const { page, when } of this.#options.writesBack)
      if (when === 'save' && this.#options.leaves.shiftOf(page) !== 0) this.#late.add(page);
    yield;
    return this.#late.count * PAGE;
  }

  *finish(): Slices<number> {
    const { leaves, spec } = this.#options;
    if (!spec.pages.collapseAfter) return 0;
    let read = 0;
    for (const split of this.#splits) {
      leaves.collapse(split, split.shift);
      read += split.entries;
    }
    yield;
    return read;
  }

  #split(startPage: number, endPage: number): { readonly splits: number; readonly entries: number } {
    const { leaves, spec } = this.#options;
    const collapses = spec.pages.collapseAfter;
    return leaves.split(startPage, endPage, Math.log2(spec.pages.to), (first, end, shift, entries) => {
      if (collapses) this.#splits.push({ startPage: first, endPage: end, shift, entries });
    });
  }

  /** Takes pages that a device wrote: those that nothing maps were refused. */
  #wrote(startPage: number, endPage: number): void {
    const { leaves } = this.#options;
    if (endPage - startPage === 1) {
      if (leaves.shiftOf(startPage) !== 0) this.#batch.add(startPage);
      return;
    }
    for (let page = startPage; page < endPage;) {
      const block = Math.floor(page / BLOCK_PAGES);
      const end = Math.min(endPage, (block + 1) * BLOCK_PAGES);
      const shift = leaves.blockShift(block);
      if (shift === undefined) for (; page < end; page++) this.#wrote(page, page + 1);
      else if (shift !== 0) this.#dirty.addRange(page, end);
      page = end;
    }
  }

  /** Names each leaf of more than 4 KiB of which a page was written, once, ascending; gives how many there are of 4 KiB. */
  *#eachDirtyLeaf(visit: (startPage: number, endPage: number, shift: number) => void): Slices<number> {
    const { leaves } = this.#options;
    let small = 0;
    let done = 0;
    const visitAt = (page: number, shift: number): void => {
      const pages = 2 ** (shift - 12);
      const start = page - (page % pages);
      if (start < done) return;
      done = start + pages;
      if (shift === 12) small++;
      else visit(start, done, shift);
    };
    for (const [index, chunk] of this.#dirty.chunks.entries()) {
      if (index % CHUNKS_A_SLICE === CHUNKS_A_SLICE - 1) yield;
      const first = chunk * CHUNK_BLOCKS;
      const whole = leaves.blockShift(first) ?? 0;
      if (whole >= 30) {
        visitAt(chunk * CHUNK_PAGES, whole);
        continue;
      }
      for (let block = first; block < first + CHUNK_BLOCKS; block++) {
        const shift = leaves.blockShift(block);
        const pages = this.#dirty.countInBlock(block);
        if (pages === 0) continue;
        if (shift === 12) small += pages;
        else if (shift !== undefined && shift >= 21) visitAt(block * BLOCK_PAGES, shift);
        else
          this.#dirty.eachOfBlock(block, (page) => {
            visitAt(page, shift ?? leaves.shiftOf(page));
          });
      }
    }
    return small;
  }
}

function* addAll(from: PageSet, to: PageSet): Slices<void> {
  for (const [index, chunk] of from.chunks.entries()) {
    if (index % CHUNKS_A_SLICE === CHUNKS_A_SLICE - 1) yield;
    to.addChunk(from, chunk);
  }
}
