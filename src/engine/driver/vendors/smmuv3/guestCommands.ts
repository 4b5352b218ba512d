import { bits, mask } from '../../../bits/bitFields';
import { smmuCommands } from '../../../iommu/vendors/smmuv3/commands';
import { done, refused, type Outcome } from '../../errno';
import { type GuestTarget } from '../common/vendorDriver';
import { type EncodedCommand } from '../common/encodedCommand';

/** What becomes of a guest's command, by opcode: everything else is refused. */
const RULES: Readonly<
  Record<number, { readonly name: string; readonly rewrites: 'vmid' | 'stream' | 'all' }>
> = {
  0x05: { name: 'CMD_CFGI_CD', rewrites: 'stream' },
  0x06: { name: 'CMD_CFGI_CD_ALL', rewrites: 'stream' },
  0x10: { name: 'CMD_TLBI_NH_ALL', rewrites: 'vmid' },
  0x11: { name: 'CMD_TLBI_NH_ASID', rewrites: 'vmid' },
  0x12: { name: 'CMD_TLBI_NH_VA', rewrites: 'vmid' },
  0x13: { name: 'CMD_TLBI_NH_VAA', rewrites: 'vmid' },
  0x30: { name: 'CMD_TLBI_NSNH_ALL', rewrites: 'all' },
  0x40: { name: 'CMD_ATC_INV', rewrites: 'stream' },
};

/** A raw command of a guest's, with the VMID of its parent and the StreamIDs of its devices (iommufd, ARM_SMMUV3 vIOMMU). */
export function translateGuestCommand(
  { parent, ids }: GuestTarget,
  [first = 0n, second = 0n]: readonly bigint[],
): Outcome<readonly EncodedCommand[]> {
  const opcode = Number(bits(first, 7, 0));
  const rule = RULES[opcode];
  if (!rule) return refused('EIO', `command 0x${opcode.toString(16)} is not for guests`);
  const { name, rewrites } = rule;
  if (rewrites === 'all') {
    return done([{ name: 'CMD_TLBI_NH_ALL', words: smmuCommands.tlbiNhAll({ VMID: parent.id }) }]);
  }
  if (rewrites === 'vmid') {
    const vmid = (first & ~mask(47, 32)) | (BigInt(parent.id) << 32n);
    return done([{ name, words: [vmid, second] }]);
  }
  const requester = ids.requesterOf(bits(first, 63, 32));
  if (requester === undefined) return refused('EIO', `the guest has no StreamID ${bits(first, 63, 32)}`);
  const stream = (first & ~mask(63, 32)) | (BigInt(requester) << 32n);
  return done([{ name, words: [stream, second] }]);
}
