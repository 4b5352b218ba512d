import { type EmulatedKind } from '../../iommu/vendor';
import { done, refused, type Outcome } from '../errno';
import { type VirtualIds } from './platform';

const LOW_16 = 0xffffn;

/** A guest's command with the host's ids in it; EIO: one that a guest may not give, or an id that it does not have. */
export type CommandTranslator = (
  words: readonly bigint[],
  ids: VirtualIds,
  vm: number,
) => Outcome<readonly bigint[]>;

/** SMMUv3 opcodes (Arm IHI 0070 §4.1.3). */
const CFGI_CD = 0x05n;
const CFGI_CD_ALL = 0x06n;
const TLBI_NH_ALL = 0x10n;
const TLBI_NH_ASID = 0x11n;
const TLBI_NH_VA = 0x12n;
const TLBI_NH_VAA = 0x13n;
const TLBI_NSNH_ALL = 0x30n;
const ATC_INV = 0x40n;
const SMMU_OPCODE = 0xffn;
/** VMID stands in bits 47:32 and StreamID in bits 63:32 of the first word. */
const VMID = LOW_16 << 32n;
const STREAM_ID = 0xffff_ffffn << 32n;

/**
 * SMMUv3, as Linux arm-smmu-v3-iommufd.c does: commands of stage 1 get the VMID of the guest's stage 2, those to a device its
 * physical StreamID; "all" becomes all of stage 1 of that VMID.
 */
export const translateSmmuv3: CommandTranslator = ([first = 0n, second = 0n], ids, vm) => {
  const vmid = BigInt(vm) << 32n;
  const opcode = first & SMMU_OPCODE;
  switch (opcode) {
    case TLBI_NSNH_ALL:
      return done([TLBI_NH_ALL | vmid, 0n]);
    case TLBI_NH_ALL:
    case TLBI_NH_ASID:
    case TLBI_NH_VA:
    case TLBI_NH_VAA:
      return done([(first & ~VMID) | vmid, second]);
    case ATC_INV:
    case CFGI_CD:
    case CFGI_CD_ALL: {
      const requester = ids.requesterOf(first >> 32n);
      if (requester === undefined)
        return refused('EIO', `the guest has no StreamID 0x${(first >> 32n).toString(16)}`);
      return done([(first & ~STREAM_ID) | (BigInt(requester) << 32n), second]);
    }
    default:
      return refused('EIO', `a guest may not give the command with opcode 0x${opcode.toString(16)}`);
  }
};

/** AMD opcodes, bits 63:60 of the first word (48882 §2.4), and where ids stand. */
const AMD_COMPLETION_WAIT = 1;
const AMD_INVALIDATE_PAGES = 3;
const AMD_INVALIDATE_IOTLB = 4;
const AMD_DOMAIN_ID = LOW_16 << 32n;
/** The pages command: host tables (GN = 0) are not the guest's. */
const AMD_GUEST_PAGES = 1n << 2n;

/**
 * AMD: hardware looks guest DeviceIDs up in the device id table and guest DomainIDs in the domain id table of the guest
 * (48882 §2.2.7, §2.7): a page command may reach guest tables only.
 */
export const translateAmd: CommandTranslator = ([first = 0n, second = 0n], ids) => {
  const opcode = Number(first >> 60n);
  switch (opcode) {
    case AMD_COMPLETION_WAIT:
      return done([first, second]);
    case AMD_INVALIDATE_PAGES: {
      const guest = Number((first & AMD_DOMAIN_ID) >> 32n);
      const host = ids.domainOf(guest);
      if (host === undefined) return refused('EIO', `the guest has no DomainID 0x${guest.toString(16)}`);
      return done([(first & ~AMD_DOMAIN_ID) | (BigInt(host) << 32n), second | AMD_GUEST_PAGES]);
    }
    case AMD_INVALIDATE_IOTLB: {
      const requester = ids.requesterOf(first & LOW_16);
      if (requester === undefined)
        return refused('EIO', `the guest has no DeviceID 0x${(first & LOW_16).toString(16)}`);
      return done([(first & ~LOW_16) | BigInt(requester), second]);
    }
    default:
      return refused('EIO', `a guest may not give the command with opcode ${opcode}`);
  }
};

/** By vendor; none: guests' commands do not go to hardware there. */
export const GUEST_COMMANDS: Partial<Readonly<Record<EmulatedKind, CommandTranslator>>> = {
  smmuv3: translateSmmuv3,
  'amd-vi': translateAmd,
};
