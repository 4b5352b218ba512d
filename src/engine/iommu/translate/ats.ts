import { type Fault } from '../../faults';
import { type EmulatedKind } from '../vendor';

/** Faults that mean for every vendor: nothing is mapped there, or not so. */
const OF_PAGES: readonly Fault[] = [
  'not-present',
  'read-denied',
  'write-denied',
  'access-flag',
  'dirty-flag',
];

/**
 * What a translation request meets without an error: its answer is a success that grants nothing, and no fault is recorded.
 * RISC-V IOMMU 1.0 §2.6 (every page fault, and a process context that is not valid); Arm IHI 0070 §3.9.1 (translation, address
 * size, access flag and permission); VT-d 4.1 §4.1.3 and AMD 48882 §2.5.4 (what is not present, or not permitted).
 */
const GRANTS_NOTHING: Readonly<Record<EmulatedKind, ReadonlySet<Fault>>> = {
  'vt-d': new Set(OF_PAGES),
  'amd-vi': new Set([...OF_PAGES, 'address-width', 'level-skip']),
  smmuv3: new Set([...OF_PAGES, 'address-width', 'address-size', 'entry-reserved']),
  riscv: new Set([...OF_PAGES, 'address-width', 'entry-reserved', 'process-entry-not-present']),
};

/** Whether a translation request that meets this fault is answered all the same: with no permission. */
export const isAnsweredAll = (kind: EmulatedKind, fault: Fault): boolean => GRANTS_NOTHING[kind].has(fault);

/** Faults of what all requests of a device meet, before its process and its address count. */
const OF_DEVICES: ReadonlySet<Fault> = new Set<Fault>([
  'iommu-not-found',
  'translation-blocked',
  'requester-out-of-range',
  'root-entry-not-present',
  'root-entry-reserved',
  'root-entry-unreadable',
  'context-entry-not-present',
  'context-entry-reserved',
  'context-entry-invalid',
  'context-entry-unreadable',
]);

export const isOfDevice = (fault: Fault): boolean => OF_DEVICES.has(fault);
