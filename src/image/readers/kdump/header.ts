import { failure, type Result, success } from '../../../engine/result';
import { formatSize } from '../../../engine/values';
import { type ByteSource } from '../../../bytes/byteSource';
import { exact64, reason } from '../elfHeader';
import { COMPRESSIONS } from './compression';

/** `disk_dump_header` of a 64-bit machine: offsets of its fields. The signature and the version stand before `utsname`. */
const VERSION = 8;
const MACHINE = 272;
const NAME_BYTES = 65;
const STATUS = 424;
const BLOCK_SIZE = 428;
const SUB_HEADER_BLOCKS = 432;
const BITMAP_BLOCKS = 436;
const MAX_MAPNR = 440;
const HEADER_BYTES = 464;
/** `block_size` in the header of a 32-bit machine. */
const BLOCK_SIZE_32 = 416;

/** `kdump_sub_header` of a 64-bit machine: offsets of its fields, and since which version they are there. */
const DUMP_LEVEL = 8;
const SPLIT = 12;
const SPLIT_SINCE = 2;
const START_PFN_64 = 80;
const END_PFN_64 = 88;
const MAX_MAPNR_64 = 96;
const WIDE_SINCE = 6;
const SUB_HEADER_BYTES = 104;

const NEWEST = 6;
/** The dump was cut short by its writer. */
const INCOMPLETE = 8;
/** Blocks are pages of the dumped kernel. */
const PAGE_SIZES = [4096, 8192, 16_384, 32_768, 65_536];
/** Of one bitmap: 32 TiB of 4 KiB pages. */
const MOST_BITMAP_BYTES = 2 ** 30;
const MOST_SUB_HEADER_BLOCKS = 65_536;

/** What the headers of a kdump-compressed file say. */
export interface KdumpHeader {
  readonly version: number;
  /** Bytes of a page. */
  readonly pageBytes: number;
  /** Pages that the bitmaps speak of: 0 to `pages`. */
  readonly pages: number;
  /** File offset of the bitmap of RAM, and of the one of pages in the dump. */
  readonly ramBitmap: number;
  readonly dumpedBitmap: number;
  /** File offset of the page descriptors. */
  readonly descriptors: number;
  /** What makedumpfile was told to leave out (`-d`); undefined in version 0. */
  readonly dumpLevel: number | undefined;
  /** Names of the compressions that the header speaks of. */
  readonly compressions: readonly string[];
  readonly incomplete: boolean;
}

const AGAIN =
  'Dump as ELF instead: QEMU dump-guest-memory without -z, -l, -s; virsh dump --memory-only --format elf; makedumpfile -E from /proc/vmcore.';
const CUT = 'The file is cut short or damaged: copy it again, or dump again.';

const refused = (code: string, message: string, hint: string): ReturnType<typeof failure> =>
  failure(`image/kdump-${code}`, message, hint);

/**
 * Reads `disk_dump_header` and `kdump_sub_header`, versions 0 to 6, of a little-endian 64-bit machine.
 * Layout: makedumpfile, IMPLEMENTATION, "The kdump-compressed format"; QEMU, include/sysemu/dump.h.
 */
export function readKdumpHeader(source: ByteSource): Result<KdumpHeader> {
  const { name } = source;
  const bytes = new Uint8Array(HEADER_BYTES);
  const got = source.read(0, bytes);
  if (got < HEADER_BYTES) {
    return refused('truncated', `${name}: the header needs ${HEADER_BYTES} bytes, the file has ${got}.`, CUT);
  }
  const view = new DataView(bytes.buffer);
  const version = view.getUint32(VERSION, true);
  const wrongMachine = checkMachine(bytes, view, name);
  if (wrongMachine) return wrongMachine;
  if (version > NEWEST) {
    return refused(
      'version',
      `${name} is kdump-compressed of version ${version} (offset ${VERSION}); versions up to ${NEWEST} are known.`,
      AGAIN,
    );
  }
  const pageBytes = view.getUint32(BLOCK_SIZE, true);
  const subHeaderBlocks = view.getUint32(SUB_HEADER_BLOCKS, true);
  const bitmapBlocks = view.getUint32(BITMAP_BLOCKS, true);
  const sub = readSubHeader(source, pageBytes, version);
  if (!sub.ok) return sub;
  const pages = version >= WIDE_SINCE ? sub.value.pages : view.getUint32(MAX_MAPNR, true);
  const half = Math.floor(bitmapBlocks / 2) * pageBytes;
  const ramBitmap = (1 + subHeaderBlocks) * pageBytes;
  const descriptors = ramBitmap + bitmapBlocks * pageBytes;
  const wrongSize = checkSizes(source, pages, half, descriptors);
  if (wrongSize) return wrongSize;
  const status = view.getUint32(STATUS, true);
  return success({
    version,
    pageBytes,
    pages,
    ramBitmap,
    dumpedBitmap: ramBitmap + half,
    descriptors,
    dumpLevel: sub.value.dumpLevel,
    compressions: COMPRESSIONS.filter(({ flag }) => (status & flag) !== 0).map((method) => method.name),
    incomplete: (status & INCOMPLETE) !== 0,
  });
}

/** Refuses dumps of machines whose headers are laid out otherwise, and what makes no sense as a header. */
function checkMachine(
  bytes: Uint8Array,
  view: DataView,
  name: string,
): ReturnType<typeof failure> | undefined {
  const bigVersion = view.getUint32(VERSION);
  if (bigVersion > 0 && bigVersion <= NEWEST) {
    return refused(
      'big-endian',
      `${name} is the dump of a big-endian machine (header_version at offset ${VERSION})${machine(bytes)}.`,
      'The IOMMUs read here keep their tables little-endian; dump the memory of a little-endian machine.',
    );
  }
  const pageBytes = view.getUint32(BLOCK_SIZE, true);
  const subHeaderBlocks = view.getUint32(SUB_HEADER_BLOCKS, true);
  const plausible = subHeaderBlocks > 0 && subHeaderBlocks <= MOST_SUB_HEADER_BLOCKS;
  if (PAGE_SIZES.includes(pageBytes) && plausible) return undefined;
  if (PAGE_SIZES.includes(view.getUint32(BLOCK_SIZE_32, true))) {
    return refused(
      'class32',
      `${name} is the dump of a 32-bit machine${machine(bytes)}.`,
      'Only dumps of 64-bit machines are read as kdump. Write the memory with pmemsave (QEMU) and describe it as raw memory.',
    );
  }
  return refused(
    'bad-header',
    `${name}: the header is damaged: a block of ${pageBytes} bytes (offset ${BLOCK_SIZE}), ` +
      `a sub header of ${subHeaderBlocks} blocks (offset ${SUB_HEADER_BLOCKS}).`,
    CUT,
  );
}

/** `, i686`, as far as the header says so in plain characters. */
function machine(bytes: Uint8Array): string {
  const text = String.fromCharCode(...bytes.subarray(MACHINE, MACHINE + NAME_BYTES));
  const plain = /^[a-z0-9_-]{2,16}/i.exec(text);
  return plain ? `, ${plain[0]}` : '';
}

function readSubHeader(
  source: ByteSource,
  pageBytes: number,
  version: number,
): Result<{ readonly pages: number; readonly dumpLevel: number | undefined }> {
  const { name } = source;
  const bytes = new Uint8Array(SUB_HEADER_BYTES);
  if (pageBytes + SUB_HEADER_BYTES > source.size || source.read(pageBytes, bytes) < SUB_HEADER_BYTES) {
    return refused(
      'truncated',
      `${name}: the sub header at offset ${pageBytes} cannot be read${reason(source)} (the file has ${source.size} bytes).`,
      CUT,
    );
  }
  const view = new DataView(bytes.buffer);
  if (version >= SPLIT_SINCE && view.getUint32(SPLIT, true) !== 0) {
    const range =
      version >= WIDE_SINCE ? ` (pages ${exact64(view, START_PFN_64)} to ${exact64(view, END_PFN_64)})` : '';
    return refused(
      'split',
      `${name} is one part of a dump that makedumpfile split${range}: it holds only some of the pages.`,
      'Put the parts together: makedumpfile --reassemble PART1 PART2 … DUMPFILE, and open DUMPFILE.',
    );
  }
  return success({
    pages: exact64(view, MAX_MAPNR_64),
    dumpLevel: version >= 1 ? view.getUint32(DUMP_LEVEL, true) : undefined,
  });
}

function checkSizes(
  source: ByteSource,
  pages: number,
  half: number,
  descriptors: number,
): ReturnType<typeof failure> | undefined {
  const { name, size } = source;
  if (pages === 0) {
    return refused('no-memory', `${name} describes no memory: max_mapnr is 0.`, CUT);
  }
  if (Math.ceil(pages / 8) > half) {
    const count = pages === Infinity ? '2^53 or more' : String(pages);
    return refused(
      'bad-header',
      `${name}: max_mapnr is ${count}, but each of the two bitmaps has ${half} bytes, for ${half * 8} pages.`,
      CUT,
    );
  }
  if (Math.ceil(pages / 8) > MOST_BITMAP_BYTES) {
    return refused(
      'too-large',
      `${name}: the page bitmap has ${formatSize(Math.ceil(pages / 8))}; at most ${formatSize(MOST_BITMAP_BYTES)} are read.`,
      AGAIN,
    );
  }
  if (descriptors <= size) return undefined;
  return refused(
    'truncated',
    `${name}: the page descriptors at offset ${descriptors} lie past the end of the file (${size} bytes).`,
    CUT,
  );
}
