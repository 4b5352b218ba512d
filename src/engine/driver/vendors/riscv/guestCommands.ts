import { bits, mask } from '../../../bits/bitFields';
import { done, refused, type Outcome } from '../../errno';
import { type GuestTarget } from '../common/vendorDriver';
import { type EncodedCommand } from '../common/encodedCommand';

/** opcode and func3 (RISC-V IOMMU 1.0 §3.1). */
const key = (word: bigint): string => `${bits(word, 6, 0)}.${bits(word, 9, 7)}`;
const VMA = '1.0';
const FENCE = '2.0';
const INVAL_DDT = '3.0';
const INVAL_PDT = '3.1';
const ATS_INVAL = '4.0';

/**
 * A raw command of a guest's, limited and translated as those of other vendors are: no kernel has such an interface for this
 * IOMMU yet. First-stage invalidations get the guest's GSCID, device_ids become physical ones.
 */
export function translateGuestCommand(
  { parent, ids }: GuestTarget,
  [first = 0n, second = 0n]: readonly bigint[],
): Outcome<readonly EncodedCommand[]> {
  switch (key(first)) {
    case VMA: {
      const guest = (first & ~mask(59, 44)) | mask(33) | (BigInt(parent.id) << 44n);
      return done([{ name: 'IOTINVAL.VMA', words: [guest, second] }]);
    }
    case FENCE:
      return done([]);
    case INVAL_DDT:
    case INVAL_PDT: {
      const requester = bits(first, 33) === 1n ? ids.requesterOf(bits(first, 63, 40)) : undefined;
      if (requester === undefined) return refused('EIO', 'the guest has no device of that device_id');
      const name = key(first) === INVAL_DDT ? 'IODIR.INVAL_DDT' : 'IODIR.INVAL_PDT';
      return done([{ name, words: [(first & ~mask(63, 40)) | (BigInt(requester) << 40n), second] }]);
    }
    case ATS_INVAL: {
      const segment = bits(first, 33) === 1n ? bits(first, 63, 56) : 0n;
      const requester = ids.requesterOf((segment << 16n) | bits(first, 55, 40));
      if (requester === undefined) return refused('EIO', 'the guest has no device of that RID');
      const place = (BigInt(requester & 0xffff) << 40n) | (BigInt(requester >> 16) << 56n);
      const valid = requester > 0xffff ? mask(33) : 0n;
      return done([
        { name: 'ATS.INVAL', words: [(first & ~mask(63, 40) & ~mask(33)) | place | valid, second] },
      ]);
    }
    default:
      return refused('EIO', `command ${key(first)} (opcode.func3) is not for guests`);
  }
}
