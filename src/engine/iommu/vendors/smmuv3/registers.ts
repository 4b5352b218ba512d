import { bits, mask } from '../../../bits/bitFields';
import { type CommandError, type RegisterFile, type RingPlace } from '../../vendor';
import {
  isSet,
  readRegister,
  registerField,
  ringPointer,
  writeByRule,
  type WriteRule,
} from '../registerBits';

// IHI 0070 6.3.9 CR0, 6.3.18 GERROR, 6.3.26 to 6.3.31 the queues.
const EVENTQEN = 2;
const CMDQEN = 3;
const CMDQ_ERR = 0;
const EVENTQ_ABT_ERR = 2;
const MSI_CMDQ_ABT_ERR = 4;
const OVFLG = 31;

/** LOG2SIZE is bits 4:0, ADDR bits 55:5 (6.3.26). */
function ringAt(registers: RegisterFile, base: string, slotBytes: number, enable: number): RingPlace {
  const value = readRegister(registers, base);
  const slots = 2 ** Math.min(Number(bits(value, 4, 0)), 19);
  const address = Number(bits(value, 55, 5)) * 32;
  return {
    // Address bits below the size of the queue are taken as 0.
    baseAddress: address - (address % (slots * slotBytes)),
    slots,
    slotBytes,
    enabled: isSet(registers, 'CR0', enable),
    wraps: true,
  };
}

export const commandRing = (registers: RegisterFile): RingPlace => ringAt(registers, 'CMDQ_BASE', 16, CMDQEN);
export const eventRing = (registers: RegisterFile): RingPlace =>
  ringAt(registers, 'EVENTQ_BASE', 32, EVENTQEN);

const fromBit0 = (): number => 0;
export const commandHead = ringPointer('CMDQ_CONS', fromBit0, commandRing);
export const commandTail = ringPointer('CMDQ_PROD', fromBit0, commandRing);
export const eventHead = ringPointer('EVENTQ_CONS', fromBit0, eventRing);
export const eventTail = ringPointer('EVENTQ_PROD', fromBit0, eventRing);

/** CMDQ_CONS.ERR, bits 30:24 (7.1): CERROR_ILL, CERROR_ABT, CERROR_ATC_INV_SYNC. */
const ERRORS: Readonly<Record<Exclude<CommandError, 'store'>, bigint>> = {
  illegal: 1n,
  fetch: 2n,
  timeout: 3n,
};

export function refuseCommand(registers: RegisterFile, error: CommandError): undefined {
  // An MSI that cannot be written is an error of its own, which stops nothing.
  if (error === 'store') {
    activate(registers, MSI_CMDQ_ABT_ERR);
    return;
  }
  const consumed = readRegister(registers, 'CMDQ_CONS');
  registers.set('CMDQ_CONS', (consumed & ~mask(30, 24)) | (ERRORS[error] << 24n));
  activate(registers, CMDQ_ERR);
}

export const isStopped = (registers: RegisterFile): boolean => isActive(registers, CMDQ_ERR);

/** An error is active while its bits in GERROR and GERRORN differ: hardware toggles the first, software the second (6.3.18). */
function isActive(registers: RegisterFile, bit: number): boolean {
  return isSet(registers, 'GERROR', bit) !== isSet(registers, 'GERRORN', bit);
}

function activate(registers: RegisterFile, bit: number): void {
  if (!isActive(registers, bit)) registers.set('GERROR', readRegister(registers, 'GERROR') ^ mask(bit));
}

/** OVFLG and OVACKFLG differ until software acknowledges the overflow (6.3.29). */
export const logOverflowed = (registers: RegisterFile): boolean =>
  isSet(registers, 'EVENTQ_PROD', OVFLG) !== isSet(registers, 'EVENTQ_CONS', OVFLG);

export function logOverflow(registers: RegisterFile): void {
  if (!logOverflowed(registers))
    registers.set('EVENTQ_PROD', readRegister(registers, 'EVENTQ_PROD') ^ mask(OVFLG));
}

export const logMemoryFault = (registers: RegisterFile): void => {
  activate(registers, EVENTQ_ABT_ERR);
};

const NOTHING: WriteRule = { writable: 0n };
const RULES: Readonly<Record<string, WriteRule>> = {
  IDR0: NOTHING,
  IDR1: NOTHING,
  IDR3: NOTHING,
  IDR5: NOTHING,
  GERROR: NOTHING,
  CR0ACK: NOTHING,
  CMDQ_BASE: { writable: mask(62) | mask(55, 5) | mask(4, 0) },
  EVENTQ_BASE: { writable: mask(62) | mask(55, 5) | mask(4, 0) },
  CMDQ_PROD: { writable: mask(19, 0) },
  EVENTQ_CONS: { writable: mask(OVFLG) | mask(19, 0) },
};

/** What a write of software does. CR0ACK follows CR0 at once. */
export function writeRegister(registers: RegisterFile, name: string, value: bigint): void {
  // What hardware owns while a queue is on can be set while it is off (6.3.28, 6.3.30).
  if (name === 'CMDQ_CONS' || name === 'EVENTQ_PROD') {
    const on = registerField(registers, 'CR0', name === 'CMDQ_CONS' ? CMDQEN : EVENTQEN) === 1;
    if (!on) registers.set(name, value);
    return;
  }
  const rule = RULES[name];
  if (rule) writeByRule(registers, name, value, rule);
  else registers.set(name, value);
  if (name === 'CR0') registers.set('CR0ACK', value);
}
