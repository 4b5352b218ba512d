import { type Fault } from '../../faults';

// Event codes and flags: AMD 48882 3.10 §2.5. PR: the entry was present; PE: permission; RZ: a reserved bit was set (clear: a
// level or page size was wrong); GN: guest translation; RW: write.

const ILLEGAL_ENTRY = 'ILLEGAL_DEV_TABLE_ENTRY (0001b)';
const PAGE_FAULT = 'IO_PAGE_FAULT (0010b)';
const DEVICE_TABLE_ERROR = 'DEV_TAB_HARDWARE_ERROR (0011b)';
const PAGE_TABLE_ERROR = 'PAGE_TAB_HARDWARE_ERROR (0100b)';
const INVALID_REQUEST = 'INVALID_DEVICE_REQUEST (1000b)';

/** Event and the flags that do not depend on the request. */
const EVENTS: Partial<Readonly<Record<Fault, readonly [event: string, ...flags: string[]]>>> = {
  'translation-blocked': [PAGE_FAULT, 'PR=0'],
  'requester-out-of-range': [ILLEGAL_ENTRY],
  'context-entry-reserved': [ILLEGAL_ENTRY, 'RZ=1'],
  'context-entry-invalid': [ILLEGAL_ENTRY, 'RZ=0'],
  'context-entry-unreadable': [DEVICE_TABLE_ERROR],
  'pasid-not-supported': [PAGE_FAULT, 'GN=1', 'PR=0'],
  'pasid-out-of-range': [PAGE_FAULT, 'GN=1', 'PR=0'],
  'process-entry-not-present': [PAGE_FAULT, 'GN=1', 'PR=0'],
  'process-entry-reserved': [PAGE_FAULT, 'GN=1', 'PR=1', 'RZ=1'],
  'process-entry-unreadable': [PAGE_TABLE_ERROR, 'GN=1'],
  'type-disallowed': [INVALID_REQUEST, 'type 001b'],
  'address-width': [PAGE_FAULT, 'PR=0'],
  'not-present': [PAGE_FAULT, 'PR=0'],
  'read-denied': [PAGE_FAULT, 'PR=1', 'PE=1'],
  'write-denied': [PAGE_FAULT, 'PR=1', 'PE=1'],
  'entry-reserved': [PAGE_FAULT, 'PR=1', 'RZ=1'],
  'level-skip': [PAGE_FAULT, 'PR=1', 'RZ=0'],
  'table-unreadable': [PAGE_TABLE_ERROR],
};

/** An event and its flags that are 1, as a log record has them. */
export interface AmdEvent {
  readonly code: number;
  readonly flags: ReadonlySet<string>;
}

/** The event that the hardware logs; undefined where it logs none. `stage` 1: guest tables. */
export function amdEvent(fault: Fault, access: 'read' | 'write', stage: 1 | 2 | null): AmdEvent | undefined {
  const words = amdFaultCode(fault, access, stage);
  const bits = words === undefined ? undefined : /\(([01]{4})b\)/.exec(words)?.[1];
  if (words === undefined || bits === undefined) return undefined;
  const flags = [...words.matchAll(/\b([A-Z]{2})=1/g)].map(([, flag = '']) => flag);
  return { code: parseInt(bits, 2), flags: new Set(flags) };
}

const COMMAND_EVENTS: Readonly<Record<number, string>> = {
  5: 'ILLEGAL_COMMAND_ERROR (0101b)',
  6: 'COMMAND_HARDWARE_ERROR (0110b)',
  7: 'IOTLB_INV_TIMEOUT (0111b)',
};

/** `IO_PAGE_FAULT (0010b)` */
export function sayAmdEvent(code: number): string {
  const named = [ILLEGAL_ENTRY, PAGE_FAULT, DEVICE_TABLE_ERROR, PAGE_TABLE_ERROR, INVALID_REQUEST];
  const bits = `(${code.toString(2).padStart(4, '0')}b)`;
  return COMMAND_EVENTS[code] ?? named.find((name) => name.endsWith(bits)) ?? `reserved ${bits}`;
}

/** The event that the hardware logs, its code and flags; undefined where it logs none. `stage` 1: guest tables. */
export function amdFaultCode(
  fault: Fault,
  access: 'read' | 'write',
  stage: 1 | 2 | null,
): string | undefined {
  // A write there is an interrupt; a read is refused.
  if (fault === 'interrupt-window') return access === 'read' ? `${INVALID_REQUEST} type 000b` : undefined;
  const event = EVENTS[fault];
  if (!event) return undefined;
  const guest = stage === 1 ? ['GN=1'] : [];
  return [...event, ...guest, `RW=${access === 'write' ? 1 : 0}`].join(' ');
}
