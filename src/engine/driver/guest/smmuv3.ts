import { smmuCommands } from '../../iommu/vendors/smmuv3/commands';
import { assert } from '../../result';
import { type FlushRange } from '../flusher';
import { addressOf } from '../vendors/common/ranges';
import { CONFIG, contextDescriptor, STE_VALID } from '../vendors/smmuv3/entries';
import { armTablesOf } from '../vendors/smmuv3/tables';
import { type GuestKind, type Words } from './guestKind';
import { guestBlock, oneInEach } from './guestRanges';

/** STE.EATS: full ATS, which the kernel takes away where the device has none. */
const FULL_ATS = 1n << 28n;

interface ByAddress {
  readonly Address: bigint;
  readonly Leaf: boolean;
}

const each =
  (command: (inputs: ByAddress, space: number) => Words, where: 'first' | 'last', all: Flush) =>
  (range: FlushRange | null, space: number): readonly Words[] => {
    const addresses = oneInEach(range, where);
    if (!addresses) return all(range, space);
    return addresses.map((Address) => command({ Address, Leaf: range?.tables !== true }, space));
  };

type Flush = (range: FlushRange | null, space: number) => readonly Words[];

const ofSpace: Flush = (_range, ASID) => [smmuCommands.tlbiNhAsid({ ASID })];
const ofAll: Flush = () => [smmuCommands.tlbiNhAll({})];
const byAddress = (inputs: ByAddress, ASID: number): Words => smmuCommands.tlbiNhVa({ ASID, ...inputs });

/** A guest's stage 1 under an SMMU: a CD at a guest address, and the guest's half of the STE. */
export const smmuv3Guest: GuestKind = {
  kind: 'smmuv3',
  parent: 'stage2-4k',
  tables: 'stage1-4k',
  describe({ tables, space, structures, put }, capabilities) {
    const arm = armTablesOf({ tables });
    assert(arm !== undefined && capabilities.vendor === 'smmuv3', 'a guest of an SMMU has tables of Arm');
    put(structures, contextDescriptor(space, arm, capabilities));
    return [STE_VALID | (BigInt(CONFIG.stage1) << 1n) | structures, FULL_ATS];
  },
  flushes: {
    CMD_TLBI_NH_VA: each(byAddress, 'first', ofSpace),
    'CMD_TLBI_NH_VA at the end of each leaf': each(byAddress, 'last', ofSpace),
    CMD_TLBI_NH_VAA: each((inputs) => smmuCommands.tlbiNhVaa(inputs), 'first', ofAll),
    CMD_TLBI_NH_ASID: ofSpace,
    CMD_TLBI_NH_ALL: ofAll,
    CMD_TLBI_NSNH_ALL: () => [smmuCommands.tlbiNsnhAll()],
  },
  wait: { name: 'CMD_SYNC', words: smmuCommands.sync({}) },
  devices: (range, requester) => {
    const { startPage, order } = guestBlock(range);
    return [smmuCommands.atcInv({ StreamID: requester, Address: addressOf(startPage), Size: order })];
  },
};
