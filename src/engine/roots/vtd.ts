import { entriesOf, frameAt, HALVES, isHeldFrame, zeros, type FrameSignature } from './signature';
import { type FoundFrames } from './foundFrames';
import { countTargets, type RootProposal, type RootVendor } from './proposal';

/** RTADDR.TTM = 01 (VT-d 4.1 §11.4.5). */
const SCALABLE = 0x400n;

/** Root entry half (§9.1, §9.2): P, then 11 reserved bits, then the context table. */
const root = entriesOf(
  2,
  (words, at, limit) => ((words[at] ?? 0) & 0xfff) === 1 && isHeldFrame(frameAt(words, at), limit),
);

/** Context entry (§9.3): TT is not 3, AW 1 to 3, reserved bits clear. */
const context = entriesOf(4, (words, at, limit) => {
  const lo = words[at] ?? 0;
  const hi = words[at + 2] ?? 0;
  const type = (lo >>> 2) & 3;
  const width = hi & 7;
  if ((lo & 0xff0) !== 0 || type === 3 || width < 1 || width > 3) return false;
  if ((hi & 0xff000080) !== 0 || words[at + 3] !== 0) return false;
  const frame = frameAt(words, at);
  return type === 2 ? frame < limit : isHeldFrame(frame, limit);
});

/** Scalable-mode context entry (§9.4): bits 8:7 of the first word, all of the third and fourth reserved. */
const scalableContext = entriesOf(8, (words, at, limit) => {
  if (((words[at] ?? 0) & 0x180) !== 0 || !isHeldFrame(frameAt(words, at), limit)) return false;
  return (words[at + 2] ?? 0) >>> 21 === 0 && zeros(words, at + 3, at + 8);
});

const signatures: readonly FrameSignature[] = [
  { id: 'vt-d root', count: root },
  { id: 'vt-d context', count: context },
  { id: 'vt-d scalable context', count: scalableContext },
];

/** Root tables are frames whose entries lead to context tables of the one mode or the other. */
function* propose(found: FoundFrames): Generator<number, RootProposal[]> {
  const proposals: RootProposal[] = [];
  for (const frame of found.leading('vt-d root', 4096, ['vt-d context', 'vt-d scalable context'])) {
    yield 1;
    const words = found.read(frame);
    if (!words) continue;
    const lower: number[] = [];
    const upper: number[] = [];
    for (let at = 0; at < HALVES; at += 2) {
      if (words[at] !== 0) (at % 4 === 0 ? lower : upper).push(frameAt(words, at));
    }
    if (upper.length === 0) {
      const targets = countTargets(found, 'vt-d context', lower);
      proposals.push(proposal(frame, 0n, targets, lower));
    }
    const both = [...lower, ...upper];
    const targets = countTargets(found, 'vt-d scalable context', both);
    proposals.push(proposal(frame, SCALABLE, targets, both));
  }
  return proposals;
}

function proposal(
  frame: number,
  mode: bigint,
  targets: RootProposal['targets'],
  parts: readonly number[],
): RootProposal {
  return {
    kind: 'vt-d',
    frame,
    frames: 1,
    registers: new Map([['RTADDR', (BigInt(frame) << 12n) | mode]]),
    structure: 'root table',
    targets,
    targetName: 'context table',
    entries: targets.entries,
    parts,
    assumed: [],
  };
}

export const vtdRoots: RootVendor = { kind: 'vt-d', signatures, propose };
