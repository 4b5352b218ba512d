/**
 * An address space whose pages a device writes, as plainly as it can be said: leaves are a list, each dirty or not. IOVA and guest
 * physical address differ by a constant. Written from docs/scenarios/reference.md and docs/hardware.md; shares nothing with the engine.
 */
export const PAGE = 4096;
export const LARGE = 2 ** 21;

interface Leaf {
  readonly start: number;
  readonly size: number;
  dirty: boolean;
}

export interface Range {
  readonly start: number;
  readonly end: number;
}

export interface PlainReport {
  readonly ranges: readonly Range[];
}

export class PlainSpace {
  /** `mapsDirty`: new leaves are marked dirty, as Linux does on Arm and RISC-V (docs/hardware.md, Tables). */
  constructor(private readonly mapsDirty: boolean) {}

  leaves: Leaf[] = [];
  /** Ranges as they were mapped: unmapping takes whole ones. */
  areas: Range[] = [];
  /** Pages ever written; written since they were last copied; written since they were last reported. */
  readonly written = new Set<number>();
  private readonly owed = new Set<number>();
  private readonly unreported = new Set<number>();
  reported = 0;
  over = 0;

  /** The largest pages that fit. */
  map(area: Range): void {
    this.areas.push(area);
    for (let at = area.start; at < area.end;) {
      const size = at % LARGE === 0 && at + LARGE <= area.end ? LARGE : PAGE;
      this.leaves.push({ start: at, size, dirty: this.mapsDirty });
      at += size;
    }
  }

  write(start: number, length: number): void {
    for (let page = Math.floor(start / PAGE); page * PAGE < start + length; page++) {
      const leaf = this.leafAt(page * PAGE);
      if (!leaf) throw new Error('nothing is mapped there');
      leaf.dirty = true;
      for (const pages of [this.written, this.owed, this.unreported]) pages.add(page);
    }
  }

  leafAt(address: number): Leaf | undefined {
    return this.leaves.find(({ start, size }) => address >= start && address < start + size);
  }

  /** Small pages are dirty where the large one was. */
  split({ start, end }: Range): void {
    this.leaves = this.leaves.flatMap((leaf) =>
      leaf.start >= start && leaf.start < end && leaf.size === LARGE
        ? Array.from({ length: LARGE / PAGE }, (_, index) => ({
            ...{ start: leaf.start + index * PAGE, size: PAGE, dirty: leaf.dirty },
          }))
        : [leaf],
    );
  }

  /** The large page is dirty where any small one was. */
  collapse(start: number): void {
    const small = this.leaves.filter((leaf) => leaf.start >= start && leaf.start < start + LARGE);
    this.leaves = this.leaves.filter((leaf) => !small.includes(leaf));
    this.leaves.push({ start, size: LARGE, dirty: small.some(({ dirty }) => dirty) });
  }

  /** Whole areas go. `report`: what was dirty is reported and copied before it is gone. */
  unmap(range: Range, report: boolean): PlainReport | undefined {
    const found = report ? this.harvest(range, PAGE, true) : undefined;
    this.leaves = this.leaves.filter(({ start }) => start < range.start || start >= range.end);
    this.areas = this.areas.filter(({ start }) => start < range.start || start >= range.end);
    return found;
  }

  /** Bits of `unit` bytes; a dirty leaf that sticks out of the range is reported as far as it lies within, and stays dirty. */
  harvest({ start, end }: Range, unit: number, clear: boolean): PlainReport {
    const units = new Set<number>();
    for (const leaf of this.leaves) {
      const leafEnd = leaf.start + leaf.size;
      if (!leaf.dirty || leafEnd <= start || leaf.start >= end) continue;
      for (let at = Math.max(leaf.start, start); at < Math.min(leafEnd, end); at += PAGE)
        units.add(Math.floor(at / unit));
      if (clear && leaf.start >= start && leafEnd <= end) leaf.dirty = false;
    }
    const ranges: { start: number; end: number }[] = [];
    for (const each of [...units].sort((a, b) => a - b)) {
      const last = ranges.at(-1);
      if (last?.end === each * unit) last.end += unit;
      else ranges.push({ start: each * unit, end: (each + 1) * unit });
      for (let page = (each * unit) / PAGE; page < ((each + 1) * unit) / PAGE; page++) {
        this.reported += PAGE;
        // What is only looked at is reported again, and counts then.
        if (!clear) continue;
        if (!this.unreported.delete(page)) this.over += PAGE;
        this.owed.delete(page);
      }
    }
    return { ranges };
  }

  /** Pages owed to the destination that no mark tells of any more. */
  lost(): number {
    return [...this.owed].filter((page) => !this.leafAt(page * PAGE)?.dirty).length;
  }
}
