import { type AddressSpace } from '../pageTable/addressSpace';
import { READ_WRITE } from '../pageTable/entryClass';
import { type Pasid } from '../values';
import { type DeviceDirectory, type DirectoryAnswer, type PageWindow } from './deviceDirectory';
import { type Fault } from '../faults';

/** What a request meets outside the tables, and why. */
export interface Gate {
  readonly answer: DirectoryAnswer;
  readonly why: string;
}

/**
 * What meets a request before its device's entry is read: nothing translates, or the address belongs to interrupts;
 * undefined: the directory decides. `iova` below 2^64.
 */
export function gateOf(directory: DeviceDirectory, iova: bigint, pasid: Pasid | null): Gate | undefined {
  return gateOfPage(directory, pageOf(iova), pasid);
}

/** The same of the address's page. */
export function gateOfPage(
  { off, interruptWindow }: DeviceDirectory,
  page: number,
  pasid: Pasid | null,
): Gate | undefined {
  if (off) return widthGateOf(off.answer, page) ?? off;
  if (!isIn(interruptWindow, page)) return undefined;
  if (pasid !== null && interruptWindow?.translatesPasids === true) return undefined;
  return refused('interrupt-window', 'The address is in the interrupt window.');
}

/** What meets a request for its address alone, although its device's entry passes or translates requests. */
export function addressGateOf(
  directory: DeviceDirectory,
  answer: DirectoryAnswer,
  iova: bigint,
): Gate | undefined {
  return addressGateOfPage(directory, answer, pageOf(iova));
}

/** The same of the address's page. */
export function addressGateOfPage(
  directory: DeviceDirectory,
  answer: DirectoryAnswer,
  page: number,
): Gate | undefined {
  const tooWide = widthGateOf(answer, page);
  if (tooWide || answer.kind === 'fault') return tooWide;
  if (answer.kind === 'pass-through') return passGateOf(directory, page);
  if (!answer.blocked) return undefined;
  const why = isUpperPage(page) ? answer.blocked.upper : answer.blocked.lower;
  return why === undefined ? undefined : refused('translation-blocked', why);
}

const refused = (fault: Fault, why: string): Gate => ({ answer: { kind: 'fault', fault, why }, why });

const pageOf = (iova: bigint): number => Number(iova >> 12n);

function widthGateOf(answer: DirectoryAnswer, page: number): Gate | undefined {
  const bits = answer.kind === 'fault' ? undefined : answer.addressBits;
  return bits === undefined || page < 2 ** (bits - 12)
    ? undefined
    : refused('address-size', `The IOMMU has addresses of ${bits} bits, and this one has more.`);
}

/** Requests that pass must not come out in the interrupt window. */
function passGateOf({ interruptWindow }: DeviceDirectory, page: number): Gate | undefined {
  if (!isIn(interruptWindow, page)) return undefined;
  return refused(
    'interrupt-output',
    'The request passes untranslated, and its address is in the interrupt window.',
  );
}

function isIn(window: PageWindow | undefined, page: number): boolean {
  return window !== undefined && page >= window.startPage && page < window.endPage;
}

/** Every request passes: what a translation unit that is switched off does. */
export const PASSES: DirectoryAnswer = { kind: 'pass-through', permission: READ_WRITE };

/** The address space that takes this input address, or that refuses it. */
export function spaceOf({ space, upper }: DirectoryAnswer & { kind: 'table' }, iova: bigint): AddressSpace {
  return upper && isUpperPage(pageOf(iova)) ? upper : space;
}

/** Bit 55 tells the upper addresses: bits above it may be a tag. */
export const isUpperPage = (page: number): boolean => Math.floor(page / 2 ** 43) % 2 === 1;
