import { type Machine } from '../../../engine/machine/machine';
import { levelOf } from '../../../engine/formats/compile';
import { readEntry, type EntryHalves } from '../../../engine/memory/words';
import { joinHalves } from '../../../engine/memory/words';
import { type AddressSpace } from '../../../engine/pageTable/addressSpace';
import { pageShift, permissionText } from '../../../engine/pageTable/entry';
import { LEAF } from '../../../engine/pageTable/entryClass';
import { isAccessed, isDirty } from '../../../engine/pageTable/marks';
import { NestedMemory } from '../../../engine/pageTable/nestedMemory';
import { walkTables } from '../../../engine/pageTable/walk';
import { FRAME_BYTES, formatSize, frameNumber, hex } from '../../../engine/values';
import { below, type Mismatch } from '../mismatch';
import { yesOrNo } from '../texts';
import { type Aspect, type Expectations, type Look, same } from './look';

type Entry = NonNullable<Expectations['entries']>[number];

export const entries: Aspect<'entries'> = (expected, look) =>
  expected.flatMap((each, index) => entryMismatches(each, look).map((one) => below([index], one)));

function entryMismatches(expected: Entry, { machine, names }: Look): Mismatch[] {
  const id = names.tables(expected.domain, ['domain']);
  const unknown = names.takeProblem();
  if (unknown) return [unknown];
  const leaf = leafAt(machine, id, expected.iova);
  const place = (found: Mismatch): Mismatch => ({
    ...found,
    actual: `${found.actual}, at ${hex(expected.iova)}`,
  });
  const isExpected = expected.present ?? asksMore(expected);
  if (isExpected !== (leaf !== undefined) && (expected.present !== undefined || isExpected))
    return same(['present'], isExpected, leaf !== undefined, yesOrNo).map(place);
  if (!leaf) return [];
  return [
    ...same(['size'], expected.size, leaf.size, formatSize),
    ...same(['dirty'], expected.dirty, leaf.dirty, yesOrNo),
    ...same(['accessed'], expected.accessed, leaf.accessed, yesOrNo),
    ...same(['permission'], expected.permission, leaf.permission, String),
    ...same(['word'], expected.word, leaf.word, hex),
  ].map(place);
}

/** Whoever asks how an entry is, asks for one. */
const asksMore = ({ size, dirty, accessed, permission, word }: Entry): boolean =>
  [size, dirty, accessed, permission, word].some((each) => each !== undefined);

interface FoundLeaf {
  readonly size: bigint;
  readonly dirty: boolean;
  readonly accessed: boolean;
  readonly permission: string;
  readonly word: bigint;
}

/** A domain's tables, or a guest's over those of its parent, as they stand in memory. */
function spaceOf(machine: Machine, id: number): AddressSpace | undefined {
  const { memory } = machine;
  const domain = machine.hwpts.get(id);
  if (domain) return { ...domain.paging.kernel.tables.space, memory };
  const guest = machine.guests.get(id);
  if (!guest) return undefined;
  const stage2 = { ...guest.parent.paging.kernel.tables.space, memory };
  return { ...guest.tables.space, memory: new NestedMemory(memory, stage2), stage2 };
}

/** The leaf that maps an address, as memory holds it. */
function leafAt(machine: Machine, id: number, iova: bigint): FoundLeaf | undefined {
  const space = spaceOf(machine, id);
  if (!space) return undefined;
  const { steps } = walkTables(space, Number(iova & 0xffffffffn), Number(iova >> 32n), false);
  const last = steps.at(-1);
  if (last?.class !== LEAF) return undefined;
  const { format } = space;
  const level = levelOf(format, last.depth);
  const shift = pageShift(format, level, last.lo, last.hi);
  // Where a guest's copies are, its addresses do not say.
  const copies = space.stage2 ? 1 : Math.max(1, 2 ** (shift - 12) / level.pagesPerEntry);
  const first = last.address - (last.index % copies) * 8;
  let dirty = isDirty(format, last.lo, last.hi);
  let accessed = isAccessed(format, last.lo, last.hi);
  const halves: EntryHalves = { lo: 0, hi: 0 };
  for (let copy = 0; copies > 1 && copy < copies; copy++) {
    const address = first + copy * 8;
    const frame = frameNumber(Math.floor(address / FRAME_BYTES));
    if (!readEntry(space.memory, frame, (address % FRAME_BYTES) / 8, halves)) continue;
    dirty ||= isDirty(format, halves.lo, halves.hi);
    accessed ||= isAccessed(format, halves.lo, halves.hi);
  }
  return {
    size: 1n << BigInt(shift),
    dirty,
    accessed,
    permission: permissionText(last.permission),
    word: joinHalves(last.lo, last.hi),
  };
}
