import { bits } from '../../../bits/bitFields';
import { vtdFaultReason } from '../../../directory/vtd/faultCodes';
import { asksToWrite } from '../../request';
import { type DecodedFault, type FaultReport, type RegisterFile } from '../../vendor';
import { Layout, at, split } from '../layout';
import { addressOf } from '../ranges';
import { isLegacy } from './registers';

/** Fault recording register, VT-d 5.10 §11.4.14. T: bit 126 (T1) and bit 92 (T2). */
const RECORD = new Layout(2, {
  FI: at(63, 12, 12),
  SID: at(79, 64),
  T: split([92, 92], [126, 126]),
  PRIV: at(93),
  EXE: at(94),
  PP: at(95),
  FR: at(103, 96),
  PV: at(123, 104),
  AT: at(125, 124),
  F: at(127),
});

/** T2 is the low bit here: a write, a page request, a read, an atomic operation. */
const REQUEST_TYPE = { write: 0, read: 2, atomic: 3 } as const;
const ADDRESS_TYPE = { untranslated: 0, translation: 1, translated: 2 } as const;

export function encodeFault(report: FaultReport, registers: RegisterFile): readonly bigint[] | undefined {
  const { request, fault, stage } = report;
  const mode = isLegacy(registers) ? 'legacy' : 'scalable';
  const reason =
    directoryReason(report) ?? vtdFaultReason(mode, fault, asksToWrite(request) ? 'write' : 'read', stage);
  if (reason === undefined || isDisabled(report)) return undefined;
  const process =
    request.pasid === null
      ? {}
      : { PP: 1, PV: request.pasid, PRIV: request.privileged === true, EXE: request.execute === true };
  return RECORD.encode({
    FI: addressOf(request.addressLo, request.addressHi),
    SID: request.requester & 0xffff,
    T: REQUEST_TYPE[request.access],
    AT: ADDRESS_TYPE[request.kind],
    FR: reason,
    F: 1,
    ...process,
  });
}

/** Of the PASID directory: SPD.1, SPD.2 and SPD.3 (§7.1.3), by the last entry that was read. */
function directoryReason({ fault, entries = [] }: FaultReport): number | undefined {
  const last = entries.at(-1)?.role;
  if (fault === 'process-entry-unreadable') return last === 'context' ? 0x50 : undefined;
  if (last !== 'process-directory') return undefined;
  return fault === 'process-entry-not-present' ? 0x51 : fault === 'process-entry-reserved' ? 0x52 : undefined;
}

/** FPD, bit 1 of the context entry, the PASID directory entry and the PASID-table entry; P does not matter (§9.3, §9.5, §9.6). */
function isDisabled({ entries = [] }: FaultReport): boolean {
  return entries.some(({ role, words }) => role !== 'root' && bits(words[0] ?? 0n, 1) === 1n);
}

export function decodeFault(words: readonly bigint[]): DecodedFault {
  const { FI, SID, T, PP, PV, FR } = RECORD.decode(words);
  return {
    code: `fault reason ${FR.toString(16).toUpperCase()}h`,
    requester: Number(SID),
    pasid: PP === 1n ? Number(PV) : null,
    address: FI,
    write: T === BigInt(REQUEST_TYPE.write) || T === BigInt(REQUEST_TYPE.atomic),
    words,
  };
}
