import { type HardwareStep } from '../iommu/hardwareStep';
import { asksToWrite, type DmaRequest } from '../iommu/request';
import { type Steps } from '../steps';
import { hex, parseDevice, parseInteger, pasid as pasidOf, type RequesterId } from '../values';
import { isPasid } from './inputs';
import { type DmaLine, type OperationReport } from './operation';
import { type MachineFunction } from './unit';

/** Refused requests that a report names. */
const MOST_REFUSED = 1000;

/** Of one request. */
const MOST_BYTES = 2 ** 30;
const ACCESSES: readonly string[] = ['read', 'write', 'atomic'];

/** What requests need of the machine. */
export interface DmaHost {
  functionOf(requester: RequesterId): MachineFunction | undefined;
  /** A request was refused: for the ledger. */
  refused(from: MachineFunction, request: DmaRequest, fault: string): void;
}

/** A line of a trace as a request; a text says what is wrong with it. */
export function requestOf({ sid, pasid, iova, length = 4096, access }: DmaLine): DmaRequest | string {
  const device = parseDevice(String(sid));
  const address = parseInteger(String(iova));
  if (!device) return `${String(sid)} is no device`;
  if (address === undefined) return `${String(iova)} is no address`;
  if (!Number.isInteger(length) || length < 1 || length > MOST_BYTES)
    return `${length} is no number of bytes`;
  if (pasid !== undefined && pasid !== null && !isPasid(pasid)) return `${pasid} is no PASID`;
  if (!ACCESSES.includes(access)) return `"${access}" is no access`;
  if (address + BigInt(length) > 1n << 64n) return `${hex(address)} and ${length} bytes end beyond 64 bits`;
  return {
    requester: device.requester,
    pasid: pasid === undefined || pasid === null ? null : pasidOf(pasid),
    addressLo: Number(address & 0xffffffffn),
    addressHi: Number(address >> 32n),
    length,
    access,
    kind: 'untranslated',
  };
}

/** Sends requests one after the other, each when the one before has landed or was refused. */
export function* injectDma(host: DmaHost, lines: readonly DmaLine[]): Steps<HardwareStep, OperationReport> {
  const refused: { index: number; fault: string }[] = [];
  const counts = { requests: 0, landed: 0, refused: 0, reads: 0, writes: 0, bytes: 0 };
  for (const [index, line] of lines.entries()) {
    const request = requestOf(line);
    counts.requests++;
    const from = typeof request === 'string' ? undefined : host.functionOf(request.requester);
    const refuse = (fault: string): void => {
      counts.refused++;
      if (refused.length < MOST_REFUSED) refused.push({ index, fault });
    };
    if (typeof request === 'string') {
      refuse(request);
      continue;
    }
    if (!from) {
      refuse('no such device in this machine');
      continue;
    }
    const outcome = yield* from.device.dma(request);
    if (!outcome) refuse('the device is stopped');
    else if (outcome.ok) {
      counts.landed++;
      counts.bytes += request.length;
      if (request.access !== 'write') counts.reads++;
      if (asksToWrite(request)) counts.writes++;
    } else {
      refuse(outcome.fault);
      host.refused(from, request, outcome.fault);
    }
  }
  return { summary: summaryOf(counts), counts, refused };
}

const count = (number: number, one: string): string =>
  `${number.toLocaleString('en')} ${one}${number === 1 ? '' : 's'}`;

function summaryOf({ requests, landed, refused }: Readonly<Record<string, number>>): string {
  const lost = refused ? `, ${refused.toLocaleString('en')} refused` : '';
  return `${count(requests ?? 0, 'request')}: ${(landed ?? 0).toLocaleString('en')} landed${lost}.`;
}
