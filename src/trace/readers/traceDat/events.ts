import { KERNEL_EVENTS, KERNEL_SYSTEMS } from '../../events/kernel/index';
import { type EventRule } from '../../events/eventRule';
import { type RowBuilder } from '../../model/columns';
import { type TraceNames } from '../../model/dictionary';
import { operationCode } from '../../model/operation';
import { LineScanner } from '../../text/lineScanner';
import { type EventField, type EventFormat } from './eventFormat';
import { type Printer, printerOf } from './printer';
import { type TraceRecord } from './record';

const [MAP, UNMAP, OTHER, UNKNOWN] = (['map', 'unmap', 'other', 'unknown'] as const).map(operationCode) as [
  number,
  number,
  number,
  number,
];
const PAGE = 4096;
/** Longer payloads are cut: no event prints as much. */
const MOST_PAYLOAD = 65_536;

/** One kind of event of a file: how its records are printed, and what they mean. */
interface DatEvent {
  readonly format: EventFormat;
  readonly name: number;
  readonly print: Printer;
  readonly rule: EventRule | undefined;
  /** Where map and unmap have their numbers: they are most of a trace, and are not printed to be read. */
  readonly fast: FastFields | undefined;
}

interface FastFields {
  readonly operation: number;
  readonly iova: number;
  readonly size: number;
  readonly sizeBytes: number;
  readonly paddr: number;
  readonly done: number;
}

/** The events of one file, by the number that records begin with. */
export class DatEvents {
  readonly #events = new Map<number, DatEvent>();
  readonly #pid: EventField | undefined;
  readonly #type: EventField | undefined;
  readonly #payload = new Uint8Array(MOST_PAYLOAD);
  readonly #scanner = new LineScanner();
  readonly #names: TraceNames;
  readonly #little: boolean;

  constructor(formats: readonly EventFormat[], names: TraceNames, little: boolean) {
    this.#names = names;
    this.#little = little;
    const common = formats.find(({ fields }) => fields.has('common_type') && fields.has('common_pid'));
    this.#type = common?.fields.get('common_type');
    this.#pid = common?.fields.get('common_pid');
    for (const format of formats)
      if (!this.#events.has(format.id)) this.#events.set(format.id, this.#eventOf(format));
  }

  get usable(): boolean {
    return this.#type !== undefined && this.#pid !== undefined;
  }

  pid(record: TraceRecord): number {
    const field = this.#pid;
    return field ? Number(record.value(field.offset, field.size, true)) : 0;
  }

  /** Adds the record as a row, whose length is that of the record. */
  row(record: TraceRecord, offset: number, out: RowBuilder): void {
    const event = this.#find(record);
    if (!event) {
      out.begin(offset, record.length, UNKNOWN);
      return;
    }
    const { rule, fast } = event;
    const row = out.begin(offset, record.length, rule ? operationCode(rule.operation) : OTHER);
    out.event[row] = event.name;
    if (fast) this.#fastRow(record, fast, out, row);
    else if (rule && !rule.read(this.#scan(event.print(record)), out, row, this.#names))
      out.operation[row] = UNKNOWN;
  }

  /** Name and payload of a record, as text. */
  print(record: TraceRecord): { readonly name: string; readonly payload: string } {
    const event = this.#find(record);
    if (event) return { name: event.format.name, payload: event.print(record) };
    const id = this.#type ? record.number(this.#type.offset, this.#type.size) : 0;
    return { name: `event ${id}`, payload: 'the file does not describe this event' };
  }

  #find(record: TraceRecord): DatEvent | undefined {
    const type = this.#type;
    return type ? this.#events.get(record.number(type.offset, type.size)) : undefined;
  }

  #eventOf(format: EventFormat): DatEvent {
    const rule = KERNEL_SYSTEMS.has(format.system) ? KERNEL_EVENTS.get(format.name) : undefined;
    let print: Printer | undefined;
    const names = this.#names;
    return {
      format,
      // A file describes thousands of events, of which a trace has a few.
      get name() {
        return names.events.id(format.name);
      },
      print: (record) => (print ??= printerOf(format))(record),
      rule,
      fast: rule && format.system === 'iommu' ? fastFields(format) : undefined,
    };
  }

  #fastRow(record: TraceRecord, fast: FastFields, out: RowBuilder, row: number): void {
    out.iovaPage[row] = this.#page(record, fast.iova);
    out.iovaOffset[row] = this.#low(record, fast.iova) % PAGE;
    const size = this.#size(record, fast.size, fast.sizeBytes);
    out.size[row] = size;
    if (fast.operation === MAP) {
      out.paddrPage[row] = this.#page(record, fast.paddr);
      out.paddrOffset[row] = this.#low(record, fast.paddr) % PAGE;
    } else {
      const done = this.#size(record, fast.done, fast.sizeBytes);
      if (done !== size) out.done[row] = done;
    }
  }

  #low(record: TraceRecord, offset: number): number {
    return record.number(offset + (this.#little ? 0 : 4), 4);
  }

  #page(record: TraceRecord, offset: number): number {
    return (
      record.number(offset + (this.#little ? 4 : 0), 4) * 2 ** 20 +
      Math.floor(this.#low(record, offset) / PAGE)
    );
  }

  #size(record: TraceRecord, offset: number, bytes: number): number {
    if (bytes === 4) return record.number(offset, 4);
    return record.number(offset + (this.#little ? 4 : 0), 4) * 2 ** 32 + this.#low(record, offset);
  }

  #scan(payload: string): LineScanner {
    const bytes = this.#payload;
    const length = Math.min(payload.length, bytes.length);
    for (let at = 0; at < length; at++) bytes[at] = payload.charCodeAt(at);
    this.#scanner.reset(bytes, 0, length);
    return this.#scanner;
  }
}

/** Of events that have the fields of Linux 3.18 and later; the sizes are the kernel's size_t. */
function fastFields({ name, fields }: EventFormat): FastFields | undefined {
  const [iova, size, paddr, done] = ['iova', 'size', 'paddr', 'unmapped_size'].map((field) =>
    fields.get(field),
  );
  if (iova?.size !== 8 || (size?.size !== 8 && size?.size !== 4)) return undefined;
  const at = { iova: iova.offset, size: size.offset, sizeBytes: size.size };
  if (name === 'map' && paddr?.size === 8) return { ...at, operation: MAP, paddr: paddr.offset, done: 0 };
  if (name === 'unmap' && done?.size === size.size)
    return { ...at, operation: UNMAP, paddr: 0, done: done.offset };
  return undefined;
}
