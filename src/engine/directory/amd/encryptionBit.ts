import { type PhysicalMemory } from '../../memory/physicalMemory';
import { type Failure } from '../../result';
import { FRAME_SHIFT, frameNumber, hex } from '../../values';

/** Address bits that are looked at: processors put the encryption bit (C-bit) among the uppermost ones of 48 to 52. */
const HIGHEST = 51n;
export const LOWEST_ENCRYPTION_BIT = 40n;

const isHeld = (memory: PhysicalMemory, address: bigint): boolean =>
  memory.readFrame(frameNumber(Number(address >> BigInt(FRAME_SHIFT)))) !== undefined;

/**
 * The one high bit of an address that must be taken away for its frame to be in the image; undefined when the frame is there
 * as it is, or when several bits or none would have to go.
 */
export function guessEncryptionBit(memory: PhysicalMemory, address: bigint): number | undefined {
  const high = address >> LOWEST_ENCRYPTION_BIT;
  if (high === 0n || isHeld(memory, address)) return undefined;
  for (let bit = HIGHEST; bit >= LOWEST_ENCRYPTION_BIT; bit--) {
    if (address >> bit === 1n) return isHeld(memory, address & ~(1n << bit)) ? Number(bit) : undefined;
  }
  return undefined;
}

/** What to do about an address that has the bit. `what`: `The device table`. */
export function encryptionProblem(what: string, address: bigint, bit: number): Failure {
  return {
    code: 'directory/encryption-bit',
    message: `${what} is at ${hex(address)}, which is not in the image; without bit ${bit} it is.`,
    hint: `Bit ${bit} seems to mark encrypted memory (C-bit, SME): add "CBit": ${bit} to the registers.`,
  };
}
