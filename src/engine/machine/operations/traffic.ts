import { type HardwareStep } from '../../iommu/hardwareStep';
import { type DmaRequest } from '../../iommu/request';
import { refused, type Outcome } from '../../driver/errno';
import { type Steps } from '../../steps';
import { type TrafficAccess } from '../../traffic/generator';
import { TrafficStream } from '../../traffic/stream';
import {
  formatRequester,
  parseDevice,
  parseInteger,
  pasid as pasidOf,
  type Pasid,
  type RequesterId,
} from '../../values';
import { beginAtOnce, type Begun } from '../atOnce';
import { type DmaHost, joined, landingText, sendRequest } from '../dma';
import { DmaTally } from '../dmaTally';
import { isPasid, sentence } from '../inputs';
import { type OperationReport, type TrafficOperation } from '../operation';
import { type MachineStep } from '../runner';

/** Of one operation. */
const MOST_REQUESTS = 1e8;
/** Of all that came before: numbers of accesses stay exact. */
const MOST_SKIPPED = 2 ** 48;
const REQUESTS_PER_PROGRESS = 4096;
const WORD = 2 ** 32;

/** What traffic needs of the machine. */
export interface TrafficHost extends DmaHost {
  progress: string;
}

/**
 * steps: each atomic action is a step. requests: what caches answer is one step a request (a step each 8 pages), and nobody is to act within it; memory,
 * counters, ledger and report are the same.
 */
export type Pace = 'steps' | 'requests';

/** Who sends, as requests name it. */
interface Sender {
  readonly requester: RequesterId;
  readonly pasid: Pasid | null;
}

interface CheckedTraffic {
  readonly stream: TrafficStream;
  readonly senders: readonly Sender[];
}

/**
 * Sends requests of generators, one after the other, each when the one before has landed or was refused; `index` in its report
 * is the number of a request in this operation, from 0. A request that runs over pages is one.
 */
export function* sendTraffic(
  host: TrafficHost,
  operation: TrafficOperation,
  pace: Pace = 'steps',
): Steps<MachineStep, OperationReport> {
  const checked = checkTraffic(host, operation);
  if (!checked.ok) return { summary: sentence(checked.message), errno: checked.errno, counts: {} };
  const { stream, senders } = checked.value;
  const tally = new DmaTally();
  stream.skip(operation.skip ?? 0);
  for (let index = 0; index < operation.requests; index++) {
    if (index % REQUESTS_PER_PROGRESS === 0) host.progress = progressText(index, operation.requests);
    const access = stream.next();
    const request = requestOf(senders[stream.source], access);
    let begun = pace === 'requests' ? beginAtOnce(host, request) : undefined;
    while (begun?.rest) {
      yield accessed(begun, request);
      const more = beginAtOnce(host, request, begun);
      if (more === begun) break;
      begun = more;
    }
    if (begun && !begun.rest) {
      tally.land(index, request, tally.tellsAddress ? landingText(host, joined(begun)) : '');
      yield accessed(begun, request);
      continue;
    }
    const sent = yield* sendRequest(host, request, false, begun);
    if (typeof sent === 'string') tally.refuse(index, sent);
    else tally.land(index, request, sent.address);
  }
  host.progress = '';
  return tally.report();
}

const accessed = ({ outputLo, outputHi }: Begun, { length, access }: DmaRequest): HardwareStep => ({
  kind: 'access',
  outputLo,
  outputHi,
  length,
  write: access !== 'read',
});

const progressText = (done: number, all: number): string =>
  `${done.toLocaleString('en')} of ${all.toLocaleString('en')} requests done`;

const NOBODY: Sender = { requester: 0 as RequesterId, pasid: null };

function requestOf({ requester, pasid } = NOBODY, { iova, length, access }: TrafficAccess): DmaRequest {
  // Addresses that are no exact numbers are text.
  const address = typeof iova === 'number' ? 0n : (parseInteger(iova) ?? 0n);
  return {
    requester,
    pasid,
    addressLo: typeof iova === 'number' ? iova >>> 0 : Number(address & 0xffffffffn),
    addressHi: typeof iova === 'number' ? Math.floor(iova / WORD) : Number(address >> 32n),
    length,
    access,
    kind: 'untranslated',
  };
}

/** Operations come from files and journals: everything is looked at before anything is done. */
function checkTraffic(
  host: TrafficHost,
  { sources, requests, seed, skip = 0 }: TrafficOperation,
): Outcome<CheckedTraffic> {
  const isCount = (value: number, most: number): boolean =>
    Number.isSafeInteger(value) && value >= 0 && value <= most;
  if (!isCount(requests, MOST_REQUESTS))
    return refused('EINVAL', `${requests} is no number of requests from 0 to ${MOST_REQUESTS}`);
  if (!isCount(skip, MOST_SKIPPED))
    return refused('EINVAL', `${skip} is no number of requests that came before, from 0 to ${MOST_SKIPPED}`);
  if (!Number.isSafeInteger(seed)) return refused('EINVAL', `the seed ${seed} is no whole number`);
  const isList: boolean = Array.isArray(sources);
  if (!isList) return refused('EINVAL', 'traffic has a list of sources');
  const senders: Sender[] = [];
  for (const source of sources) {
    const sender = senderOf(host, source);
    if (!sender.ok) return sender;
    senders.push(sender.value);
  }
  const made = TrafficStream.make(
    sources.map(({ traffic }) => traffic),
    seed,
  );
  if (!made.ok) {
    const { message, hint } = made.failure;
    return refused('EINVAL', hint === undefined ? message : `${message} ${hint}`);
  }
  for (const [index, { requester, pasid }] of senders.entries()) {
    const stranger = strangerAmong(sources[index]?.traffic, requester, pasid);
    if (stranger === undefined) continue;
    const owner = formatRequester(requester);
    return refused('EINVAL', `request ${stranger} is not of ${owner}, whose traffic it is`);
  }
  return { ok: true, value: { stream: made.value, senders } };
}

type Source = TrafficOperation['sources'][number];

function senderOf(host: TrafficHost, source: Source): Outcome<Sender> {
  const isSource = typeof (source as unknown) === 'object' && (source as unknown) !== null;
  const { requester: name, pasid = null }: Partial<Source> = isSource ? source : {};
  const parsed = typeof name === 'string' ? parseDevice(name) : undefined;
  if (!parsed || !host.functionOf(parsed.requester))
    return refused('ENODEV', `the machine has no device ${JSON.stringify(name)}`);
  if (pasid !== null && !isPasid(pasid)) return refused('EINVAL', `${pasid} is no PASID`);
  const { requester } = parsed;
  return { ok: true, value: { requester, pasid: pasid === null ? null : pasidOf(pasid) } };
}

/** The first request of a list that says it is someone else's. */
function strangerAmong(
  traffic: Source['traffic'] | undefined,
  requester: RequesterId,
  pasid: number | null,
): number | undefined {
  if (traffic?.kind !== 'requests') return undefined;
  const found = traffic.requests.findIndex((line) => {
    const isOwn = parseDevice(String(line.sid))?.requester === requester;
    return !isOwn || (line.pasid !== undefined && line.pasid !== pasid);
  });
  return found < 0 ? undefined : found;
}
