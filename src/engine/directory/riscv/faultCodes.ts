import { type Fault } from '../../faults';

// Causes of RISC-V IOMMU 1.0 §3.2, table "Fault record CAUSE field encodings".

const CAUSES: Readonly<Record<number, string>> = {
  1: 'Instruction access fault',
  5: 'Read access fault',
  7: 'Write/AMO access fault',
  12: 'Instruction page fault',
  13: 'Read page fault',
  15: 'Write/AMO page fault',
  20: 'Instruction guest-page fault',
  21: 'Read guest-page fault',
  23: 'Write/AMO guest-page fault',
  256: 'All inbound transactions disallowed',
  257: 'DDT entry load access fault',
  258: 'DDT entry not valid',
  259: 'DDT entry misconfigured',
  260: 'Transaction type disallowed',
  265: 'PDT entry load access fault',
  266: 'PDT entry not valid',
  267: 'PDT entry misconfigured',
};

type Code =
  | number
  /** Of a read and of a write, in the first and in the second stage. */
  | 'page-fault'
  /** Of a read and of a write. */
  | 'access-fault';

/** interrupt-window is no fault: the request goes through the MSI page table. */
const CODES: Partial<Readonly<Record<Fault, Code>>> = {
  'translation-blocked': 256,
  'requester-out-of-range': 260,
  'type-disallowed': 260,
  'pasid-not-supported': 260,
  'pasid-out-of-range': 260,
  'root-entry-not-present': 258,
  'root-entry-reserved': 259,
  'root-entry-unreadable': 257,
  'context-entry-not-present': 258,
  'context-entry-reserved': 259,
  'context-entry-invalid': 259,
  'context-entry-unreadable': 257,
  'process-entry-not-present': 266,
  'process-entry-reserved': 267,
  'process-entry-invalid': 267,
  'process-entry-unreadable': 265,
  'address-width': 'page-fault',
  'not-present': 'page-fault',
  'read-denied': 'page-fault',
  'write-denied': 'page-fault',
  'entry-reserved': 'page-fault',
  'access-flag': 'page-fault',
  'dirty-flag': 'page-fault',
  'address-size': 'access-fault',
  'table-unreadable': 'access-fault',
};

/** The cause that a fault record gives; undefined where hardware has none. */
export function riscvCause(fault: Fault, access: 'read' | 'write', stage: 1 | 2 | null): number | undefined {
  const code = CODES[fault];
  const write = access === 'write' ? 2 : 0;
  if (code === 'page-fault') return (stage === 2 ? 21 : 13) + write;
  return code === 'access-fault' ? 5 + write : code;
}

/** The same in words. */
export function riscvFaultCode(
  fault: Fault,
  access: 'read' | 'write',
  stage: 1 | 2 | null,
): string | undefined {
  const cause = riscvCause(fault, access, stage);
  return cause === undefined ? undefined : sayCause(cause);
}

export const sayCause = (cause: number): string => `cause ${cause} (${CAUSES[cause] ?? 'reserved'})`;
