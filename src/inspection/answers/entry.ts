import { bits, decodeFields, type BitField } from '../../engine/bits/bitFields';
import { type CompiledFormat } from '../../engine/formats/compile';
import { levelOf } from '../../engine/formats/compile';
import { readWord } from '../../engine/memory/words';
import { ABSENT, classify, entryFrame } from '../../engine/pageTable/entry';
import { entryProblems, shapeOf } from '../../engine/pageTable/entryProblems';
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
  if (!Number.isInteger(ref.level) || ref.level < 1 || ref.level > space.format.rootLevel) {
    refuse('request/entry', `Domain ${ref.domain.domainId} has no level ${ref.level}.`);
  }
  return tableEntryDetails(space.format, ref, ref.level, wordAt(inspection, ref.address));
}

/** The 64-bit word at a physical address, which must be held. */
export function wordAt(inspection: Inspection, address: bigint): bigint {
  if (address < 0n || address >= 1n << 52n || (address & 7n) !== 0n) {
    return refuse(
      'request/entry',
      `${hex(address)} is not the address of an entry.`,
      'Entries stand at multiples of 8 below 2^52.',
    );
  }
  const frame = frameNumber(Number(address >> 12n));
  const words = inspection.memory.readFrame(frame);
  if (!words) {
    return refuse(
      'entry/unreadable',
      `The entry cannot be read: ${inspection.memory.explainMissing(frame)}.`,
    );
  }
  return readWord(words, Number(address & 0xfffn) / 8);
}

function tableEntryDetails(
  format: CompiledFormat,
  ref: EntryRef,
  number: number,
  word: bigint,
): EntryDetails {
  const lo = Number(word & 0xffffffffn);
  const hi = Number(word >> 32n);
  const level = levelOf(format, number);
  const shape = shapeOf(format, number, lo, hi);
  const present = classify(format, level, lo, hi) !== ABSENT;
  const size = bytesOf(level.pagesPerEntry);
  const kind = !present
    ? 'not present'
    : shape === 'leaf'
      ? `${formatSize(size)} page`
      : `table of level ${number - 1}`;
  const problems = entryProblems(format, number, lo, hi).map((problem): EntryProblem => ({
    ...problem,
    word: 0,
  }));
  const target = bytesOf(entryFrame(format, lo, hi));
  return {
    ref,
    title: `${level.rule.entryName}, level ${number} (${kind})`,
    words: [word],
    fields: [decodeFields(word, format.format.layout(shape, level.rule))],
    problems,
    ...(present
      ? { target: { address: target, what: shape === 'leaf' ? `${formatSize(size)} page` : 'table' } }
      : {}),
    ...(ref.iova === undefined ? {} : { range: { start: ref.iova, end: ref.iova + size } }),
    specification: format.format.specification,
  };
}

function structureDetails(inspection: Inspection, ref: EntryRef, role: StructureRole): EntryDetails {
  const directory = inspection.directory(ref.iommu);
  const layouts = directory.layouts(role);
  const words = layouts.map((_, index) => wordAt(inspection, ref.address + BigInt(8 * index)));
  const { title, section } = directory.titleOf(role);
  const index = Number(ref.address % BigInt(FRAME_BYTES)) / (8 * layouts.length);
  const place = role === 'root' ? `bus ${hex(index)}` : `device ${index >> 3}, function ${index & 7}`;
  return {
    ref,
    title: `${title}, ${place}`,
    words,
    fields: words.map((word, at) => decodeFields(word, layouts[at] ?? [])),
    problems: structureProblems(directory, role, words),
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
  return directory
    .layouts(role)
    .flatMap((layout, word) =>
      layout
        .filter((field) => field.kind === 'reserved' && bits(words[word] ?? 0n, field.high, field.low) !== 0n)
        .map((field) => reservedField(field, word, words[word] ?? 0n)),
    );
}

function reservedField(field: BitField, word: number, value: bigint): EntryProblem {
  const { high, low } = field;
  const where = high === low ? `bit ${high}` : `bits ${high}:${low}`;
  return {
    code: 'entry/reserved-bits',
    message: `Reserved ${where} of word ${word} hold ${hex(bits(value, high, low))}, and must be 0.`,
    hint: 'Hardware blocks the requests of this device.',
    severity: 'error',
    word,
    high,
    low,
  };
}

function structureTarget(layouts: readonly (readonly BitField[])[], words: readonly bigint[]) {
  const [first = 0n] = words;
  const field = layouts[0]?.find((candidate) => candidate.kind === 'address');
  if (!field || bits(first, 0) === 0n) return {};
  const address = bits(first, field.high, field.low) << BigInt(field.low);
  return address === 0n ? {} : { target: { address, what: field.name } };
}
