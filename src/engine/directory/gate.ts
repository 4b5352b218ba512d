import { type AddressSpace } from '../pageTable/addressSpace';
import { READ_WRITE } from '../pageTable/entryClass';
import { type Pasid } from '../values';
import { type DeviceDirectory, type DirectoryAnswer, type PageWindow } from './deviceDirectory';

/** What a request meets outside the tables, and why. */
export interface Gate {
  readonly answer: DirectoryAnswer;
  readonly why: string;
}

/**
 * What meets a request before its device's entry is read: nothing translates, or the address belongs to interrupts;
 * undefined: the directory decides. `iova` below 2^64.
 */
export function gateOf(
  { off, interruptWindow }: DeviceDirectory,
  iova: bigint,
  pasid: Pasid | null,
): Gate | undefined {
  if (off) return off;
  if (!isIn(interruptWindow, iova)) return undefined;
  if (pasid !== null && interruptWindow?.translatesPasids === true) return undefined;
  const why = 'The address is in the interrupt window.';
  return { answer: { kind: 'fault', fault: 'interrupt-window', why }, why };
}

/** What meets a request for its address alone, although its device's entry passes or translates requests. */
export function addressGateOf(
  directory: DeviceDirectory,
  answer: DirectoryAnswer,
  iova: bigint,
): Gate | undefined {
  if (answer.kind === 'pass-through') return passGateOf(directory, answer.outputBits, iova);
  if (answer.kind === 'fault') return undefined;
  const why = isUpper(iova) ? answer.blocked?.upper : answer.blocked?.lower;
  return why === undefined
    ? undefined
    : { answer: { kind: 'fault', fault: 'translation-blocked', why }, why };
}

/** Requests that pass must not come out in the interrupt window, nor beyond physical memory. */
function passGateOf(
  { interruptWindow }: DeviceDirectory,
  outputBits: number | undefined,
  iova: bigint,
): Gate | undefined {
  if (outputBits !== undefined && iova >> BigInt(outputBits) !== 0n) {
    const why = `The request passes untranslated, and its address has more than ${outputBits} bits.`;
    return { answer: { kind: 'fault', fault: 'address-size', why }, why };
  }
  if (!isIn(interruptWindow, iova)) return undefined;
  const why = 'The request passes untranslated, and its address is in the interrupt window.';
  return { answer: { kind: 'fault', fault: 'interrupt-output', why }, why };
}

function isIn(window: PageWindow | undefined, iova: bigint): boolean {
  if (!window) return false;
  const page = Number(iova >> 12n);
  return page >= window.startPage && page < window.endPage;
}

/** Every request passes: what a translation unit that is switched off does. */
export const PASSES: DirectoryAnswer = { kind: 'pass-through', permission: READ_WRITE };

/** The address space that takes this input address, or that refuses it. */
export function spaceOf({ space, upper }: DirectoryAnswer & { kind: 'table' }, iova: bigint): AddressSpace {
  return upper && isUpper(iova) ? upper : space;
}

/** Bit 55 tells the upper addresses: bits above it may be a tag. */
const isUpper = (iova: bigint): boolean => ((iova >> 55n) & 1n) === 1n;
