import { type PhysicalMemory } from '../../memory/physicalMemory';
import { readWord } from '../../memory/words';
import { type Failure } from '../../result';
import { FRAME_SHIFT, frameNumber, hex } from '../../values';
import { decodeDte, DTE_WORDS, DTES_IN_FRAME } from './entries';

/** Address bits that are looked at: processors put the encryption bit (C-bit) among the uppermost ones of 48 to 52. */
const HIGHEST = 51n;
export const LOWEST_ENCRYPTION_BIT = 40n;

/** Bits of the upper half of a root that may be the encryption bit. */
const HIGH_ROOT_BITS = 0xfff00;

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

/**
 * Told when the root of a device's host tables is in the image but for one high bit. `entries`: a frame of the device table,
 * which must stay as it is while others are read; `first`: the DeviceID of its first entry.
 */
export function encryptedHostRoot(
  memory: PhysicalMemory,
  entries: Uint32Array,
  first: number,
  notAddress: bigint,
): Failure | undefined {
  for (let index = 0; index < DTES_IN_FRAME; index++) {
    // By halves: there may be 65,536 entries, and few have such an address.
    const lo = entries[2 * DTE_WORDS * index] ?? 0;
    const hi = entries[2 * DTE_WORDS * index + 1] ?? 0;
    if ((lo & 3) !== 3 || (hi & HIGH_ROOT_BITS) === 0) continue;
    const { mode, hostRoot } = decodeDte([readWord(entries, DTE_WORDS * index)]);
    const address = hostRoot & ~notAddress;
    const bit = mode === 0 ? undefined : guessEncryptionBit(memory, address);
    if (bit !== undefined) {
      return encryptionProblem(`The root of the host tables of DeviceID ${hex(first + index)}`, address, bit);
    }
  }
  return undefined;
}
