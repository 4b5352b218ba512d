import { type SoftwareStep } from '../driver/softwareStep';
import { levelOf, type CompiledFormat } from '../formats/compile';
import { type CachedTranslation } from '../iommu/caches/translationCache';
import { type PageRange } from '../iommu/cacheOperation';
import { type HardwareStep } from '../iommu/hardwareStep';
import { joinHalves, type EntryHalves } from '../memory/words';
import { type FrameAllocator, type WritableMemory } from '../memory/writableMemory';
import { type AddressSpace } from '../pageTable/addressSpace';
import { LEAF } from '../pageTable/entryClass';
import { isDirty } from '../pageTable/marks';
import { pageShift } from '../pageTable/entry';
import { FRAME_BYTES, frameNumber, hex } from '../values';
import { type AccessObserver, type Writer } from './accessObserver';
import { corruptSlot } from './corruptSlot';
import { pagesText, writerText } from './describe';
import { FindingList } from './finding';
import { GuestMemory, type GuestRegion } from './guestMemory';
import { LastWrites, type LastWrite } from './lastWrites';
import { Mappings, type DeviceSpace, type LedgerAttached } from './mappings';
import { PageBits } from './pageBits';
import { sweepTables, type SweptEntry } from './tableSweep';

export interface LedgerOptions {
  /** Where guest memory is; absent: frames are guest pages. */
  readonly guestMemory?: readonly GuestRegion[];
  /** Who knows which frames of tables are freed. */
  readonly frames?: Pick<FrameAllocator, 'isFreed'>;
}

/** What one report of dirty pages was worth, in pages of 4 KiB. */
export interface HarvestTally {
  readonly reported: number;
  /** Reported, and not written since they were reported last. */
  readonly overReported: number;
  /** Of these: in whole leaves of which no page was written. */
  readonly stray: number;
}

/** Slots that are remembered until someone looks at them. */
const MOST_SUSPECTS = 1024;

interface Suspect {
  /** That marked it. */
  readonly step: number;
  readonly depth: number;
  readonly format: CompiledFormat;
}

/**
 * The truth. It hears of every access when the data lands, of what software maps and reports, and of what the destination of a
 * migration has, and finds what was lost. Pages are guest physical pages of 4 KiB unless said otherwise. Source and destination
 * begin equal: all zeros.
 */
export class Ledger implements AccessObserver {
  readonly findings = new FindingList();
  readonly #guest: GuestMemory;
  readonly #frames: Pick<FrameAllocator, 'isFreed'> | undefined;
  readonly #mappings = new Mappings();
  /** The source is newer than the destination. */
  readonly #behind = new PageBits();
  /** Written since a harvest reported it last. */
  readonly #unreported = new PageBits();
  readonly #writes = new LastWrites();
  readonly #matters = (page: number): boolean => this.#behind.has(page);
  /** Slots that hardware left as they must not be, by address, until someone looks at them: the first ones. */
  readonly #suspects = new Map<number, Suspect>();
  #step = 0;
  #harvest = 0;
  #command: string | undefined;

  constructor(options: LedgerOptions = {}) {
    this.#guest = new GuestMemory(options.guestMemory);
    this.#frames = options.frames;
  }

  /** Number of the last step. */
  get step(): number {
    return this.#step;
  }

  // What hardware and software do.

  /** `formatOf`: the format of the tables of a stage, to know words that must not be. */
  hardwareStep(step: HardwareStep, formatOf?: (stage: 1 | 2) => CompiledFormat | undefined): void {
    this.#step++;
    if (step.kind === 'read' || step.kind === 'fetch') this.#checkFreed(step.address, 'reads');
    else if (step.kind === 'update') this.#checkFreed(step.address, 'updates');
    else if (step.kind === 'command' && step.done) this.#command = step.name;
    if (step.kind !== 'update') return;
    const format = formatOf?.(step.stage);
    if (
      format &&
      corruptSlot(format, step.depth, step.afterLo, step.afterHi) &&
      this.#suspects.size < MOST_SUSPECTS
    )
      this.#suspects.set(step.address, { step: this.#step, depth: step.depth, format });
  }

  softwareStep(step: SoftwareStep): void {
    this.#step++;
    if (step.kind === 'submit') this.#command = step.command;
  }

  wrote(
    writer: Writer,
    page: number,
    frame: number,
    _offset: number,
    _length: number,
    cached?: CachedTranslation,
  ): void {
    if (writer.kind === 'device') this.#judge(writer, page, frame, true, cached);
    const guestPage = this.#guest.pageOf(frame);
    if (guestPage < 0) return;
    this.#behind.add(guestPage);
    this.#unreported.add(guestPage);
    this.#writes.put(guestPage, this.#step, writer, cached, this.#matters);
  }

  read(
    reader: Writer,
    page: number,
    frame: number,
    _offset: number,
    _length: number,
    cached?: CachedTranslation,
  ): void {
    if (reader.kind === 'device') this.#judge(reader, page, frame, false, cached);
  }

  /** The guest gave pages back and they read as zeros now, or nobody minds what they hold any more. */
  discarded(range: PageRange, contents: 'zeros' | 'anything', by: Writer): void {
    if (contents === 'anything') {
      this.#behind.removeRange(range);
      this.#unreported.removeRange(range);
      return;
    }
    for (let page = range.startPage; page < range.endPage; page++) {
      if (!this.#writes.get(page)) continue;
      this.#behind.add(page);
      this.#unreported.add(page);
      this.#writes.put(page, this.#step, by, undefined, this.#matters);
    }
  }

  // What software promises. Ranges are IOVA pages of the domain; a nest parent's are guest physical.

  /** A map operation begins: accesses are allowed. `frame`: of the first page. */
  mapBegins(domain: number, range: PageRange, frame: number, permission: number): void {
    this.#mappings.lives(domain).begin(range, frame, permission, this.#step);
  }

  /** It is done: accesses must not fault. */
  mapEnds(domain: number, range: PageRange): void {
    this.#mappings.lives(domain).promise(range, this.#step);
  }

  mapped(domain: number, range: PageRange, frame: number, permission: number): void {
    this.mapBegins(domain, range, frame, permission);
    this.mapEnds(domain, range);
  }

  /** An unmap operation begins: accesses may fault, and may still reach what was mapped. */
  unmapBegins(domain: number, range: PageRange): void {
    this.#mappings.lives(domain).end(range, this.#step);
  }

  /**
   * From now on nothing may reach what was unmapped here: the invalidation is complete, or the operation that should have seen
   * to it has returned. `command`: the invalidation; absent: there was none.
   */
  invalidationDone(domain: number, range: PageRange, command?: string): void {
    this.#mappings.lives(domain).settle(range, this.#step, command);
  }

  /** A device's attachment is being replaced: it may use the old one and the new one. */
  attachBegins(device: DeviceSpace, to: LedgerAttached): void {
    this.#mappings.attachBegins(device, to);
  }

  attachEnds(device: DeviceSpace): void {
    this.#mappings.attachEnds(device);
  }

  attached(device: DeviceSpace, to: LedgerAttached): void {
    this.attachBegins(device, to);
    this.attachEnds(device);
  }

  /** A protocol declares that accesses of these pages may fault, until `faultWindowEnds`. */
  faultWindow(domain: number, range: PageRange): void {
    this.#mappings.openWindow(domain, range, this.#step);
  }

  faultWindowEnds(domain: number): void {
    this.#mappings.closeWindows(domain, this.#step);
  }

  /** An access of a device was refused. `since`: the step before its first one; absent: now. */
  faulted(device: DeviceSpace, page: number, write: boolean, fault: string, since = this.#step): void {
    if (!this.#mappings.isSpurious(device, page, write, since)) return;
    const who = writerText({ kind: 'device', ...device });
    this.findings.add('spurious-fault', 1, () => ({
      of: 'iova',
      startPage: page,
      endPage: page + 1,
      step: this.#step,
      why: `A ${write ? 'write' : 'read'} of ${who} was refused (${fault}), and software has the page mapped for it.`,
      ...this.#behindIt(undefined),
    }));
  }

  // What migration knows.

  /**
   * A harvest reported these pages: when its invalidations are complete and it returns. `domain`: ranges are its IOVA pages;
   * absent: guest pages. `leafShift`: log2 bytes of the leaves that were harvested.
   */
  harvested(ranges: readonly PageRange[], domain?: number, leafShift = 12): HarvestTally {
    this.#harvest = this.#step;
    const tally = { reported: 0, overReported: 0, stray: 0 };
    const guest = domain === undefined ? ranges : ranges.flatMap((range) => this.guestRanges(domain, range));
    for (const range of guest) this.#report(range, 2 ** (leafShift - 12), tally);
    return tally;
  }

  /** Tracking starts from a clean slate: what was written before is not reported any more. */
  trackingStarted(): void {
    this.#unreported.clear();
  }

  /** The destination has these pages as they are now. */
  copied(range: PageRange): void {
    this.#behind.removeRange(range);
  }

  /** Guest pages behind a range of IOVA pages, by what software has mapped there now. */
  guestRanges(domain: number, range: PageRange): PageRange[] {
    return this.#mappings
      .lives(domain)
      .framesOf(range)
      .flatMap(({ startPage, endPage, frame }) => this.#guest.pagesOf(frame, endPage - startPage));
  }

  /** As `guestRanges` of parts of this range, by what is mapped there now: also when it is mapped no more. */
  guestView(domain: number, range: PageRange): (part: PageRange) => PageRange[] {
    const frames = this.#mappings.lives(domain).framesOf(range);
    return (part) =>
      frames.flatMap(({ startPage, endPage, frame }) => {
        const first = Math.max(startPage, part.startPage);
        const end = Math.min(endPage, part.endPage);
        return first < end ? this.#guest.pagesOf(frame + first - startPage, end - first) : [];
      });
  }

  isBehind(page: number): boolean {
    return this.#behind.has(page);
  }

  /** Pages whose newest contents the destination does not have. */
  get behind(): PageRange[] {
    return [...this.#behind.runs()];
  }

  lastWrite(page: number): LastWrite | undefined {
    return this.#writes.get(page);
  }

  /** Pages that were written, that no harvest reported since, and that will not be: not pending. Empty at every fence. */
  unaccounted(pending: PageBits): PageRange[] {
    const pages = new PageBits();
    for (const run of this.#behind.runs()) {
      for (let page = run.startPage; page < run.endPage; page++)
        if (this.#unreported.has(page) && !pending.has(page)) pages.add(page);
    }
    return [...pages.runs()];
  }

  /**
   * Guest pages of leaves that are marked dirty: the next harvest reports them. `domain`: of the tables; absent: IOVA = guest.
   * `within`: only leaves of these input pages.
   */
  pendingIn(space: AddressSpace, domain?: number, within?: PageRange): PageBits {
    const pending = new PageBits();
    const visit = ({ class: found, depth, lo, hi, page }: SweptEntry): void => {
      if (found !== LEAF || !isDirty(space.format, lo, hi)) return;
      const level = levelOf(space.format, depth);
      const pages = 2 ** (pageShift(space.format, level, lo, hi) - 12);
      const startPage = page - (page % pages);
      const range = { startPage, endPage: startPage + pages };
      for (const each of domain === undefined ? [range] : this.guestRanges(domain, range))
        pending.addRange(each);
    };
    sweepTables(space, visit, within);
    return pending;
  }

  // Verdicts.

  /** Looks at every entry of a domain's tables for words that must not be left there. */
  checkSlots(space: AddressSpace): void {
    sweepTables(space, ({ depth, address, lo, hi }) => {
      this.#checkSlot(space.format, depth, address, lo, hi);
    });
  }

  /** Looks at the slots only that hardware left as they must not be: at the end of an operation, which may have mended them. */
  checkSuspects(memory: WritableMemory): void {
    const halves: EntryHalves = { lo: 0, hi: 0 };
    for (const [address, { depth, format }] of this.#suspects) {
      const frame = frameNumber(Math.floor(address / FRAME_BYTES));
      const isTable = this.#frames?.isFreed(frame) !== true;
      if (isTable && memory.readEntry(frame, (address % FRAME_BYTES) / 8, halves))
        this.#checkSlot(format, depth, address, halves.lo, halves.hi);
    }
    this.#suspects.clear();
  }

  /** The device is quiet and the last harvest was copied: every page that the destination does not have was lost. */
  finish(): void {
    this.findings.clear('lost-dirty');
    for (const run of this.#behind.runs()) {
      for (let page = run.startPage; page < run.endPage;) {
        const write = this.#writes.get(page);
        const reported = !this.#unreported.has(page);
        let end = page + 1;
        while (end < run.endPage && this.#isAlike(end, write, reported)) end++;
        this.#lost({ startPage: page, endPage: end }, write, reported);
        page = end;
      }
    }
  }

  #checkSlot(format: CompiledFormat, depth: number, address: number, lo: number, hi: number): void {
    const why = corruptSlot(format, depth, lo, hi);
    if (why === undefined) return;
    const frame = Math.floor(address / FRAME_BYTES);
    this.findings.add('corrupt-slot', 1, () => ({
      of: 'frame',
      startPage: frame,
      endPage: frame + 1,
      step: this.#suspects.get(address)?.step ?? this.#step,
      why: `The entry at ${hex(address)} is ${hex(joinHalves(lo, hi))}. ${why}`,
      entry: address,
      ...this.#behindIt(undefined),
    }));
  }

  #isAlike(page: number, write: LastWrite | undefined, reported: boolean): boolean {
    const other = this.#writes.get(page);
    if (reported === this.#unreported.has(page) || other?.cached !== write?.cached) return false;
    return other && write ? writerText(other.writer) === writerText(write.writer) : other === write;
  }

  #lost(range: PageRange, write: LastWrite | undefined, reported: boolean): void {
    const pages = pagesText(range.startPage, range.endPage);
    const by = write ? ` by ${writerText(write.writer)}` : '';
    const silent =
      write?.cached?.dirtyDone === true ? ', through a cached translation that says D is set' : '';
    const harvest =
      this.#harvest === 0 ? 'no harvest' : `no harvest since, the last at step ${this.#harvest}`;
    const fate = reported
      ? 'reported, but not copied after that'
      : `reported by ${harvest}, and not copied after that`;
    this.findings.add('lost-dirty', range.endPage - range.startPage, () => ({
      of: 'guest',
      ...range,
      step: write?.step ?? 0,
      why: `${pages}: written${by}${silent}, ${fate}: the destination has older contents.`,
      ...this.#behindIt(write?.cached),
    }));
  }

  #report(
    range: PageRange,
    leafPages: number,
    tally: { reported: number; overReported: number; stray: number },
  ) {
    tally.reported += range.endPage - range.startPage;
    for (const gap of this.#unreported.gaps(range.startPage, range.endPage)) {
      tally.overReported += gap.endPage - gap.startPage;
      const first = Math.ceil(gap.startPage / leafPages) * leafPages;
      const end = Math.floor(gap.endPage / leafPages) * leafPages;
      tally.stray += Math.max(0, end - first);
      this.findings.add('over-report', gap.endPage - gap.startPage, () => ({
        of: 'guest',
        ...gap,
        step: this.#step,
        why: `${pagesText(gap.startPage, gap.endPage)}: reported, and not written since the report before.`,
      }));
    }
    this.#unreported.removeRange(range);
  }

  #checkFreed(address: number, does: string): void {
    const frame = Math.floor(address / FRAME_BYTES);
    if (this.#frames?.isFreed(frameNumber(frame)) !== true) return;
    this.findings.add('use-after-free', 1, () => ({
      of: 'frame',
      startPage: frame,
      endPage: frame + 1,
      step: this.#step,
      why: `A walk ${does} the entry at ${hex(address)}, in a table that software has freed.`,
      entry: address,
      ...this.#behindIt(undefined),
    }));
  }

  #judge(
    device: DeviceSpace & { readonly kind: 'device' },
    page: number,
    frame: number,
    write: boolean,
    cached: CachedTranslation | undefined,
  ): void {
    const stale = this.#mappings.judge(device, page, frame, write, cached);
    if (!stale) return;
    const { life } = stale;
    const done =
      life?.command === undefined
        ? 'the operation returned without an invalidation'
        : `${life.command} was complete`;
    const past = life
      ? `software took the mapping away at step ${life.ended}, and ${done} at step ${life.settled}`
      : 'no mapping that software made leads there';
    this.findings.add('stale-use', 1, () => ({
      of: stale.nested ? 'guest' : 'iova',
      startPage: stale.page,
      endPage: stale.page + 1,
      step: this.#step,
      why: `A ${write ? 'write' : 'read'} of ${writerText(device)} reached frame ${hex(frame)}: ${past}.`,
      ...this.#behindIt(cached, life?.command),
    }));
  }

  /** Entry, cached translation and command behind a finding, as far as they are known. */
  #behindIt(cached: CachedTranslation | undefined, command = this.#command) {
    const leaf = cached ? (cached.stage2Leaf >= 0 ? cached.stage2Leaf : cached.stage1Leaf) : -1;
    return {
      ...(leaf >= 0 ? { entry: leaf } : {}),
      ...(cached ? { cached } : {}),
      ...(command === undefined ? {} : { command }),
    };
  }
}
