import { type RowBuilder } from '../model/columns';
import { type TraceNames } from '../model/dictionary';
import { operationCode } from '../model/operation';
import { type LineFormat, type LineKind, type LineParser, type TextHead } from '../text/lineFormat';
import { utf8 } from '../text/utf8';
import {
  eventFault,
  eventStart,
  type EventWords,
  eventWords,
  type KernelMessage,
  nextWord,
  readMessage,
} from './dmesgMessages';
import { readStamp, type Stamp } from './dmesgStamp';

/** The kernel's log as dmesg, journalctl -k, a syslog or a serial console have it: faults, groups, and all else as other rows. */
export const dmesg: LineFormat = {
  format: 'dmesg',
  title: 'kernel log',
  recognise,
  parser: (head, names) => new DmesgParser(head, names),
};

/** Bytes of a line that are looked at: what is said of an IOMMU stands in front. */
const LINE_BYTES = 1024;
/** Subsystems that become events of their own: a file of noise has a new one a line. */
const SUBSYSTEMS = 512;
const PAGE = 4096n;
/** Of the leap year that days without a year are counted in. */
const YEAR_SECONDS = 366 * 86_400;
const TITLES = {
  boot: 'kernel log, seconds since boot',
  wall: 'kernel log, wall clock',
  day: 'kernel log, wall clock without year',
};
const JOURNAL_MARK = /^-- .* --$|^-- (Logs|Journal) begin/;

class DmesgParser implements LineParser {
  readonly title: string;
  readonly origin: bigint;
  readonly timeDigits: number;
  readonly namesDevices = true;
  readonly #names: TraceNames;
  readonly #first: Stamp | undefined;
  /** What `time` counts from, in seconds of the file's clock. */
  readonly #base: number;
  #event: EventWords | undefined;

  constructor({ lines }: TextHead, names: TraceNames) {
    const stamps = lines.map((line) => readStamp(line).stamp).filter((stamp) => stamp !== undefined);
    this.#first = stamps[0];
    this.#names = names;
    this.#base = this.#first && this.#first.clock !== 'boot' ? this.#first.seconds : 0;
    // A day without its year is no point in time: such rows count from the first.
    this.origin = this.#first?.clock === 'wall' ? BigInt(this.#base) * 1_000_000_000n : 0n;
    this.timeDigits = Math.max(0, ...stamps.slice(0, 100).map(({ digits }) => digits));
    this.title = this.#first ? TITLES[this.#first.clock] : 'kernel log without time';
  }

  save(): unknown {
    return this.#event;
  }

  restore(state: unknown): void {
    this.#event = eventWords(state);
  }

  parse(bytes: Uint8Array, start: number, end: number, out: RowBuilder, offset: number): LineKind {
    if (start === end) return 'header';
    const line = utf8(bytes.subarray(start, Math.min(end, start + LINE_BYTES)));
    if (line.trim() === '' || JOURNAL_MARK.test(line)) return 'header';
    const { stamp, tag, message } = readStamp(line);
    const said = this.#smmuEvent(message) ?? readMessage(message) ?? this.#other(stamp, tag, message);
    if (!said) return 'unknown';
    const row = out.begin(offset, end - start, operationCode(said.operation));
    this.#write(said, out, row);
    if (stamp && stamp.clock === this.#first?.clock) out.time[row] = this.#time(stamp);
    return 'row';
  }

  /** Lines of an SMMUv3's event: the row of the last of its words is the fault, those before lead to it. */
  #smmuEvent(message: string): KernelMessage | undefined {
    const before = this.#event;
    const begun = eventStart(message);
    const event = begun ?? (before && nextWord(message, before));
    if (!event) return undefined;
    const fault = eventFault(event);
    this.#event = fault ? undefined : event;
    return fault ?? { event: 'arm-smmu-v3', operation: 'other' };
  }

  /** A line that says nothing of an IOMMU. In a log with stamps one without is none of the kernel's. */
  #other(stamp: Stamp | undefined, tag: string | undefined, message: string): KernelMessage | undefined {
    if (!stamp && tag === undefined && this.#first) return undefined;
    const subsystem = tag === undefined || tag === 'kernel' ? subsystemOf(message) : tag;
    const { events } = this.#names;
    const known = events.find(subsystem) !== undefined || events.size < SUBSYSTEMS;
    return { event: known ? subsystem : 'printk', operation: 'other' };
  }

  #time({ clock, seconds, nanoseconds }: Stamp): number {
    const since = seconds - this.#base;
    // Half a year back is the next year; less is a clock that was set.
    const next = clock === 'day' && since < -YEAR_SECONDS / 2;
    return (next ? since + YEAR_SECONDS : since) * 1e9 + nanoseconds;
  }

  #write(said: KernelMessage, out: RowBuilder, row: number): void {
    if (said.event !== undefined) out.event[row] = this.#names.events.id(said.event);
    if (said.device !== undefined) out.device[row] = this.#names.devices.id(said.device);
    if (said.iova !== undefined) {
      out.iovaPage[row] = Number(said.iova / PAGE);
      out.iovaOffset[row] = Number(said.iova % PAGE);
    }
    if (said.paddr !== undefined) {
      out.paddrPage[row] = Number(said.paddr / PAGE);
      out.paddrOffset[row] = Number(said.paddr % PAGE);
    }
    if (said.domain !== undefined) out.domain[row] = said.domain;
    if (said.pasid !== undefined) out.pasid[row] = said.pasid;
    if (said.flags !== undefined) out.flags[row] = said.flags;
    if (said.count !== undefined) out.count[row] = said.count;
  }
}

/** `ACPI` of `ACPI: PM: ..`, `nvme` of `nvme 0000:01:00.0: ..`; what has no such front is the kernel's own. */
const SUBSYSTEM = /^([A-Za-z][\w,.-]{0,31})(?: \S{0,63}[\d:.]\S{0,63})?: /;
const subsystemOf = (message: string): string => SUBSYSTEM.exec(message)?.[1] ?? 'printk';

/** dmesg in ISO 8601 has a comma and the zone: other logs have such times, too. */
const ISO_DMESG = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{6}[+-]\d\d:\d\d /;
const LEAST = 0.2;

/** The share of lines that are the kernel's; something, when only an IOMMU is spoken of. */
function recognise({ lines }: TextHead): number {
  let [kernels, spoken, all] = [0, 0, 0];
  for (const line of lines) {
    if (line.trim() === '' || JOURNAL_MARK.test(line)) continue;
    all++;
    const { stamp, tag, message } = readStamp(line.slice(0, LINE_BYTES));
    const speaks = readMessage(message) !== undefined || eventStart(message) !== undefined;
    const isWall = stamp?.clock === 'wall' && (line.startsWith('[') || ISO_DMESG.test(line));
    if (speaks) spoken++;
    if (speaks || stamp?.clock === 'boot' || isWall || tag === 'kernel') kernels++;
  }
  if (kernels === 0) return 0;
  return Math.max((0.9 * kernels) / all, spoken > 0 ? LEAST : 0);
}
