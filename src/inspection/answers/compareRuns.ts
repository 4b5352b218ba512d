import { ALL_PAGES, type AddressSpace } from '../../engine/pageTable/addressSpace';
import { unmarkedHi, unmarkedLo } from '../../engine/pageTable/marks';
import { type Work } from '../work';
import { RunStream, type Budget } from './runStream';

/** Bits of `RunDifference.what`. */
export const PADDR = 1;
export const PERMISSION = 2;
export const PAGE_SIZE = 4;
export const ATTRIBUTES = 8;
export const MARKS = 16;

/** Pages that differ in one way; `before` and `after` are the frames at `start`, -1 where nothing is mapped. */
export interface RunDifference {
  readonly start: number;
  end: number;
  readonly what: number;
  readonly before: number;
  readonly after: number;
}

/** What one side maps at the place where the comparison stands. */
interface Side {
  readonly stream: RunStream;
  readonly space: AddressSpace;
  /** Half-open pages of the run, and its row; start Infinity at the end. */
  start: number;
  end: number;
  row: number;
  /** Its stream gave up, and what it read is used up. */
  lost: boolean;
}

/** Segments between two yields. */
const STEP = 2048;

/**
 * Merges the runs of two address spaces by IOVA and gives what differs, in order. Bounded memory: a page of runs of each.
 */
export class RunComparison {
  readonly #before: Side;
  readonly #after: Side;
  readonly #ignored: number;
  /** Whether words of both sides may be compared bit by bit. */
  readonly #likeFormats: boolean;
  /** Where the comparison stands: everything below is done. */
  at: number;
  #pending: (RunDifference & { readonly access: number; readonly shifts: number }) | undefined;

  constructor(
    before: AddressSpace,
    after: AddressSpace,
    budget: Budget,
    startPage: number,
    ignoreMarks: boolean,
  ) {
    const side = (space: AddressSpace): Side => ({
      stream: new RunStream(space, budget, startPage, ALL_PAGES),
      space,
      start: 0,
      end: 0,
      row: 0,
      lost: false,
    });
    this.#before = side(before);
    this.#after = side(after);
    this.#likeFormats = before.format.format === after.format.format;
    this.#ignored = ignoreMarks ? MARKS : 0;
    this.at = startPage;
  }

  get unreadableTables(): number {
    return this.#before.stream.unreadableTables + this.#after.stream.unreadableTables;
  }

  get cycles(): number {
    return this.#before.stream.cycles + this.#after.stream.cycles;
  }

  /** True when a side could not be read on, though it goes on. */
  get gaveUp(): boolean {
    return this.#before.lost || this.#after.lost;
  }

  /** Where to go on after giving up: nothing is mapped between `at` and there. */
  get resumeAt(): number {
    const next = ({ lost, stream, start }: Side): number => (lost ? (stream.nextPage ?? start) : start);
    return Math.max(this.at, Math.min(next(this.#before), next(this.#after)));
  }

  /** The next difference; undefined at the end, or when a stream gave up. */
  *next(): Work<RunDifference | undefined> {
    let steps = 0;
    for (;;) {
      for (const side of [this.#before, this.#after]) {
        if (side.end <= this.at) yield* this.#advance(side);
      }
      if (this.gaveUp) return this.#take();
      const found = this.#step();
      if (found !== undefined) return found === 'end' ? this.#take() : found;
      if (++steps % STEP === 0) yield STEP;
    }
  }

  #take(): RunDifference | undefined {
    const pending = this.#pending;
    this.#pending = undefined;
    return pending;
  }

  /** Moves a side on to its next run. */
  *#advance(side: Side): Work<void> {
    const { stream } = side;
    if (side.start === Infinity) return;
    if (side.end > 0 || stream.columns.length > 0) stream.row++;
    if (stream.atEnd && !(yield* stream.fill())) {
      side.lost = stream.gaveUp;
      side.start = Infinity;
      side.end = Infinity;
      return;
    }
    const { columns, row } = stream;
    side.row = row;
    side.start = columns.page[row] ?? 0;
    side.end = side.start + (columns.count[row] ?? 0) * 2 ** (columns.pageShiftOf(row) - 12);
  }

  /** Looks at the next segment that both sides have whole; gives the difference that it ended, if it ended one. */
  #step(): RunDifference | 'end' | undefined {
    const [one, other] = [this.#before, this.#after];
    const start = Math.max(this.at, Math.min(one.start, other.start));
    if (start === Infinity) return 'end';
    const hasOne = one.start <= start;
    const hasOther = other.start <= start;
    const end = Math.min(hasOne ? one.end : one.start, hasOther ? other.end : other.start);
    const what = hasOne && hasOther ? this.#difference(start) & ~this.#ignored : 0;
    if (hasOne && hasOther && what === 0) {
      this.at = end;
      return this.#take();
    }
    const before = hasOne ? frameAt(one, start) : -1;
    const after = hasOther ? frameAt(other, start) : -1;
    return this.#add({ start, end, what, before, after });
  }

  /** Makes a segment part of what is pending, or ends that and begins with the segment. */
  #add(segment: RunDifference): RunDifference | undefined {
    const { start, end, what, before, after } = segment;
    const access = this.#ofBoth(segment, (columns, row) => {
      const shown = this.#ignored === MARKS ? 0 : columns.marksOf(row);
      return columns.permissionOf(row) * 4 + shown;
    });
    const shifts = this.#ofBoth(segment, (columns, row) => columns.pageShiftOf(row));
    const pending = this.#pending;
    const pages = pending ? start - pending.start : 0;
    const goesOn = (from: number, to: number): boolean => (from < 0 ? to < 0 : to === from + pages);
    this.at = end;
    if (
      pending?.end === start &&
      pending.what === what &&
      pending.access === access &&
      pending.shifts === shifts &&
      goesOn(pending.before, before) &&
      goesOn(pending.after, after)
    ) {
      pending.end = end;
      return undefined;
    }
    const ended = this.#take();
    this.#pending = { ...segment, access, shifts };
    return ended;
  }

  /** One number of what both sides say of a segment. */
  #ofBoth(
    { before, after }: RunDifference,
    of: (columns: RunStream['columns'], row: number) => number,
  ): number {
    const one = before < 0 ? 255 : of(this.#before.stream.columns, this.#before.row);
    const other = after < 0 ? 255 : of(this.#after.stream.columns, this.#after.row);
    return one * 256 + other;
  }

  #difference(page: number): number {
    const [one, other] = [this.#before, this.#after];
    const [left, right] = [one.stream.columns, other.stream.columns];
    const [row, otherRow] = [one.row, other.row];
    let what = 0;
    if (frameAt(one, page) !== frameAt(other, page)) what |= PADDR;
    if (left.permissionOf(row) !== right.permissionOf(otherRow)) what |= PERMISSION;
    if (left.pageShiftOf(row) !== right.pageShiftOf(otherRow)) what |= PAGE_SIZE;
    if (left.marksOf(row) !== right.marksOf(otherRow)) what |= MARKS;
    const likeLeaves =
      left.depthOf(row) === right.depthOf(otherRow) && (what & (PAGE_SIZE | PERMISSION)) === 0;
    if (this.#likeFormats && likeLeaves && attributesDiffer(one, other)) what |= ATTRIBUTES;
    return what;
  }
}

function frameAt({ stream, row, start }: Side, page: number): number {
  return (stream.columns.frame[row] ?? 0) + (page - start);
}

/** Whether anything but address and marks differs between the words of two leaves of one level. */
function attributesDiffer(one: Side, other: Side): boolean {
  const [left, right] = [wordOf(one), wordOf(other)];
  const { addressLo, addressHi, extraMask, extraShift } = one.space.format;
  // Where the bits of the address lie depends on hardware, too: what either side takes for address is none here.
  const { format } = other.space;
  const low = ~(
    addressLo |
    (extraMask << extraShift) |
    format.addressLo |
    (format.extraMask << format.extraShift)
  );
  const high = ~(addressHi | format.addressHi);
  return ((left.lo ^ right.lo) & low) !== 0 || ((left.hi ^ right.hi) & high) !== 0;
}

function wordOf({ stream, row, space }: Side): { readonly lo: number; readonly hi: number } {
  const { columns } = stream;
  const [lo, hi] = [columns.lo[row] ?? 0, columns.hi[row] ?? 0];
  const { format } = space;
  return { lo: unmarkedLo(format, lo, hi), hi: unmarkedHi(format, lo, hi) };
}
