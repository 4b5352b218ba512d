import { bits } from '../../bits/bitFields';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { FRAME_ENTRIES } from '../../memory/words';
import { frameNumber, type Pasid } from '../../values';
import { type ProcessBudget } from '../processBudget';
import { directoryEntries } from './scalableEntries';

const WORDS_OF_PROCESS = 8;
const TABLE_ENTRIES = 64;

/**
 * PASIDs whose directory and table entries are present, in order, for the first word of a context entry. Yields undefined
 * after each frame of the directory and each table.
 */
export function* presentPasids(
  memory: PhysicalMemory,
  control: bigint,
  left: ProcessBudget,
): Generator<Pasid | undefined> {
  const entries = directoryEntries(bits(control, 11, 9));
  const first = Number(bits(control, 51, 12));
  left.startDevice();
  for (let start = 0; start < entries; start += FRAME_ENTRIES) {
    if (!left.takeStep()) return;
    const pointers = presentPointers(memory, first + start / FRAME_ENTRIES, entries - start);
    for (const { index, table } of pointers) {
      if (!left.takeStep()) return;
      for (const slot of presentSlots(memory, table)) {
        if (!left.takeRow()) return;
        yield ((start + index) * TABLE_ENTRIES + slot) as Pasid;
      }
      yield undefined;
    }
    yield undefined;
  }
}

/** Places of the present entries of a PASID table. */
function presentSlots(memory: PhysicalMemory, table: number): number[] {
  const words = memory.readFrame(frameNumber(table));
  if (!words) return [];
  const slots = Array.from({ length: TABLE_ENTRIES }, (_, slot) => slot);
  return slots.filter((slot) => ((words[2 * WORDS_OF_PROCESS * slot] ?? 0) & 1) === 1);
}

/** Present entries among the first `count` of a frame of a PASID directory: copied, as reading a table may move the frame. */
function presentPointers(
  memory: PhysicalMemory,
  frame: number,
  count: number,
): { readonly index: number; readonly table: number }[] {
  const words = memory.readFrame(frameNumber(frame));
  const found: { index: number; table: number }[] = [];
  for (let index = 0; words && index < Math.min(count, FRAME_ENTRIES); index++) {
    const lo = words[2 * index] ?? 0;
    const hi = words[2 * index + 1] ?? 0;
    if ((lo & 1) === 1) found.push({ index, table: (hi & 0xfffff) * 0x100000 + (lo >>> 12) });
  }
  return found;
}
