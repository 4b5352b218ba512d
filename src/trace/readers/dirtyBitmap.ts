import { type ByteSource } from '../../bytes/byteSource';
import { failure, type Result, success } from '../../engine/result';
import { formatSize, hex } from '../../engine/values';
import { CHUNK_BYTES, type RowBuilder } from '../model/columns';
import { type TraceNames } from '../model/dictionary';
import { operationCode } from '../model/operation';
import {
  type Filled,
  type OpenTrace,
  type Position,
  type TraceProblem,
  type TraceReader,
} from '../model/reader';

/** An unpacked file may keep the name of what it was packed in. */
const NAME = /\.(?:bitmap|dirty)(?:\.gz)?$/i;
const IOVA = /@(0x[0-9a-f]{1,16})(?![0-9a-z])/i;
const PAGE_SIZE = /\+(\d{1,6})([KMG])(?![0-9a-z])/i;
const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };
const DEFAULT_PAGE_SIZE = 4096;
const [SMALLEST_PAGE, LARGEST_PAGE] = [512, 2 ** 39];
const PAGE = 4096n;
const ADDRESSES = 2n ** 64n;
const WORD_BYTES = 8;
const BLOCK_BYTES = 2 ** 16;
const DIRTY = operationCode('dirty');

/** Which pages the bits of a file are. */
export interface BitmapPlace {
  /** Of the page that bit 0 of the first word is. */
  readonly iova: bigint;
  readonly pageSize: number;
  /** Whether the name says it. */
  readonly named: { readonly iova: boolean; readonly pageSize: boolean };
}

/**
 * Reads the place off a file's name: `guest@0x100000000+2M.bitmap` begins at IOVA 0x100000000 and has a bit for 2 MiB. Without `@0x…`
 * it begins at 0, without `+…` a page is 4 KiB.
 */
export function bitmapPlace(name: string): BitmapPlace | undefined {
  if (!NAME.test(name)) return undefined;
  const iova = IOVA.exec(name)?.[1];
  const [, digits = '', unit = ''] = PAGE_SIZE.exec(name) ?? [];
  const pageSize = Number(digits) * (UNITS[unit.toUpperCase()] ?? 0);
  const sized =
    pageSize >= SMALLEST_PAGE && pageSize <= LARGEST_PAGE && Number.isInteger(Math.log2(pageSize));
  return {
    iova: BigInt(iova ?? 0),
    pageSize: sized ? pageSize : DEFAULT_PAGE_SIZE,
    named: { iova: iova !== undefined, pageSize: sized },
  };
}

/**
 * The bitmaps of VFIO_IOMMU_DIRTY_PAGES and of IOMMU_HWPT_GET_DIRTY_BITMAP (Linux include/uapi/linux/vfio.h, iommufd.h): 64-bit
 * words, little endian, a bit a page, the first page in bit 0. Nothing in them says what they are, so that the name has to.
 */
export const dirtyBitmap: TraceReader = {
  format: 'bitmap',
  title: 'dirty bitmap',
  recognise: (_head, name) => (bitmapPlace(name) ? 1 : 0),
  open(source, names): Result<OpenTrace> {
    const place = bitmapPlace(source.name);
    if (place) return success(new BitmapTrace(source, names, place));
    return failure(
      'trace/bitmap-name',
      `${source.name} is not called like a dirty bitmap.`,
      'Give it a name such as NAME@0x100000000+4K.bitmap.',
    );
  },
};

/** Where the scan is: the run of set bits that is open there, by its first page. */
interface RunState {
  readonly run: number;
}

class BitmapTrace implements OpenTrace {
  readonly format = dirtyBitmap.format;
  readonly title: string;
  readonly origin = 0n;
  readonly timeDigits = 0;
  readonly header = '';
  readonly start: Position = { offset: 0 };
  readonly problems: readonly TraceProblem[];
  readonly namesDevices = false;
  readonly #source: ByteSource;
  readonly #place: BitmapPlace;
  readonly #event: number;
  readonly #block = new Uint8Array(BLOCK_BYTES);
  /** Bits whose pages end within 64 bits of address. */
  readonly #bits: number;

  constructor(source: ByteSource, names: TraceNames, place: BitmapPlace) {
    this.#source = source;
    this.#place = place;
    this.#event = names.events.id('dirty_bitmap');
    const room = Number((ADDRESSES - place.iova) / BigInt(place.pageSize));
    this.#bits = Math.min(8 * source.size, room);
    this.title = `dirty bitmap, a bit for ${formatSize(place.pageSize)} from ${hex(place.iova)} on`;
    this.problems = [...this.#notes(room)];
  }

  *#notes(room: number): Generator<TraceProblem> {
    const { iova, pageSize, named } = this.#place;
    if (!named.iova || !named.pageSize) {
      const missing = [
        ...(named.iova ? [] : ['where it begins']),
        ...(named.pageSize ? [] : ['how large a page is']),
      ];
      yield {
        severity: 'info',
        code: 'trace/bitmap-place',
        message: `The name does not say ${missing.join(', nor ')}: it is read from IOVA ${hex(iova)} on, with ${formatSize(pageSize)} a bit.`,
        hint: 'Say it in the name: NAME@0x100000000+4K.bitmap.',
      };
    }
    if (iova % BigInt(pageSize) !== 0n) {
      yield {
        severity: 'warning',
        code: 'trace/bitmap-unaligned',
        message: `IOVA ${hex(iova)} of the name is no multiple of ${formatSize(pageSize)}.`,
        hint: 'Dirty pages are reported by whole pages: is one of the two wrong?',
      };
    }
    const rest = this.#source.size % WORD_BYTES;
    if (rest > 0) {
      yield {
        severity: 'warning',
        code: 'trace/bitmap-cut',
        message: `The file ends within a word: ${rest} of its 8 bytes are there.`,
        hint: 'Their bits are read. Was the file cut?',
        offset: this.#source.size - rest,
      };
    }
    if (8 * this.#source.size > room) {
      yield {
        severity: 'warning',
        code: 'trace/bitmap-long',
        message: `Only the first ${room} bits have an address below 2^64.`,
        hint: 'The others are left out. Is the IOVA in the name right?',
      };
    }
  }

  /** Scans until the chunk is full, or as many bytes as chunks have: a chunk of zeros has no rows. A row is added where its run ends. */
  fill(from: Position, into: RowBuilder): Filled {
    const block = this.#block;
    const bytes = Math.ceil(this.#bits / 8);
    let run = (from.state as RunState | undefined)?.run ?? -1;
    let offset = from.offset;
    while (offset < bytes) {
      if (into.full || offset - from.offset >= CHUNK_BYTES) return going(offset, run);
      const wanted = Math.min(BLOCK_BYTES, bytes - offset);
      const filled = this.#source.read(offset, block.subarray(0, wanted));
      let index = 0;
      // A byte has four runs at most.
      for (; index < filled && into.rows + 4 <= into.capacity; index++) {
        const byte = block[index] ?? 0;
        if (byte === (run < 0 ? 0 : 0xff)) continue;
        run = this.#byte(byte, 8 * (offset + index), run, into);
      }
      offset += index;
      if (index < filled) return going(offset, run);
      if (filled < wanted) {
        if (run >= 0) this.#row(run, 8 * offset, into);
        return { problems: [this.#unreadable(offset, into.rows)] };
      }
    }
    if (run >= 0) {
      if (into.full) return going(offset, run);
      this.#row(run, this.#bits, into);
    }
    return { problems: [] };
  }

  /** Reads eight bits; gives the run that is open behind them. */
  #byte(byte: number, first: number, open: number, into: RowBuilder): number {
    let run = open;
    for (let bit = 0; bit < 8 && first + bit < this.#bits; bit++) {
      const isSet = ((byte >> bit) & 1) === 1;
      if (isSet && run < 0) run = first + bit;
      if (!isSet && run >= 0) {
        this.#row(run, first + bit, into);
        run = -1;
      }
    }
    return run;
  }

  /** A row for the pages [start, end); it stands where their words do. */
  #row(start: number, end: number, into: RowBuilder): void {
    const word = Math.floor(start / 64);
    const length = Math.min(WORD_BYTES * Math.ceil(end / 64), this.#source.size) - WORD_BYTES * word;
    const row = into.begin(WORD_BYTES * word, length, DIRTY);
    const { iova, pageSize } = this.#place;
    const address = iova + BigInt(start) * BigInt(pageSize);
    into.event[row] = this.#event;
    into.iovaPage[row] = Number(address / PAGE);
    into.iovaOffset[row] = Number(address % PAGE);
    into.size[row] = (end - start) * pageSize;
    into.count[row] = end - start;
  }

  #unreadable(offset: number, row: number): TraceProblem {
    const message = `The file cannot be read from byte ${offset} on: ${this.#source.fault?.() ?? 'it is shorter than it was'}.`;
    return { severity: 'error', code: 'trace/unreadable', message, row, offset };
  }

  /** The words of the row, as numbers. */
  line(offset: number, length: number, limit: number): string {
    const words: string[] = [];
    const bytes = new Uint8Array(
      Math.min(length, Math.max(WORD_BYTES, Math.floor((limit * WORD_BYTES) / 19))),
    );
    const filled = this.#source.read(offset, bytes);
    for (let at = 0; at < filled; at += WORD_BYTES) {
      const word = bytes.subarray(at, Math.min(at + WORD_BYTES, filled));
      words.push(
        `0x${Array.from(word, (byte) => byte.toString(16).padStart(2, '0'))
          .reverse()
          .join('')}`,
      );
    }
    return words.join(' ').slice(0, limit);
  }
}

const going = (offset: number, run: number): Filled => ({
  next: run < 0 ? { offset } : { offset, state: { run } },
  problems: [],
});
