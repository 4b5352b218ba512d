import { type Fault } from '../../faults';

/** Of a read and of a write, or of the first and of the second stage, where they differ. */
type Code =
  | string
  | { readonly read: string; readonly write: string }
  | { readonly first: string; readonly second: string };
type Codes = Partial<Readonly<Record<Fault, Code>>>;

/** Fault reasons of legacy mode (VT-d 4.1 §7.1.3: LRT, LCT, LSS and LGN conditions). */
const LEGACY: Codes = {
  'root-entry-unreadable': '8h', // LRT.1
  'root-entry-not-present': '1h', // LRT.2
  'root-entry-reserved': 'Ah', // LRT.3
  'context-entry-unreadable': '9h', // LCT.1
  'context-entry-not-present': '2h', // LCT.2
  'context-entry-reserved': 'Bh', // LCT.3
  'context-entry-invalid': '3h', // LCT.4
  'type-disallowed': 'Dh', // LCT.5
  // LSS.1; a root of tables that is not there is LCT.4.3, which is 3h.
  'table-unreadable': '7h',
  'entry-reserved': 'Ch', // LSS.2
  'address-width': '4h', // LGN.1
  'not-present': { read: '6h', write: '5h' }, // LGN.3 and LGN.2: there is no present bit
  'write-denied': '5h', // LGN.2
  'read-denied': '6h', // LGN.3
  'interrupt-output': 'Eh', // LGN.4
  'translation-blocked': '30h', // RTA.1
  'pasid-not-supported': '31h', // RTA.2
};

/** Fault reasons of scalable and abort mode (the same section: RTA, SRT, SCT, SPD, SPT, SFS, SSS and SGN conditions). */
const SCALABLE: Codes = {
  'translation-blocked': '33h', // RTA.4 (abort mode); SRE = 0 for a privileged request is SPT.6, which is 5Dh
  'root-entry-unreadable': '38h', // SRT.1
  'root-entry-not-present': '39h', // SRT.2
  'root-entry-reserved': '3Ah', // SRT.3
  'context-entry-unreadable': '40h', // SCT.1
  'context-entry-not-present': '41h', // SCT.2
  'context-entry-reserved': '42h', // SCT.3
  'context-entry-invalid': '43h', // SCT.4
  'type-disallowed': '44h', // SCT.5
  'pasid-not-supported': '45h', // SCT.6; the PASID that RID_PASID has is SCT.9, which is 48h
  'pasid-out-of-range': '46h', // SCT.7; beyond ECAP.PSS it is SGN.10, which is 89h
  'process-entry-unreadable': '58h', // SPT.1; of the directory SPD.1, which is 50h
  'process-entry-not-present': '59h', // SPT.2; SPD.2 is 51h
  'process-entry-reserved': '5Ah', // SPT.3; SPD.3 is 52h
  'process-entry-invalid': '5Bh', // SPT.4
  'table-unreadable': { first: '70h', second: '78h' }, // SFS.1, SSS.1; the root is SFS.4 or SSS.4: 73h, 7Bh
  'not-present': { first: '71h', second: '79h' }, // SFS.2, SSS.2
  'entry-reserved': { first: '72h', second: '7Ah' }, // SFS.3, SSS.3
  'address-width': { first: '80h', second: '84h' }, // SGN.1 (not canonical), SGN.5
  // A first stage refuses reads only for U/S (SGN.2); a second stage for R (SGN.7).
  'read-denied': { first: '81h', second: '86h' },
  'write-denied': '85h', // SGN.6; for U/S it is 81h, for a mark of a first-stage entry 77h (SFS.8)
  'interrupt-output': '87h', // SGN.8
};

/** The fault reason that the remapping hardware records; undefined where it records none. */
export function vtdFaultReason(
  mode: 'legacy' | 'scalable',
  fault: Fault,
  access: 'read' | 'write',
  stage: 1 | 2 | null,
): number | undefined {
  const digits = digitsOf(mode, fault, access, stage);
  return digits === undefined ? undefined : parseInt(digits, 16);
}

/** The same in words: `fault reason 6h`. */
export function vtdFaultCode(
  mode: 'legacy' | 'scalable',
  fault: Fault,
  access: 'read' | 'write',
  stage: 1 | 2 | null,
): string | undefined {
  const digits = digitsOf(mode, fault, access, stage);
  return digits === undefined ? undefined : `fault reason ${digits}`;
}

/** `6h` */
function digitsOf(
  mode: 'legacy' | 'scalable',
  fault: Fault,
  access: 'read' | 'write',
  stage: 1 | 2 | null,
): string | undefined {
  const code = { legacy: LEGACY, scalable: SCALABLE }[mode][fault];
  if (code === undefined || typeof code === 'string') return code;
  if ('read' in code) return code[access];
  return stage === 2 ? code.second : code.first;
}
