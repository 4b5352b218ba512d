import { bits, mask } from '../../../bits/bitFields';
import { type CommandError, type RegisterFile, type RingPlace } from '../../vendor';
import { Layout, at } from '../layout';
import {
  clearBits,
  isSet,
  readRegister,
  ringPointer,
  setBits,
  writeByRule,
  type WriteRule,
} from '../registerBits';

// AMD 48882 3.10 §3.4: Control, the base registers, the pointers, Status.
const IOMMU_EN = 0;
const EVENT_LOG_EN = 2;
const EVENT_INT_EN = 3;
const COM_WAIT_INT_EN = 4;
const CMD_BUF_EN = 12;
const EVENT_OVERFLOW = 0;
const EVENT_LOG_INT = 1;
const COM_WAIT_INT = 2;
const EVENT_LOG_RUN = 3;
const CMD_BUF_RUN = 4;

/** Base is bits 51:12, log2 of the entries bits 59:56, at least 8 (256 entries). */
function ringAt(registers: RegisterFile, base: string, run: number): RingPlace {
  const value = readRegister(registers, base);
  const length = Number(bits(value, 59, 56));
  return {
    baseAddress: Number(bits(value, 51, 12)) * 4096,
    slots: 2 ** Math.max(length, 8),
    slotBytes: 16,
    enabled: length >= 8 && isSet(registers, 'Status', run) && isSet(registers, 'Control', IOMMU_EN),
    wraps: false,
  };
}

export const commandRing = (registers: RegisterFile): RingPlace =>
  ringAt(registers, 'CmdBufBase', CMD_BUF_RUN);
export const eventRing = (registers: RegisterFile): RingPlace =>
  ringAt(registers, 'EventLogBase', EVENT_LOG_RUN);

/** Pointers are byte offsets, bits 18:4. */
const fromBit4 = (): number => 4;
export const commandHead = ringPointer('CmdBufHead', fromBit4, commandRing);
export const commandTail = ringPointer('CmdBufTail', fromBit4, commandRing);
export const eventHead = ringPointer('EventLogHead', fromBit4, eventRing);
export const eventTail = ringPointer('EventLogTail', fromBit4, eventRing);

/** Events about commands (§2.5.6 to §2.5.8): the address is that of the command. */
const COMMAND_EVENT = new Layout(2, { Code: at(63, 60), Address: at(127, 68, 4) });
const EVENTS: Readonly<Record<CommandError, number>> = { illegal: 5, fetch: 6, store: 6, timeout: 7 };

/** Commands stop but for a device that did not answer (CmdBufRun); all of it is in the event log. */
export function refuseCommand(
  registers: RegisterFile,
  error: CommandError,
  commandAddress: number,
): readonly bigint[] {
  if (error !== 'timeout') clearBits(registers, 'Status', CMD_BUF_RUN);
  return COMMAND_EVENT.encode({ Code: EVENTS[error], Address: commandAddress });
}

export const isStopped = (registers: RegisterFile): boolean => !isSet(registers, 'Status', CMD_BUF_RUN);

/** A COMPLETION_WAIT with i = 1 is done. */
export function completionInterrupt(registers: RegisterFile): void {
  if (isSet(registers, 'Control', COM_WAIT_INT_EN)) setBits(registers, 'Status', COM_WAIT_INT);
}

export const isLogBlocked = (registers: RegisterFile): boolean => !isSet(registers, 'Status', EVENT_LOG_RUN);
export const logOverflowed = (registers: RegisterFile): boolean => isSet(registers, 'Status', EVENT_OVERFLOW);

/** The log stops: software clears EventOverflow and switches the log off and on (§2.5.1). */
export function logOverflow(registers: RegisterFile): void {
  setBits(registers, 'Status', EVENT_OVERFLOW);
  clearBits(registers, 'Status', EVENT_LOG_RUN);
  interrupt(registers);
}

export const logMemoryFault = (registers: RegisterFile): void => {
  clearBits(registers, 'Status', EVENT_LOG_RUN);
};

export function logged(registers: RegisterFile): void {
  interrupt(registers);
}

function interrupt(registers: RegisterFile): void {
  if (isSet(registers, 'Control', EVENT_INT_EN)) setBits(registers, 'Status', EVENT_LOG_INT);
}

const NOTHING: WriteRule = { writable: 0n };
const BASE: WriteRule = { writable: mask(59, 56) | mask(51, 12) };
const POINTER: WriteRule = { writable: mask(18, 4) };
const RULES: Readonly<Record<string, WriteRule>> = {
  ExtFeat: NOTHING,
  ExtFeat2: NOTHING,
  CmdBufBase: BASE,
  EventLogBase: BASE,
  CmdBufHead: POINTER,
  CmdBufTail: POINTER,
  EventLogHead: POINTER,
  EventLogTail: POINTER,
  // RW1C: the overflows and interrupts of the event, page request and virtual APIC logs.
  Status: { writable: 0n, clearedByOne: mask(2, 0) | mask(6, 5) | mask(10, 9) },
};

/** Writing a base sets its pointers to 0 (§3.4.2). */
const POINTERS_OF: Readonly<Record<string, readonly string[]>> = {
  CmdBufBase: ['CmdBufHead', 'CmdBufTail'],
  EventLogBase: ['EventLogHead', 'EventLogTail'],
};

/** What a write of software does. */
export function writeRegister(registers: RegisterFile, name: string, value: bigint): void {
  const before = readRegister(registers, 'Control');
  const rule = RULES[name];
  if (rule) writeByRule(registers, name, value, rule);
  else registers.set(name, value);
  for (const pointer of POINTERS_OF[name] ?? []) registers.set(pointer, 0n);
  if (name !== 'Control') return;
  followEnable(registers, before, CMD_BUF_EN, CMD_BUF_RUN);
  if (!logOverflowed(registers)) followEnable(registers, before, EVENT_LOG_EN, EVENT_LOG_RUN);
}

/** A queue runs from when its enable becomes 1 until it becomes 0 or an error stops it. */
function followEnable(registers: RegisterFile, before: bigint, enable: number, run: number): void {
  if (!isSet(registers, 'Control', enable)) clearBits(registers, 'Status', run);
  else if (bits(before, enable) === 0n) setBits(registers, 'Status', run);
}
