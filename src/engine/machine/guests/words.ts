import { type Iommu } from '../../iommu/iommu';
import { type WritableMemory } from '../../memory/writableMemory';
import { FRAME_BYTES, frameNumber } from '../../values';

/** Writes words at a physical byte address, a multiple of 8, in frames that are held. */
export type PutWords = (address: number, words: readonly bigint[]) => void;

/** Writes to memory as software sees it, and back from the CPU's caches where an IOMMU does not snoop. */
export const puttingWords =
  (memory: WritableMemory, iommu: Iommu): PutWords =>
  (address, words) => {
    for (const [index, word] of words.entries()) {
      const at = address + 8 * index;
      const offset = at % FRAME_BYTES;
      const frame = frameNumber((at - offset) / FRAME_BYTES);
      memory.writeEntry(frame, offset / 8, Number(word & 0xffff_ffffn), Number(word >> 32n));
    }
    iommu.cleanLine(address, words.length);
  };

/** Structures of user space as the kernel gets them: words, lowest address first. */
export const bytesOfWords = (words: readonly bigint[]): Uint8Array =>
  new Uint8Array(BigUint64Array.from(words).buffer);
