import { bits } from '../../../bits/bitFields';
import { type IommuVendor } from '../../vendor';
import { decodeAmd, AMD_FORMS } from './commands';
import { decodeFault, encodeFault } from './faults';
import * as registers from './registers';

export const amdVendor: IommuVendor = {
  kind: 'amd-vi',
  // INVALIDATE_IOMMU_PAGES says a size; that it reaches a larger cached page is not promised (AMD 48882 3.10 §2.4.3).
  removesLarger: false,
  cachedShifts: [12, 21, 30],
  tagOf: (space, _requester, pasid) => ({
    vm: space.domainId,
    // Requests without a PASID that use guest tables use those of PASID 0 (DTE.GIOV).
    space: space.stage === 1 ? (pasid ?? 0) : -1,
  }),
  // G of guest entries is for processors: commands of the IOMMU know no global pages.
  isGlobal: () => false,
  // DTE.I, bit 96 (§2.2.2.1).
  atsOf: (_, words) => ({ enabled: bits(words[1] ?? 0n, 32) === 1n }),
  write: registers.writeRegister,
  forms: AMD_FORMS,
  commands: {
    ring: registers.commandRing,
    head: registers.commandHead,
    tail: registers.commandTail,
    decode: decodeAmd,
    refuse: registers.refuseCommand,
    isStopped: registers.isStopped,
    // A COMPLETION_WAIT is done when what is before it is, by an answer or by its time-out (§2.5.8).
    afterTimeout: 'goes-on',
    interrupt: registers.completionInterrupt,
  },
  faults: {
    ring: registers.eventRing,
    head: registers.eventHead,
    tail: registers.eventTail,
    encode: encodeFault,
    decode: decodeFault,
    isBlocked: registers.isLogBlocked,
    overflow: registers.logOverflow,
    overflowed: registers.logOverflowed,
    memoryFault: registers.logMemoryFault,
    logged: registers.logged,
  },
};
