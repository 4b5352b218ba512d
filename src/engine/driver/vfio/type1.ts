import { type PageRange } from '../../iommu/cacheOperation';
import { PageBits } from '../../ledger/pageBits';
import { hex } from '../../values';
import { done, refused, type Outcome } from '../errno';

/**
 * How a container keeps what a group may have written that pins no pages: nobody knows where its DMA went, so all that is
 * mapped is dirty while it is there. at-detach: what it leaves behind is marked when it goes (Linux 5.12). ahead: the bitmap
 * is full from the start, after each report, and for each new mapping and group (proposed in January 2021). never: as it was.
 */
export interface Type1Rules {
  readonly populates: 'never' | 'at-detach' | 'ahead';
  /** With `ahead`: mappings made while logging, too. */
  readonly newMappings: boolean;
  /** A group that begins to pin pages leaves behind what it may have written before. */
  readonly promotions: boolean;
}

export const TYPE1_RULES: Type1Rules = { populates: 'at-detach', newMappings: true, promotions: true };

interface Mapped extends PageRange {
  readonly dirty: PageBits;
  /** Pinned by drivers of mediated devices: may be written at any time. */
  readonly pinned: PageBits;
}

/** A type1 container of VFIO: its mappings, its groups, and its log of dirty pages, without help of an IOMMU's bits. */
export class Type1Container {
  readonly #rules: Type1Rules;
  #mappings: Mapped[] = [];
  /** Group -> it pins the pages it uses. */
  readonly #groups = new Map<string, boolean>();
  #logging = false;

  constructor(rules: Type1Rules = TYPE1_RULES) {
    this.#rules = rules;
  }

  /** EINVAL: empty; EEXIST: a part is mapped. */
  map(range: PageRange): Outcome<null> {
    if (range.startPage >= range.endPage) return refused('EINVAL', 'a mapping is not empty');
    if (this.#mappings.some((each) => overlaps(each, range)))
      return refused('EEXIST', `${text(range)} is mapped in part`);
    const mapped: Mapped = { ...range, dirty: new PageBits(), pinned: new PageBits() };
    this.#mappings.push(mapped);
    this.#mappings.sort((one, other) => one.startPage - other.startPage);
    if (this.#logging && this.#rules.populates === 'ahead' && this.#rules.newMappings) this.#populate(mapped);
    return done(null);
  }

  /** Unmaps whole mappings; `report`: VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP, else what was dirty is forgotten. */
  unmap(range: PageRange, report: boolean): Outcome<PageRange[]> {
    const bisected = this.#bisected(range);
    if (bisected) return bisected;
    if (report && !this.#logging) return refused('EINVAL', 'dirty pages are not logged');
    const gone = this.#mappings.filter((each) => overlaps(each, range));
    this.#mappings = this.#mappings.filter((each) => !overlaps(each, range));
    return done(report ? gone.flatMap((each) => [...this.#dirtyOf(each).runs()]) : []);
  }

  /** EBUSY: the group is there. */
  attach(group: string, pinsPages: boolean): Outcome<null> {
    if (this.#groups.has(group)) return refused('EBUSY', `group ${group} is in the container`);
    this.#groups.set(group, pinsPages);
    if (!pinsPages && this.#logging && this.#rules.populates === 'ahead')
      for (const each of this.#mappings) this.#populate(each);
    return done(null);
  }

  detach(group: string): Outcome<null> {
    const pins = this.#groups.get(group);
    if (pins === undefined) return refused('ENODEV', `group ${group} is not in the container`);
    this.#groups.delete(group);
    if (!pins) this.#leavesBehind();
    return done(null);
  }

  /** A driver of a mediated device pins pages: from then on its group writes nothing else. */
  pin(group: string, range: PageRange): Outcome<null> {
    const pins = this.#groups.get(group);
    if (pins === undefined) return refused('ENODEV', `group ${group} is not in the container`);
    const mapped = this.#mappings.find(
      (each) => each.startPage <= range.startPage && range.endPage <= each.endPage,
    );
    if (!mapped) return refused('EINVAL', `${text(range)} is not mapped by one mapping`);
    mapped.pinned.addRange(range);
    mapped.dirty.addRange(range);
    this.#groups.set(group, true);
    if (!pins && this.#rules.promotions) this.#leavesBehind();
    return done(null);
  }

  /** What was pinned stays dirty for one more report. */
  unpin(range: PageRange): void {
    for (const { pinned } of this.#mappings) pinned.removeRange(range);
  }

  /** VFIO_IOMMU_DIRTY_PAGES_FLAG_START. */
  startLogging(): void {
    this.#logging = true;
    for (const each of this.#mappings) this.#reset(each);
  }

  stopLogging(): void {
    this.#logging = false;
  }

  /** VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP: reads and clears. EINVAL: not logging, or a mapping is cut by the range. */
  report(range: PageRange): Outcome<PageRange[]> {
    if (!this.#logging) return refused('EINVAL', 'dirty pages are not logged');
    const bisected = this.#bisected(range);
    if (bisected) return bisected;
    const runs: PageRange[] = [];
    for (const each of this.#mappings.filter((mapped) => overlaps(mapped, range))) {
      runs.push(...this.#dirtyOf(each).runs());
      this.#reset(each);
    }
    return done(runs);
  }

  /** Pages that a report of everything would name now. */
  get pending(): readonly PageRange[] {
    if (!this.#logging) return [];
    if (this.#someoneIsUnknown()) return this.#mappings;
    return this.#mappings.flatMap(({ dirty }) => [...dirty.runs()]);
  }

  #dirtyOf(mapped: Mapped): PageBits {
    if (this.#someoneIsUnknown()) this.#populate(mapped);
    return mapped.dirty;
  }

  /** What is dirty from the start, or again after a report. */
  #reset(mapped: Mapped): void {
    mapped.dirty.removeRange(mapped);
    for (const run of mapped.pinned.runs()) mapped.dirty.addRange(run);
    if (this.#rules.populates === 'ahead' && this.#someoneIsUnknown()) this.#populate(mapped);
  }

  /** A group goes, or begins to pin: nobody knows what it wrote before. */
  #leavesBehind(): void {
    if (!this.#logging || this.#rules.populates !== 'at-detach') return;
    for (const each of this.#mappings) this.#populate(each);
  }

  #someoneIsUnknown(): boolean {
    return [...this.#groups.values()].includes(false);
  }

  #populate(mapped: Mapped): void {
    mapped.dirty.addRange(mapped);
  }

  #bisected(range: PageRange): Outcome<never> | undefined {
    const cut = this.#mappings.find(
      (each) => overlaps(each, range) && (each.startPage < range.startPage || each.endPage > range.endPage),
    );
    return cut ? refused('EINVAL', `${text(range)} cuts the mapping of ${text(cut)}`) : undefined;
  }
}

const overlaps = (one: PageRange, other: PageRange): boolean =>
  one.startPage < other.endPage && other.startPage < one.endPage;

const text = ({ startPage, endPage }: PageRange): string =>
  `${hex(BigInt(startPage) << 12n)} to ${hex(BigInt(endPage) << 12n)}`;
