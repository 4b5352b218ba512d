import { blocksOf } from './blocks';
import { type FoundFrames } from './foundFrames';
import { NO_TARGETS, type RootProposal, type RootVendor, type Targets } from './proposal';
import {
  entriesOf,
  frameAt,
  HALVES,
  isHeldFrame,
  zeros,
  type CountEntries,
  type FrameSignature,
} from './signature';

/** log2 of the STEs in a frame. */
const STE_FRAME_LOG2 = 6;
const LARGEST_SPAN = 11;
/** STRTAB_BASE_CFG.FMT = 01 and SPLIT from bit 6 on (Arm IHI 0070 §6.3.26). */
const TWO_LEVEL = 0x10000;
const SPLITS = [6, 8, 10];
/** StreamIDs of PCI devices have 16 bits: the least that a table with room to spare is taken to have. */
const USUAL_BITS = 16;
/** Pointers that may lead nowhere before the others are looked at no more. */
const MOST_BAD = 4;
/** Frames of a level-1 table of 2^20 descriptors. */
const MOST_L1_FRAMES = 2048;
/** Frames of a linear table of 2^16 StreamIDs. */
const MOST_LINEAR_FRAMES = 1024;

/** Level-1 descriptors (§5.1): Span 0 to 11, L2Ptr aligned to the table it leads to. */
const l1: CountEntries = (words, base, first, limit) => {
  let count = 0;
  for (let at = base + (first & ~1); at < base + HALVES; at += 2) {
    const lo = words[at] ?? 0;
    if (lo === 0 && words[at + 1] === 0) continue;
    if (!isDescriptor(words, at, limit)) return 0;
    count++;
  }
  return count;
};

function isDescriptor(words: Uint32Array, at: number, limit: number): boolean {
  const lo = words[at] ?? 0;
  const span = lo & 31;
  if (span === 0 || span > LARGEST_SPAN || (words[at + 1] ?? 0) >>> 20 !== 0) return false;
  return (lo & ((1 << (span + 5)) - 1)) === span && isHeldFrame(frameAt(words, at), limit);
}

/** Stream table entry (§5.2): Config 0 or 4 to 7, the pointers that it needs, reserved bits clear. */
const ste = entriesOf(16, (words, at, limit) => {
  const config = ((words[at] ?? 0) >>> 1) & 7;
  if (config !== 0 && config < 4) return false;
  if (((words[at + 1] ?? 0) & 0x07f00000) !== 0) return false;
  if (!zeros(words, at + 10, at + 16)) return false;
  const contexts = frameAt(words, at);
  const tables = frameAt(words, at + 6);
  // What a stage would use that is off is ignored; software leaves it 0, and other tables are not taken for these.
  if (config > 4 && (config & 1) !== 0 ? !isHeldFrame(contexts, limit) : contexts !== 0) return false;
  return config >= 6 ? isHeldFrame(tables, limit) : tables === 0;
});

const signatures: readonly FrameSignature[] = [
  { id: 'smmu l1', count: l1 },
  { id: 'smmu ste', count: ste },
];

function* propose(found: FoundFrames): Generator<number, RootProposal[]> {
  const proposals: RootProposal[] = [];
  for (const frame of found.leading('smmu l1', 4096, ['smmu ste'])) {
    yield 1;
    // What stands behind a table may look like more of it.
    for (const frames of new Set([1, neighbours(found, frame)])) {
      const proposal = twoLevel(found, frame, frames);
      if (proposal) proposals.push(proposal);
    }
  }
  for (const { frame, frames } of yield* blocksOf(found, 'smmu ste', MOST_LINEAR_FRAMES)) {
    proposals.push({
      ...shared(frame, frames, Math.log2(frames) + STE_FRAME_LOG2),
      structure: 'stream table',
      targets: NO_TARGETS,
      entries: found.entries('smmu ste', frame, frames),
      translating: found.count(frame, frames, 16, (words, at) => (words[at] ?? 0) % 16 > 10),
      parts: [],
    });
  }
  return proposals;
}

/** Frames of level-1 descriptors from a first one on; 1 for a frame that follows another one. */
function neighbours(found: FoundFrames, frame: number): number {
  if (found.has('smmu l1', frame - 1)) return 1;
  let frames = 1;
  while (frames < MOST_L1_FRAMES && found.has('smmu l1', frame + frames)) frames++;
  return frames;
}

/** The table of level 1 in these frames; undefined when it leads to no stream table. */
function twoLevel(found: FoundFrames, frame: number, frames: number): RootProposal | undefined {
  const targets: Targets = { good: 0, empty: 0, bad: 0, entries: 0 };
  const parts: number[] = [];
  let largest = 0;
  let last = 0;
  for (let each = 0; each < frames; each++) {
    const words = found.read(frame + each);
    for (let at = 0; words && at < HALVES; at += 2) {
      const span = (words[at] ?? 0) & 31;
      if (span === 0) continue;
      largest = Math.max(largest, span);
      last = each * (HALVES / 2) + at / 2;
      addTable(found, frameAt(words, at), span, targets, parts);
      // A processor's tables look like this one too, and lead elsewhere.
      if (targets.bad > MOST_BAD && targets.bad > targets.good) return undefined;
    }
  }
  const split = SPLITS.find((bits) => bits >= largest - 1);
  if (split === undefined || targets.good === 0) return undefined;
  const bits = Math.max(USUAL_BITS, split + Math.ceil(Math.log2(last + 1)));
  const config = TWO_LEVEL | (split << 6) | bits;
  return {
    ...shared(frame, frames, config),
    structure: 'level-1 stream table',
    targets,
    entries: targets.entries,
    parts,
  };
}

/** Counts what the frames of a level-2 table are. */
function addTable(found: FoundFrames, first: number, span: number, into: Targets, parts: number[]): void {
  const frames = 2 ** Math.max(0, span - 1 - STE_FRAME_LOG2);
  let [entries, empty] = [0, 0];
  for (let frame = first; frame < first + frames; frame++) {
    parts.push(frame);
    const here = found.entries('smmu ste', frame, 1);
    entries += here;
    if (here === 0 && found.isZero(frame)) empty++;
    else if (here === 0) {
      into.bad++;
      return;
    }
  }
  into.entries += entries;
  if (empty === frames) into.empty++;
  else into.good++;
}

const shared = (frame: number, frames: number, config: number) => ({
  kind: 'smmuv3' as const,
  frame,
  frames,
  registers: new Map([
    ['STRTAB_BASE', BigInt(frame) << 12n],
    ['STRTAB_BASE_CFG', BigInt(config)],
  ]),
  targetName: 'level-2 stream table',
  assumed: [],
});

export const smmuv3Roots: RootVendor = { kind: 'smmuv3', signatures, propose };
