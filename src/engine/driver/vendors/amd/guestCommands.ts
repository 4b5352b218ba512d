import { bits, mask } from '../../../bits/bitFields';
import { done, refused, type Outcome } from '../../errno';
import { type GuestTarget } from '../common/vendorDriver';
import { type EncodedCommand } from '../common/encodedCommand';

/** Opcodes, bits 63:60 of word 0 (AMD 48882 3.10 §2.4). */
const OPCODE = {
  completionWait: 1n,
  devtabEntry: 2n,
  iommuPages: 3n,
  iotlbPages: 4n,
  pprResponse: 7n,
} as const;

/**
 * A command of a guest's own queue as the hardware of the vIOMMU does it: DomainIDs and DeviceIDs of the guest are replaced by
 * those that its tables of domains and devices name (§2.9). COMPLETION_WAIT stores into guest memory, which is the queue's.
 */
export function translateGuestCommand(
  { ids }: GuestTarget,
  [first = 0n, second = 0n]: readonly bigint[],
): Outcome<readonly EncodedCommand[]> {
  switch (bits(first, 63, 60)) {
    case OPCODE.completionWait:
    case OPCODE.pprResponse:
      return done([]);
    case OPCODE.iommuPages: {
      const guest = Number(bits(first, 47, 32));
      const id = ids.domainOf(guest);
      if (id === undefined) return refused('EIO', `the guest has no domain ${guest}`);
      return done([{ name: 'INVALIDATE_IOMMU_PAGES', words: [replaced(first, 47, 32, id), second] }]);
    }
    case OPCODE.devtabEntry: {
      const requester = ids.requesterOf(bits(first, 15, 0));
      if (requester === undefined) return refused('EIO', 'the guest has no device of that DeviceID');
      return done([{ name: 'INVALIDATE_DEVTAB_ENTRY', words: [replaced(first, 15, 0, requester), second] }]);
    }
    case OPCODE.iotlbPages: {
      const requester = ids.requesterOf(bits(first, 15, 0));
      if (requester === undefined) return refused('EIO', 'the guest has no device of that DeviceID');
      const device = replaced(replaced(first, 15, 0, requester), 47, 32, requester);
      return done([{ name: 'INVALIDATE_IOTLB_PAGES', words: [device, second] }]);
    }
    default:
      return refused('EIO', `opcode ${bits(first, 63, 60)} is not for guests`);
  }
}

const replaced = (word: bigint, high: number, low: number, value: number): bigint =>
  (word & ~mask(high, low)) | (BigInt(value) << BigInt(low));
