import { DatError } from './fileBytes';
import { type TraceRecord } from './record';
import { type CpuBuffer, type PageLayout } from './datFile';

/** Events of a page (Linux kernel/trace/ring_buffer.c, include/linux/ring_buffer.h; the file says the same in header_event). */
const TYPE = { longData: 0, mostShort: 28, padding: 29, timeExtend: 30, timeStamp: 31 } as const;
const DELTA_BITS = 27;
/** What is left of a commit word is how many bytes hold events; the top bits say that events were lost before them. */
const COMMIT_MASK = 0x07ff_ffff;
const [MISSED_EVENTS, MISSED_STORED] = [0x8000_0000, 0x4000_0000];
/** A time stamp has 59 bits; the others are those of the page (Linux 5.17). */
const STAMP_HIGH_BITS = 27;

/** A place in one CPU's pages: the page, and the byte of the event in it. */
export interface RingPlace {
  readonly page: number;
  readonly at: number;
}

/** Goes over the events of one CPU, page by page. Times are nanoseconds since `origin`. */
export class RingReader {
  readonly record: TraceRecord;
  /** Of the event that the reader stands at; undefined behind the last. */
  time = 0;
  page = 0;
  at = 0;
  /** Events lost before the event that the reader stands at; NaN: some, and nobody counted. 0: none. */
  lost = 0;
  done = false;
  /** Bytes of pages that did not say where their events end: skipped. */
  damaged = 0;
  /** The first pages that could not be read, if there are any. */
  fault: DatError | undefined;
  #bytes = new Uint8Array();
  #view = new DataView(this.#bytes.buffer);
  #next = 0;
  #end = 0;
  #loaded = -1;
  #high = 0;

  constructor(
    readonly buffer: CpuBuffer,
    private readonly layout: PageLayout,
    private readonly little: boolean,
    private readonly origin: readonly [high: number, low: number],
    record: TraceRecord,
  ) {
    this.record = record;
  }

  get place(): RingPlace {
    return { page: this.page, at: this.at };
  }

  /** Bytes of events that were passed. */
  get passed(): number {
    return this.page * this.layout.bytes + this.at;
  }

  /** Stands at the first event at or behind this place, and counts damage from there. */
  seek({ page, at }: RingPlace): void {
    this.done = false;
    this.damaged = 0;
    this.fault = undefined;
    this.#loaded = -1;
    this.page = page;
    if (!this.#openPage()) return;
    while (this.#isBefore(page, at)) this.step();
  }

  #isBefore(page: number, at: number): boolean {
    return !this.done && this.page === page && this.at < at;
  }

  /** Goes on to the next event. */
  step(): void {
    this.lost = 0;
    if (!this.#readEvent()) {
      this.page++;
      this.#openPage();
    }
  }

  /** Fills the record with the event that the reader stands at. */
  fill(): void {
    // Others may have used the record meanwhile.
    this.record.set(this.#bytes, this.#view, this.#dataStart, this.#dataLength);
  }

  #dataStart = 0;
  #dataLength = 0;

  /** Opens this page, or the next that has an event. */
  #openPage(): boolean {
    const { bytes, commit, commitBytes, data } = this.layout;
    const { pages } = this.buffer;
    for (; (this.page + 1) * bytes <= pages.bytes; this.page++) {
      if (this.#loaded !== this.page && !this.#load()) continue;
      const low = this.#u32(commit + (this.little || commitBytes === 4 ? 0 : 4));
      const length = low & COMMIT_MASK;
      if (data + length > bytes) {
        this.damaged += bytes;
        continue;
      }
      this.#end = data + length;
      this.#next = data;
      this.#high = this.#u32(this.little ? 4 : 0);
      this.time = this.#since(this.#high, this.#u32(this.little ? 0 : 4));
      const lost = this.#lostOf(low, this.#end);
      if (this.#readEvent()) {
        this.lost = lost;
        return true;
      }
    }
    this.done = true;
    return false;
  }

  /** Reads the page; of pages that cannot be read, stands at the last: what is behind them is read on. */
  #load(): boolean {
    const { bytes } = this.layout;
    const { pages } = this.buffer;
    if (this.#bytes.length === 0) {
      this.#bytes = new Uint8Array(bytes);
      this.#view = new DataView(this.#bytes.buffer);
    }
    try {
      pages.read(this.page * bytes, this.#bytes);
      this.#loaded = this.page;
      return true;
    } catch (error) {
      if (!(error instanceof DatError)) throw error;
      this.fault ??= error;
      const behind = Math.max(this.page + 1, Math.ceil(pages.behind(this.page * bytes) / bytes));
      this.damaged += (behind - this.page) * bytes;
      this.page = behind - 1;
      return false;
    }
  }

  /** The count stands behind the events when there was room for it. */
  #lostOf(commit: number, end: number): number {
    if ((commit & MISSED_EVENTS) === 0) return 0;
    const { commitBytes, bytes } = this.layout;
    if ((commit & MISSED_STORED) === 0 || end + commitBytes > bytes) return Number.NaN;
    const [low, high] = this.little ? [0, 4] : [4, 0];
    if (commitBytes === 4) return this.#u32(end);
    return this.#u32(end + low) + this.#u32(end + high) * 2 ** 32;
  }

  /** Reads on to an event with data; false at the end of the page. */
  #readEvent(): boolean {
    while (this.#next + 4 <= this.#end) {
      const at = this.#next;
      const word = this.#u32(at);
      const type = this.little ? word & 31 : word >>> DELTA_BITS;
      const delta = this.little ? word >>> 5 : word & (2 ** DELTA_BITS - 1);
      const extra = at + 8 <= this.#end ? this.#u32(at + 4) : 0;
      if (type === TYPE.padding) {
        // Without a time the rest of the page is empty; else an event was taken back.
        if (delta === 0 || extra === 0) return false;
        this.time += delta;
        this.#next = at + 4 + extra;
        continue;
      }
      if (type === TYPE.timeExtend) {
        this.time += extra * 2 ** DELTA_BITS + delta;
        this.#next = at + 8;
        continue;
      }
      if (type === TYPE.timeStamp) {
        // In halves: 59 bits are more than a number holds.
        const top = Math.floor(this.#high / 2 ** STAMP_HIGH_BITS) * 2 ** STAMP_HIGH_BITS;
        this.time = this.#since(top + (extra >>> 5), (extra & 31) * 2 ** DELTA_BITS + delta);
        this.#next = at + 8;
        continue;
      }
      const long = type === TYPE.longData;
      const start = at + (long ? 8 : 4);
      const length = long ? (extra - 4 + 3) & ~3 : type * 4;
      if (length <= 0 || start + length > this.#end) {
        this.damaged += this.#end - at;
        return false;
      }
      this.time += delta;
      this.at = at;
      this.#next = start + length;
      this.#dataStart = start;
      this.#dataLength = length;
      return true;
    }
    return false;
  }

  #since(high: number, low: number): number {
    return (high - this.origin[0]) * 2 ** 32 + (low - this.origin[1]);
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, this.little);
  }
}
