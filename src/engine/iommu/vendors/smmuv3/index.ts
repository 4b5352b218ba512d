import { bits } from '../../../bits/bitFields';
import { type IommuVendor } from '../../vendor';
import { decodeSmmu, SMMU_FORMS } from './commands';
import { decodeFault, encodeFault } from './faults';
import * as registers from './registers';

/** nG of a leaf: not of every address space. */
const NO_TRANSLATION_HELD = 1 << 16;
const NOT_GLOBAL = 1 << 11;
/** STE.STRW (5.2): 0 is EL1, whose translations have a VMID. */
const EL1 = 0n;

/** STE.EATS (5.2): 1 full translation, 2 stage 1 with stage 2 for what comes back. */
const FULL_ATS = 1n;
const SPLIT_ATS = 2n;

export const smmuVendor: IommuVendor = {
  kind: 'smmuv3',
  // A command by address reaches the leaf that holds it, of any size; only a TTL hint narrows it (IHI 0070 4.4.1.1).
  removesLarger: false,
  cachedShifts: undefined,
  tagOf(space, _requester, _pasid, words = []) {
    if (space.stage === 2) return { vm: space.domainId, space: -1 };
    // Stage 1 of EL1 has the VMID of its STE, with or without a stage 2 (5.2 S2VMID); that of EL2 has none.
    const world = bits(words[1] ?? 0n, 31, 30);
    const vm = space.stage2?.domainId ?? (world === EL1 ? Number(bits(words[2] ?? 0n, 15, 0)) : -1);
    return { vm, space: space.domainId };
  },
  // Blocks with nT are not held where BBML is 1 or 2 (IHI 0070 3.21.1, DDI 0487 D8.16.1).
  mayHold: (_space, depth, lo, bbml) => bbml === 0 || depth === 1 || (lo & NO_TRANSLATION_HELD) === 0,
  isGlobal: ({ stage }, lo) => stage === 1 && (lo & NOT_GLOBAL) === 0,
  atsOf(_, words) {
    const eats = bits(words[1] ?? 0n, 29, 28);
    return { enabled: eats === FULL_ATS || eats === SPLIT_ATS, givesGuestAddresses: eats === SPLIT_ATS };
  },
  write: registers.writeRegister,
  forms: SMMU_FORMS,
  commands: {
    ring: registers.commandRing,
    head: registers.commandHead,
    tail: registers.commandTail,
    decode: decodeSmmu,
    refuse: registers.refuseCommand,
    isStopped: registers.isStopped,
    // CONS stays at the CMD_SYNC, which is done again when the error is acknowledged (7.1 CERROR_ATC_INV_SYNC).
    afterTimeout: 'repeats',
    interrupt: () => undefined,
  },
  faults: {
    ring: registers.eventRing,
    head: registers.eventHead,
    tail: registers.eventTail,
    encode: encodeFault,
    decode: decodeFault,
    // Events are lost only while the queue is full (7.4).
    isBlocked: () => false,
    overflow: registers.logOverflow,
    overflowed: registers.logOverflowed,
    memoryFault: registers.logMemoryFault,
    logged: () => undefined,
  },
};
