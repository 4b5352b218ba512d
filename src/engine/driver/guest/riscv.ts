import { invalidateRequest, riscvCommands } from '../../iommu/vendors/riscv/commands';
import { assert } from '../../result';
import { type FlushRange } from '../flusher';
import { addressOf } from '../vendors/common/ranges';
import { firstStageWords } from '../vendors/riscv/entries';
import { type GuestKind, type Words } from './guestKind';
import { guestBlock, oneInEach } from './guestRanges';

type Space = (space: number) => { readonly PSCV?: boolean; readonly PSCID?: number };

const each =
  (ofSpace: Space, where: 'first' | 'last') =>
  (range: FlushRange | null, space: number): readonly Words[] => {
    // By address only leaves are reached (capabilities.NL = 0).
    const addresses = range?.tables === true ? undefined : oneInEach(range, where);
    if (!addresses) return [riscvCommands.invalidateVma({})];
    return addresses.map((ADDR) => riscvCommands.invalidateVma({ AV: true, ADDR, ...ofSpace(space) }));
  };

/** A guest's first stage under RISC-V: the guest's words of the device context; the kernel puts in GV and GSCID. */
export const riscvGuest: GuestKind = {
  kind: 'riscv',
  parent: 'sv48x4',
  tables: 'sv48',
  describe({ tables, space }) {
    const words = firstStageWords({ tables, id: space, stage: 1 });
    assert(words !== undefined, 'a guest of RISC-V has first-stage tables');
    return words;
  },
  flushes: {
    'IOTINVAL.VMA with AV and PSCV': each((PSCID) => ({ PSCV: true, PSCID }), 'first'),
    'IOTINVAL.VMA with AV': each(() => ({}), 'last'),
    'IOTINVAL.VMA with PSCV': (_range, PSCID) => [riscvCommands.invalidateVma({ PSCV: true, PSCID })],
    'IOTINVAL.VMA': () => [riscvCommands.invalidateVma({})],
  },
  devices: (range, requester) => {
    const { startPage, order } = guestBlock(range);
    const PAYLOAD = invalidateRequest(addressOf(startPage), order);
    return [riscvCommands.invalidateDeviceTlb({ RID: requester & 0xffff, PAYLOAD, ...segmentOf(requester) })];
  },
};

/** DSEG of device_ids with more than 16 bits. */
const segmentOf = (requester: number) =>
  requester > 0xffff ? { DSV: true, DSEG: requester >>> 16 } : { DSV: false };
