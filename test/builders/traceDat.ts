/** Builds files of trace-cmd, version 6, event by event (trace-cmd.dat.v6(5); ring buffer pages: Linux kernel/trace/ring_buffer.c). */

export interface DatEvent {
  /** Nanoseconds. */
  readonly time: bigint;
  readonly type: number;
  readonly pid: number;
  /** Behind the 8 common bytes. */
  readonly data: Uint8Array;
  /** How the time is told: as it fits, by an extend, by an absolute stamp. */
  readonly stamp?: 'extend' | 'absolute';
}

export interface DatPage {
  readonly time: bigint;
  readonly events: readonly DatEvent[];
  /** Events lost before; a number is stored, true only flagged. */
  readonly lost?: number | true;
  /** Taken-back bytes in front of the first event. */
  readonly discarded?: number;
}

export interface DatParts {
  readonly bigEndian?: boolean;
  /** Bytes of the kernel's long. */
  readonly long?: 4 | 8;
  readonly formats: Readonly<Record<string, readonly string[]>>;
  readonly commands?: string;
  readonly cpus: readonly (readonly DatPage[])[];
  readonly options?: readonly { readonly id: number; readonly data: string }[];
  /** Bytes of a page of the ring buffer. */
  readonly pageBytes?: number;
}

export const PAGE_BYTES = 4096;
const HEADER_EVENT = '# compressed entry header\n';

/** Numbers and texts one after the other, in a byte order. */
export class Bytes {
  readonly #bytes: number[] = [];
  constructor(readonly bigEndian = false) {}

  number(value: number | bigint, size: number): this {
    const bytes = Array.from({ length: size }, (_, index) =>
      Number((BigInt(value) >> BigInt(8 * index)) & 0xffn),
    );
    this.#bytes.push(...(this.bigEndian ? bytes.reverse() : bytes));
    return this;
  }

  text(text: string, end = ''): this {
    this.#bytes.push(...Buffer.from(text + end));
    return this;
  }

  raw(bytes: Iterable<number>): this {
    for (const byte of bytes) this.#bytes.push(byte);
    return this;
  }

  sized(text: string, size: number): this {
    return this.number(Buffer.byteLength(text), size).text(text);
  }

  pad(to: number): this {
    while (this.#bytes.length % to !== 0) this.#bytes.push(0);
    return this;
  }

  get length(): number {
    return this.#bytes.length;
  }

  done(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

/** A format file of an event with the usual common fields. */
export const format = (name: string, id: number, fields: readonly string[], print: string): string =>
  [
    `name: ${name}`,
    `ID: ${id}`,
    'format:',
    '\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;',
    '\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;',
    '\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;',
    '\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;',
    '',
    ...fields.map((field) => `\tfield:${field}`),
    '',
    `print fmt: ${print}`,
    '',
  ].join('\n');

export function traceDat(parts: DatParts): Uint8Array {
  const {
    bigEndian = false,
    long = 8,
    formats,
    commands = '',
    cpus,
    options = [],
    pageBytes = PAGE_BYTES,
  } = parts;
  const file = new Bytes(bigEndian);
  file
    .raw([0x17, 0x08, 0x44])
    .text('tracing6', '\0')
    .number(bigEndian ? 1 : 0, 1)
    .number(8, 1)
    .number(PAGE_BYTES, 4);
  const page = [
    'field: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;',
    `field: local_t commit;\toffset:8;\tsize:${long};\tsigned:1;`,
    `field: char data;\toffset:${8 + long};\tsize:${pageBytes - 8 - long};\tsigned:1;`,
  ].join('\n');
  file.text('header_page', '\0').sized(page, 8).text('header_event', '\0').sized(HEADER_EVENT, 8);
  file.number(0, 4);
  file.number(Object.keys(formats).length, 4);
  for (const [system, events] of Object.entries(formats)) {
    file.text(system, '\0').number(events.length, 4);
    for (const event of events) file.sized(event, 8);
  }
  file.sized('', 4).sized('', 4).sized(commands, 8).number(cpus.length, 4);
  if (options.length > 0) {
    file.text('options  ', '\0');
    for (const { id, data } of options) file.number(id, 2).sized(data, 4);
    file.number(0, 2);
  }
  file.text('flyrecord', '\0');
  let offset = Math.ceil((file.length + 16 * cpus.length) / PAGE_BYTES) * PAGE_BYTES;
  for (const pages of cpus) {
    file.number(offset, 8).number(pages.length * pageBytes, 8);
    offset += pages.length * pageBytes;
  }
  file.pad(PAGE_BYTES);
  for (const pages of cpus) for (const each of pages) file.raw(pageOf(each, bigEndian, long, pageBytes));
  return file.done();
}

/** One page; its events have to fit. */
function pageOf(
  { time, events, lost, discarded }: DatPage,
  bigEndian: boolean,
  long: 4 | 8,
  bytesOfPage: number,
): Uint8Array {
  const body = new Bytes(bigEndian);
  const head = (type: number, delta: number): Bytes =>
    body.number(bigEndian ? type * 2 ** 27 + delta : delta * 32 + type, 4);
  if (discarded !== undefined)
    head(29, 1)
      .number(discarded, 4)
      .raw(new Uint8Array(discarded - 4));
  let now = time + (discarded === undefined ? 0n : 1n);
  for (const event of events) {
    let delta = event.time - now;
    if (event.stamp === 'absolute') {
      const low = event.time & (2n ** 59n - 1n);
      head(31, Number(low & (2n ** 27n - 1n))).number(low >> 27n, 4);
      delta = 0n;
    } else if (event.stamp === 'extend' || delta >= 2n ** 27n) {
      head(30, Number(delta & (2n ** 27n - 1n))).number(delta >> 27n, 4);
      delta = 0n;
    }
    now = event.time;
    const record = new Bytes(bigEndian)
      .number(event.type, 2)
      .number(0, 2)
      .number(event.pid, 4)
      .raw(event.data)
      .pad(4)
      .done();
    if (record.length <= 112) head(record.length / 4, Number(delta)).raw(record);
    else
      head(0, Number(delta))
        .number(record.length + 4, 4)
        .raw(record);
  }
  const bytes = body.done();
  const flags = lost === undefined ? 0 : lost === true ? 0x8000_0000 : 0xc000_0000;
  const page = new Bytes(bigEndian).number(time, 8);
  if (long === 8) page.number(BigInt(bytes.length + flags), 8);
  else page.number(bytes.length + flags, 4);
  page.raw(bytes);
  if (typeof lost === 'number') page.number(lost, long);
  return page.pad(bytesOfPage).done();
}
