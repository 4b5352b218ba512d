import { type EmulatedKind } from '../../iommu/vendor';
import { done, refused, type Outcome } from '../errno';
import { type VirtualIds } from './platform';

/**
 * A command of a guest-owned queue with the host's ids in it, as hardware makes it; refused: one that such a queue does not
 * take, or an id that the guest does not have. `vm`: the id of the guest's stage 2.
 */
export type CommandTranslator = (
  words: readonly bigint[],
  ids: VirtualIds,
  vm: number,
) => Outcome<readonly bigint[]>;

const LOW_16 = 0xffffn;
const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** SMMUv3 opcodes (Arm IHI 0070 §4.1.3). */
const TLBI_NH_ASID = 0x11n;
const TLBI_NH_VA = 0x12n;
const ATC_INV = 0x40n;
const CMD_SYNC = 0x46n;
/** VMID stands in bits 47:32 and StreamID in bits 63:32 of the first word. */
const VMID = LOW_16 << 32n;
const STREAM_ID = 0xffff_ffffn << 32n;

/**
 * Tegra241 CMDQV: a virtual interface replaces the VMID, and StreamIDs by its match and replace registers; it takes stage-1
 * TLBI by ASID and address, ATC_INV and CMD_SYNC (Linux tegra241-cmdqv.c, tegra241_guest_vcmdq_supports_cmd).
 */
const smmuv3: CommandTranslator = ([first = 0n, second = 0n], ids, vm) => {
  const opcode = first & 0xffn;
  switch (opcode) {
    case TLBI_NH_ASID:
    case TLBI_NH_VA:
      return done([(first & ~VMID) | (BigInt(vm) << 32n), second]);
    case ATC_INV: {
      const requester = ids.requesterOf(first >> 32n);
      if (requester === undefined) return refused('EIO', `the guest has no StreamID ${hex(first >> 32n)}`);
      return done([(first & ~STREAM_ID) | (BigInt(requester) << 32n), second]);
    }
    case CMD_SYNC:
      return done([first, second]);
    default:
      return refused('EIO', `the queue takes no command with opcode ${hex(opcode)}`);
  }
};

/** AMD opcodes, bits 63:60 of the first word (48882 §2.4). */
const COMPLETION_WAIT = 1n;
const INVALIDATE_PAGES = 3n;
const INVALIDATE_IOTLB = 4n;
const DOMAIN_ID = LOW_16 << 32n;
/** GN of the pages command: of guest tables. */
const OF_GUEST = 1n << 2n;

/**
 * AMD vIOMMU: guest DeviceIDs and DomainIDs go through the guest's device id and domain id tables (48882 §2.2.7); a page
 * command reaches guest tables only.
 */
const amd: CommandTranslator = ([first = 0n, second = 0n], ids) => {
  const opcode = first >> 60n;
  switch (opcode) {
    case COMPLETION_WAIT:
      return done([first, second]);
    case INVALIDATE_PAGES: {
      const guest = (first & DOMAIN_ID) >> 32n;
      const host = ids.domainOf(Number(guest));
      if (host === undefined) return refused('EIO', `the guest has no DomainID ${hex(guest)}`);
      return done([(first & ~DOMAIN_ID) | (BigInt(host) << 32n), second | OF_GUEST]);
    }
    case INVALIDATE_IOTLB: {
      const requester = ids.requesterOf(first & LOW_16);
      if (requester === undefined) return refused('EIO', `the guest has no DeviceID ${hex(first & LOW_16)}`);
      return done([(first & ~LOW_16) | BigInt(requester), second]);
    }
    default:
      return refused('EIO', `the queue takes no command with opcode ${opcode}`);
  }
};

/** By vendor; the others have no queues that guests own. */
export const QUEUE_COMMANDS: Partial<Readonly<Record<EmulatedKind, CommandTranslator>>> = {
  smmuv3,
  'amd-vi': amd,
};
