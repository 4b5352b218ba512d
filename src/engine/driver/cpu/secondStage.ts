import { levelOf } from '../../formats/compile';
import { ept } from '../../formats/ept';
import { amdV2 } from '../../formats/x8664';
import { type PageRange } from '../../iommu/cacheOperation';
import { type AccessObserver, type Writer } from '../../ledger/accessObserver';
import { GuestMemory, type GuestRegion } from '../../ledger/guestMemory';
import { type Ledger } from '../../ledger/ledger';
import { PageBits } from '../../ledger/pageBits';
import { sweepTables, type SweptEntry } from '../../ledger/tableSweep';
import { type FrameAllocator, type WritableMemory } from '../../memory/writableMemory';
import { leafFrame, pageShift } from '../../pageTable/entry';
import { LEAF, READ, READ_WRITE, TABLE, WRITE } from '../../pageTable/entryClass';
import { cleanedHalves, isDirty, markedHi, markedLo, marksDirty } from '../../pageTable/marks';
import { type TableStep } from '../../pageTable/tableWalk';
import { walkTables } from '../../pageTable/walk';
import { type SeededRandom } from '../../random';
import { runSteps, type Steps } from '../../steps';
import { FRAME_BYTES, frameHalves, frameNumber, hex } from '../../values';
import { done, refused, type Outcome } from '../errno';
import { DomainTables } from '../pageTable/domainTables';
import { type SoftwareStep } from '../softwareStep';
import { CpuTlb } from './cpuTlb';

/** How a hypervisor knows what its vCPUs write. */
export type CpuLogging = 'none' | 'dirty-bits' | 'write-protect';

/** What a hypervisor does about writes that its second stage does not see. A careless one leaves holes in a migration. */
export interface CpuPolicy {
  /** Writes of the host itself (loader, vhost, device models) go into the dirty log, too. */
  readonly logsHostWriters: boolean;
  /** What is dirty when its entry goes away goes into the dirty log. */
  readonly harvestsOnZap: boolean;
}

export interface CpuSecondStageOptions {
  /** EPT of Intel, or the nested tables of AMD: AMD64 long-mode entries (AMD64 APM vol. 2 §15.25). */
  readonly kind: 'ept' | 'npt';
  /** EPTP bit 6: hardware sets A and D (Intel SDM vol. 3C §29.3.5). Nested tables of AMD always have them. */
  readonly marks?: boolean;
  readonly memory: WritableMemory;
  readonly frames: FrameAllocator;
  readonly guestMemory: readonly GuestRegion[];
  readonly ledger: AccessObserver & Pick<Ledger, 'discarded'>;
  readonly random: SeededRandom;
  /** log2 bytes of the leaves that are made on a fault; absent: 4 KiB only. */
  readonly pageShifts?: readonly number[];
  readonly policy: CpuPolicy;
  /** The one frame of zeros that reads of pages are given which nobody has written; absent: such pages get their own. */
  readonly zeroFrame?: number;
  readonly vcpus?: number;
  /** Of each vCPU. */
  readonly tlbEntries?: number;
}

/** Why entries go away. balloon: the guest gave the pages back; what they hold counts no more. */
export type ZapReason = 'balloon' | 'numa-balancing' | 'mmu-notifier';

/** A leaf of the second stage. */
interface Leaf extends PageRange {
  readonly entry: SweptEntry;
  readonly shift: number;
  readonly frame: number;
}

/** Refaults of one access after which something is wrong. */
const MOST_FAULTS = 8;

/**
 * The second stage of a guest's CPUs: populated when a vCPU faults, marked when it writes, taken away when the host needs to.
 * An access is one action here; harvesting is a sequence of steps between which vCPUs may run.
 */
export class CpuSecondStage {
  readonly tables: DomainTables;
  readonly policy: CpuPolicy;
  readonly #options: CpuSecondStageOptions;
  readonly #guest: GuestMemory;
  readonly #tlbs: CpuTlb[];
  /** Pages that somebody has written: the others are zeros. */
  readonly #written = new PageBits();
  /** Dirty pages that software itself knows of: host writers, zapped entries, write faults. */
  readonly #log = new PageBits();
  #logging: CpuLogging = 'none';

  private constructor(options: CpuSecondStageOptions, tables: DomainTables) {
    this.#options = options;
    this.tables = tables;
    this.policy = options.policy;
    this.#guest = new GuestMemory(options.guestMemory);
    const { vcpus = 1, tlbEntries = 64, random } = options;
    this.#tlbs = Array.from({ length: vcpus }, () => new CpuTlb(tlbEntries, random));
  }

  static create(options: CpuSecondStageOptions): Outcome<CpuSecondStage> {
    const marks = options.kind === 'npt' || options.marks !== false;
    const tables = DomainTables.create({
      memory: options.memory,
      frames: options.frames,
      format: options.kind === 'ept' ? ept : amdV2,
      hardware: { setsAccessed: marks, setsDirty: marks },
      rootDepth: 4,
      pageShifts: options.pageShifts ?? [12],
      marks: { accessed: false, dirty: false },
    });
    return tables.ok ? done(new CpuSecondStage(options, tables.value)) : tables;
  }

  get logging(): CpuLogging {
    return this.#logging;
  }

  /** A load or store of a vCPU to a guest physical page. EFAULT: no memory there; ENOMEM: none for tables. */
  access(vcpu: number, page: number, write: boolean): Outcome<null> {
    const tlb = this.#tlbs[vcpu];
    if (!tlb) return refused('EINVAL', `there is no vCPU ${vcpu}`);
    if (this.#guest.frameOf(page) < 0)
      return refused('EFAULT', `${hex(BigInt(page) << 12n)} is no memory of the guest`);
    for (let faults = 0; faults < MOST_FAULTS; faults++) {
      const cached = tlb.lookup(page);
      if (cached && (cached.permission & (write ? WRITE : READ)) !== 0 && (!write || cached.dirtyDone)) {
        this.#land({ kind: 'vcpu', vcpu }, page, cached.frame + page - cached.page, write);
        return done(null);
      }
      const outcome = this.#fill(tlb, page, write) ? done(null) : this.#fault(page, write);
      if (!outcome.ok) return outcome;
    }
    return refused('EIO', `the second stage does not come to rest at ${hex(BigInt(page) << 12n)}`);
  }

  /** A write of the host's own, through its own mapping: the second stage sees nothing of it. */
  hostWrite(name: string, page: number): Outcome<null> {
    const frame = this.#guest.frameOf(page);
    if (frame < 0) return refused('EFAULT', `${hex(BigInt(page) << 12n)} is no memory of the guest`);
    // The page stops being the shared one of zeros: vCPUs must not go on reading that.
    if (this.#leaves({ startPage: page, endPage: page + 1 }).some((leaf) => this.#isZero(leaf)))
      this.#remove(page);
    this.#land({ kind: 'host', name }, page, frame, true);
    if (this.policy.logsHostWriters && this.#logging !== 'none') this.#log.add(page);
    return done(null);
  }

  /** The host takes entries away: whole leaves, also where the range covers a part. */
  zap(range: PageRange, reason: ZapReason): void {
    for (const leaf of this.#leaves(range)) {
      const { lo, hi } = leaf.entry;
      const dirty = this.#logging === 'dirty-bits' && isDirty(this.tables.format, lo, hi);
      if (dirty && this.policy.harvestsOnZap) this.#log.addRange(leaf);
      this.#remove(leaf.startPage);
    }
    if (reason === 'balloon') {
      this.#written.removeRange(range);
      this.#options.ledger.discarded(range, 'anything', { kind: 'host', name: 'balloon' });
    }
  }

  /**
   * Starts to track writes of vCPUs from a clean slate: dirty bits are cleared, or write permission is taken away.
   * EOPNOTSUPP: hardware sets no dirty bits.
   */
  *startLogging(logging: CpuLogging): Steps<SoftwareStep, Outcome<null>> {
    if (logging === 'dirty-bits' && !this.tables.format.setsDirty)
      return refused(
        'EOPNOTSUPP',
        'hardware sets no dirty bits in this second stage: track by write protection',
      );
    this.#logging = logging;
    this.#log.clear();
    for (const leaf of this.#leaves()) {
      if (logging === 'write-protect' && leaf.shift > 12) {
        const split = this.#splitReadOnly(leaf);
        if (!split.ok) return split;
        yield { kind: 'software', name: 'split a large leaf into read-only pages' };
      } else yield this.#arm(leaf);
    }
    yield* this.#flush();
    return done(null);
  }

  /**
   * Reports what is dirty in a range and tracks it anew: record, clear, flush, and only then return, so that whoever copies
   * afterwards has what was written meanwhile. `flushes` false: the mistake of leaving the flush out.
   */
  *harvest(range: PageRange, { flushes = true } = {}): Steps<SoftwareStep, PageRange[]> {
    const found = new PageBits();
    for (const run of this.#log.runs(range.startPage, range.endPage)) found.addRange(run);
    this.#log.removeRange(range);
    for (const { startPage } of this.#leaves(range)) {
      // Others may have taken it away, or written, since the list was made.
      const [leaf] = this.#leaves({ startPage, endPage: startPage + 1 });
      if (!leaf) continue;
      const dirty =
        this.#logging === 'dirty-bits' && isDirty(this.tables.format, leaf.entry.lo, leaf.entry.hi);
      if (dirty) found.addRange(leaf);
      if (dirty || (this.#logging === 'write-protect' && found.has(startPage))) yield this.#arm(leaf);
    }
    if (flushes) yield* this.#flush();
    return [...found.runs()];
  }

  /** What the second stage has populated, but for the shared page of zeros. */
  get populated(): PageRange[] {
    const pages = new PageBits();
    for (const leaf of this.#leaves()) if (!this.#isZero(leaf)) pages.addRange(leaf);
    return [...pages.runs()];
  }

  /** Pages that are dirty for software, without the bits of the second stage. */
  get logged(): PageRange[] {
    return [...this.#log.runs()];
  }

  /** Whether a page holds zeros because nobody wrote to it. */
  isUnwritten(page: number): boolean {
    return !this.#written.has(page);
  }

  #land(writer: Writer, page: number, frame: number, write: boolean): void {
    const { ledger } = this.#options;
    if (!write) {
      ledger.read(writer, page, frame, 0, 8);
      return;
    }
    this.#written.add(page);
    ledger.wrote(writer, page, frame, 0, 8);
  }

  /** Walks the second stage as hardware does, marks what it uses and fills the TLB; false: it faults. */
  #fill(tlb: CpuTlb, page: number, write: boolean): boolean {
    const { space, format, memory } = this.tables;
    const { lo, hi } = frameHalves(page);
    const walk = walkTables(space, lo, hi, write);
    if (!walk.outcome.ok) return false;
    for (const step of walk.steps) this.#mark(step, write);
    const step = walk.steps.at(-1);
    const halves = { lo: 0, hi: 0 };
    if (!step || !memory.readEntry(frameNumber(step.table), step.index, halves)) return false;
    const level = levelOf(format, step.depth);
    const shift = pageShift(format, level, halves.lo, halves.hi);
    tlb.insert({
      page: page - (page % 2 ** (shift - 12)),
      shift,
      frame: leafFrame(format, level, halves.lo, halves.hi),
      permission: walk.outcome.permission,
      dirtyDone: !marksDirty(format, halves.lo, halves.hi) || isDirty(format, halves.lo, halves.hi),
    });
    return true;
  }

  #mark({ table, index, lo, hi, class: found }: TableStep, write: boolean): void {
    const { format, memory } = this.tables;
    const newLo =
      found === TABLE ? lo | format.tableMarksLo : markedLo(format, lo, write && marksDirty(format, lo, hi));
    const newHi =
      found === TABLE ? hi | format.tableMarksHi : markedHi(format, hi, write && marksDirty(format, lo, hi));
    if (newLo !== lo || newHi !== hi)
      memory.casEntry(frameNumber(table), index, lo, hi, newLo >>> 0, newHi >>> 0);
  }

  /** What the hypervisor does about a fault: populates, or gives write permission back and logs the page. */
  #fault(page: number, write: boolean): Outcome<null> {
    const { zeroFrame, pageShifts = [12] } = this.#options;
    if (write && this.#logging === 'write-protect') this.#log.add(page);
    if (this.#leaves({ startPage: page, endPage: page + 1 }).length > 0) this.#remove(page);
    const frame = this.#guest.frameOf(page);
    if (!write && zeroFrame !== undefined && this.isUnwritten(page))
      return runSteps(this.tables.map(page, zeroFrame, 1, READ));
    const permission = write || this.#logging !== 'write-protect' ? READ_WRITE : READ;
    // A large leaf would make every page of it look dirty: what is tracked is made small.
    const shifts =
      this.#logging === 'write-protect' ? [12] : [...pageShifts].sort((one, other) => other - one);
    let outcome: Outcome<null> = refused('ENOMEM', 'no page size fits');
    for (const shift of shifts) {
      const pages = 2 ** (shift - 12);
      const start = page - (page % pages);
      const first = frame - (page - start);
      if (first % pages !== 0 || !this.#isOneRegion(start, pages, first)) continue;
      outcome = runSteps(this.tables.map(start, first, pages, permission));
      if (outcome.ok || outcome.errno !== 'EADDRINUSE') return outcome;
    }
    return outcome;
  }

  #isOneRegion(page: number, pages: number, frame: number): boolean {
    return this.#guest.frameOf(page) === frame && this.#guest.frameOf(page + pages - 1) === frame + pages - 1;
  }

  /** Takes away the leaf that a page is in, from tables and TLBs. */
  #remove(page: number): void {
    for (const leaf of this.#leaves({ startPage: page, endPage: page + 1 })) {
      runSteps(this.tables.unmap(leaf.startPage, leaf.endPage - leaf.startPage));
      for (const tlb of this.#tlbs) tlb.invalidate(leaf);
    }
  }

  /** Makes the next write to a leaf show: without its dirty bit, or without write permission. */
  #arm({ entry }: Leaf): SoftwareStep {
    const { format, words } = this.tables;
    const { leafAccess } = format;
    const table = frameNumber(Math.floor(entry.address / FRAME_BYTES));
    const index = (entry.address % FRAME_BYTES) / 8;
    const protects = this.#logging === 'write-protect';
    const keep = protects
      ? {
          lo: ~(leafAccess.writeMaskLo & ~leafAccess.readMaskLo),
          hi: ~(leafAccess.writeMaskHi & ~leafAccess.readMaskHi),
        }
      : cleanedHalves(format, { lo: -1, hi: -1 });
    const name = protects ? 'take write permission away' : 'clear the dirty bit';
    return words.modify(name, table, index, keep, { lo: 0, hi: 0 }, { lo: 0, hi: 0 });
  }

  #splitReadOnly({ startPage, endPage, frame }: Leaf): Outcome<null> {
    this.#remove(startPage);
    for (let page = startPage; page < endPage; page++) {
      const mapped = runSteps(this.tables.map(page, frame + page - startPage, 1, READ));
      if (!mapped.ok) return mapped;
    }
    return done(null);
  }

  *#flush(): Steps<SoftwareStep, void> {
    for (const tlb of this.#tlbs) tlb.clear();
    yield { kind: 'software', name: 'flush the TLBs of the vCPUs (INVEPT, INVLPGA)' };
  }

  #isZero({ frame }: Leaf): boolean {
    return frame === this.#options.zeroFrame;
  }

  #leaves({ startPage, endPage }: PageRange = { startPage: 0, endPage: Infinity }): Leaf[] {
    const { format } = this.tables;
    const leaves: Leaf[] = [];
    sweepTables(
      this.tables.space,
      (entry) => {
        if (entry.class !== LEAF) return;
        const { lo, hi, page } = entry;
        const level = levelOf(format, entry.depth);
        const shift = pageShift(format, level, lo, hi);
        const frame = leafFrame(format, level, lo, hi);
        leaves.push({ entry, shift, frame, startPage: page, endPage: page + 2 ** (shift - 12) });
      },
      { startPage, endPage },
    );
    return leaves;
  }
}
