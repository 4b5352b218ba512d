import { assert } from '../../../engine/result';
import { type ByteSource } from '../../../bytes/byteSource';
import { COMPRESSIONS } from './compression';
import { type DescriptorTable, type PageDescriptor } from './descriptors';
import { type PageBitmap } from './pageBitmap';

/** Compressed pages are smaller than a page, or they are kept as they are; some room for other writers. */
const MOST_GROWTH = 2;
/** All flags of compression. */
const FLAGS = COMPRESSIONS.reduce((flags, { flag }) => flags | flag, 0);

/** Why a page is not given, as the end of a sentence that begins with its address. */
type Why = string;

/** What `PageSource` is made of. */
export interface PageSourceParts {
  readonly file: ByteSource;
  readonly pageBytes: number;
  readonly dumped: PageBitmap;
  readonly descriptors: DescriptorTable;
  /** Why a page that is not in the dump is not; undefined when there was no memory. */
  readonly whyAbsent: (page: number) => Why | undefined;
}

/**
 * The memory in a kdump-compressed file as bytes by physical address. Pages are decompressed when they are read; the last one
 * is kept, and the image's cache keeps the others.
 */
export class PageSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  private readonly page: Uint8Array;
  /** Number of the page in `page`, or -1. */
  private held = -1;
  private readonly packed: Uint8Array;
  private last: string | undefined;

  constructor(private readonly parts: PageSourceParts) {
    this.name = parts.file.name;
    this.size = parts.dumped.pages * parts.pageBytes;
    this.page = new Uint8Array(parts.pageBytes);
    this.packed = new Uint8Array(MOST_GROWTH * parts.pageBytes);
  }

  read(offset: number, target: Uint8Array): number {
    assert(offset >= 0, 'read before the start of the source');
    const { pageBytes } = this.parts;
    const wanted = Math.max(0, Math.min(target.length, this.size - offset));
    let done = 0;
    while (done < wanted) {
      const inPage = (offset + done) % pageBytes;
      const part = target.subarray(done, Math.min(wanted, done + pageBytes - inPage));
      const why = this.readPage((offset + done - inPage) / pageBytes, inPage, part);
      if (why !== undefined) {
        this.last = `${this.name}: a page ${why}`;
        break;
      }
      done += part.length;
    }
    return done;
  }

  fault(): string | undefined {
    return this.last;
  }

  /** Why the byte at this physical address is not given; undefined when it is, or when there was no memory. */
  explain(address: number): Why | undefined {
    const { pageBytes, dumped, whyAbsent } = this.parts;
    const page = Math.floor(address / pageBytes);
    return dumped.has(page) ? this.readPage(page, 0, new Uint8Array(1)) : whyAbsent(page);
  }

  private readPage(page: number, inPage: number, target: Uint8Array): Why | undefined {
    const { dumped, descriptors, pageBytes, file, whyAbsent } = this.parts;
    if (page === this.held) {
      target.set(this.page.subarray(inPage, inPage + target.length));
      return undefined;
    }
    if (!dumped.has(page)) return whyAbsent(page) ?? 'is not in the image';
    const rank = dumped.rank(page);
    const descriptor = descriptors.at(rank);
    if (!descriptor) {
      return `cannot be read: its descriptor (number ${rank}) is past the end of the file: ${this.name} is truncated`;
    }
    const { offset, size, flags } = descriptor;
    const wrong = this.checkDescriptor(rank, descriptor);
    if (wrong !== undefined) return wrong;
    if ((flags & FLAGS) === 0) {
      return file.read(offset + inPage, target) === target.length ? undefined : this.unreadable(offset);
    }
    const packed = this.packed.subarray(0, size);
    if (file.read(offset, packed) < size) return this.unreadable(offset);
    const whole = target.length === pageBytes ? target : this.page;
    if (whole === this.page) this.held = -1;
    const damage = decompress(packed, whole, flags);
    if (damage !== undefined) {
      return `cannot be read: its ${size} bytes at file offset ${offset} are damaged (${damage})`;
    }
    if (whole === this.page) {
      this.held = page;
      target.set(whole.subarray(inPage, inPage + target.length));
    }
    return undefined;
  }

  private checkDescriptor(rank: number, { offset, size, flags }: PageDescriptor): Why | undefined {
    const { pageBytes, file } = this.parts;
    const methods = COMPRESSIONS.filter(({ flag }) => (flags & flag) !== 0);
    if (methods.length > 1) {
      return `cannot be read: its descriptor (number ${rank}) names ${methods.length} compressions (flags 0x${flags.toString(16)})`;
    }
    const most = methods.length === 0 ? pageBytes : MOST_GROWTH * pageBytes;
    if (size === 0 || size > most || (methods.length === 0 && size !== pageBytes)) {
      return `cannot be read: its descriptor (number ${rank}) is damaged: ${size} bytes for a page of ${pageBytes}`;
    }
    if (offset + size > file.size) {
      const where = offset === Infinity ? 'an impossible offset' : `offset ${offset}`;
      return `cannot be read: its ${size} bytes at ${where} are past the end of the file: ${this.name} is truncated (${file.size} bytes)`;
    }
    return undefined;
  }

  private unreadable(offset: number): Why {
    const fault = this.parts.file.fault?.();
    return `cannot be read: its bytes at file offset ${offset} are unreadable${fault === undefined ? '' : ` (${fault})`}`;
  }

  close(): void {
    this.held = -1;
    this.parts.file.close();
  }
}

/** What is wrong with the packed page, or undefined. The decoders throw, libraries like ours. */
function decompress(packed: Uint8Array, target: Uint8Array, flags: number): string | undefined {
  const method = COMPRESSIONS.find(({ flag }) => (flags & flag) !== 0);
  assert(method !== undefined, 'a page without compression is not decompressed');
  try {
    method.decompress(packed, target);
    return undefined;
  } catch (error) {
    return `${method.name}: ${error instanceof Error ? error.message : String(error)}`;
  }
}
