import { bits } from '../../../bits/bitFields';
import { type IommuVendor } from '../../vendor';
import { decodeVtd, VTD_FORMS } from './commands';
import { decodeFault, encodeFault } from './faults';
import * as registers from './registers';

/** Where the registers are the log there is no ring to point into. */
const noPointer = { register: 'FSTS', position: () => 0, value: () => 0n };

export const vtdVendor: IommuVendor = {
  kind: 'vt-d',
  // Software gives a mask at least as large as the page that it changed (VT-d 4.1 §6.5.2.3, AM).
  removesLarger: false,
  cachedShifts: undefined,
  tagOf(space, _requester, pasid, words = []) {
    if (space.stage === 2) return { vm: space.domainId, space: -1 };
    // Requests without a PASID have that of the context entry (RID_PASID, §9.4).
    return { vm: space.domainId, space: pasid ?? Number(bits(words[1] ?? 0n, 19, 0)) };
  },
  // Pass-through entries have a DID, too: of PASID-table entries bits 79:64, of legacy context entries bits 87:72.
  domainOf(entries) {
    const { role, words } = entries.at(-1) ?? {};
    const tags = words?.[1];
    if (tags === undefined) return undefined;
    return Number(role === 'process' ? bits(tags, 15, 0) : bits(tags, 23, 8));
  },
  // There are no global pages: every first-stage entry is of one PASID (§3.6).
  isGlobal: () => false,
  atsOf(answer, words) {
    // Scalable context entries have DTE, bit 2; legacy ones TT = 1 in bits 3:2 (§9.3, §9.4).
    const scalable = words.length > 2;
    const enabled = scalable ? bits(words[0] ?? 0n, 2) === 1n : bits(words[0] ?? 0n, 3, 2) === 1n;
    return { enabled: enabled && answer.kind !== 'fault' };
  },
  write: registers.writeRegister,
  forms: VTD_FORMS,
  commands: {
    ring: registers.commandRing,
    head: registers.commandHead,
    tail: registers.commandTail,
    decode: decodeVtd,
    refuse: registers.refuseCommand,
    isStopped: registers.isStopped,
    // Waits that are pending when ITE is set are aborted: software submits them again (§6.5.2.10).
    afterTimeout: 'skips',
    interrupt: registers.waitInterrupt,
  },
  faults: {
    ring: () => undefined,
    head: noPointer,
    tail: noPointer,
    encode: encodeFault,
    decode: decodeFault,
    isBlocked: registers.logOverflowed,
    overflow: registers.logOverflow,
    overflowed: registers.logOverflowed,
    memoryFault: () => undefined,
    logged: () => undefined,
    store: registers.storeFault,
    stored: registers.storedFaults,
  },
};
