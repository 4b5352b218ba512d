import { bits, decodeFields, reservedMask, type BitField } from '../../engine/bits/bitFields';
import { depthOf, levelOf } from '../../engine/formats/compile';
import { type PhysicalMemory } from '../../engine/memory/physicalMemory';
import { readWord } from '../../engine/memory/words';
import { type AddressSpace } from '../../engine/pageTable/addressSpace';
import { classify, entryFrame, isRun, leafFrame, nextDepth, pageShift } from '../../engine/pageTable/entry';
import { ABSENT } from '../../engine/pageTable/entryClass';
import { entryProblems, neighbourProblems, shapeOf } from '../../engine/pageTable/entryProblems';
import { FRAME_BYTES, formatSize, frameNumber, hex } from '../../engine/values';
import { type DeviceDirectory, type StructureRole } from '../../engine/directory/deviceDirectory';
import { type Inspection } from '../inspection';
import { type EntryDetails, type EntryProblem, type EntryRef } from '../protocol';
import { refuse } from '../requestError';
import { type Work } from '../work';
import { bytesOf } from './addresses';

export function* entryDetails(inspection: Inspection, ref: EntryRef): Work<EntryDetails> {
  if (ref.role !== 'table') return structureDetails(inspection, ref, ref.role);
  if (!ref.domain || ref.level === undefined) {
    return refuse('request/entry', 'A page-table entry is named by its domain and level as well.');
  }
  const { space } = yield* inspection.space(ref.domain);
  const depth = depthOf(space.format, ref.level);
  if (depth === undefined) {
    return refuse('request/entry', `Domain ${ref.domain.domainId} has no level ${ref.level}.`);
  }
  return tableEntryDetails(space, ref, depth, wordAt(space.memory, ref.address));
}

/** Told for a word that reads as 0 only because the source does not say it. */
function unknownWord(memory: PhysicalMemory, address: bigint, word: number): EntryProblem[] {
  const frame = frameNumber(Number(address >> 12n));
  if (memory.knows?.(frame, Number(address & 0xfffn) / 8) ?? true) return [];
  return [
    {
      code: 'entry/unknown',
      message: `Word ${word} is not in the dump: it is shown as 0, and what stands there is unknown.`,
      hint: 'A dump lists only entries that were present when it was printed, or that lead to a mapped page.',
      severity: 'warning',
      word,
      high: 63,
      low: 0,
    },
  ];
}

/** The 64-bit word at an address, which must be held. */
export function wordAt(memory: PhysicalMemory, address: bigint): bigint {
  if (address < 0n || address >= 1n << 52n || (address & 7n) !== 0n) {
    return refuse(
      'request/entry',
      `${hex(address)} is not the address of an entry.`,
      'Entries stand at multiples of 8 below 2^52.',
    );
  }
  const frame = frameNumber(Number(address >> 12n));
  const words = memory.readFrame(frame);
  if (!words) {
    return refuse('entry/unreadable', `The entry cannot be read: ${memory.explainMissing(frame)}.`);
  }
  return readWord(words, Number(address & 0xfffn) / 8);
}

function tableEntryDetails(space: AddressSpace, ref: EntryRef, depth: number, word: bigint): EntryDetails {
  const { format } = space;
  const lo = Number(word & 0xffffffffn);
  const hi = Number(word >> 32n);
  const level = levelOf(format, depth);
  const shape = shapeOf(format, depth, lo);
  const present = classify(format, level, lo, hi) !== ABSENT;
  const size = bytesOf(level.pagesPerEntry);
  const page = `${formatSize(1n << BigInt(pageShift(format, level, lo, hi)))} page`;
  const below = format.levels[nextDepth(format, level, lo)]?.rule.level;
  const target = shape === 'leaf' ? page : below === undefined ? 'table' : `table of level ${below}`;
  const address = bytesOf(shape === 'leaf' ? leafFrame(format, level, lo, hi) : entryFrame(format, lo, hi));
  const unknown = unknownWord(space.memory, ref.address, 0);
  const absent = unknown.length > 0 ? 'not in the dump' : 'not present';
  const many = present && shape === 'leaf' && isRun(format, level, lo, hi);
  return {
    ref,
    title: `${level.rule.entryName}, level ${level.rule.level} (${present ? target : absent})`,
    words: [word],
    fields: [decodeFields(word, format.format.layout(shape, level.rule))],
    problems: [
      ...entryProblems(format, depth, lo, hi),
      ...(many ? neighbourProblems(space, depth, ref.address) : []),
    ]
      .map((problem): EntryProblem => ({ ...problem, word: 0 }))
      .concat(unknown),
    ...(present ? { target: { address, what: shape === 'leaf' ? page : 'table' } } : {}),
    ...(ref.iova === undefined ? {} : { range: { start: ref.iova, end: ref.iova + size } }),
    specification: format.format.specification,
  };
}

function structureDetails(inspection: Inspection, ref: EntryRef, role: StructureRole): EntryDetails {
  const directory = inspection.directory(ref.iommu);
  const layouts = directory.layouts(role);
  const words = layouts.map((_, index) => wordAt(inspection.memory, ref.address + BigInt(8 * index)));
  const { title, section } = directory.titleOf(role);
  const index = Number(ref.address % BigInt(FRAME_BYTES)) / (8 * layouts.length);
  const place = directory.placeOf?.(role, index);
  return {
    ref,
    title: place === undefined ? title : `${title}, ${place}`,
    words,
    fields: words.map((word, at) => decodeFields(word, layouts[at] ?? [])),
    problems: [
      ...structureProblems(directory, role, words),
      ...words.flatMap((_, word) => unknownWord(inspection.memory, ref.address + BigInt(8 * word), word)),
    ],
    ...structureTarget(layouts, words),
    specification: section,
  };
}

/** Reserved bits that are set in a present structure entry. */
export function structureProblems(
  directory: DeviceDirectory,
  role: StructureRole,
  words: readonly bigint[],
): EntryProblem[] {
  if (bits(words[0] ?? 0n, 0) === 0n) return [];
  const layouts = directory.layouts(role);
  const masks = directory.reserved?.(role) ?? layouts.map(reservedMask);
  return layouts.flatMap((layout, word) => {
    const wrong = (words[word] ?? 0n) & (masks[word] ?? 0n);
    return layout
      .filter(({ high, low }) => bits(wrong, high, low) !== 0n)
      .map((field) => reservedField(field, word, wrong));
  });
}

function reservedField({ name, kind, high, low }: BitField, word: number, value: bigint): EntryProblem {
  const where = high === low ? `bit ${high}` : `bits ${high}:${low}`;
  const held = hex(bits(value, high, low));
  const reserved = `Reserved ${where} of word ${word} hold ${held}, and must be 0.`;
  const unsupported = `${name} (${where} of word ${word}) holds ${held}, and the capability registers say that it is not supported.`;
  return {
    code: kind === 'reserved' ? 'entry/reserved-bits' : 'entry/not-supported',
    message: kind === 'reserved' ? reserved : unsupported,
    hint: 'Hardware blocks the requests of this device.',
    severity: 'error',
    word,
    high,
    low,
  };
}

function structureTarget(layouts: readonly (readonly BitField[])[], words: readonly bigint[]) {
  if (bits(words[0] ?? 0n, 0) === 0n) return {};
  for (const [index, layout] of layouts.entries()) {
    for (const { target, high, low, name } of layout) {
      const address = target?.(bits(words[index] ?? 0n, high, low)) ?? 0n;
      if (address !== 0n) return { target: { address, what: name } };
    }
  }
  return {};
}
