import {
  readFirmware,
  scanForTables,
  tablesOfRootPointer,
  type FirmwareOwnership,
} from '../engine/firmware/index';
import { type Failure } from '../engine/result';
import { FRAME_BYTES } from '../engine/values';
import { type SourceMemory } from './sourceMemory';
import { type Work } from './work';

/** Frames searched between two yields. */
const FRAMES_PER_STEP = 256;

/** What the firmware's tables in an image say of IOMMUs and devices. */
export interface Firmware {
  /** Undefined when no table was found. */
  readonly ownership: FirmwareOwnership | undefined;
  /** What was wrong on the way to the tables and in them. */
  readonly problems: readonly Failure[];
}

/** What the tables say that a root pointer leads to, where BIOS machines have theirs. Reads little. */
export function firmwareOfRootPointer(memory: SourceMemory): Firmware {
  const { tables, problems } = tablesOfRootPointer(memory);
  const ownership = tables.length > 0 ? readFirmware(tables) : undefined;
  return { ownership, problems: [...problems, ...(ownership?.problems ?? [])] };
}

/** The same of the tables that stand anywhere in the memory, every byte of which is looked at. */
export function* firmwareAnywhere(memory: SourceMemory): Work<FirmwareOwnership | undefined> {
  const scan = scanForTables(memory, memory.ranges(memory.segments), FRAMES_PER_STEP);
  const frames = Math.max(1, memory.bytesHeld / FRAME_BYTES);
  for (;;) {
    const step = scan.next();
    if (step.done === true) return step.value.length > 0 ? readFirmware(step.value) : undefined;
    yield { message: 'Searching the image for ACPI tables', fraction: Math.min(1, step.value / frames) };
  }
}
