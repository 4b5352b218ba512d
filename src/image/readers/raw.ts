import { failure, success } from '../../engine/result';
import { hex } from '../../engine/values';
import { MemoryImage, type MissingRange } from '../memoryImage';
import { reportOverlaps } from '../overlaps';
import { ProblemList } from '../problems';
import { PHYSICAL_END, SegmentList, SegmentMap } from '../segments';
import { type DescribedSegment } from './describedSegment';
import { type ImageReader } from './reader';

const TITLE = 'raw memory';

/** Bytes without headers: QEMU's pmemsave, a copy of /dev/mem, frames put together by hand. A description says where they stood. */
export const raw: ImageReader = {
  id: 'raw',
  title: TITLE,
  needsSegments: true,
  recognise: () => true,
  async open(source, options) {
    const described = options.segments ?? (options.assumeFromZero ? [{ paddr: 0, offset: 0 }] : undefined);
    if (!described) {
      return failure(
        'image/needs-segments',
        `${source.name} has no headers of a known format: it does not say where its bytes stood in physical memory.`,
        'Describe it in a NAME.iopte.json file: {"file": "…", "segments": [{"paddr": "0x0", "offset": 0, "length": 4096}]}.',
      );
    }
    const problems = new ProblemList();
    const missing: MissingRange[] = [];
    const segments = new SegmentList();
    for (const [index, segment] of described.entries()) {
      const length = segment.length ?? Math.max(0, source.size - segment.offset);
      const refused = checkPlace({ ...segment, length }, index, source.name);
      if (refused) return refused;
      const present = Math.max(0, Math.min(length, source.size - segment.offset));
      if (present > 0) segments.push(segment.paddr, segment.offset, present);
      if (present === length) continue;
      missing.push({ start: segment.paddr + present, end: segment.paddr + length });
      problems.add(
        'error',
        'image/raw-truncated',
        `Segment ${index} (${hex(segment.paddr)}): ${length} bytes at file offset ${segment.offset} end ` +
          `${length - present} bytes past the end of ${source.name} (${source.size} bytes); the ${present} bytes present are read.`,
        'Correct offset and length of the segment, or copy the file again.',
      );
    }
    if (segments.count === 0) {
      return failure(
        'image/empty',
        `${source.name} (${source.size} bytes) holds none of the ${described.length} segments described.`,
        'Correct the offsets of the segments, or name the right file.',
      );
    }
    const placed = await SegmentMap.build(segments, options);
    if (!placed.ok) return placed;
    const { map, overlaps, overlapCount } = placed.value;
    const memory = new MemoryImage({ source, map, format: TITLE, missing });
    await reportOverlaps(overlaps, overlapCount, memory, source, problems, options);
    return success({ memory, problems: problems.all() });
  },
};

/** Refuses a segment that cannot be. */
function checkPlace(
  { paddr, offset, length }: Required<DescribedSegment>,
  index: number,
  name: string,
): ReturnType<typeof failure> | undefined {
  const exact = [paddr, offset, length, offset + length].every(
    (value) => Number.isSafeInteger(value) && value >= 0,
  );
  if (exact && paddr + length <= PHYSICAL_END) return undefined;
  return failure(
    'image/bad-segment',
    `Segment ${index} of ${name} is impossible (paddr ${paddr}, offset ${offset}, length ${length}).`,
    'Physical addresses have at most 52 bits; offsets and lengths are not negative.',
  );
}
