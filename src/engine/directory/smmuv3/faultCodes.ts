import { type Fault } from '../../faults';

/** Events that an SMMU records, by number (IHI 0070 7.3); undefined: none, or not always the same one. */
const EVENTS: Partial<Readonly<Record<Fault, string>>> = {
  'requester-out-of-range': 'C_BAD_STREAMID (0x2)',
  'root-entry-not-present': 'C_BAD_STREAMID (0x2)',
  'root-entry-reserved': 'C_BAD_STREAMID (0x2)',
  'root-entry-unreadable': 'F_STE_FETCH (0x3)',
  'context-entry-unreadable': 'F_STE_FETCH (0x3)',
  'context-entry-not-present': 'C_BAD_STE (0x4)',
  'context-entry-invalid': 'C_BAD_STE (0x4)',
  'pasid-not-supported': 'C_BAD_SUBSTREAMID (0x8)',
  'pasid-out-of-range': 'C_BAD_SUBSTREAMID (0x8)',
  'process-entry-unreadable': 'F_CD_FETCH (0x9)',
  'process-entry-not-present': 'C_BAD_CD (0xa), at level 1 C_BAD_SUBSTREAMID (0x8)',
  'process-entry-invalid': 'C_BAD_CD (0xa)',
  // Of a translated request F_TRANSL_FORBIDDEN (0x7).
  'type-disallowed': 'F_BAD_ATS_TREQ (0x5)',
  'conflicting-entries': 'F_TLB_CONFLICT (0x20)',
  'table-unreadable': 'F_WALK_EABT (0xb)',
  'address-width': 'F_TRANSLATION (0x10)',
  'not-present': 'F_TRANSLATION (0x10)',
  'entry-reserved': 'F_TRANSLATION (0x10)',
  'address-size': 'F_ADDR_SIZE (0x11)',
  'access-flag': 'F_ACCESS (0x12)',
  'read-denied': 'F_PERMISSION (0x13)',
  'write-denied': 'F_PERMISSION (0x13)',
};

/** The event that an SMMU records for a fault: `F_TRANSLATION (0x10)`. */
export function smmuFaultCode(fault: Fault): string | undefined {
  return EVENTS[fault];
}

/** Events that depend on more than the fault. */
export const SMMU_EVENT = { F_STREAM_DISABLED: 0x06, C_BAD_SUBSTREAMID: 0x08, F_TRANSLATION: 0x10 } as const;

const NAMES = new Map<number, string>([
  ...Object.entries(SMMU_EVENT).map(([name, number]): [number, string] => [number, name]),
  ...Object.values(EVENTS).map((event): [number, string] => [numberOf(event), event.split(' ')[0] ?? '']),
]);

/** The number of the event for a fault: the first that is named. */
export function smmuEvent(fault: Fault): number | undefined {
  const event = EVENTS[fault];
  return event === undefined ? undefined : numberOf(event);
}

/** `F_TRANSLATION (0x10)` */
export const saySmmuEvent = (event: number): string =>
  `${NAMES.get(event) ?? 'event'} (0x${event.toString(16)})`;

function numberOf(event: string): number {
  return Number(/\((0x[0-9a-f]+)\)/.exec(event)?.[1] ?? 0);
}
