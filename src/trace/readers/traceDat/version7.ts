import { type ByteSource } from '../../../bytes/byteSource';
import { type TraceProblem } from '../../model/reader';
import { type Unpack, unpackPiece, unpacker } from './compression';
import { type CpuBuffer, type DatFile } from './datFile';
import { type EventFormat } from './eventFormat';
import { DatCursor, readBytes } from './fileBytes';
import { PackedPages, PiecesHeld, plainPages } from './pages';
import {
  problemOf,
  readCommands,
  readCpuCount,
  readEventSystems,
  readFtraceEvents,
  readHeaderInfo,
  REST_HINT,
  textOf,
  timeOffset,
} from './sections';
import { type Start } from './start';

/** Options and the sections that they lead to (trace-cmd.dat.v7, OPTIONS SECTION). */
const OPTION = {
  ...{ done: 0, buffer: 3, clock: 4, uname: 5, offset: 7, cpus: 8, version: 9, tsc: 14 },
  ...{ headerInfo: 16, ftraceEvents: 17, eventFormats: 18, commands: 21 },
} as const;
const SECTION_HEADER_BYTES = 16;
const COMPRESSED = 1;
const MOST_SECTIONS = 1024;

/** Reads a file of version 7: sections, to which options lead. */
export function readVersion7(source: ByteSource, start: Start): DatFile {
  return new Version7(source, start).read();
}

class Version7 {
  readonly #unpack: Unpack | undefined;
  readonly #options: { readonly id: number; readonly data: DatCursor }[] = [];
  readonly #problems: TraceProblem[] = [];
  readonly #pieces = new PiecesHeld();

  constructor(
    private readonly source: ByteSource,
    private readonly start: Start,
  ) {
    this.#unpack = unpacker(start.compression);
  }

  read(): DatFile {
    this.#readOptions();
    const info = this.#section(OPTION.headerInfo);
    if (!info)
      throw this.#cursor(new Uint8Array(), 0, 'the options').error('no section says how pages are laid out');
    const layout = readHeaderInfo(info, this.start.pageSize);
    const formats = [
      ...this.#formats(OPTION.ftraceEvents, readFtraceEvents),
      ...this.#formats(OPTION.eventFormats, readEventSystems),
    ];
    const commands = this.#try(() => {
      const section = this.#section(OPTION.commands);
      return section && readCommands(section);
    });
    const buffers = this.#all(OPTION.buffer).flatMap((data) => this.#try(() => this.#buffer(data)) ?? []);
    const texts = (id: number): string[] => this.#all(id).map((data) => textOf(data.bytes));
    const clocks = [
      ...texts(OPTION.clock).map((text) => /\[([\w-]+)\]/.exec(text)?.[1] ?? text),
      ...this.#clocks,
    ];
    return {
      ...{ version: 7, bigEndian: this.start.bigEndian, layout, formats, buffers, problems: this.#problems },
      commands: commands ?? new Map<number, string>([[0, '<idle>']]),
      clock: clocks.find((clock) => clock !== '') ?? '',
      timeOffset: texts(OPTION.offset).reduce((sum, text) => sum + timeOffset(text), 0n),
      about: [...texts(OPTION.version), ...texts(OPTION.uname)],
    };
  }

  readonly #clocks: string[] = [];

  #readOptions(): void {
    let next = this.start.options;
    const seen = new Set<number>();
    while (next !== 0) {
      if (seen.has(next) || seen.size > MOST_SECTIONS) {
        throw this.#cursor(new Uint8Array(), next, 'the options').error('they lead back to themselves');
      }
      seen.add(next);
      const cursor = this.#read(next, 'the options');
      next = 0;
      while (cursor.left >= 6) {
        const id = cursor.u16();
        const size = cursor.u32();
        const at = cursor.base + cursor.at;
        const data = this.#cursor(cursor.take(size), at, `option ${id}`);
        if (id !== OPTION.done) this.#options.push({ id, data });
        else {
          next = data.left >= 8 ? data.u64() : 0;
          break;
        }
      }
    }
  }

  #all(wanted: number): DatCursor[] {
    return this.#options.flatMap(({ id, data }) => (id === wanted ? [data] : []));
  }

  /** The section that an option leads to, unpacked. */
  #section(option: number): DatCursor | undefined {
    const [data] = this.#all(option);
    if (!data) return undefined;
    data.at = 0;
    return this.#read(data.u64(), SECTION_NAMES[option] ?? `section ${option}`);
  }

  #read(offset: number, what: string): DatCursor {
    const header = this.#cursor(readBytes(this.source, offset, SECTION_HEADER_BYTES, what), offset, what);
    header.u16();
    const flags = header.u16();
    header.u32();
    const size = header.u64();
    const bytes = readBytes(
      this.source,
      offset + SECTION_HEADER_BYTES,
      Math.min(size, this.source.size - offset - SECTION_HEADER_BYTES),
      what,
    );
    const cursor = this.#cursor(bytes, offset + SECTION_HEADER_BYTES, what);
    if ((flags & COMPRESSED) === 0) return cursor;
    if (!this.#unpack) throw cursor.error('it is packed, and the file says that nothing is');
    const [packed, unpacked] = [cursor.u32(), cursor.u32()];
    return this.#cursor(unpackPiece(this.#unpack, cursor.take(packed), unpacked, offset), offset, what);
  }

  #cursor(bytes: Uint8Array, base: number, of: string): DatCursor {
    return new DatCursor(bytes, this.start.bigEndian, base, of);
  }

  #formats(option: number, read: (cursor: DatCursor) => EventFormat[]): EventFormat[] {
    return (
      this.#try(() => {
        const section = this.#section(option);
        return section && read(section);
      }) ?? []
    );
  }

  /** A BUFFER option: name, clock and CPUs of one instance. */
  #buffer(data: DatCursor): CpuBuffer[] {
    const section = data.u64();
    const instance = data.string();
    this.#clocks.push(data.string());
    data.u32(); // bytes of its pages; the layout has them
    const cpus = readCpuCount(data);
    const header = this.#cursor(
      readBytes(this.source, section, SECTION_HEADER_BYTES, 'a buffer'),
      section,
      'a buffer',
    );
    header.u16();
    const packed = (header.u16() & COMPRESSED) !== 0;
    const buffers: CpuBuffer[] = [];
    for (let index = 0; index < cpus; index++) {
      const [cpu, offset, size] = [data.u32(), data.u64(), data.u64()];
      if (size === 0) continue;
      const pages =
        packed && this.#unpack
          ? new PackedPages(this.source, offset, this.start.bigEndian, this.#unpack, this.#pieces)
          : plainPages(this.source, offset, size);
      buffers.push({ cpu, instance, pages });
    }
    return buffers;
  }

  /** Reads one part; what is damaged is a problem, and the rest is read. */
  #try<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.#problems.push({ ...problemOf(error, 'trace/dat-section', REST_HINT), severity: 'error' });
      return undefined;
    }
  }
}

const SECTION_NAMES: Readonly<Record<number, string>> = {
  [OPTION.headerInfo]: 'the header information',
  [OPTION.ftraceEvents]: 'the formats of ftrace',
  [OPTION.eventFormats]: 'the formats of events',
  [OPTION.commands]: 'the names of tasks',
};
