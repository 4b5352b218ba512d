import { READ_WRITE } from '../pageTable/entryClass';
import { type DeviceDirectory, type DirectoryAnswer } from './deviceDirectory';

/**
 * What meets a request before its device's entry is read: nothing translates, or the address belongs to interrupts;
 * undefined: the directory decides. `iova` below 2^64.
 */
export function gateOf(
  { off, interruptWindow }: DeviceDirectory,
  iova: bigint,
): { readonly answer: DirectoryAnswer; readonly why: string } | undefined {
  if (off) return off;
  const page = Number(iova >> 12n);
  if (!interruptWindow || page < interruptWindow.startPage || page >= interruptWindow.endPage)
    return undefined;
  const why = 'The address is in the interrupt window.';
  return { answer: { kind: 'fault', fault: 'interrupt-window', why }, why };
}

/** Every request passes: what a translation unit that is switched off does. */
export const PASSES: DirectoryAnswer = { kind: 'pass-through', permission: READ_WRITE };
