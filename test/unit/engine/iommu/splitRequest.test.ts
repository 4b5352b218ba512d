/** Requests that run over pages. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type DmaRequest } from '../../../../src/engine/iommu/request';
import { splitRequest } from '../../../../src/engine/iommu/splitRequest';
import { requesterId } from '../../../../src/engine/values';

const request = (address: bigint, length: number): DmaRequest => ({
  requester: requesterId(8),
  pasid: null,
  addressLo: Number(address & 0xffffffffn),
  addressHi: Number(address >> 32n),
  length,
  access: 'write',
  kind: 'untranslated',
});

const addressOf = ({ addressLo, addressHi }: DmaRequest): bigint =>
  (BigInt(addressHi) << 32n) | BigInt(addressLo);

describe('Splitting a request', () => {
  it('gives neighbouring pieces that are the request together, none over the end of a page', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.nat(40_000), (start, length) => {
        const pieces = [...splitRequest(request(start, length))];
        let next = start;
        for (const piece of pieces) {
          assert.equal(addressOf(piece), BigInt.asUintN(64, next));
          assert.ok(piece.length > 0 && Number(next % 4096n) + piece.length <= 4096);
          next += BigInt(piece.length);
        }
        assert.equal(next - start, BigInt(length));
        if (pieces.length > 2) assert.ok(pieces.slice(1, -1).every((piece) => piece.length === 4096));
      }),
    );
  });

  it('carries into the upper half of the address', () => {
    const pieces = [...splitRequest(request(0x1_ffff_ff00n, 0x200))];
    assert.deepEqual(
      pieces.map((piece) => [addressOf(piece), piece.length]),
      [
        [0x1_ffff_ff00n, 0x100],
        [0x2_0000_0000n, 0x100],
      ],
    );
  });
});
