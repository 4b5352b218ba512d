import { type DeviceDirectory } from './deviceDirectory';

/**
 * What meets a request before its device's entry is read: nothing translates, the address belongs to interrupts, or the
 * directory decides. `iova` below 2^64.
 */
export function gateOf(
  directory: DeviceDirectory,
  iova: bigint,
): 'untranslated' | 'interrupt-window' | 'directory' {
  if (!directory.translating) return 'untranslated';
  const page = Number(iova >> 12n);
  const { startPage, endPage } = directory.interruptWindow;
  return page >= startPage && page < endPage ? 'interrupt-window' : 'directory';
}
