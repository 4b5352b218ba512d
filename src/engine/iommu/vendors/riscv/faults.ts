import { bits } from '../../../bits/bitFields';
import { riscvCause, sayCause } from '../../../directory/riscv/faultCodes';
import { asksToWrite } from '../../request';
import { type DecodedFault, type FaultReport } from '../../vendor';
import { Layout, at } from '../layout';
import { addressOf } from '../ranges';

/** Fault-queue record, RISC-V IOMMU 1.0 §3.2. Bits 95:64 are for custom use, 127:96 reserved. */
const RECORD = new Layout(4, {
  CAUSE: at(11, 0),
  PID: at(31, 12),
  PV: at(32),
  PRIV: at(33),
  TTYP: at(39, 34),
  DID: at(63, 40),
  iotval: at(191, 128),
  iotval2: at(255, 192),
});

/** Causes that are recorded although DC.tc.DTF is 1 (the same section). */
const ALWAYS_RECORDED = new Set([256, 257, 258, 259, 268, 272, 273]);
const GUEST_PAGE_FAULTS = new Set([20, 21, 23]);
const TRANSLATION_REQUEST = 8;

export function encodeFault(report: FaultReport): readonly bigint[] | undefined {
  const { request, fault, stage, implicit, implicitWrite } = report;
  const write = asksToWrite(request);
  const read = riscvCause(fault, write ? 'write' : 'read', stage);
  if (read === undefined) return undefined;
  const cause = request.execute === true && !write ? (EXECUTED[read] ?? read) : read;
  if (isDisabled(report) && !ALWAYS_RECORDED.has(cause)) return undefined;
  const guest = GUEST_PAGE_FAULTS.has(cause) ? addressOf(report.guestLo ?? 0, report.guestHi ?? 0) & ~3n : 0n;
  // Bits 1:0 of an explicit access's guest address are not reported: they say how it was made.
  const how = GUEST_PAGE_FAULTS.has(cause) && implicit ? (implicitWrite === true ? 3n : 1n) : 0n;
  return RECORD.encode({
    CAUSE: cause,
    ...(request.pasid === null ? {} : { PV: 1, PID: request.pasid, PRIV: request.privileged === true }),
    TTYP: transactionType(report),
    DID: request.requester,
    iotval: addressOf(request.addressLo, request.addressHi),
    iotval2: guest | how,
  });
}

/** The causes of reads that were to execute. */
const EXECUTED: Readonly<Record<number, number>> = { 5: 1, 13: 12, 21: 20 };

function transactionType({ request }: FaultReport): number {
  if (request.kind === 'translation') return TRANSLATION_REQUEST;
  const access = request.access !== 'read' ? 3 : request.execute === true ? 1 : 2;
  return request.kind === 'translated' ? access + 4 : access;
}

/** tc.DTF of the device context, when one was located and is valid. */
function isDisabled({ entries }: FaultReport): boolean {
  const control = entries?.find(({ role }) => role === 'context')?.words[0] ?? 0n;
  return bits(control, 0) === 1n && bits(control, 4) === 1n;
}

export function decodeFault(words: readonly bigint[]): DecodedFault {
  const { CAUSE, PID, PV, TTYP, DID, iotval } = RECORD.decode(words);
  return {
    code: sayCause(Number(CAUSE)),
    requester: Number(DID),
    pasid: PV === 1n ? Number(PID) : null,
    address: iotval,
    write: TTYP === 3n || TTYP === 7n,
    words,
  };
}
