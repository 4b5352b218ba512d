import {
  readFirmware,
  scanForTables,
  tablesOfRootPointer,
  type FirmwareOwnership,
} from '../engine/firmware/index';
import { type MemoryImage } from '../image/memoryImage';
import { type Work } from './work';

/** Pieces of memory that are searched at most. */
const MAX_RANGES = 100_000;
/** Frames searched between two yields. */
const FRAMES_PER_STEP = 256;

/**
 * What the firmware's tables in the image say of IOMMUs and devices; undefined when there are none. They are looked for
 * where BIOS machines have their root pointer, and with `everywhere` in all of the memory.
 */
export function* firmwareOf(memory: MemoryImage, everywhere: boolean): Work<FirmwareOwnership | undefined> {
  const { tables } = tablesOfRootPointer(memory);
  if (tables.length > 0) return readFirmware(tables);
  if (!everywhere) return undefined;
  const scan = scanForTables(memory, memory.ranges(MAX_RANGES), FRAMES_PER_STEP);
  for (;;) {
    const step = scan.next();
    if (step.done === true) return step.value.length > 0 ? readFirmware(step.value) : undefined;
    yield FRAMES_PER_STEP;
  }
}
