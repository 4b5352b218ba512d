import { bits } from '../../../bits/bitFields';
import { processAllows } from '../../../directory/riscv/entries';
import { structureFault } from '../../../directory/riscv/processTables';
import { type IommuVendor } from '../../vendor';
import { decodeRiscv, RISCV_FORMS } from './commands';
import { decodeFault, encodeFault } from './faults';
import * as registers from './registers';

/** G of a first-stage entry. */
const GLOBAL = 1 << 5;

export const riscvVendor: IommuVendor = {
  kind: 'riscv',
  // Every entry that holds the address goes, whatever its size (RISC-V IOMMU 1.0 §3.1.1).
  removesLarger: true,
  cachedShifts: undefined,
  tagOf: (space) =>
    space.stage === 2
      ? { vm: space.domainId, space: -1 }
      : { vm: space.stage2?.domainId ?? -1, space: space.domainId },
  isGlobal: ({ stage }, lo) => stage === 1 && (lo & GLOBAL) !== 0,
  // tc: EN_ATS 1, T2GPA 3 (§2.1.3.1).
  atsOf: (_, [control = 0n]) => ({
    enabled: bits(control, 1) === 1n,
    givesGuestAddresses: bits(control, 3) === 1n,
  }),
  structureFault,
  // Process-contexts whose ta.ENS is 0 (§2.3, step 15).
  refusesPrivilege: (entries) =>
    entries.some(({ role, words }) => role === 'process' && !processAllows(words[0] ?? 0n, 'ENS')),
  write: registers.writeRegister,
  forms: RISCV_FORMS,
  commands: {
    ring: registers.commandRing,
    head: registers.commandHead,
    tail: registers.commandTail,
    decode: decodeRiscv,
    refuse: registers.refuseCommand,
    isStopped: registers.isStopped,
    // The fence stands at the head until cmd_to is cleared, and is done again then.
    afterTimeout: 'repeats',
    interrupt: registers.fenceInterrupt,
  },
  faults: {
    ring: registers.faultRing,
    head: registers.faultHead,
    tail: registers.faultTail,
    encode: encodeFault,
    decode: decodeFault,
    isBlocked: registers.isLogBlocked,
    overflow: registers.logOverflow,
    overflowed: registers.logOverflowed,
    memoryFault: registers.logMemoryFault,
    logged: registers.logged,
  },
};
