import { type DmaRequest } from './request';

/** The requests that one of any length is on the bus: none goes over the end of a 4 KiB page. Lowest address first. */
export function* splitRequest(request: DmaRequest): Generator<DmaRequest, void, void> {
  let { addressLo, addressHi, length } = request;
  addressLo >>>= 0;
  while (length > 0) {
    const piece = Math.min(length, 4096 - (addressLo & 0xfff));
    yield { ...request, addressLo, addressHi, length: piece };
    length -= piece;
    addressLo += piece;
    if (addressLo < 2 ** 32) continue;
    addressLo -= 2 ** 32;
    addressHi = (addressHi + 1) >>> 0;
  }
}
