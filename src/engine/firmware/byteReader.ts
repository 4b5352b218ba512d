import { type PhysicalMemory } from '../memory/physicalMemory';
import { FRAME_BYTES, frameNumber } from '../values';

/** Physical addresses have at most 52 bits. */
export const PHYSICAL_END = 2 ** 52;

/** Little-endian fields of untrusted bytes: what lies beyond the end reads as zero, so that no field ever throws. */
export class ByteReader {
  constructor(readonly bytes: Uint8Array) {}

  get length(): number {
    return this.bytes.length;
  }

  u8(at: number): number {
    return this.bytes[at] ?? 0;
  }

  u16(at: number): number {
    return this.u8(at) | (this.u8(at + 1) << 8);
  }

  u32(at: number): number {
    return (this.u16(at) | (this.u16(at + 2) << 16)) >>> 0;
  }

  /** A 64-bit physical address, or undefined when it has more than 52 bits. */
  address(at: number): number | undefined {
    const value = this.u32(at + 4) * 2 ** 32 + this.u32(at);
    return value < PHYSICAL_END ? value : undefined;
  }

  /** Characters up to a NUL, `length` at most; what is not printable ASCII becomes `?`. */
  text(at: number, length: number): string {
    let text = '';
    for (let i = at; i < at + length; i++) {
      const code = this.u8(i);
      if (code === 0) break;
      text += code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : '?';
    }
    return text;
  }

  /** The bytes from `start` on, `length` at most. */
  part(start: number, length: number): ByteReader {
    return new ByteReader(this.bytes.subarray(start, start + length));
  }

  /** ACPI 6.5 §5.2.6: all bytes of a structure add up to zero. */
  sumsToZero(): boolean {
    let sum = 0;
    for (const byte of this.bytes) sum += byte;
    return (sum & 0xff) === 0;
  }
}

/** A copy of `length` bytes at a physical byte address, or undefined when the memory does not hold all of them. */
export function readBytes(memory: PhysicalMemory, address: number, length: number): ByteReader | undefined {
  if (address < 0 || address + length > PHYSICAL_END) return undefined;
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const at = address + done;
    const words = memory.readFrame(frameNumber(Math.floor(at / FRAME_BYTES)));
    if (!words) return undefined;
    const first = at % FRAME_BYTES;
    const end = Math.min(FRAME_BYTES, first + length - done);
    for (let i = first; i < end; i++) bytes[done++] = (words[i >> 2] ?? 0) >>> (8 * (i & 3));
  }
  return new ByteReader(bytes);
}
