import { hex } from '../../engine/values';
import { type Fault, type TranslateRequest } from '../protocol';

/** A refused request in a sentence, and what to look at next. */
export function explainFault(
  fault: Fault,
  request: TranslateRequest,
  level: number | null,
  /** Says it closer than the wording below, as a whole sentence. */
  closer?: string,
): { readonly why: string; readonly hint: string } {
  const { reason, hint } = WORDS[fault];
  const sentence = closer ?? `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`;
  const access = request.access === 'write' ? 'Write' : 'Read';
  const where = level === null || level === 0 ? '' : ` at level ${level}`;
  return { why: `${access} of ${hex(request.iova)} is refused (${fault})${where}. ${sentence}`, hint };
}

/** One wording a fault; docs/faults.md has the long form and each vendor's code. */
const WORDS: Readonly<Record<Fault, { readonly reason: string; readonly hint: string }>> = {
  'iommu-not-found': {
    reason: 'no IOMMU has an entry for this device',
    hint: 'Check the requester id, and that the description names every IOMMU.',
  },
  'root-entry-not-present': {
    reason: 'the root entry of the bus is not present',
    hint: 'Check the bus number of the device, and RTADDR.',
  },
  'root-entry-reserved': {
    reason: 'the root entry has reserved bits set',
    hint: 'Check RTADDR: this may not be a root table, or the mode bits of RTADDR are wrong.',
  },
  'root-entry-unreadable': {
    reason: 'the root table is not in the image',
    hint: 'Check RTADDR, and that the image holds the table.',
  },
  'context-entry-not-present': {
    reason: 'the device has no context entry',
    hint: 'Check the device and function; a device that was never attached has none.',
  },
  'context-entry-reserved': {
    reason: 'the context entry has reserved bits set',
    hint: 'Open the context entry to see which bits.',
  },
  'context-entry-invalid': {
    reason: 'the context entry asks for what this IOMMU does not support',
    hint: 'Compare TT and AW with CAP.SAGAW, ECAP.PT and ECAP.DT.',
  },
  'context-entry-unreadable': {
    reason: 'the context table is not in the image',
    hint: 'Check that the image holds the table that the root entry points to.',
  },
  'pasid-not-supported': {
    reason: 'requests with a PASID are blocked in this mode',
    hint: 'Ask without a PASID.',
  },
  'interrupt-window': {
    reason: 'the address is in the interrupt window 0xfee00000-0xfef00000, which the tables do not translate',
    hint: 'Such a write is an interrupt message; look at the interrupt remapping table instead.',
  },
  'address-width': {
    reason: 'the address has more bits than this domain takes',
    hint: 'Compare with AW of the context entry and CAP.MGAW.',
  },
  'not-present': {
    reason: 'the entry is not present',
    hint: 'Nothing is mapped here. Go to the IOVA in the tree to see its neighbours.',
  },
  'read-denied': {
    reason: 'an entry of the walk does not allow reads',
    hint: 'Effective permission is the AND over all levels; see which step lost R.',
  },
  'write-denied': {
    reason: 'an entry of the walk does not allow writes',
    hint: 'Effective permission is the AND over all levels; see which step lost W.',
  },
  'entry-reserved': {
    reason: 'the entry has reserved bits set',
    hint: 'Open the entry to see which bits.',
  },
  'interrupt-output': {
    reason: 'the tables lead to the interrupt window 0xfee00000-0xfef00000, where no request may go',
    hint: 'Check who mapped a physical address in the interrupt window.',
  },
  'table-unreadable': {
    reason: 'the next table is not in the image',
    hint: 'The image may lack this part of memory, or the pointer is wrong.',
  },
};
