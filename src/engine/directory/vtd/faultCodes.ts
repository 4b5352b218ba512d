import { type Fault } from '../faults';

/** Fault reasons of legacy mode (VT-d 4.1 §7.1.3); a read and a write where they differ. */
const LEGACY: Partial<Readonly<Record<Fault, string | { readonly read: string; readonly write: string }>>> = {
  'root-entry-not-present': '1h',
  'context-entry-not-present': '2h',
  'context-entry-invalid': '3h',
  'address-width': '4h',
  'not-present': { read: '6h', write: '5h' },
  'read-denied': '6h',
  'write-denied': '5h',
  'table-unreadable': '7h',
  'root-entry-unreadable': '8h',
  'context-entry-unreadable': '9h',
  'root-entry-reserved': 'Ah',
  'context-entry-reserved': 'Bh',
  'entry-reserved': 'Ch',
  'interrupt-output': 'Eh',
  'pasid-not-supported': '31h',
};

/** What the remapping hardware writes in its fault record: `fault reason 6h`. */
export function vtdFaultCode(mode: 'legacy', fault: Fault, access: 'read' | 'write'): string | undefined {
  const code = { legacy: LEGACY }[mode][fault];
  if (code === undefined) return undefined;
  return `fault reason ${typeof code === 'string' ? code : code[access]}`;
}
