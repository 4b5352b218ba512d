import { type RowBuilder } from '../model/columns';
import { type TraceNames } from '../model/dictionary';
import { operationCode } from '../model/operation';
import { eight, four, hex4, hex8, two } from '../text/fixedText';
import { type FtraceContext } from './ftraceContext';

const [MAP, UNMAP] = [operationCode('map'), operationCode('unmap')];
/** Lines of the plain form have fewer bytes: nothing needs a look at the window's end in between. */
const LINE_BYTES = 320;
/** Where the task's name ends in lines of the plain form. */
const DASH = 16;
/** A power of two. Tasks that meet in a slot take turns. */
const TASK_SLOTS = 256;
const TASK_WORDS = 8;
/** `[000] ` */
const CPU_BYTES = 6;
const [SPACE, LINE_FEED, BRACKET, COLON, POINT, ZERO] = [0x20, 0x0a, 0x5b, 0x3a, 0x2e, 0x30];
const CPU_END = two('] ');
const CLOCK_END = two(': ');
const [MAP_1, UNMAP_1, UNMAP_2] = [four('map:'), four('unma'), two('p:')];
const [IOVA_1, IOVA_2] = [eight(' IOMMU: '), eight(' iova=0x')];
const [TO_1, TO_2] = [four(' - 0'), four('- 0x')];
const [PADDR_1, PADDR_2] = [eight(' paddr=0'), two('0x')];
const [SIZE_1, SIZE_2] = [four(' siz'), two('e=')];
const [DONE_1, DONE_2] = [eight(' unmappe'), eight('ed_size=')];
/** Digits that fit a number exactly. */
const DECIMAL_DIGITS = 15;
/** Pages that a 64-bit address can begin in. */
const PAGES = 2 ** 52;

/**
 * Reads map and unmap lines that look like one that was read before: the same columns, a task that was met. Nearly all lines of
 * a large trace are such, and they are read without making an object. Whatever is not exactly of this form is left to the reader
 * of all lines, with whose rows those of this one are equal.
 */
export class FtraceFast {
  /** Numbers of the two events; negative before they are known. */
  #mapEvent = -1;
  #unmapEvent = -1;
  /** Bytes in front of `[CPU]`; 0 before a line was learnt. */
  #bracket = 0;
  /** Bytes of the word of flags; 0 when there is none. */
  #flags = 0;
  /** Where the point of the time stands. */
  #point = 0;
  /** Of the window on the file, which is always the same. */
  #view: DataView = new DataView(new ArrayBuffer(0));
  #bytes: Uint8Array | undefined;
  readonly #taskWords = new Float64Array(TASK_SLOTS * TASK_WORDS);
  readonly #taskIds = new Int32Array(TASK_SLOTS).fill(-1);

  /** Learns from a line in the default layout that begins at `start`: its columns, and its task. */
  learn(
    bytes: Uint8Array,
    start: number,
    context: FtraceContext,
    task: number,
    { events }: TraceNames,
  ): void {
    if (this.#mapEvent < 0) this.#mapEvent = events.find('map') ?? -1;
    if (this.#unmapEvent < 0) this.#unmapEvent = events.find('unmap') ?? -1;
    const bracket = context.prefixEnd - start;
    if (context.commEnd - start !== DASH || bracket > 8 * TASK_WORDS - 8 || bracket < DASH + 8) return;
    const flags = context.flagsEnd - context.flagsStart;
    const point = context.point - start;
    if (context.point < 0 || context.flagsStart !== start + bracket + CPU_BYTES) return;
    if (context.point - context.flagsEnd > DECIMAL_DIGITS || bytes[context.point + 7] !== COLON) return;
    for (let at = start; at < context.prefixEnd; at++) if (!isPrintable(bytes[at] ?? 0)) return;
    if (bracket !== this.#bracket) this.#taskIds.fill(-1);
    this.#bracket = bracket;
    this.#flags = flags;
    this.#point = point;
    const view = this.#viewOf(bytes);
    const slot = slotOf(view, start);
    if (this.#taskIds[slot] === task) return;
    for (let index = 0; index < bracket >> 3; index++) {
      this.#taskWords[slot * TASK_WORDS + index] = view.getFloat64(start + 8 * index);
    }
    this.#taskWords[slot * TASK_WORDS + TASK_WORDS - 1] = view.getFloat64(start + bracket - 8);
    this.#taskIds[slot] = task;
  }

  /** See LineParser.fast. */
  read(
    bytes: Uint8Array,
    from: number,
    end: number,
    out: RowBuilder,
    base: number,
    until: number,
    originSeconds: number,
  ): number {
    const bracket = this.#bracket;
    if (bracket === 0) return from;
    const mapEvent = this.#mapEvent;
    const unmapEvent = this.#unmapEvent;
    const view = this.#viewOf(bytes);
    const taskWords = this.#taskWords;
    const taskIds = this.#taskIds;
    const words = bracket >> 3;
    const flags = bracket + CPU_BYTES;
    const flagsEnd = flags + this.#flags;
    const clock = this.#flags === 0 ? flags : flagsEnd + 1;
    const point = this.#point;
    const capacity = out.capacity;
    const last = Math.min(end - LINE_BYTES, until - 1);
    const { offset, length, operation, event, time, cpu: cpus, task: tasks, done: dones } = out;
    const {
      iovaPage: iovaPages,
      iovaOffset: iovaOffsets,
      size: sizes,
      paddrPage: paddrPages,
      paddrOffset: paddrOffsets,
    } = out;
    let row = out.rows;
    let start = from;

    lines: while (start <= last && row < capacity) {
      // The task: all bytes are those of a line that was read.
      const slot = slotOf(view, start);
      const task = taskIds[slot] ?? -1;
      if (task < 0) break;
      const known = slot * TASK_WORDS;
      for (let index = 0; index < words; index++) {
        if (view.getFloat64(start + 8 * index) !== taskWords[known + index]) break lines;
      }
      if (view.getFloat64(start + bracket - 8) !== taskWords[known + TASK_WORDS - 1]) break;

      // [000] d.h1.   109.358426:
      if (bytes[start + bracket] !== BRACKET || view.getUint16(start + bracket + 4) !== CPU_END) break;
      const cpu = digits3(bytes, start + bracket + 1);
      if (cpu < 0) break;
      if (flagsEnd > flags) {
        for (let at = start + flags; at < start + flagsEnd; at++) if ((bytes[at] ?? 0) <= SPACE) break lines;
        if (isDigit(bytes[start + flags]) || bytes[start + flagsEnd - 1] === COLON) break;
        if (bytes[start + flagsEnd] !== SPACE) break;
      }
      let at = start + clock;
      while (bytes[at] === SPACE) at++;
      let seconds = 0;
      const pointAt = start + point;
      if (at >= pointAt || bytes[pointAt] !== POINT) break;
      for (; at < pointAt; at++) {
        if (!isDigit(bytes[at])) break lines;
        seconds = seconds * 10 + (bytes[at] ?? 0) - ZERO;
      }
      const milliseconds = digits3(bytes, at + 1);
      const microseconds = digits3(bytes, at + 4);
      if (milliseconds < 0 || microseconds < 0 || view.getUint16(at + 7) !== CLOCK_END) break;
      at += 9;

      // map: IOMMU: iova=0x
      const name = view.getInt32(at);
      const isMap = name === MAP_1;
      if (isMap) at += 4;
      else if (name === UNMAP_1 && view.getUint16(at + 4) === UNMAP_2) at += 6;
      else break;
      if ((isMap ? mapEvent : unmapEvent) < 0) break;
      if (view.getFloat64(at) !== IOVA_1 || view.getFloat64(at + 7) !== IOVA_2) break;
      at += 15;
      const iovaHigh = hex8(view, at);
      const iovaMiddle = hex4(view, at + 8);
      const iovaLow = hex4(view, at + 12);
      at += 16;
      if (view.getInt32(at) !== TO_1 || view.getInt32(at + 1) !== TO_2) break;
      at += 5;
      const endHigh = hex8(view, at);
      const endMiddle = hex4(view, at + 8);
      const endLow = hex4(view, at + 12);
      if (iovaHigh < 0 || endHigh < 0 || (iovaMiddle | iovaLow | endMiddle | endLow) < 0) break;
      at += 16;

      let paddrPage = Number.NaN;
      let paddrOffset = Number.NaN;
      if (isMap) {
        if (view.getFloat64(at) !== PADDR_1 || view.getUint16(at + 7) !== PADDR_2) break;
        at += 9;
        const high = hex8(view, at);
        const middle = hex4(view, at + 8);
        const low = hex4(view, at + 12);
        if (high < 0 || (middle | low) < 0) break;
        paddrPage = pageOf(high, middle, low);
        paddrOffset = low & 0xfff;
        at += 16;
      }

      if (view.getInt32(at) !== SIZE_1 || view.getUint16(at + 4) !== SIZE_2) break;
      at += 6;
      const sizeStart = at;
      let size = 0;
      for (let digit = bytes[at] ?? 0; isDigit(digit); digit = bytes[++at] ?? 0)
        size = size * 10 + digit - ZERO;
      if (at === sizeStart || at - sizeStart > DECIMAL_DIGITS) break;
      let done = size;
      if (!isMap) {
        if (view.getFloat64(at) !== DONE_1 || view.getFloat64(at + 7) !== DONE_2) break;
        at += 15;
        const doneStart = at;
        done = 0;
        for (let digit = bytes[at] ?? 0; isDigit(digit); digit = bytes[++at] ?? 0)
          done = done * 10 + digit - ZERO;
        if (at === doneStart || at - doneStart > DECIMAL_DIGITS) break;
      }
      if (bytes[at] !== LINE_FEED) break;

      const iovaPage = pageOf(iovaHigh, iovaMiddle, iovaLow);
      const iovaOffset = iovaLow & 0xfff;
      // The range's end says the same as its size; an end of 2^64 is printed as 0.
      const behind = iovaOffset + size;
      const pages = Math.floor(behind / 4096);
      const endPage = iovaPage + pages;
      if ((endLow & 0xfff) !== behind - 4096 * pages || endPage >= PAGES) break;
      if (endPage !== pageOf(endHigh, endMiddle, endLow)) break;

      offset[row] = base + start;
      length[row] = at - start;
      operation[row] = isMap ? MAP : UNMAP;
      event[row] = isMap ? mapEvent : unmapEvent;
      time[row] = (seconds - originSeconds) * 1e9 + (milliseconds * 1000 + microseconds) * 1000;
      cpus[row] = cpu;
      tasks[row] = task;
      iovaPages[row] = iovaPage;
      iovaOffsets[row] = iovaOffset;
      sizes[row] = size;
      if (isMap) {
        paddrPages[row] = paddrPage;
        paddrOffsets[row] = paddrOffset;
      } else if (done !== size) dones[row] = done;
      row++;
      start = at + 1;
    }
    out.rows = row;
    return start;
  }

  #viewOf(bytes: Uint8Array): DataView {
    if (this.#bytes !== bytes) {
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    return this.#view;
  }
}

/** Tasks differ most in the end of the name and in the number. */
function slotOf(view: DataView, start: number): number {
  const mixed =
    Math.imul(view.getInt32(start + 12), 0x9e3779b1) ^ Math.imul(view.getInt32(start + 17), 0x85ebca6b);
  return (mixed ^ (mixed >>> 15)) & (TASK_SLOTS - 1);
}

const isPrintable = (byte: number): boolean => byte >= SPACE && byte < 0x7f;
const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= ZERO && byte <= ZERO + 9;

/** Three decimal digits; negative when there are others. */
function digits3(bytes: Uint8Array, at: number): number {
  const a = (bytes[at] ?? 0) - ZERO;
  const b = (bytes[at + 1] ?? 0) - ZERO;
  const c = (bytes[at + 2] ?? 0) - ZERO;
  // Unsigned, what is below 0 is above 9.
  return a >>> 0 > 9 || b >>> 0 > 9 || c >>> 0 > 9 ? -1 : 100 * a + 10 * b + c;
}

const pageOf = (high: number, middle: number, low: number): number =>
  high * 2 ** 20 + ((middle << 4) | (low >>> 12));
