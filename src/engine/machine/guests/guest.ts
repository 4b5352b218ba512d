import { done, type Outcome } from '../../driver/errno';
import { type Flusher, type FlushRange } from '../../driver/flusher';
import { type GuestKind } from '../../driver/guest/guestKind';
import { DomainTables } from '../../driver/pageTable/domainTables';
import { Gather } from '../../driver/pageTable/gather';
import { linuxMarks } from '../../driver/pageTable/linuxChoices';
import { type SoftwareStep } from '../../driver/softwareStep';
import { type AddressRange } from '../../driver/iommufd/ranges';
import { type WritableMemory } from '../../memory/writableMemory';
import { type Steps } from '../../steps';
import { type MachineHwpt } from '../domains';
import { type DomainChoice } from '../domainChoice';
import { type MachineUnit } from '../unit';
import { type GuestFrames } from './guestMemory';

export interface GuestTablesOptions {
  readonly choice: DomainChoice;
  readonly memory: WritableMemory;
  readonly frames: GuestFrames;
  /** ASID, PSCID or DomainID that the guest uses. */
  readonly space: number;
  /** New entries are marked accessed and dirty: this hardware sets no marks. */
  readonly marked: boolean;
  /** Writes a changed word back from the caches of the CPUs. */
  readonly clean: (address: number, words: number) => void;
}

/** Empty tables in guest memory. Marks are left to the hardware, where it sets them. ENOMEM. */
export function guestTables({
  choice: { choice, shape, pageShifts },
  memory,
  frames,
  space,
  marked,
  clean,
}: GuestTablesOptions): Outcome<DomainTables> {
  const { format, hardware, rootDepth, rootIndexBits, ends } = shape;
  const accessed = marked || hardware.setsAccessed === false;
  const dirty = marked || hardware.setsDirty === false;
  return DomainTables.create({
    ...{ memory, frames, format, hardware, rootDepth, ends, id: space, stage: choice.stage },
    ...(rootIndexBits === undefined ? {} : { rootIndexBits }),
    ...(pageShifts ? { pageShifts } : {}),
    locate: frames.locate,
    marks: { ...linuxMarks(format), accessed, dirty },
    bbml: 2,
    granularity: 'table',
    flusher: silent(clean),
  });
}

/** What a guest invalidates, it says by itself: changes of tables send nothing. */
const silent = (clean: Flusher['clean']): Flusher => ({
  *flush() {
    yield { kind: 'software', name: 'the guest sends no invalidation' };
    return done(null);
  },
  *flushAll() {
    yield { kind: 'software', name: 'the guest sends no invalidation' };
    return done(null);
  },
  clean,
  *changeTop() {
    yield { kind: 'software', name: 'the root stays' };
    return done(null);
  },
});

/** A guest's stage 1 over a kernel's table. */
export class MachineGuest {
  /** Of its HWPT: what operations name it by. */
  readonly id: number;
  readonly kind: GuestKind;
  readonly unit: MachineUnit;
  readonly parent: MachineHwpt;
  /** The vIOMMU that it belongs to. */
  readonly viommu: number | undefined;
  readonly tables: DomainTables;
  readonly space: number;
  /** Guest memory that it has for its tables. */
  readonly memory: AddressRange;
  /** What was unmapped and not invalidated yet: ranges as one. */
  #stale = new Gather();

  constructor(of: Omit<MachineGuest, 'unmap' | 'changed' | 'invalidated'>) {
    this.id = of.id;
    this.kind = of.kind;
    this.unit = of.unit;
    this.parent = of.parent;
    this.viommu = of.viommu;
    this.tables = of.tables;
    this.space = of.space;
    this.memory = of.memory;
  }

  /** Unmaps pages of 4 KiB; how many there were. The guest frees tables at once, whatever caches hold. */
  *unmap(page: number, pages: number): Steps<SoftwareStep, Outcome<number>> {
    const gather = new Gather();
    const unmapped = yield* this.tables.unmap(page, pages, gather);
    const { range } = gather;
    if (range) this.#stale.addRange(range);
    const freed = yield* this.tables.sync(gather);
    return unmapped.ok && !freed.ok ? freed : unmapped;
  }

  /** What an invalidation of pages has to say: table pointers too, where some went and nobody has said so yet. */
  changed(startPage: number, endPage: number): FlushRange {
    const { range } = this.#stale;
    const isStale = range && range.startPage < endPage && startPage < range.endPage;
    if (!isStale) return { startPage, endPage, smallestShift: 12, largestShift: 12, tables: false };
    return { ...range, startPage, endPage };
  }

  /** The guest has invalidated these pages. */
  invalidated(startPage: number, endPage: number): void {
    const { range } = this.#stale;
    if (range && startPage <= range.startPage && range.endPage <= endPage) this.#stale = new Gather();
  }
}
