import { blocksOf } from './blocks';
import { type FoundFrames } from './foundFrames';
import { NO_TARGETS, type RootProposal, type RootVendor } from './proposal';
import { entriesOf, frameAt, HALVES, isHeldFrame, zeros, type FrameSignature } from './signature';

/** Frames of a device table of all 65,536 DeviceIDs. */
const MOST_FRAMES = 512;
/** Address bits among which processors put the mark of encrypted memory. */
const LEAST_CBIT = 40;

/** Device table entry (AMD 48882 3.10 §2.2.2.1): Mode at most 6, HAD not 2, reserved bits clear. */
const dte = entriesOf(
  8,
  (words, at, limit) => {
    const lo = words[at] ?? 0;
    const mode = (lo >>> 9) & 7;
    if ((lo & 0x7c) !== 0 || (lo & 0x180) === 0x100 || mode === 7) return false;
    if ((words[at + 1] ?? 0) >>> 31 !== 0) return false;
    if (((words[at + 5] ?? 0) & 0x300000) !== 0) return false;
    if (((words[at + 6] ?? 0) & 0x7fff) !== 0 || ((words[at + 7] ?? 0) & 0x3f0000) !== 0) return false;
    const frame = plainFrame(frameAt(words, at), limit);
    return (lo & 2) !== 0 && mode !== 0 ? isHeldFrame(frame, limit) : frame < limit;
  },
  // One whose translation fields are not valid may have an interrupt table.
  (words, at) => zeros(words, at, at + 4) && zeros(words, at + 6, at + 8),
);

/** The frame without the mark of encrypted memory. */
function plainFrame(frame: number, limit: number): number {
  const bit = encryptionBit(frame, limit);
  return bit === undefined ? frame : frame - 2 ** (bit - 12);
}

/** The one high bit without which the frame is in the memory; undefined when there is none to take away. */
function encryptionBit(frame: number, limit: number): number | undefined {
  if (frame < limit) return undefined;
  const bit = 12 + Math.floor(Math.log2(frame));
  return bit >= LEAST_CBIT && frame - 2 ** (bit - 12) < limit ? bit : undefined;
}

const signatures: readonly FrameSignature[] = [{ id: 'amd dte', count: dte }];

/** Device tables are neighbouring frames of entries; software aligns them to their size, a power of two. */
function* propose(found: FoundFrames): Generator<number, RootProposal[]> {
  const proposals: RootProposal[] = [];
  for (const { frame, frames } of yield* blocksOf(found, 'amd dte', MOST_FRAMES, true)) {
    yield frames;
    const bit = encryptionOf(found, frame, frames);
    const marked = (BigInt(frame) << 12n) | (bit === undefined ? 0n : 1n << BigInt(bit));
    const registers = new Map([['DevTabBase', marked | BigInt(frames - 1)]]);
    if (bit !== undefined) registers.set('CBit', BigInt(bit));
    proposals.push({
      kind: 'amd-vi',
      frame,
      frames,
      registers,
      structure: 'device table',
      targets: NO_TARGETS,
      targetName: 'table',
      entries: found.entries('amd dte', frame, frames),
      translating: found.count(frame, frames, 8, translates),
      parts: [],
      assumed: bit === undefined ? [] : ['CBit'],
    });
  }
  return proposals;
}

/** V, TV and a Mode. */
const translates = (words: Uint32Array, at: number): boolean =>
  ((words[at] ?? 0) & 3) === 3 && ((words[at] ?? 0) & 0xe00) !== 0;

function encryptionOf(found: FoundFrames, first: number, frames: number): number | undefined {
  for (let frame = first; frame < first + frames; frame++) {
    const words = found.read(frame);
    for (let at = 0; words && at < HALVES; at += 8) {
      const bit = encryptionBit(frameAt(words, at), found.limit);
      if (((words[at] ?? 0) & 3) === 3 && bit !== undefined) return bit;
    }
  }
  return undefined;
}

export const amdRoots: RootVendor = { kind: 'amd-vi', signatures, propose };
