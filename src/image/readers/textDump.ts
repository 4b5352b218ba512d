import { failure, type Result, success } from '../../engine/result';
import { FRAME_BYTES, frameNumber } from '../../engine/values';
import { MemoryImage } from '../memoryImage';
import { SegmentMap } from '../segments';
import { CANCELLED } from '../../bytes/task';
import { formatTitle, type ImageReader, type ReaderOptions, type ReadImage } from './reader';
import { type ByteSource } from '../../bytes/byteSource';
import { reason } from './elfHeader';
import { InventedFrames } from './textDump/inventedFrames';
import { iommusOf } from './textDump/iommus';
import { type TextEnd } from './textDump/lines';
import { TextDump } from './textDump/parser';

/** A line that only these files have. The line before it may be anything, up to the bytes that are looked at. */
const TELLING =
  /(?:^|[\r\n])\s*(?:Device \S+ (?:with pasid [0-9a-f]+ )?@0x[0-9a-f]|IOMMU \S+: Root Table Address: 0x|DMA Remapping is not enabled on |IOMMU: \S+ Register Base Address: |DeviceId\s+QWORD\[3\])/;

/** Texts of the Linux kernel's debugfs: one of them, or several one after the other. */
export const textDump: ImageReader = {
  id: 'text-dump',
  title: 'Linux text dump',
  needsSegments: false,
  describesItself: true,
  recognise: (head) => !head.includes(0) && TELLING.test(String.fromCharCode(...head)),
  async open(source, options) {
    const dump = new TextDump();
    const end = await dump.read(source, options);
    if (end.end === 'cancelled') return failure(CANCELLED, `Opening ${source.name} was cancelled.`);
    const opened = await imageOf(source, dump, end, options);
    if (opened.ok) source.close();
    return opened;
  },
};

async function imageOf(
  source: ByteSource,
  dump: TextDump,
  end: TextEnd,
  options: ReaderOptions,
): Promise<Result<ReadImage>> {
  const { name } = source;
  const { notes, store } = dump;
  if (end.end === 'unreadable') {
    notes.warn(
      'unreadable',
      `${name} cannot be read at offset ${end.bytes}${reason(source)}: what came before is shown.`,
    );
  } else if (!end.closed) {
    notes.warn(
      'cut',
      `${name} ends in the middle of line ${end.lines}: the text may be cut short.`,
      'Dump again, or copy the file again, if anything is missing at its end.',
    );
  }
  const iommus = iommusOf(dump);
  if (iommus.length === 0) {
    return failure(
      'image/text-empty',
      `${name} looks like a dump of the kernel's tables, but no device and no IOMMU can be made out in it.`,
      'Print it again: cat /sys/kernel/debug/iommu/intel/*/domain_translation_struct',
    );
  }
  notes.info(
    'known-in-part',
    `${name} is a text dump: it lists ${store.count.toLocaleString('en')} entries, and the rest of each table is unknown.`,
    'Dumps of Intel list every mapped page and every present device entry; what is not listed was not mapped when it was printed.',
  );
  const placed = await SegmentMap.build(store.segments(), options);
  if (!placed.ok) return placed;
  const hasTables = dump.domains.sections.some(({ rows }) => rows > 0);
  const memory = new MemoryImage({
    source: store.source(name),
    map: placed.value.map,
    format: formatTitle(textDump.title, options),
    bytesHeld: 8 * store.count,
    end: store.endBelow(InventedFrames.first) * FRAME_BYTES,
    knows: (frame, index) => store.knows(frame, index),
    explain: (address) => explain(store.holds(frameNumber(Math.floor(address / FRAME_BYTES))), hasTables),
  });
  return success({ memory, problems: notes.problems.all(), iommus });
}

function explain(held: boolean, hasTables: boolean): string {
  if (held) return 'is known only by the entries that the dump lists';
  return hasTables
    ? 'is in no table that the dump lists'
    : 'is not in the dump, which holds no page tables (domain_translation_struct of Intel has them)';
}
