import { type SoftwareStep } from '../driver/softwareStep';
import { type DmaLogging } from '../driver/vfio/dmaLogging';
import { asksToWrite, type DmaRequest } from '../iommu/request';
import { type Steps } from '../steps';
import { FRAME_BYTES, hex, parseDevice, parseInteger, pasid as pasidOf, type RequesterId } from '../values';
import { type Begun } from './atOnce';
import { type DeviceSide } from './deviceSides';
import { DmaTally } from './dmaTally';
import { isPasid } from './inputs';
import { type DmaLine, type OperationReport } from './operation';
import { type MachineStep, type StepRunner } from './runner';
import { type MachineFunction } from './unit';

/** Of one request. */
const MOST_BYTES = 2 ** 30;
const ACCESSES: readonly string[] = ['read', 'write', 'atomic'];

/** What requests need of the machine. */
export interface DmaHost {
  functionOf(requester: RequesterId): MachineFunction | undefined;
  /** What VFIO knows of a device: it may be stopped, and may log its writes. */
  sideOf(requester: RequesterId): DeviceSide | undefined;
  /** A request was refused that began after step `since` of the ledger: for the ledger. */
  refused(from: MachineFunction, request: DmaRequest, fault: string, since: number): void;
  /** Where a physical address is in guest memory; undefined: outside. */
  guestAddress(physical: bigint): bigint | undefined;
  readonly ledger: { readonly step: number };
  readonly runner: StepRunner;
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
export function* injectDma(host: DmaHost, lines: readonly DmaLine[]): Steps<MachineStep, OperationReport> {
  const tally = new DmaTally();
  for (const [index, line] of lines.entries()) {
    const request = requestOf(line);
    if (typeof request === 'string') tally.refuse(index, request);
    else {
      const sent = yield* sendRequest(host, request);
      if (typeof sent === 'string') tally.refuse(index, sent);
      else tally.land(index, request, sent.address);
    }
  }
  return tally.report();
}

/**
 * One request: where its first access landed, or why it was refused. `writesBack`: its driver has the device do it, whatever
 * state it is in. `begun`: how far it was done at once.
 */
export function* sendRequest(
  host: DmaHost,
  request: DmaRequest,
  writesBack = false,
  begun?: Begun,
): Steps<MachineStep, { readonly address: string } | string> {
  const from = host.functionOf(request.requester);
  if (!from) return 'no such device in this machine';
  const side = host.sideOf(request.requester);
  if (!writesBack && side?.migration?.mayAccess('memory') === false) return 'the device is stopped';
  const since = begun?.since ?? host.ledger.step;
  let address = begun && joined(begun);
  const noting = (function* () {
    const steps = from.device.dma(begun?.rest ?? request);
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      const { value } = step;
      if (value.kind === 'access') address ??= joined(value);
      yield value;
    }
  })();
  const outcome = yield* host.runner.hardware(noting);
  if (!outcome) return 'the device is stopped';
  if (!outcome.ok) {
    host.refused(from, request, outcome.fault, since);
    return outcome.fault;
  }
  if (side?.log && asksToWrite(request)) yield* host.runner.software(logged(side.log, request));
  return { address: landingText(host, address) };
}

/** The device notes the pages that it has written. */
function* logged(log: DmaLogging, { addressLo, addressHi, length }: DmaRequest): Steps<SoftwareStep, null> {
  const start = (addressHi >>> 0) * 2 ** 32 + (addressLo >>> 0);
  for (let page = Math.floor(start / FRAME_BYTES); page * FRAME_BYTES < start + length; page++)
    yield* log.log(page);
  return null;
}

/** An address from its halves. */
export const joined = (where: { readonly outputLo: number; readonly outputHi: number }): bigint =>
  (BigInt(where.outputHi >>> 0) << 32n) | BigInt(where.outputLo >>> 0);

export function landingText(host: Pick<DmaHost, 'guestAddress'>, physical: bigint | undefined): string {
  if (physical === undefined) return '';
  const guest = host.guestAddress(physical);
  return guest === undefined ? `host ${hex(physical)}` : hex(guest);
}
