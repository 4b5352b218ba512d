import { failure, type Result, success } from '../../engine/result';
import { type ByteSource } from '../../bytes/byteSource';
import { MemoryImage } from '../memoryImage';
import { ProblemList } from '../problems';
import { SegmentList, SegmentMap } from '../segments';
import { CANCELLED } from '../../bytes/task';
import { reason } from './elfHeader';
import { DescriptorTable } from './kdump/descriptors';
import { type KdumpHeader, readKdumpHeader } from './kdump/header';
import { PageBitmap } from './kdump/pageBitmap';
import { PageSource } from './kdump/pageSource';
import { formatTitle, type ImageReader, type ReaderOptions, type ReadImage, startsWith } from './reader';

const SIGNATURE = 'KDUMP   ';
/** Pieces of memory that are told apart; beyond, only 128 MiB by 128 MiB. */
const MOST_RANGES = 2 ** 18;

/** Kdump-compressed dumps of little-endian 64-bit machines: makedumpfile, and QEMU's dump-guest-memory -z, -l, -s. */
export const kdump: ImageReader = {
  id: 'kdump',
  title: 'kdump-compressed',
  needsSegments: false,
  recognise: (head) => startsWith(head, SIGNATURE),
  async open(source, options) {
    const header = readKdumpHeader(source);
    return header.ok ? await openPages(source, header.value, options) : header;
  },
};

async function openPages(
  source: ByteSource,
  header: KdumpHeader,
  options: ReaderOptions,
): Promise<Result<ReadImage>> {
  const { name } = source;
  const { pageBytes, pages } = header;
  const dumped = await PageBitmap.load(source, header.dumpedBitmap, pages, options);
  if (!(dumped instanceof PageBitmap)) {
    if (dumped.kind === 'cancelled') return failure(CANCELLED, `Opening ${name} was cancelled.`);
    return failure(
      'image/kdump-unreadable',
      `${name}: the bitmap of pages in the dump cannot be read at offset ${dumped.at}${reason(source)}.`,
      'Check that the file is complete and readable, then open it again.',
    );
  }
  if (dumped.count === 0) {
    return failure(
      'image/kdump-no-memory',
      `${name} holds no pages: the bitmap of pages in the dump is empty.`,
      'Dump again, with a lower level of makedumpfile -d.',
    );
  }
  if (header.descriptors >= source.size) {
    return failure(
      'image/kdump-truncated',
      `${name} holds headers only: the descriptors of its ${dumped.count} pages start past its end (${source.size} bytes).`,
      'The file is cut short: copy it again, or dump again.',
    );
  }
  const segments = new SegmentList();
  dumped.ranges(MOST_RANGES, (start, end) => {
    segments.append(start * pageBytes, start * pageBytes, (end - start) * pageBytes);
  });
  const placed = await SegmentMap.build(segments, options);
  if (!placed.ok) return placed;
  const descriptors = new DescriptorTable(source, header.descriptors);
  const memory = new PageSource({
    file: source,
    pageBytes,
    dumped,
    descriptors,
    whyAbsent: (page) => whyAbsent(source, header, page),
  });
  const compressions = header.compressions.length === 0 ? '' : ` (${header.compressions.join(', ')})`;
  const image = new MemoryImage({
    source: memory,
    map: placed.value.map,
    format: formatTitle(`${kdump.title}${compressions}`, options),
    bytesHeld: dumped.count * pageBytes,
    explain: (address) => memory.explain(address),
  });
  const problems = problemsOf(source, header, dumped, descriptors);
  return success({ memory: image, problems });
}

/** By the bitmap of RAM, of which one byte is read when it is asked for. */
function whyAbsent(
  source: ByteSource,
  { ramBitmap, pages, dumpLevel }: KdumpHeader,
  page: number,
): string | undefined {
  const byte = new Uint8Array(1);
  if (page >= pages || source.read(ramBitmap + Math.floor(page / 8), byte) < 1) return undefined;
  if ((((byte[0] ?? 0) >> (page % 8)) & 1) === 0) return undefined;
  return `was RAM, but excluded by makedumpfile, ${dumpLevel === undefined ? 'dump level unknown' : `dump level ${dumpLevel}`}`;
}

/** What can be said without reading the pages: whether the writer or a copy stopped early, and what was left out. */
function problemsOf(
  source: ByteSource,
  header: KdumpHeader,
  dumped: PageBitmap,
  descriptors: DescriptorTable,
): ReadImage['problems'] {
  const problems = new ProblemList();
  const { name, size } = source;
  if (header.incomplete) {
    problems.add(
      'warning',
      'image/kdump-incomplete',
      `${name} is marked as incomplete: its writer stopped before all pages were written.`,
      'Pages that were not written read as missing. Dump again with more room.',
    );
  }
  const last = descriptors.at(dumped.count - 1);
  const end = last ? last.offset + last.size : Infinity;
  if (end > size) {
    problems.add(
      'error',
      'image/kdump-truncated',
      `${name} is cut short: it has ${size} bytes, and the ${last ? 'bytes' : 'descriptor'} of its last page (of ${dumped.count}) ` +
        `would stand past its end.`,
      'Copy it or dump again. The pages that are present can be inspected.',
    );
  }
  if (header.dumpLevel !== undefined && header.dumpLevel > 1) {
    problems.add(
      'info',
      'image/kdump-excluded',
      `${name} was made with dump level ${header.dumpLevel}: makedumpfile left out kinds of pages, and page tables may be among them.`,
      'If tables are missing, dump again with makedumpfile -d 0 or -d 1.',
    );
  }
  return problems.all();
}
