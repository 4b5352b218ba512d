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

/** What meets a request that the directory passes through: it must not come out in the interrupt window. */
export function passGateOf({ interruptWindow }: DeviceDirectory, iova: bigint): Gate | undefined {
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
  return upper && Number(iova >> 12n) >= upper.highStart ? upper : space;
}
