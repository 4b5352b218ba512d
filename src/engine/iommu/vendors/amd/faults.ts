import { bits } from '../../../bits/bitFields';
import { amdEvent, sayAmdEvent } from '../../../directory/amd/faultCodes';
import { asksToWrite } from '../../request';
import { type DecodedFault, type FaultReport } from '../../vendor';
import { Layout, at, split, take } from '../layout';
import { addressOf } from '../ranges';

/** Event log entry, AMD 48882 3.10 §2.5: the fields that the events about requests share. */
const RECORD = new Layout(2, {
  DeviceID: at(15, 0),
  /** The PASID with GN = 1; else its low part is the DomainID. */
  PASID: split([47, 32], [19, 16]),
  GN: at(48),
  NX: at(49),
  US: at(50),
  I: at(51),
  PR: at(52),
  RW: at(53),
  PE: at(54),
  RZ: at(55),
  TR: at(56),
  Code: at(63, 60),
  Address: at(127, 64),
});
/** Of INVALID_DEVICE_REQUEST (§2.5.9) and of the hardware errors (§2.5.4, §2.5.5), in place of flags. */
const REQUEST_TYPE = at(59, 57);

const CODE = { illegalEntry: 1, pageFault: 2, deviceTable: 3, pageTable: 4, invalidRequest: 8 } as const;
/** Addresses below which bits an event does not report. */
const ADDRESS_SHIFT: Readonly<Record<number, bigint>> = {
  [CODE.illegalEntry]: 2n,
  [CODE.deviceTable]: 4n,
  [CODE.pageTable]: 3n,
};

export function encodeFault(report: FaultReport): readonly bigint[] | undefined {
  const { request, fault, stage } = report;
  const write = asksToWrite(request);
  const event = amdEvent(fault, write ? 'write' : 'read', stage);
  if (!event || isSuppressed(report, event.code)) return undefined;
  const guest = request.pasid !== null || event.flags.has('GN');
  const low = ADDRESS_SHIFT[event.code] ?? 0n;
  return RECORD.encode({
    Code: event.code,
    DeviceID: request.requester & 0xffff,
    PASID: guest ? (request.pasid ?? 0) : domainOf(report, event.code),
    GN: guest,
    NX: request.execute === true && guest,
    US: request.privileged !== true && guest && event.code === CODE.pageFault,
    PR: event.flags.has('PR') && event.code === CODE.pageFault,
    RW: event.flags.has('RW'),
    PE: event.flags.has('PE'),
    RZ: event.flags.has('RZ'),
    TR: request.kind === 'translation',
    Address: (addressOf(request.addressLo, request.addressHi) >> low) << low,
  });
}

const context = ({ entries }: FaultReport): readonly bigint[] =>
  entries?.find(({ role }) => role === 'context')?.words ?? [];

/** DTE.DomainID, in events that have it; not known before a DTE was read. */
const domainOf = (report: FaultReport, code: number): bigint =>
  code === CODE.pageFault || code === CODE.pageTable ? bits(context(report)[1] ?? 0n, 15, 0) : 0n;

/** DTE.SA: no IO_PAGE_FAULT of this device is logged (§2.2.2.1). */
const isSuppressed = (report: FaultReport, code: number): boolean =>
  code === CODE.pageFault && bits(context(report)[1] ?? 0n, 34) === 1n;

export function decodeFault(words: readonly bigint[]): DecodedFault {
  const { Code, DeviceID, PASID, GN, RW, Address } = RECORD.decode(words);
  const code = Number(Code);
  const type =
    code === CODE.invalidRequest ? ` type ${take(words, REQUEST_TYPE).toString(2).padStart(3, '0')}b` : '';
  return {
    code: sayAmdEvent(code) + type,
    requester: Number(DeviceID),
    pasid: GN === 1n ? Number(PASID) : null,
    address: Address,
    write: RW === 1n,
    words,
  };
}
