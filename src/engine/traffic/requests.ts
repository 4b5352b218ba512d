import { pageAt } from '../iommu/addressHalves';
import { requestOf } from '../machine/dma';
import { assert, failure, type Result, success } from '../result';
import { hex, parseInteger } from '../values';
import { inOrder, type TrafficAccess, type TrafficGenerator, type WroteListener } from './generator';
import { type RequestList } from './spec';

const MOST_REQUESTS = 1_000_000;
const EXACT = 1n << 53n;

/**
 * Requests as they are given, again and again. Whose traffic this is sends them all: `sid` and `pasid` of the lines are not
 * looked at.
 */
export function requestList({ requests }: RequestList): Result<TrafficGenerator> {
  const isList: boolean = Array.isArray(requests);
  if (!isList || requests.length < 1 || requests.length > MOST_REQUESTS)
    return failure(
      'traffic/field',
      'requests: "requests" is no list of requests.',
      `It has from 1 to ${MOST_REQUESTS} of them.`,
    );
  const accesses: TrafficAccess[] = [];
  /** Pages of each that writes; the others have none. */
  const starts = new Float64Array(requests.length);
  const ends = new Float64Array(requests.length);
  let [bytes, writes] = [0, 0];
  for (const [index, line] of requests.entries()) {
    const request = isLine(line) ? requestOf(line) : 'it is none';
    if (typeof request === 'string')
      return failure('traffic/field', `requests: request ${index}: ${request}.`, 'Mend it, or take it out.');
    const { addressLo, addressHi, length, access } = request;
    const address = parseInteger(String(line.iova)) ?? 0n;
    const iova = address < EXACT ? Number(address) : hex(address);
    accesses.push({ iova, length, access });
    bytes += length;
    if (access === 'read') continue;
    writes++;
    const page = pageAt(addressLo, addressHi);
    starts[index] = page;
    ends[index] = page + Math.floor(((addressLo & 0xfff) + length - 1) / 4096) + 1;
  }
  const count = accesses.length;
  const name = (index: number, wrote: WroteListener): void => {
    const [start = 0, end = 0] = [starts[index], ends[index]];
    if (start < end) wrote(start, end);
  };
  return success(
    inOrder({
      bytesPerAccess: bytes / count,
      writeShare: writes / count,
      access(index) {
        const access = accesses[index % count];
        assert(access, 'there is a request at each place of the list');
        return access;
      },
      written(from, to, wrote) {
        const until = Math.min(to, from + count);
        for (let index = from; index < until; index++) name(index % count, wrote);
      },
    }),
  );
}

/** Of texts and numbers: what else is wrong with it, `requestOf` says. */
function isLine(line: unknown): boolean {
  if (typeof line !== 'object' || line === null) return false;
  return Object.values(line).every((value) => value === null || ['string', 'number'].includes(typeof value));
}
