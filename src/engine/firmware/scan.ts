import { type PhysicalMemory } from '../memory/physicalMemory';
import { FRAME_BYTES, frameNumber } from '../values';
import { type AcpiTable, FIXED_BYTES, isPossibleLength, isWanted, readTable } from './acpiTable';
import { type ByteReader, readBytes } from './byteReader';

/** Half-open, physical bytes. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** 'R' stands in all three signatures, and the native search for a byte is many times faster than a loop over words. */
const [LETTER_D, LETTER_I, LETTER_M, LETTER_R] = [0x44, 0x49, 0x4d, 0x52];
/** So many bytes 'R' take as long as a frame without one. */
const LETTERS_PER_FRAME = 64;
/** More than this many different ones cannot be those of one machine. */
const MAX_TABLES = 32;
/** Bytes whose checksum is tried, so that a memory full of signatures cannot keep the scan busy. */
const MAX_CHECKED_BYTES = 64 * 1024 * 1024;
/** Highest revision that is believed; the three tables are at revisions 1 to 7. */
const MAX_REVISION = 31;

/**
 * Looks for the tables by their signatures in `ranges` (what the memory holds). Yields the number of frames looked at so
 * far after every `framesPerSlice` frames, so that the caller can pause, show progress, or stop; returns the tables with
 * right lengths and checksums, equal copies once, in the order of their addresses.
 *
 * ACPI demands no alignment of these tables and QEMU's firmware packs them byte by byte, so every byte is looked at.
 */
export function* scanForTables(
  memory: PhysicalMemory,
  ranges: Iterable<ByteRange>,
  framesPerSlice = 1024,
): Generator<number, readonly AcpiTable[]> {
  const found = new FoundTables(memory);
  const places: number[] = [];
  let frames = 0;
  let untilPause = framesPerSlice;
  for (const { start, end } of ranges) {
    const last = Math.floor(end / FRAME_BYTES);
    for (let frame = Math.ceil(start / FRAME_BYTES); frame < last; frame++) {
      const words = memory.readFrame(frameNumber(frame));
      if (words) untilPause -= findSignatures(words, frame * FRAME_BYTES, places) / LETTERS_PER_FRAME;
      for (const place of places) untilPause -= found.check(place) / FRAME_BYTES;
      places.length = 0;
      frames++;
      if (--untilPause > 0) continue;
      untilPause = framesPerSlice;
      yield frames;
    }
  }
  return found.tables.sort((a, b) => a.address - b.address);
}

/**
 * Adds to `places` the addresses where signatures stand, or may stand when the frame holds only a part of them. Gives the
 * number of bytes 'R'.
 */
function findSignatures(words: Uint32Array, base: number, places: number[]): number {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  let letters = 0;
  for (let at = bytes.indexOf(LETTER_R); at >= 0; at = bytes.indexOf(LETTER_R, at + 1)) {
    letters++;
    if (at < 3 || at + 1 === bytes.length) places.push(base + at - 3, base + at - 2);
    else if (bytes[at - 3] === LETTER_D && bytes[at - 2] === LETTER_M) places.push(base + at - 3);
    else if (bytes[at - 2] === LETTER_I) places.push(base + at - 2);
  }
  return letters;
}

class FoundTables {
  readonly tables: AcpiTable[] = [];
  private checkedBytes = 0;

  constructor(private readonly memory: PhysicalMemory) {}

  /** Takes the table at an address when it is one. Gives the number of bytes that were read for it. */
  check(address: number): number {
    if (this.tables.length >= MAX_TABLES || this.checkedBytes > MAX_CHECKED_BYTES) return 0;
    const header = readBytes(this.memory, address, FIXED_BYTES);
    const signature = header?.text(0, 4) ?? '';
    const length = header?.u32(4) ?? 0;
    if (!header || !isWanted(signature) || !isPossibleLength(length, FIXED_BYTES) || !isPlausible(header))
      return FIXED_BYTES;
    const table = readTable(this.memory, address, FIXED_BYTES);
    const read = FIXED_BYTES + length;
    this.checkedBytes += read;
    if (!table.ok) return read;
    const { bytes } = table;
    if (!this.tables.some((other) => equal(other.bytes.bytes, bytes.bytes))) {
      this.tables.push({ signature, address, bytes });
    }
    return read;
  }
}

/** A checksum of 8 bits lets much pass: the revision must be possible, the texts of the header must be texts. */
function isPlausible(header: ByteReader): boolean {
  const revision = header.u8(8);
  if (revision === 0 || revision > MAX_REVISION) return false;
  return TEXTS.every(([start, end]) => header.bytes.subarray(start, end).every(isTextByte));
}

/** OEM ID with OEM table ID, and creator ID (ACPI 6.5 §5.2.6). */
const TEXTS = [
  [10, 24],
  [28, 32],
] as const;

const isTextByte = (byte: number): boolean => byte === 0 || (byte >= 0x20 && byte < 0x7f);

const equal = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);
