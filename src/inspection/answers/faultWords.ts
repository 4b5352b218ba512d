import { hex } from '../../engine/values';
import { type Fault, type TranslateRequest } from '../protocol';

/** A refused request in a sentence, and what to look at next. */
export function explainFault(
  fault: Fault,
  request: TranslateRequest,
  level: number | null,
  /** Says it closer than the wording below, as a whole sentence. */
  closer?: string,
  stage?: 1 | 2,
): { readonly why: string; readonly hint: string } {
  // A read writes nothing itself.
  const marks = fault === 'write-denied' && request.access === 'read';
  const { reason, hint } = marks ? MARK_REFUSED : WORDS[fault];
  const sentence = closer ?? `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`;
  const access = request.access === 'write' ? 'Write' : 'Read';
  const which = stage === 2 ? ' of stage 2' : '';
  const where = level === null ? which.replace('of', 'in') : ` at level ${level}${which}`;
  return { why: `${access} of ${hex(request.iova)} is refused (${fault})${where}. ${sentence}`, hint };
}

const MARK_REFUSED = {
  reason: 'hardware marks an entry of stage 1 as it uses it, and stage 2 does not allow it to write there',
  hint: 'Map the tables of stage 1 for writing in stage 2, or mark their entries beforehand.',
};

/** One wording a fault; docs/faults.md has the long form and each vendor's code. */
const WORDS: Readonly<Record<Fault, { readonly reason: string; readonly hint: string }>> = {
  'iommu-not-found': {
    reason: 'no IOMMU has an entry for this device',
    hint: 'Check the requester id, and that the description names every IOMMU.',
  },
  'translation-blocked': {
    reason: 'every request of this device is blocked',
    hint: 'Open the device entry to see which field says so.',
  },
  'requester-out-of-range': {
    reason: 'the device tables do not reach to this device',
    hint: 'Check the requester id, and the size of the tables in the register that names them.',
  },
  'root-entry-not-present': {
    reason: 'the entry above the device entry is not present',
    hint: 'Check the requester id, and the register that names the root.',
  },
  'root-entry-reserved': {
    reason: 'the entry above the device entry has reserved bits set',
    hint: 'Check the register that names the root: this may not be a root table.',
  },
  'root-entry-unreadable': {
    reason: 'the root table is not in the image',
    hint: 'Check the register that names the root, and that the image holds the table.',
  },
  'context-entry-not-present': {
    reason: 'the device has no entry',
    hint: 'Check the device and function; a device that was never attached has none.',
  },
  'context-entry-reserved': {
    reason: 'the device entry has reserved bits set',
    hint: 'Open the entry to see which bits.',
  },
  'context-entry-invalid': {
    reason: 'the device entry asks for what this IOMMU does not support',
    hint: 'Compare the entry with the capability registers.',
  },
  'context-entry-unreadable': {
    reason: 'the table of device entries is not in the image',
    hint: 'Check that the image holds the table that the entry above points to.',
  },
  'pasid-not-supported': {
    reason: 'the device entry has no tables for requests with a PASID',
    hint: 'Ask without a PASID.',
  },
  'pasid-out-of-range': {
    reason: 'the tables of this device do not reach to this PASID',
    hint: 'Compare with the size of its tables in the device entry.',
  },
  'process-entry-not-present': {
    reason: 'the entry of this PASID is not present',
    hint: 'Check the PASID; one that was never bound has none.',
  },
  'process-entry-reserved': {
    reason: 'the entry of this PASID has reserved bits set',
    hint: 'Open the entry to see which bits.',
  },
  'process-entry-invalid': {
    reason: 'the entry of this PASID asks for what this IOMMU does not support',
    hint: 'Compare the entry with the capability registers.',
  },
  'process-entry-unreadable': {
    reason: 'the entry of this PASID is not in the image',
    hint: 'Check that the image holds the table that the device entry points to.',
  },
  'interrupt-window': {
    reason: 'the address is for interrupts, which the tables do not translate',
    hint: 'Such a write is an interrupt message; look at the interrupt remapping table instead.',
  },
  'address-width': {
    reason: 'the address has bits that these tables do not take',
    hint: 'Compare with the address width in the device entry and the capability registers.',
  },
  'not-present': {
    reason: 'the entry is not present',
    hint: 'Nothing is mapped here. Go to the IOVA in the tree to see its neighbours.',
  },
  'read-denied': {
    reason: 'an entry of the walk does not allow reads',
    hint: 'Effective permission is what all levels allow; see which step lost R.',
  },
  'write-denied': {
    reason: 'an entry of the walk does not allow writes',
    hint: 'Effective permission is what all levels allow; see which step lost W.',
  },
  'entry-reserved': {
    reason: 'the entry has reserved bits or a reserved encoding',
    hint: 'Open the entry to see which bits.',
  },
  'level-skip': {
    reason: 'the next level of the entry is not below its own, or it skips address bits that are not 0',
    hint: 'Open the entry to see its next level.',
  },
  'access-flag': {
    reason: 'the accessed bit is clear, and hardware may not set it',
    hint: 'Software must set it, or turn on hardware updates in the device entry.',
  },
  'dirty-flag': {
    reason: 'the dirty bit is clear, and hardware may not set it',
    hint: 'Software must set it, or turn on hardware updates in the device entry.',
  },
  'address-size': {
    reason: 'the address in the entry has more bits than the output may have',
    hint: 'Compare with the output size in the device entry.',
  },
  'interrupt-output': {
    reason: 'the tables lead to the interrupt window 0xfee00000-0xfef00000, where no request may go',
    hint: 'Check who mapped a physical address in the interrupt window.',
  },
  'table-unreadable': {
    reason: 'the next table is not in the image',
    hint: 'The image may lack this part of memory, or the pointer is wrong.',
  },
  'entry-unknown': {
    reason: 'the source does not say what stands in this entry',
    hint: 'A text dump lists every mapped page: nothing was mapped here when it was printed, unless the text was cut.',
  },
  'type-disallowed': {
    reason: 'the device may not send translation requests or translated requests',
    hint: 'Its entry must allow ATS before the device uses it.',
  },
  'marks-refused': {
    reason: 'hardware had to mark an entry, and may not write to these tables',
    hint: 'Hardware that does not snoop caches as it walks must not set accessed and dirty bits.',
  },
  'conflicting-entries': {
    reason: 'two cached translations of different sizes cover the address',
    hint: 'Invalidate between taking one entry away and writing the other (break before make).',
  },
  'not-read': {
    reason: 'the tables have a form that this version does not read',
    hint: 'The machine may translate the request all the same: what is said here is no answer of the hardware.',
  },
};
