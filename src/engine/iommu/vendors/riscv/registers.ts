import { bits, mask } from '../../../bits/bitFields';
import { type CommandError, type RegisterFile, type RingPlace } from '../../vendor';
import {
  clearBits,
  isSet,
  readRegister,
  registerField,
  ringPointer,
  setBits,
  writeByRule,
  type WriteRule,
} from '../registerBits';

// RISC-V IOMMU 1.0 §5.6 to §5.18. Bits that cqcsr and fqcsr share: en 0, ie 1, mf 8, on 16.
const ENABLE = 0;
const INTERRUPT_ENABLE = 1;
const MEMORY_FAULT = 8;
const ON = 16;
const CMD_TO = 9;
const CMD_ILL = 10;
const FENCE_W_IP = 11;
const FQOF = 9;
const CIP = 0;
const FIP = 1;

/** LOG2SZ-1 is bits 4:0, PPN bits 53:10 (§5.6, §5.9). */
function ringAt(registers: RegisterFile, base: string, control: string, slotBytes: number): RingPlace {
  const value = readRegister(registers, base);
  return {
    baseAddress: Number(bits(value, 53, 10)) * 4096,
    slots: 2 ** (Number(bits(value, 4, 0)) + 1),
    slotBytes,
    enabled: isSet(registers, control, ON),
    wraps: false,
  };
}

export const commandRing = (registers: RegisterFile): RingPlace => ringAt(registers, 'cqb', 'cqcsr', 16);
export const faultRing = (registers: RegisterFile): RingPlace => ringAt(registers, 'fqb', 'fqcsr', 32);

const fromBit0 = (): number => 0;
export const commandHead = ringPointer('cqh', fromBit0, commandRing);
export const commandTail = ringPointer('cqt', fromBit0, commandRing);
export const faultHead = ringPointer('fqh', fromBit0, faultRing);
export const faultTail = ringPointer('fqt', fromBit0, faultRing);

const ERRORS: Readonly<Record<CommandError, number>> = {
  illegal: CMD_ILL,
  fetch: MEMORY_FAULT,
  store: MEMORY_FAULT,
  timeout: CMD_TO,
};

export function refuseCommand(registers: RegisterFile, error: CommandError): undefined {
  setBits(registers, 'cqcsr', ERRORS[error]);
  raise(registers);
}

export const isStopped = (registers: RegisterFile): boolean =>
  [MEMORY_FAULT, CMD_TO, CMD_ILL].some((bit) => isSet(registers, 'cqcsr', bit));

/** IOFENCE.C with WSI is done. */
export function fenceInterrupt(registers: RegisterFile): void {
  setBits(registers, 'cqcsr', FENCE_W_IP);
  raise(registers);
}

export const isLogBlocked = (registers: RegisterFile): boolean =>
  isSet(registers, 'fqcsr', FQOF) || isSet(registers, 'fqcsr', MEMORY_FAULT);

export const logOverflowed = (registers: RegisterFile): boolean => isSet(registers, 'fqcsr', FQOF);

export function logOverflow(registers: RegisterFile): void {
  setBits(registers, 'fqcsr', FQOF);
  raise(registers);
}

export function logMemoryFault(registers: RegisterFile): void {
  setBits(registers, 'fqcsr', MEMORY_FAULT);
  raise(registers);
}

/** A record was written: pending when interrupts of the queue are enabled. */
export function logged(registers: RegisterFile): void {
  if (isSet(registers, 'fqcsr', INTERRUPT_ENABLE)) setBits(registers, 'ipsr', FIP);
}

/** Pending bits follow error bits as long as their interrupts are enabled (§5.18). */
function raise(registers: RegisterFile): void {
  const command = registerField(registers, 'cqcsr', FENCE_W_IP, MEMORY_FAULT);
  if (command !== 0 && isSet(registers, 'cqcsr', INTERRUPT_ENABLE)) setBits(registers, 'ipsr', CIP);
  const fault = registerField(registers, 'fqcsr', FQOF, MEMORY_FAULT);
  if (fault !== 0 && isSet(registers, 'fqcsr', INTERRUPT_ENABLE)) setBits(registers, 'ipsr', FIP);
}

const BASE: WriteRule = { writable: mask(53, 10) | mask(4, 0) };
const NOTHING: WriteRule = { writable: 0n };
const RULES: Readonly<Record<string, WriteRule>> = {
  capabilities: NOTHING,
  cqh: NOTHING,
  fqt: NOTHING,
  ipsr: { writable: 0n, clearedByOne: mask(3, 0) },
  cqcsr: { writable: mask(1, 0), clearedByOne: mask(FENCE_W_IP, MEMORY_FAULT) },
  fqcsr: { writable: mask(1, 0), clearedByOne: mask(FQOF, MEMORY_FAULT) },
};

const DDTP: WriteRule = { writable: mask(53, 10) | mask(3, 0) };
const BARE = 1;
const MOST_LEVELS = 4;

/**
 * A mode that is reserved is not taken. Between two numbers of levels there is Off or Bare (§5.5): what happens else is not
 * specified, and here the write is ignored, as the reference model has it.
 */
function writeDirectoryPointer(registers: RegisterFile, value: bigint): void {
  const [was, next] = [readRegister(registers, 'ddtp'), value].map((each) => Number(bits(each, 3, 0)));
  if (was === undefined || next === undefined || next > MOST_LEVELS) return;
  if (was > BARE && next > BARE && was !== next) return;
  writeByRule(registers, 'ddtp', value, DDTP);
}

/** What a write of software does. */
export function writeRegister(registers: RegisterFile, name: string, value: bigint): void {
  switch (name) {
    case 'cqb':
    case 'fqb':
      // The base of a queue that is on is read-only here, which the specification leaves open.
      if (isSet(registers, name === 'cqb' ? 'cqcsr' : 'fqcsr', ON)) return;
      writeByRule(registers, name, value, BASE);
      return;
    case 'ddtp':
      writeDirectoryPointer(registers, value);
      return;
    case 'cqt':
      writeByRule(registers, name, value, { writable: BigInt(commandRing(registers).slots - 1) });
      return;
    case 'fqh':
      writeByRule(registers, name, value, { writable: BigInt(faultRing(registers).slots - 1) });
      return;
    case 'cqcsr':
    case 'fqcsr':
      writeControl(registers, name, value);
      return;
    default: {
      const rule = RULES[name];
      if (rule) writeByRule(registers, name, value, rule);
      else registers.set(name, value);
      if (name === 'ipsr') raise(registers);
    }
  }
}

/** Switching a queue on starts it at 0 and without errors (§5.15, §5.16). */
function writeControl(registers: RegisterFile, name: 'cqcsr' | 'fqcsr', value: bigint): void {
  const wasOn = isSet(registers, name, ENABLE);
  writeByRule(registers, name, value, RULES[name] ?? NOTHING);
  const isOn = isSet(registers, name, ENABLE);
  if (isOn && !wasOn) {
    registers.set(name === 'cqcsr' ? 'cqh' : 'fqt', 0n);
    clearBits(registers, name, MEMORY_FAULT, 9, 10, 11);
  }
  if (isOn) setBits(registers, name, ON);
  else clearBits(registers, name, ON);
  raise(registers);
}
