import { bits } from '../../../bits/bitFields';
import { SMMU_EVENT, saySmmuEvent, smmuEvent } from '../../../directory/smmuv3/faultCodes';
import { asksToWrite } from '../../request';
import { type DecodedFault, type FaultReport, type RegisterFile } from '../../vendor';
import { Layout, at } from '../layout';
import { addressOf } from '../ranges';
import { registerField } from '../registerBits';

/** Event record, IHI 0070 7.3: the fields that its forms share. Of F_STE_FETCH and its like the last word is FetchAddr. */
const RECORD = new Layout(4, {
  EventNumber: at(7, 0),
  SSV: at(11),
  SubstreamID: at(31, 12),
  StreamID: at(63, 32),
  STAG: at(79, 64),
  Stall: at(95),
  PnU: at(97),
  InD: at(98),
  RnW: at(99),
  S2: at(103),
  CLASS: at(105, 104),
  InputAddr: at(191, 128),
  Address: at(247, 192),
});

const CLASS = { CD: 0, TT: 1, IN: 2 } as const;
const F_STE_FETCH = 0x03;
const F_CD_FETCH = 0x09;
const F_WALK_EABT = 0x0b;
/** Events of translation: with InputAddr, RnW, S2 and CLASS (7.3.12 to 7.3.16). */
const FIRST_TRANSLATION_EVENT = F_WALK_EABT;

/** CR2.RECINVSID */
const RECORDS_BAD_STREAMS = 1;
const C_BAD_STREAMID = 0x02;

export function encodeFault(report: FaultReport, registers: RegisterFile): readonly bigint[] | undefined {
  const event = eventOf(report);
  if (event === undefined) return undefined;
  if (event === C_BAD_STREAMID && registerField(registers, 'CR2', RECORDS_BAD_STREAMS) === 0)
    return undefined;
  const { request } = report;
  const stream = {
    EventNumber: event,
    StreamID: request.requester,
    ...(request.pasid === null ? {} : { SSV: 1, SubstreamID: request.pasid }),
  };
  if (event < FIRST_TRANSLATION_EVENT) return RECORD.encode({ ...stream, ...fetchAddress(event, report) });
  const write = asksToWrite(request);
  return RECORD.encode({
    ...stream,
    PnU: request.privileged === true,
    InD: request.execute === true && !write,
    RnW: !write,
    S2: report.stage === 2,
    CLASS: classOf(report),
    InputAddr: addressOf(request.addressLo, request.addressHi),
    Address: intermediateAddress(event, report),
  });
}

/** The event for a fault; the entries that were read say what the fault alone does not. */
function eventOf({ fault, entries }: FaultReport): number | undefined {
  // An invalid level-1 descriptor means that there is no such substream (7.3.9 C_BAD_SUBSTREAMID).
  if (fault === 'process-entry-not-present' && entries?.at(-1)?.role === 'process-directory')
    return SMMU_EVENT.C_BAD_SUBSTREAMID;
  if (fault !== 'translation-blocked') return smmuEvent(fault);
  const ste = entries?.find(({ role }) => role === 'context')?.words[0] ?? 0n;
  // Config 0 aborts and records nothing (5.2 Config); so does a disabled SMMU with GBPA.ABORT.
  if (bits(ste, 0) === 0n || bits(ste, 3, 1) === 0n) return undefined;
  // With a CD it was EPD0 or EPD1 (5.4); without one S1DSS (5.2).
  const hasCd = entries?.some(({ role }) => role === 'process') === true;
  return hasCd ? SMMU_EVENT.F_TRANSLATION : SMMU_EVENT.F_STREAM_DISABLED;
}

/** FetchAddr of a structure that could not be read: the address is in what led to it, so 0 when that is a register. */
function fetchAddress(event: number, { entries = [] }: FaultReport): { readonly Address?: bigint } {
  if (event !== F_STE_FETCH && event !== F_CD_FETCH) return {};
  const last = entries.at(-1)?.words[0];
  if (last === undefined) return {};
  const low = event === F_CD_FETCH && entries.at(-1)?.role === 'process-directory' ? 12 : 6;
  return { Address: bits(last, 55, low) << BigInt(low) };
}

/** IN: the access itself; TT: to a table of stage 1; CD: to a context descriptor. */
function classOf({ stage, implicit, space }: FaultReport): number {
  if (stage !== 2 || !implicit) return CLASS.IN;
  return space ? CLASS.TT : CLASS.CD;
}

/** The IPA that stage 2 refused. */
function intermediateAddress(event: number, { stage, guestLo = 0, guestHi = 0 }: FaultReport): bigint {
  if (stage !== 2 || event === F_WALK_EABT) return 0n;
  return addressOf(guestLo, guestHi) & ~0xfffn;
}

export function decodeFault(words: readonly bigint[]): DecodedFault {
  const { EventNumber, SSV, SubstreamID, StreamID, InputAddr, RnW } = RECORD.decode(words);
  const event = Number(EventNumber);
  return {
    code: saySmmuEvent(event),
    requester: Number(StreamID),
    pasid: SSV === 1n ? Number(SubstreamID) : null,
    address: InputAddr,
    write: event >= FIRST_TRANSLATION_EVENT && RnW === 0n,
    words,
  };
}
