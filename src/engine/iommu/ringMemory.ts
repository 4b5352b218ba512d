import { joinHalves } from '../memory/words';
import { type WritableMemory } from '../memory/writableMemory';
import { FRAME_BYTES, frameNumber } from '../values';

/** Words of a slot from its byte address on (a multiple of 8); undefined when a frame is not held. */
export function readWords(memory: WritableMemory, address: number, count: number): bigint[] | undefined {
  const halves = { lo: 0, hi: 0 };
  const words: bigint[] = [];
  for (let index = 0; index < count; index++) {
    const { frame, entry } = placeOf(address + 8 * index);
    if (!memory.readEntry(frame, entry, halves)) return undefined;
    words.push(joinHalves(halves.lo, halves.hi));
  }
  return words;
}

/** False when a frame is not held: nothing was written then. */
export function writeWords(memory: WritableMemory, address: number, words: readonly bigint[]): boolean {
  if (!readWords(memory, address, words.length)) return false;
  for (const [index, word] of words.entries()) {
    const { frame, entry } = placeOf(address + 8 * index);
    memory.writeEntry(frame, entry, Number(word & 0xffff_ffffn), Number(word >> 32n));
  }
  return true;
}

/** A store of 4 or 8 aligned bytes; false when the frame is not held. */
export function storeValue(memory: WritableMemory, address: number, value: bigint, bytes: 4 | 8): boolean {
  if (bytes === 8) return writeWords(memory, address, [value]);
  const { frame, entry } = placeOf(address);
  const halves = { lo: 0, hi: 0 };
  if (!memory.readEntry(frame, entry, halves)) return false;
  const half = Number(value & 0xffff_ffffn);
  const high = address % 8 >= 4;
  return memory.writeEntry(frame, entry, high ? halves.lo : half, high ? half : halves.hi);
}

function placeOf(address: number) {
  return {
    frame: frameNumber(Math.floor(address / FRAME_BYTES)),
    entry: Math.floor((address % FRAME_BYTES) / 8),
  };
}
