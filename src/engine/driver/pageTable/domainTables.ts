import { compileFormat, type CompiledFormat } from '../../formats/compile';
import { type FormatHardware, type PageTableFormat } from '../../formats/pageTableFormat';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { type FrameAllocator, type WritableMemory } from '../../memory/writableMemory';

import { ALL_PAGES, zeroExtended, type AddressSpace } from '../../pageTable/addressSpace';
import { leafFrame, offsetShift } from '../../pageTable/entry';
import { LEAF, READ_WRITE } from '../../pageTable/entryClass';
import { levelOf } from '../../formats/compile';
import { domainId, hex, type FrameNumber } from '../../values';
import { type Steps } from '../../steps';
import { done, refused, type Outcome } from '../errno';
import { type Flusher } from '../flusher';
import { type SoftwareStep } from '../softwareStep';
import { Gather, type TableFault } from './gather';
import { disposeTables } from './dispose';
import { readDirty, type DirtyRequest } from './dirty';
import { growRoot } from './grow';
import { LeafEncoder, type NewMarks } from './leafEncoder';
import { linuxClearing, linuxMarks } from './linuxChoices';
import { mapPages } from './map';
import { pageSizesOf, type PageSize } from './pageSizePolicy';
import { descend, framesOfTable, type TableTree, type Top } from './tableTree';
import { collapseLeaves, splitLeaf, type Resized } from './resize';
import { type CollapseProtocol } from './protocols/collapse';
import { harvestDirty, type HarvestProtocol, type HarvestRequest } from './protocols/harvest';
import { type SplitProtocol } from './protocols/split';
import { unmapReporting, type UnmapProtocol, type UnmapRequest } from './protocols/unmapReporting';
import { TableWords, type Locate } from './tableWords';
import { unmapPages } from './unmap';

/** What the tables of a domain are made of. */
export interface DomainTablesOptions {
  readonly memory: WritableMemory;
  readonly frames: FrameAllocator;
  readonly format: PageTableFormat;
  readonly hardware?: FormatHardware;
  /** Levels at the start (1: the root has only leaves). */
  readonly rootDepth: number;
  /** log2 of the entries of the root, where it is shorter or longer than its level says. */
  readonly rootIndexBits?: number;
  readonly stage?: 1 | 2;
  /** What caches know the domain by. */
  readonly id?: number;
  /** Pages that requests may name; absent: all that the tables decode, zero-extended. */
  readonly ends?: Pick<AddressSpace, 'lowEnd' | 'highStart'>;
  /** Bits of input address up to which the root may grow (AMD v1); absent: all the format has. */
  readonly mostAddressBits?: number;
  /** log2 bytes of the pages that mapping uses; absent: all that the format has. */
  readonly pageShifts?: readonly number[];
  /** Marks of new entries; absent: as Linux sets them for the format. */
  readonly marks?: NewMarks;
  /** Whether writable leaves are made so that hardware marks them dirty (Arm DBM); absent: where it does. */
  readonly tracksDirty?: boolean;
  /** Of tables in guest memory: where a guest frame's words are, and how hardware reads them. */
  readonly locate?: Locate;
  readonly asRead?: { readonly memory: PhysicalMemory; readonly stage2: AddressSpace };
  readonly flusher?: Flusher;
  /** Absent: as Linux does for the format, and a step an entry. */
  readonly clearing?: 'plain' | 'atomic';
  readonly granularity?: 'entry' | 'table';
  /** SMMU_IDR3.BBML of all SMMUs that use the tables, absent: 0; other formats know no such limit. */
  readonly bbml?: 0 | 1 | 2;
  /** Mistakes to be made. */
  readonly faults?: Iterable<TableFault>;
}

const NOTHING_TO_FLUSH: SoftwareStep = { kind: 'software', name: 'nothing to flush: no device is attached' };

/** Of a domain that no device is attached to: no cache holds anything of it. */
export const NOTHING_CACHED: Flusher = {
  *flush() {
    yield NOTHING_TO_FLUSH;
    return done(null);
  },
  *flushAll() {
    yield NOTHING_TO_FLUSH;
    return done(null);
  },
  clean() {
    // No hardware reads these tables.
  },
  *changeTop() {
    yield { kind: 'software', name: 'no device to tell of the root' };
    return done(null);
  },
};

/**
 * The page tables of one domain as software holds them, and what it does with them: each operation is a sequence of atomic
 * steps, between which hardware and other software may act. Pages and frames are numbers of 4 KiB units.
 */
export class DomainTables implements TableTree {
  readonly memory: WritableMemory;
  readonly frames: FrameAllocator;
  readonly words: TableWords;
  readonly encoder = new LeafEncoder();
  readonly marks: NewMarks;
  readonly faults: ReadonlySet<TableFault>;
  readonly clearing: 'plain' | 'atomic';
  /** May be changed between operations. */
  granularity: 'entry' | 'table';
  readonly bbml: 0 | 1 | 2;
  /** Sizes that mapping uses, largest first. */
  readonly sizes: readonly PageSize[];
  /** Set by whoever attaches the domain. */
  flusher: Flusher;
  /** Writable leaves that are mapped from now on are tracked (Arm DBM). */
  tracksDirty: boolean;
  readonly #options: DomainTablesOptions;
  readonly #mostDepth: number;
  /** As hardware is told, and as software finds it: they differ while the root grows. */
  #told: Top;
  #published: Top;
  #grows = false;

  constructor(options: DomainTablesOptions, root: FrameNumber) {
    const { memory, frames, format, hardware = {}, rootDepth, rootIndexBits } = options;
    this.#options = options;
    this.memory = memory;
    this.frames = frames;
    this.flusher = options.flusher ?? NOTHING_CACHED;
    const clean = (address: number, words: number): void => {
      this.flusher.clean(address, words);
    };
    this.words = new TableWords(memory, clean, options.locate);
    this.marks = options.marks ?? linuxMarks(format);
    this.faults = new Set(options.faults);
    this.clearing = options.clearing ?? linuxClearing(format);
    this.granularity = options.granularity ?? 'entry';
    this.bbml = format.id.startsWith('arm') ? (options.bbml ?? 0) : 2;
    this.tracksDirty = options.tracksDirty ?? hardware.setsDirty === true;
    const growable = format.nextLevel !== undefined && rootIndexBits === undefined;
    this.#mostDepth = growable ? depthFor(format, options.mostAddressBits ?? 64) : rootDepth;
    this.sizes = pageSizesOf(format, hardware, this.#mostDepth, rootIndexBits, options.pageShifts);
    this.#told = { root, format: compileFormat(format, rootDepth, hardware, rootIndexBits) };
    this.#published = this.#told;
  }

  /** Tables with an empty root; ENOMEM when memory is full. */
  static create(options: DomainTablesOptions): Outcome<DomainTables> {
    const { frames, format, hardware = {}, rootDepth, rootIndexBits } = options;
    const compiled = compileFormat(format, rootDepth, hardware, rootIndexBits);
    const root = frames.allocate(framesOfTable(compiled, rootDepth));
    if (root === undefined) return refused('ENOMEM', 'no memory is left for the root table');
    return done(new DomainTables(options, root));
  }

  /** As hardware reads them. */
  get format(): CompiledFormat {
    return this.#told.format;
  }

  get root(): FrameNumber {
    return this.#told.root;
  }

  get top(): Top {
    return this.#published;
  }

  get space(): AddressSpace {
    const { stage = 2, id = 0, asRead, memory } = this.#options;
    const { root, format } = this.#told;
    return {
      stage,
      domainId: domainId(id),
      root,
      rootEntry: 0,
      format,
      ...this.#ends(format),
      memory: asRead?.memory ?? memory,
      stage2: asRead?.stage2,
    };
  }

  /** Whether requests may name these pages. */
  takes(startPage: number, pages: number): boolean {
    const { lowEnd, highStart } = this.#ends(this.#published.format);
    const end = startPage + pages;
    return end <= lowEnd || (startPage >= highStart && end <= ALL_PAGES);
  }

  /**
   * Maps `pages` pages from `page` to frames from `frame`. EINVAL: not a multiple of a page size, or no such permission;
   * ERANGE: beyond the tables or the output; EADDRINUSE: a page is mapped; ENOMEM. Nothing stays mapped of what is refused.
   */
  *map(page: number, frame: number, pages: number, permission: number): Steps<SoftwareStep, Outcome<null>> {
    const checked = this.#check(page, pages) ?? this.#checkOutput(frame, pages);
    if (checked) return checked;
    if ((permission & READ_WRITE) === 0) return refused('EINVAL', 'a mapping allows reads or writes');
    if (!this.takes(page, pages)) {
      const grown = yield* this.grow(page + pages);
      if (!grown.ok) return grown;
    }
    const mapped = yield* mapPages(this, { page, frame, pages, permission });
    if (!mapped.ok || !this.flusher.mapped) return mapped;
    const range = {
      startPage: page,
      endPage: page + pages,
      smallestShift: 12,
      largestShift: 12,
      tables: true,
    };
    return yield* this.flusher.mapped(range);
  }

  /**
   * Unmaps pages: see `unmapPages`. Returns how many went: fewer than asked where nothing is mapped or a leaf starts before,
   * more where a leaf ends after. Without a gather of the caller's, flushes and frees before it returns.
   */
  *unmap(page: number, pages: number, gather?: Gather): Steps<SoftwareStep, Outcome<number>> {
    const checked = this.#check(page, pages);
    if (checked) return checked;
    if (!this.takes(page, pages)) return refused('ERANGE', this.#beyond(page, pages));
    const own = gather ?? new Gather();
    const unmapped = yield* unmapPages(this, page, pages, own);
    if (gather) return unmapped;
    // What went is flushed for, also when the rest is refused.
    const synced = yield* this.sync(own);
    return unmapped.ok && !synced.ok ? synced : unmapped;
  }

  /** The frame that a page leads to; null when it is not mapped. */
  *iovaToPhys(page: number): Steps<SoftwareStep, number | null> {
    if (!this.takes(page, 1)) return null;
    const found = yield* descend(this, page, 1);
    if (found.class !== LEAF) return null;
    const { format } = this.top;
    const level = levelOf(format, found.depth);
    const offset = page % 2 ** (offsetShift(format, level, found.lo, found.hi) - 12);
    return leafFrame(format, level, found.lo, found.hi) + offset;
  }

  /**
   * Reports dirty pages of a range, and with `clear` makes them clean and flushes once for all; pages that are not mapped are
   * passed over. Returns how many pages were reported. With a gather of the caller's, the flush is left to him. What is
   * reported is to be copied after this: a write through a cached translation may come until the flush is done.
   */
  *readAndClearDirty(request: DirtyRequest, gather?: Gather): Steps<SoftwareStep, Outcome<number>> {
    const { startPage, pages, clear } = request;
    const checked = this.#check(startPage, pages);
    if (checked) return checked;
    if (!this.takes(startPage, pages)) return refused('ERANGE', this.#beyond(startPage, pages));
    const own = gather ?? new Gather();
    const reported = yield* readDirty(this, request, own);
    if (!clear || gather) return reported;
    const synced = yield* this.sync(own);
    return reported.ok && !synced.ok ? synced : reported;
  }

  /** See `splitLeaf`. The protocol absent: the one that loses nothing on this hardware. */
  *split(page: number, shift: number, protocol?: SplitProtocol): Steps<SoftwareStep, Outcome<Resized>> {
    if (!this.takes(page, 1)) return refused('ERANGE', this.#beyond(page, 1));
    return yield* splitLeaf(this, page, shift, protocol);
  }

  /** See `collapseLeaves`. The protocol absent: the one that loses nothing on this hardware. */
  *collapse(page: number, shift: number, protocol?: CollapseProtocol): Steps<SoftwareStep, Outcome<Resized>> {
    return yield* collapseLeaves(this, page, shift, protocol);
  }

  /** Takes dirty marks, flushes and copies what they name, in the order of a protocol. Returns the pages that were copied. */
  *harvest(request: HarvestRequest, protocol?: HarvestProtocol): Steps<SoftwareStep, Outcome<number>> {
    const { startPage, pages } = request;
    const checked = this.#check(startPage, pages);
    if (checked) return checked;
    if (!this.takes(startPage, pages)) return refused('ERANGE', this.#beyond(startPage, pages));
    return yield* harvestDirty(this, request, (page, shift, by) => this.split(page, shift, by), protocol);
  }

  /** Unmaps whole leaves and says which were dirty: see `unmapReporting`. */
  *unmapReporting(request: UnmapRequest, protocol?: UnmapProtocol): Steps<SoftwareStep, Outcome<null>> {
    const { startPage, pages } = request;
    const checked = this.#check(startPage, pages);
    if (checked) return checked;
    if (!this.takes(startPage, pages)) return refused('ERANGE', this.#beyond(startPage, pages));
    return yield* unmapReporting(this, request, protocol);
  }

  /** Frees all tables, whatever they map. No device may use them any more. */
  *dispose(): Steps<SoftwareStep, void> {
    yield* disposeTables(this);
  }

  *sync(gather: Gather): Steps<SoftwareStep, Outcome<null>> {
    return yield* gather.sync(this.flusher, this.frames, this.faults);
  }

  *grow(endPage: number): Steps<SoftwareStep, Outcome<null>> {
    for (let waits = 0; this.#grows; waits++) {
      if (waits > MOST_WAITS) return refused('EBUSY', 'another operation does not end growing the root');
      yield { kind: 'poll', name: 'wait for the root to grow', done: false };
    }
    if (this.takes(endPage - 1, 1)) return done(null);
    this.#grows = true;
    const before = this.#told;
    const outcome = yield* growRoot(this, endPage, {
      most: this.#mostDepth,
      bitsOf: (format) => this.#bitsOf(format),
      tell: (top) => {
        this.#told = top;
      },
    });
    if (outcome.ok) this.#published = this.#told;
    else this.#told = before;
    this.#grows = false;
    if (!outcome.ok || this.takes(endPage - 1, 1)) return outcome;
    return refused('ERANGE', this.#beyond(endPage - 1, 1));
  }

  /** Tables whose root can grow take no more than they decode now. */
  #ends(format: CompiledFormat): Pick<AddressSpace, 'lowEnd' | 'highStart'> {
    const decoded = zeroExtended(this.#bitsOf(format));
    const { ends = decoded, rootDepth } = this.#options;
    if (this.#mostDepth === rootDepth) return ends;
    return { lowEnd: Math.min(ends.lowEnd, decoded.lowEnd), highStart: ends.highStart };
  }

  #bitsOf({ addressBits }: CompiledFormat): number {
    return Math.min(addressBits, this.#options.mostAddressBits ?? 64, 64);
  }

  #check(page: number, pages: number): Outcome<never> | undefined {
    const unit = 2 ** ((this.sizes.at(-1)?.shift ?? 12) - 12);
    if (
      pages > 0 &&
      page >= 0 &&
      page % unit === 0 &&
      pages % unit === 0 &&
      Number.isSafeInteger(page + pages)
    )
      return undefined;
    return refused('EINVAL', `a range begins and ends at multiples of ${unit * 4} KiB and is not empty`);
  }

  #checkOutput(frame: number, pages: number): Outcome<never> | undefined {
    const unit = 2 ** ((this.sizes.at(-1)?.shift ?? 12) - 12);
    if (frame % unit !== 0) return refused('EINVAL', `physical addresses are multiples of ${unit * 4} KiB`);
    const { format } = this.#told;
    const { high, low, to, extra } = format.format.address;
    const top = extra ? extra.to + extra.high - extra.low : to + high - low;
    const end = Math.min(2 ** (top + 1 - 12), format.outputEnd);
    if (frame >= 0 && frame + pages <= end) return undefined;
    return refused(
      'ERANGE',
      `the output ends beyond ${hex(BigInt(end) << 12n)}, the last address of the format`,
    );
  }

  #beyond(page: number, pages: number): string {
    return `pages ${hex(page)} to ${hex(page + pages)} are not all within what ${this.#told.format.format.title} with ${this.#told.format.rootDepth} levels take`;
  }
}

/** Looks at the flag of another operation after which one gives up. */
const MOST_WAITS = 1000;

/** Levels that decode so many bits. */
function depthFor({ levels }: PageTableFormat, bits: number): number {
  const needed = levels.findIndex(({ shift, indexBits }) => shift + indexBits >= bits);
  return needed < 0 ? levels.length : needed + 1;
}
