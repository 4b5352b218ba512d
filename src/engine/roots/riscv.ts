import { type FoundFrames } from './foundFrames';
import { countTargets, NO_TARGETS, type RootProposal, type RootVendor } from './proposal';
import {
  entriesOf,
  HALVES,
  isHeldFrame,
  zeros,
  type EntryForm,
  type FrameSignature,
  type SignatureId,
} from './signature';

/** Frames in 2^32 units of a page number that begins at bit 10. */
const PPN_HIGH = 2 ** 22;
/** iosatp and iohgatp modes of 64-bit tables: Bare, Sv39, Sv48, Sv57 (RISC-V IOMMU 1.0 §2.1.3). */
const isTableMode = (mode: number): boolean => mode === 0 || (mode >= 8 && mode <= 10);

/**
 * What the search assumes of the hardware (§6.3): every 64-bit mode, 56 bits of address and every extension but big-endian
 * tables, so that nothing is refused for what the register would say.
 */
const CAPABILITIES = 0x3c0_0f4e_ce10n | (56n << 32n);
const MSI_FLAT = 1n << 22n;

const pointedFrame = (words: Uint32Array, at: number): number =>
  (words[at + 1] ?? 0) * PPN_HIGH + ((words[at] ?? 0) >>> 10);

/** Directory entry that is no leaf (§2.1.2): V, then nine reserved bits, then PPN. */
const pointer = entriesOf(
  2,
  (words, at, limit) =>
    ((words[at] ?? 0) & 0x3fe) === 0 &&
    (words[at + 1] ?? 0) >>> 22 === 0 &&
    isHeldFrame(pointedFrame(words, at), limit),
);

/** Device context of 32 bytes (§2.1.3). */
const isContext: EntryForm = (words, at, limit) => {
  const control = words[at] ?? 0;
  if ((control & 0x00fff000) !== 0 || words[at + 1] !== 0) return false;
  const guest = modeOf(words, at + 2);
  if (!isTableMode(guest) || !isPointer(words, at + 2, guest, limit)) return false;
  if (((words[at + 4] ?? 0) & 0xfff) !== 0 || ((words[at + 5] ?? 0) & 0xff) !== 0) return false;
  const first = modeOf(words, at + 6);
  if ((control & 0x20) !== 0 ? first > 3 : !isTableMode(first)) return false;
  // Under a second stage it is a guest physical address.
  return (
    ((words[at + 7] ?? 0) & 0x0ffff000) === 0 &&
    isPointer(words, at + 6, first, guest === 0 ? limit : Infinity)
  );
};

/** The same with the words for interrupt messages (§2.1.3.6). */
const isExtendedContext: EntryForm = (words, at, limit) => {
  if (!isContext(words, at, limit) || !zeros(words, at + 14, at + 16)) return false;
  const mode = modeOf(words, at + 8);
  return mode <= 1 && (mode === 1 ? isPointer(words, at + 8, mode, limit) : zeros(words, at + 8, at + 14));
};

const modeOf = (words: Uint32Array, at: number): number => (words[at + 1] ?? 0) >>> 28;

function isPointer(words: Uint32Array, at: number, mode: number, limit: number): boolean {
  if (mode === 0) return zeros(words, at, at + 2);
  return isHeldFrame(((words[at + 1] ?? 0) & 0xfff) * 2 ** 32 + (words[at] ?? 0), limit);
}

const signatures: readonly FrameSignature[] = [
  { id: 'riscv pointer', count: pointer },
  { id: 'riscv context', count: entriesOf(8, isContext) },
  { id: 'riscv extended context', count: entriesOf(16, isExtendedContext) },
];

const FORMS: readonly { readonly id: SignatureId; readonly extended: boolean }[] = [
  { id: 'riscv extended context', extended: true },
  { id: 'riscv context', extended: false },
];

function* propose(found: FoundFrames): Generator<number, RootProposal[]> {
  const proposals: RootProposal[] = [];
  for (const { id, extended } of FORMS) {
    const middle = new Map<number, RootProposal>();
    for (const frame of found.leading('riscv pointer', 1024, [id])) {
      yield 1;
      const parts = pointersOf(found, frame);
      const targets = countTargets(found, id, parts);
      if (targets.good > 0) middle.set(frame, make(found, { frame, extended, mode: 3, targets, parts }));
    }
    for (const frame of middle.size > 0 ? found.leading('riscv pointer', 1024, ['riscv pointer']) : []) {
      yield 1;
      const next = pointersOf(found, frame);
      if (!next.some((each) => middle.has(each))) continue;
      const targets = { good: 0, empty: 0, bad: 0, entries: 0 };
      const parts = [...next];
      for (const each of next) {
        const below = middle.get(each);
        if (below) {
          targets.good += 1 + below.targets.good;
          targets.bad += below.targets.bad;
          targets.entries += below.targets.entries;
          parts.push(...below.parts);
        } else if (found.isZero(each)) targets.empty++;
        else targets.bad++;
      }
      if (targets.good > 0) proposals.push(make(found, { frame, extended, mode: 4, targets, parts }));
    }
    proposals.push(...middle.values());
    for (const frame of found.frames(id)) {
      yield 1;
      proposals.push(make(found, { frame, extended, mode: 2, targets: NO_TARGETS, parts: [] }));
    }
  }
  return proposals;
}

function pointersOf(found: FoundFrames, frame: number): number[] {
  const words = found.read(frame);
  const frames: number[] = [];
  for (let at = 0; words && at < HALVES; at += 2) if (words[at] !== 0) frames.push(pointedFrame(words, at));
  return frames;
}

interface Directory extends Pick<RootProposal, 'frame' | 'targets' | 'parts'> {
  readonly extended: boolean;
  /** ddtp.iommu_mode: 2, 3, 4 for one, two and three levels. */
  readonly mode: 2 | 3 | 4;
}

function make(found: FoundFrames, { frame, extended, mode, targets, parts }: Directory): RootProposal {
  const id = extended ? 'riscv extended context' : 'riscv context';
  return {
    kind: 'riscv',
    frame,
    frames: 1,
    registers: new Map([
      ['ddtp', (BigInt(frame) << 10n) | BigInt(mode)],
      ['capabilities', extended ? CAPABILITIES | MSI_FLAT : CAPABILITIES & ~MSI_FLAT],
    ]),
    structure: `device directory of ${mode - 1} level${mode === 2 ? '' : 's'}`,
    targets,
    targetName: 'directory page',
    entries: mode === 2 ? found.entries(id, frame, 1) : targets.entries,
    translating:
      mode === 2 ? found.count(frame, 1, extended ? 16 : 8, (words, at) => modeOf(words, at + 6) !== 0) : 0,
    parts,
    assumed: ['capabilities'],
    // Words for messages that are 0 in every context look like contexts that are not there, in every second place.
    likelier: extended,
  };
}

export const riscvRoots: RootVendor = { kind: 'riscv', signatures, propose };
