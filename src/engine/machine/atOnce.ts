import { type HardwareStep } from '../iommu/hardwareStep';
import { type DmaRequest } from '../iommu/request';
import { FRAME_BYTES, type RequesterId } from '../values';
import { type DeviceSide } from './deviceSides';
import { type StepRunner } from './runner';
import { type MachineFunction } from './unit';

/** What a request needs that is done at once. */
export interface AtOnceHost {
  functionOf(requester: RequesterId): MachineFunction | undefined;
  sideOf(requester: RequesterId): DeviceSide | undefined;
  readonly ledger: { readonly step: number };
  readonly runner: StepRunner;
}

/** How far a request got at once. */
export interface Begun {
  /** Step of the ledger before its first one. */
  readonly since: number;
  /** Where its first access landed. */
  readonly outputLo: number;
  readonly outputHi: number;
  /** What is to be done step by step; undefined: nothing. */
  readonly rest: DmaRequest | undefined;
}

const LOOKED_UP: readonly HardwareStep[] = [
  { kind: 'lookup', cache: 'context', hit: true },
  { kind: 'lookup', cache: 'iotlb', hit: true },
];
/** Of these the ledger counts that there was one: where it led is told by the access itself. */
const ACCESSED: HardwareStep = { kind: 'access', outputLo: 0, outputHi: 0, length: 0, write: false };

/** Pages of one go: requests may have a GiB. */
const MOST_PIECES = 8;

/**
 * A request, or what is left of it, as far as the caches of its IOMMU answer it, and at most 8 pages of it in one go: outcome,
 * counters, and what the ledger hears, and at which of its steps, are as if it was done step by step. Gives `before` back when
 * nothing was done.
 */
export function beginAtOnce(host: AtOnceHost, request: DmaRequest, before?: Begun): Begun | undefined {
  const { runner } = host;
  const from = host.functionOf(request.requester);
  if (!from || from.device.ats || !from.device.running) return before;
  const side = host.sideOf(request.requester);
  if (side?.log || side?.migration?.mayAccess('memory') === false) return before;
  const since = before?.since ?? host.ledger.step;
  const { iommu } = from.unit;
  const lookedUp = (): void => {
    runner.done(...LOOKED_UP);
  };
  let begun = before;
  let rest: DmaRequest | undefined = before?.rest ?? request;
  for (let pieces = 0; rest && pieces < MOST_PIECES; pieces++) {
    const room: number = FRAME_BYTES - (rest.addressLo & 0xfff);
    const piece: DmaRequest = rest.length <= room ? rest : { ...rest, length: room };
    const outcome = iommu.answer(piece, lookedUp);
    if (!outcome?.ok) break;
    runner.done(ACCESSED);
    rest = rest.length <= room ? undefined : after(rest, room);
    const { outputLo, outputHi } = begun ?? outcome;
    begun = { since, outputLo, outputHi, rest };
  }
  return begun;
}

/** What follows the first bytes of a request. */
function after(request: DmaRequest, bytes: number): DmaRequest {
  const lo = (request.addressLo >>> 0) + bytes;
  const carry = lo >= 2 ** 32 ? 1 : 0;
  return {
    ...request,
    addressLo: lo >>> 0,
    addressHi: (request.addressHi + carry) >>> 0,
    length: request.length - bytes,
  };
}
