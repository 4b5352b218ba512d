import { FRAME_BYTES, FRAME_WORDS, type FrameNumber, frameNumber } from '../../engine/values';

// ELF-64 Object File Format 1.5, System V gABI chapter 5.
const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const ET_CORE = 4;
const EM_NONE = 0;
const PT_LOAD = 1;
/** Counts of program headers that the header can say itself. */
const MOST_SEGMENTS = 0xfffe;

interface Stretch {
  readonly first: number;
  readonly frames: number;
}

/**
 * An ELF64 core of physical memory: one PT_LOAD for each stretch of neighbouring frames. `frames`: ascending. Undefined when
 * there are too many stretches for one header.
 */
export function writeElfCore(
  frames: readonly number[],
  readFrame: (frame: FrameNumber) => Uint32Array | undefined,
): Uint8Array<ArrayBuffer> | undefined {
  const stretches = stretchesOf(frames);
  if (stretches.length > MOST_SEGMENTS) return undefined;
  const tables = HEADER_BYTES + stretches.length * PROGRAM_HEADER_BYTES;
  const data = Math.ceil(tables / FRAME_BYTES) * FRAME_BYTES;
  const file = new Uint8Array(data + frames.length * FRAME_BYTES);
  const view = new DataView(file.buffer);
  writeHeader(view, stretches.length);
  let offset = data;
  for (const [index, { first, frames: count }] of stretches.entries()) {
    writeProgramHeader(view, HEADER_BYTES + index * PROGRAM_HEADER_BYTES, first, count, offset);
    for (let frame = first; frame < first + count; frame++, offset += FRAME_BYTES) {
      const words = readFrame(frameNumber(frame));
      if (words) new Uint32Array(file.buffer, offset, FRAME_WORDS).set(words);
    }
  }
  return file;
}

function stretchesOf(frames: readonly number[]): Stretch[] {
  const stretches: { first: number; frames: number }[] = [];
  for (const frame of frames) {
    const last = stretches.at(-1);
    if (last && last.first + last.frames === frame) last.frames++;
    else stretches.push({ first: frame, frames: 1 });
  }
  return stretches;
}

function writeHeader(view: DataView, segments: number): void {
  // Magic, ELFCLASS64, ELFDATA2LSB, EV_CURRENT.
  for (const [at, byte] of [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1].entries()) view.setUint8(at, byte);
  view.setUint16(16, ET_CORE, true);
  view.setUint16(18, EM_NONE, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(32, BigInt(HEADER_BYTES), true);
  view.setUint16(52, HEADER_BYTES, true);
  view.setUint16(54, PROGRAM_HEADER_BYTES, true);
  view.setUint16(56, segments, true);
}

function writeProgramHeader(view: DataView, at: number, first: number, frames: number, offset: number): void {
  const bytes = BigInt(frames * FRAME_BYTES);
  view.setUint32(at, PT_LOAD, true);
  view.setBigUint64(at + 8, BigInt(offset), true);
  view.setBigUint64(at + 24, BigInt(first) << 12n, true);
  view.setBigUint64(at + 32, bytes, true);
  view.setBigUint64(at + 40, bytes, true);
}
