/**
 * Writes kdump-compressed files and flattened ones from their layout (makedumpfile, IMPLEMENTATION; QEMU, include/sysemu/dump.h),
 * and pages in each compression from the description of its format. It knows nothing of the reader.
 */
import { deflateSync } from 'node:zlib';

export const DESCRIPTOR = 24;
export const FLAGS = { none: 0, zlib: 1, lzo: 2, snappy: 4, zstd: 0x20 } as const;
export type Method = keyof typeof FLAGS;

export interface KdumpOptions {
  /** Contents by page frame number, in units of `pageBytes`. */
  readonly pages: ReadonlyMap<number, Uint8Array>;
  /** Frames that were RAM but are not in the dump. */
  readonly excluded?: readonly number[];
  /** Makes the bytes of a page; undefined keeps it as it is. */
  readonly compress?: (page: Uint8Array, frame: number) => Uint8Array | undefined;
  readonly method?: Method;
  readonly version?: number;
  readonly pageBytes?: number;
  readonly dumpLevel?: number;
  readonly split?: number;
  readonly incomplete?: boolean;
  /** Pages of zeros share one place, as makedumpfile and QEMU write them. */
  readonly sharedZero?: boolean;
  /** Pages that the bitmaps speak of; one more than the highest frame when absent. */
  readonly maxMapnr?: number;
}

/** Where the parts of a dump stand, for tests that damage them. */
export interface Kdump {
  readonly file: Uint8Array;
  readonly pageBytes: number;
  readonly bitmap1: number;
  readonly bitmap2: number;
  readonly descriptors: number;
  readonly data: number;
}

const SUB_HEADER_BLOCKS = 1;

export function buildKdump(options: KdumpOptions): Kdump {
  const { pages, excluded = [], compress = () => undefined, method = 'none', version = 6 } = options;
  const { pageBytes = 4096, dumpLevel = 1, split = 0, incomplete = false, sharedZero = false } = options;
  const frames = [...pages.keys()].sort((a, b) => a - b);
  const maxMapnr = options.maxMapnr ?? Math.max(-1, ...frames, ...excluded) + 1;
  const half = Math.ceil(Math.ceil(maxMapnr / 8) / pageBytes);
  const bitmap1 = (1 + SUB_HEADER_BLOCKS) * pageBytes;
  const bitmap2 = bitmap1 + half * pageBytes;
  const descriptors = bitmap2 + half * pageBytes;
  const data = descriptors + frames.length * DESCRIPTOR;
  const parts: Uint8Array[] = [];
  let end = data;
  const place = (bytes: Uint8Array): number => {
    parts.push(bytes);
    end += bytes.length;
    return end - bytes.length;
  };
  const zero = sharedZero ? place(new Uint8Array(pageBytes)) : 0;
  const table = new DataView(new ArrayBuffer(frames.length * DESCRIPTOR));
  for (const [index, frame] of frames.entries()) {
    const page = pages.get(frame) ?? new Uint8Array(pageBytes);
    const isZero = sharedZero && page.every((byte) => byte === 0);
    const packed = isZero ? undefined : compress(page, frame);
    const bytes = packed ?? page;
    table.setBigUint64(index * DESCRIPTOR, BigInt(isZero ? zero : place(bytes)), true);
    table.setUint32(index * DESCRIPTOR + 8, bytes.length, true);
    table.setUint32(index * DESCRIPTOR + 12, packed ? FLAGS[method] : 0, true);
  }
  const file = new Uint8Array(end);
  const view = new DataView(file.buffer);
  const text = (at: number, value: string): void => {
    file.set(new TextEncoder().encode(value), at);
  };
  // disk_dump_header: int32 and char[65] one after the other, then a struct timeval at a multiple of 8.
  text(0, 'KDUMP   ');
  view.setInt32(8, version, true);
  for (const [i, word] of ['Linux', 'guest', '6.1.0', '#1 SMP', 'x86_64', '(none)'].entries()) {
    text(12 + 65 * i, word);
  }
  const fields = [
    FLAGS[method] | (incomplete ? 8 : 0), // status
    pageBytes, // block_size
    SUB_HEADER_BLOCKS, // sub_hdr_size
    2 * half, // bitmap_blocks
    maxMapnr % 2 ** 32, // max_mapnr
    frames.length, // total_ram_blocks
  ];
  for (const [i, field] of fields.entries()) view.setUint32(424 + 4 * i, field, true);
  // kdump_sub_header: unsigned long, 2 int, 2 unsigned long, 3 x (offset, size), 3 x unsigned long long.
  if (version >= 1) view.setInt32(pageBytes + 8, dumpLevel, true);
  if (version >= 2) view.setInt32(pageBytes + 12, split, true);
  if (version >= 6) view.setBigUint64(pageBytes + 96, BigInt(maxMapnr), true);
  for (const frame of [...frames, ...excluded]) setBit(file, bitmap1, frame);
  for (const frame of frames) setBit(file, bitmap2, frame);
  file.set(new Uint8Array(table.buffer), descriptors);
  let at = data;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return { file, pageBytes, bitmap1, bitmap2, descriptors, data };
}

function setBit(file: Uint8Array, bitmap: number, bit: number): void {
  const at = bitmap + Math.floor(bit / 8);
  file[at] = (file[at] ?? 0) | (1 << (bit % 8));
}

/** A record of a flattened dump. */
export interface FlatRecord {
  readonly offset: number | bigint;
  readonly bytes: Uint8Array;
  /** What the record says that its size is. */
  readonly size?: number | bigint;
}

export interface FlattenOptions {
  readonly type?: bigint;
  readonly version?: bigint;
  /** Leaves the mark of the end out. */
  readonly endless?: boolean;
}

export function flatten(records: readonly FlatRecord[], options: FlattenOptions = {}): Uint8Array {
  const { type = 1n, version = 1n, endless = false } = options;
  const bytes = records.reduce((sum, record) => sum + 16 + record.bytes.length, 0);
  const file = new Uint8Array(4096 + bytes + (endless ? 0 : 16));
  const view = new DataView(file.buffer);
  file.set(new TextEncoder().encode('makedumpfile'));
  view.setBigInt64(16, type);
  view.setBigInt64(24, version);
  let at = 4096;
  for (const record of records) {
    view.setBigUint64(at, BigInt(record.offset));
    view.setBigUint64(at + 8, BigInt(record.size ?? record.bytes.length));
    file.set(record.bytes, at + 16);
    at += 16 + record.bytes.length;
  }
  if (!endless) {
    view.setBigInt64(at, -1n);
    view.setBigInt64(at + 8, -1n);
  }
  return file;
}

/** Cuts a file into records of `size` bytes; the last ones come first. */
export const inRecords = (file: Uint8Array, size: number): FlatRecord[] =>
  Array.from({ length: Math.ceil(file.length / size) }, (_, i) => ({
    offset: i * size,
    bytes: file.subarray(i * size, (i + 1) * size),
  })).reverse();

export const zlibPage = (page: Uint8Array): Uint8Array => new Uint8Array(deflateSync(page, { level: 1 }));

/** A step of an LZ77 stream: literals, and then a copy unless it is the end. */
interface Step {
  readonly literals: Uint8Array;
  readonly distance: number;
  readonly length: number;
}

/** Finds copies of 4 bytes and more with a table of the last place of each 4 bytes; at most `reach` back. */
function steps(page: Uint8Array, reach: number, longest: number): Step[] {
  const found: Step[] = [];
  const places = new Map<number, number>();
  const view = new DataView(page.buffer, page.byteOffset, page.length);
  let from = 0;
  let at = 0;
  while (at + 4 <= page.length) {
    const key = view.getUint32(at);
    const before = places.get(key);
    places.set(key, at);
    if (before === undefined || at - before > reach) {
      at++;
      continue;
    }
    let length = 4;
    while (length < longest && at + length < page.length && page[before + length] === page[at + length])
      length++;
    found.push({ literals: page.subarray(from, at), distance: at - before, length });
    at += length;
    from = at;
  }
  found.push({ literals: page.subarray(from), distance: 0, length: 0 });
  return found;
}

/** Snappy's block format: a varint, then literals and copies with offsets of 1, 2 and 4 bytes. */
export function snappyPage(page: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (let rest = page.length; ; rest >>>= 7) {
    out.push(rest >= 128 ? (rest & 127) | 128 : rest);
    if (rest < 128) break;
  }
  for (const [i, { literals, distance, length }] of steps(page, 60_000, 64).entries()) {
    const most = literals.length - 1;
    if (most >= 256) out.push(61 << 2, most & 255, most >> 8);
    else if (most >= 60) out.push(60 << 2, most);
    else if (most >= 0) out.push(most << 2);
    out.push(...literals);
    if (length === 0) continue;
    if (length < 12 && distance < 2048)
      out.push(1 | ((length - 4) << 2) | ((distance >> 8) << 5), distance & 255);
    else if (i % 3 === 0) out.push(3 | ((length - 1) << 2), distance & 255, distance >> 8, 0, 0);
    else out.push(2 | ((length - 1) << 2), distance & 255, distance >> 8);
  }
  return Uint8Array.from(out);
}

/** LZO1X of Documentation/staging/lzo.rst: every kind of instruction that the distance and length at hand allow. */
export function lzoPage(page: Uint8Array): Uint8Array {
  const out: number[] = [];
  const long = (rest: number): void => {
    for (; rest > 255; rest -= 255) out.push(0);
    out.push(rest);
  };
  // Where the two low bits stand that say how many literals (0 to 3) follow the last copy.
  let tail = -1;
  for (const { literals, distance, length } of steps(page, 48_000, 2000)) {
    const count = literals.length;
    if (tail < 0 && count > 0 && count <= 238) out.push(count + 17);
    else if (tail >= 0 && count < 4) out[tail] = (out[tail] ?? 0) | count;
    else if (count > 0) {
      if (count <= 18) out.push(count - 3);
      else {
        out.push(0);
        long(count - 18);
      }
    }
    out.push(...literals);
    if (length === 0) break;
    if (length <= 8 && distance <= 2048) {
      const [low, high] = [(distance - 1) & 7, (distance - 1) >> 3];
      out.push(
        length <= 4 ? 64 | ((length - 3) << 5) | (low << 2) : 128 | ((length - 5) << 5) | (low << 2),
        high,
      );
      tail = out.length - 2;
    } else if (distance <= 16_384) {
      if (length <= 33) out.push(32 | (length - 2));
      else {
        out.push(32);
        long(length - 33);
      }
      out.push(((distance - 1) << 2) & 255, (distance - 1) >> 6);
      tail = out.length - 2;
    } else {
      const far = distance - 16_384;
      const high = (far >> 14) << 3;
      if (length <= 9) out.push(16 | high | (length - 2));
      else {
        out.push(16 | high);
        long(length - 9);
      }
      out.push((far << 2) & 255, (far >> 6) & 255);
      tail = out.length - 2;
    }
  }
  out.push(17, 0, 0);
  return Uint8Array.from(out);
}

/** RFC 8878: a frame with its content's size, of raw blocks and, where 64 like bytes stand together, RLE blocks. */
export function zstdPage(page: Uint8Array): Uint8Array {
  const out: number[] = [0x28, 0xb5, 0x2f, 0xfd, 0xa0];
  for (let i = 0; i < 4; i++) out.push((page.length >>> (8 * i)) & 255);
  const block = (type: number, size: number, last: boolean): void => {
    const header = (size << 3) | (type << 1) | (last ? 1 : 0);
    out.push(header & 255, (header >> 8) & 255, header >> 16);
  };
  for (let at = 0; at < page.length; at += 64) {
    const part = page.subarray(at, at + 64);
    const last = at + 64 >= page.length;
    const same = part.every((byte) => byte === part[0]);
    block(same ? 1 : 0, part.length, last);
    out.push(...(same ? [part[0] ?? 0] : part));
  }
  return Uint8Array.from(out);
}

/** Compressors by method. */
export const COMPRESS: Record<Method, (page: Uint8Array) => Uint8Array | undefined> = {
  none: () => undefined,
  zlib: zlibPage,
  lzo: lzoPage,
  snappy: snappyPage,
  zstd: zstdPage,
};
