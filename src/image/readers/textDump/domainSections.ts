import { type NamedDevice, parseDevice } from '../../../engine/values';
import { frameAt, halvesOf, readHex } from './hex';
import { type FrameStore } from './frameStore';
import { type Notes } from './notes';

/** Tables of five levels have the most. */
const LEVELS = 5;
/** Headers of devices that are kept. */
const MOST_SECTIONS = 100_000;
/** Rows that wait for the second block of a page of a wrapped dump. */
const MOST_WAITING = 65_536;
/** Pages that an entry of each level covers; index 0 is not used. */
const PAGES_OF = [0, 1, 2 ** 9, 2 ** 18, 2 ** 27, 2 ** 36];
/** Bytes of a row before its last number: the kernel has 79. */
const LONGEST_SHARED = 128;
const LARGE_PAGE = 0x80;
const LEVEL_OF: ReadonlyMap<string, number> = new Map([
  ['PML5E', 5],
  ['PML4E', 4],
  ['PDPE', 3],
  ['PDE', 2],
  ['PTE', 1],
]);
const HEADER = /^Device (\S+)(?: with pasid ([0-9a-f]{1,5}))? @0x([0-9a-f]{1,16})$/;
const COLUMNS = /^(?:IOVA_PFN\s+)?(?:(?:PML5E|PML4E|PDPE|PDE|PTE)(?:\s+|$))+$/;
const VALUES = /^0x[0-9a-f]{16}(?:\s+0x[0-9a-f]{16}){0,4}$/;

/** The tables of a device (of one of its processes), as domain_translation_struct has them. */
export interface DomainSection {
  readonly line: number;
  readonly name: string;
  /** Undefined when the name is not one of a PCI device. */
  readonly device: NamedDevice | undefined;
  /** Null: the header has none. */
  readonly pasid: number | null;
  /** Frame of the root table. */
  readonly root: number;
  /** Levels of the tables; 0 until a row tells. */
  levels: number;
  rows: number;
  /** Low halves of the entries that point to tables, and of those that map pages, taken together by AND and OR. */
  readonly tables: LowBits;
  readonly leaves: LowBits;
}

export interface LowBits {
  and: number;
  or: number;
}

interface WaitingRow {
  readonly page: number;
  readonly line: number;
  readonly words: readonly { readonly lo: number; readonly hi: number }[];
}

/**
 * Rows of Linux' domain_translation_struct (drivers/iommu/intel/debugfs.c: pgtable_walk_level, dump_page_info): one for each
 * leaf, with the entries of all levels that lead to it. The oldest kernels print five columns, the newest leave the last out
 * where a large page has no entry; the kernel's ABI document breaks a page of rows into two blocks of columns.
 */
export class DomainSections {
  readonly sections: DomainSection[] = [];
  private current: DomainSection | undefined;
  /** By column of the block that is being read: its level. */
  private columns: readonly number[] = [5, 4, 3, 2, 1];
  private waiting: WaitingRow[] = [];
  /** The waiting row that the next row of a second block belongs to; -1 in a first block. */
  private continued = -1;
  private readonly number = { lo: 0, hi: 0, digits: 0 };
  /** Of the row: by level its entry's halves; index 0 is not used. */
  private readonly lo = new Uint32Array(LEVELS + 1);
  private readonly hi = new Uint32Array(LEVELS + 1);
  /** Of the row before, in the same section. */
  private readonly lastLo = new Uint32Array(LEVELS + 1);
  private readonly lastHi = new Uint32Array(LEVELS + 1);
  private lastPage = -1;
  /** Of the row before, when it was one of a 4K page: its bytes from `|` up to its last number, and its leaf's table. */
  private readonly shared = new Uint8Array(LONGEST_SHARED);
  private sharedLength = 0;
  private leafTable = 0;

  constructor(
    private readonly store: FrameStore,
    private readonly notes: Notes,
  ) {}

  /** Takes a header or a row of column names. */
  takeText(text: string, line: number): boolean {
    const header = HEADER.exec(text);
    if (header) {
      this.open(header, line);
      return true;
    }
    if (!this.current) return false;
    if (COLUMNS.test(text)) this.begin(text);
    else if (VALUES.test(text) && this.continued >= 0) this.takeSecondBlock(text, line);
    else return false;
    return true;
  }

  /** Ends the section: what follows belongs to something else. */
  end(): void {
    this.endPage();
    this.current = undefined;
  }

  /** Takes a row that begins with a page number and `|`; the other rows go through `takeText`. */
  takeRow(bytes: Uint8Array, start: number, end: number, line: number): 'taken' | 'bad' | 'other' {
    const { number } = this;
    let at = readHex(bytes, start, end, number);
    if (at === start) return 'other';
    while (bytes[at] === 0x20 && at < end) at++;
    if (bytes[at] !== 0x7c || at >= end) return 'other';
    const { lo: pageLo, hi: pageHi, digits } = number;
    if (!this.current || digits > 16 || pageHi >= 0x100000) return 'bad';
    const page = pageHi * 0x1_0000_0000 + pageLo;
    const bar = at;
    if (this.takeNeighbour(bytes, bar, end, page, line)) return 'taken';
    this.lo.fill(0);
    this.hi.fill(0);
    at++;
    let count = 0;
    let last = at;
    for (;;) {
      while (at < end && (bytes[at] === 9 || bytes[at] === 0x20)) at++;
      if (at >= end) break;
      const next = readHex(bytes, at, end, number);
      last = at;
      const level = this.columns[count++];
      // The kernel pads to 16 digits: a number with fewer was cut.
      if (next === at || number.digits !== 16 || level === undefined) return 'bad';
      this.lo[level] = number.lo;
      this.hi[level] = number.hi;
      at = next;
    }
    if (count === 0) return 'bad';
    if (!this.columns.includes(1)) return this.wait(page, line);
    if (!this.placeRow(page, line)) return 'bad';
    const small = ((this.lo[1] ?? 0) | (this.hi[1] ?? 0)) !== 0 && this.columns[count - 1] === 1;
    if (small && last - bar <= LONGEST_SHARED) this.shared.set(bytes.subarray(bar, last));
    this.sharedLength = small && last - bar <= LONGEST_SHARED ? last - bar : 0;
    return 'taken';
  }

  /**
   * Takes a row that differs from the one before only in its last number, and whose page is of the same leaf table: nearly
   * every row does, and reading its other numbers again costs most of the time.
   */
  private takeNeighbour(bytes: Uint8Array, bar: number, end: number, page: number, line: number): boolean {
    const { shared, sharedLength, number, current } = this;
    if (sharedLength === 0 || !current || page - (page % 512) !== this.lastPage - (this.lastPage % 512))
      return false;
    for (let at = 0; at < sharedLength; at++) if (bytes[bar + at] !== shared[at]) return false;
    const next = readHex(bytes, bar + sharedLength, end, number);
    if (next !== end || number.digits !== 16 || (number.lo | number.hi) === 0) return false;
    this.notes.place(this.store, this.leafTable, page % 512, number.lo, number.hi, line);
    gather(current.leaves, number.lo);
    current.rows++;
    this.lastPage = page;
    this.lastLo[1] = number.lo;
    this.lastHi[1] = number.hi;
    return true;
  }

  private open([, name = '', pasid, root = '']: RegExpExecArray, line: number): void {
    this.end();
    const { lo, hi } = halvesOf(root);
    const device = name.includes(':') ? parseDevice(name) : undefined;
    const section: DomainSection = {
      line,
      name,
      device,
      pasid: pasid === undefined ? null : parseInt(pasid, 16),
      root: frameAt(lo, hi),
      levels: 0,
      rows: 0,
      tables: { and: -1, or: 0 },
      leaves: { and: -1, or: 0 },
    };
    this.current = section;
    this.lastPage = -1;
    this.sharedLength = 0;
    this.columns = [5, 4, 3, 2, 1];
    if ((lo & 0xfff) !== 0 || hi >= 0x100000) {
      this.notes.badLine('has a root table at an impossible address', `Device ${name} @0x${root}`, line);
      return;
    }
    if (!device) {
      this.notes.warn('device', `Line ${line}: "${name}" is not the name of a PCI device.`);
      return;
    }
    this.store.hold(section.root);
    if (this.sections.length < MOST_SECTIONS) this.sections.push(section);
    else
      this.notes.warn('too-many-devices', `Line ${line}: only the first 100,000 headers of devices count.`);
  }

  private begin(text: string): void {
    const names = text.split(/\s+/);
    const first = names[0] === 'IOVA_PFN';
    if (first) this.endPage();
    this.sharedLength = 0;
    this.columns = names.slice(first ? 1 : 0).map((name) => LEVEL_OF.get(name) ?? 0);
    this.continued = first ? -1 : 0;
  }

  private wait(page: number, line: number): 'taken' | 'bad' {
    if (this.waiting.length >= MOST_WAITING) return 'bad';
    const words = Array.from({ length: LEVELS + 1 }, (_, level) => ({
      lo: this.lo[level] ?? 0,
      hi: this.hi[level] ?? 0,
    }));
    this.waiting.push({ page, line, words });
    return 'taken';
  }

  /** The rest of a row of the first block: the rows of both blocks stand in the same order. */
  private takeSecondBlock(text: string, line: number): void {
    const row = this.waiting[this.continued];
    const values = text.split(/\s+/).map((value) => halvesOf(value.slice(2)));
    if (!row || values.length > this.columns.length) {
      this.notes.badLine('belongs to no row of the block above', text, line);
      return;
    }
    this.continued++;
    this.lo.fill(0);
    this.hi.fill(0);
    row.words.forEach(({ lo, hi }, level) => {
      this.lo[level] = lo;
      this.hi[level] = hi;
    });
    values.forEach(({ lo, hi }, column) => {
      const level = this.columns[column] ?? 0;
      this.lo[level] = lo;
      this.hi[level] = hi;
    });
    if (!this.placeRow(row.page, row.line)) this.notes.badLine('does not fit the tables', text, line);
  }

  private endPage(): void {
    const left = this.waiting.length - Math.max(0, this.continued);
    const [first] = this.waiting.slice(-left);
    if (left > 0 && first) {
      this.notes.warn(
        'half-rows',
        `${left} rows from line ${first.line} on lack their second block of columns, and are left out.`,
      );
    }
    this.waiting = [];
    this.continued = -1;
  }

  /** Puts the entries of a row in their places. False when they cannot be those of one walk. */
  private placeRow(page: number, line: number): boolean {
    const { lo, hi, current: section } = this;
    if (!section) return false;
    let top = LEVELS;
    while (top > 0 && lo[top] === 0 && hi[top] === 0) top--;
    if (top < 2 || (section.levels !== 0 && section.levels !== top) || page >= 512 * (PAGES_OF[top] ?? 0))
      return false;
    const leaf = this.leafLevel(top);
    if (leaf === 0) return false;
    if (leaf > 1 && !this.isLarge(leaf)) {
      this.notes.badLine('ends before its leaf', `level ${leaf} is the last`, line);
    } else if (page % (PAGES_OF[leaf] ?? 1) !== 0) return false;
    section.levels = top;
    section.rows++;
    const like = this.commonLevels(top, leaf, page);
    let table = section.root;
    for (let level = top; level >= leaf; level--) {
      const entryLo = lo[level] ?? 0;
      const entryHi = hi[level] ?? 0;
      if (level < like) {
        const index = Math.floor(page / (PAGES_OF[level] ?? 1)) % 512;
        this.notes.place(this.store, table, index, entryLo, entryHi, line);
        gather(
          level === leaf && (leaf === 1 || this.isLarge(leaf)) ? section.leaves : section.tables,
          entryLo,
        );
      }
      if (level === leaf) this.leafTable = table;
      table = frameAt(entryLo, entryHi);
    }
    this.lastLo.set(lo);
    this.lastHi.set(hi);
    this.lastPage = page;
    return true;
  }

  private isLarge(level: number): boolean {
    return ((this.lo[level] ?? 0) & LARGE_PAGE) !== 0;
  }

  /** The level of the last entry of the row; 0 when entries are missing between others. */
  private leafLevel(top: number): number {
    let level = top;
    while (level > 1 && !this.isLarge(level) && ((this.lo[level - 1] ?? 0) | (this.hi[level - 1] ?? 0)) !== 0)
      level--;
    for (let below = level - 1; below > 0; below--) {
      if (((this.lo[below] ?? 0) | (this.hi[below] ?? 0)) !== 0) return 0;
    }
    return level;
  }

  /** Entries from this level up are those of the row before, at the same places: most rows share all but the last. */
  private commonLevels(top: number, leaf: number, page: number): number {
    if (this.lastPage < 0) return top + 1;
    for (let level = top; level >= leaf; level--) {
      const span = PAGES_OF[level] ?? 1;
      const same =
        Math.floor(page / span) === Math.floor(this.lastPage / span) &&
        this.lo[level] === this.lastLo[level] &&
        this.hi[level] === this.lastHi[level];
      if (!same) return level + 1;
    }
    return leaf;
  }
}

function gather(into: LowBits, low: number): void {
  into.and &= low;
  into.or |= low;
}
