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

// VT-d 5.10 §11.4: GCMD and GSTS, FSTS, the invalidation queue, the fault recording registers.
const TES = 31;
const RTPS = 30;
const QIES = 26;
const PFO = 0;
const PPF = 1;
const IQE = 4;
const ITE = 6;
const WIDE = 11;
const IWC = 0;

/** IQA: QS in bits 2:0 says 2^QS pages of 4 KiB, DW is bit 11 (§11.4.9.5). */
export function commandRing(registers: RegisterFile): RingPlace {
  const value = readRegister(registers, 'IQA');
  const slotBytes = isSet(registers, 'IQA', WIDE) ? 32 : 16;
  return {
    baseAddress: Number(bits(value, 63, 12)) * 4096,
    slots: (2 ** Number(bits(value, 2, 0)) * 4096) / slotBytes,
    slotBytes,
    enabled: isSet(registers, 'GSTS', QIES),
    wraps: false,
  };
}

/** Byte offsets: of 16-byte descriptors from bit 4 on, of 32-byte ones from bit 5 on. */
const low = (registers: RegisterFile): number => (isSet(registers, 'IQA', WIDE) ? 5 : 4);
export const commandHead = ringPointer('IQH', low, commandRing);
export const commandTail = ringPointer('IQT', low, commandRing);

const ERRORS: Readonly<Record<CommandError, number>> = { illegal: IQE, fetch: IQE, store: IQE, timeout: ITE };

/** IQH stays at the descriptor of an invalidation queue error (§6.5.2.10). */
export function refuseCommand(registers: RegisterFile, error: CommandError): undefined {
  setBits(registers, 'FSTS', ERRORS[error]);
}

export const isStopped = (registers: RegisterFile): boolean =>
  isSet(registers, 'FSTS', IQE) || isSet(registers, 'FSTS', ITE);

export const waitInterrupt = (registers: RegisterFile): void => {
  setBits(registers, 'ICS', IWC);
};

/** Fault recording registers (§11.4.14): 128 bits each, CAP.NFR + 1 of them. F is bit 127. */
const F = 63;
const lowName = (index: number): string => `FRCD${index}_LO`;
const highName = (index: number): string => `FRCD${index}_HI`;
const recordCount = (registers: RegisterFile): number => registerField(registers, 'CAP', 47, 40) + 1;
/** No register of the specification: where hardware records next. */
const NEXT = 'FRCD_NEXT';

/** Records in the order of the registers, beginning with FSTS.FRI, those with F set. */
export function storedFaults(registers: RegisterFile): bigint[][] {
  const count = recordCount(registers);
  const first = registerField(registers, 'FSTS', 15, 8);
  const order = Array.from({ length: count }, (_, index) => (first + index) % count);
  return order
    .filter((index) => isSet(registers, highName(index), F))
    .map((index) => [readRegister(registers, lowName(index)), readRegister(registers, highName(index))]);
}

/** False when the register that is next still holds a fault (§7.2.1). FRI says the first one since there was none. */
export function storeFault(registers: RegisterFile, [lo = 0n, hi = 0n]: readonly bigint[]): boolean {
  const count = recordCount(registers);
  const index = Number(readRegister(registers, NEXT)) % count;
  if (isSet(registers, highName(index), F)) return false;
  registers.set(lowName(index), lo);
  registers.set(highName(index), hi | mask(F));
  registers.set(NEXT, BigInt((index + 1) % count));
  if (!isSet(registers, 'FSTS', PPF)) {
    const status = readRegister(registers, 'FSTS') & ~mask(15, 8);
    registers.set('FSTS', status | (BigInt(index) << 8n));
  }
  setBits(registers, 'FSTS', PPF);
  return true;
}

export const logOverflowed = (registers: RegisterFile): boolean => isSet(registers, 'FSTS', PFO);
export const logOverflow = (registers: RegisterFile): void => {
  setBits(registers, 'FSTS', PFO);
};

/** Whether DC entries are those of scalable mode (RTADDR.TTM): fault reasons differ; abort mode has those of scalable mode. */
export const isLegacy = (registers: RegisterFile): boolean =>
  registerField(registers, 'RTADDR', 11, 10) === 0;

const NOTHING: WriteRule = { writable: 0n };
const RULES: Readonly<Record<string, WriteRule>> = {
  CAP: NOTHING,
  ECAP: NOTHING,
  GSTS: NOTHING,
  IQH: NOTHING,
  RTADDR: { writable: mask(63, 10) },
  IQA: { writable: mask(63, 11) | mask(2, 0) },
  IQT: { writable: mask(18, 4) },
  ICS: { writable: 0n, clearedByOne: mask(IWC) },
  FSTS: { writable: 0n, clearedByOne: mask(PFO) | mask(7, 4) },
};

/** What a write of software does. */
export function writeRegister(registers: RegisterFile, name: string, value: bigint): void {
  if (name === 'GCMD') {
    writeCommand(registers, value);
    return;
  }
  if (name.startsWith('FRCD')) {
    writeFaultRecord(registers, name, value);
    return;
  }
  const rule = RULES[name];
  if (rule) writeByRule(registers, name, value, rule);
  else registers.set(name, value);
  // Half of a 256-bit descriptor is no tail (§11.4.9.3).
  if (name === 'IQT' && isSet(registers, 'IQA', WIDE) && bits(value, 4) === 1n)
    setBits(registers, 'FSTS', IQE);
}

/**
 * GCMD (§11.4.4.1): switches that GSTS shows, and one-time commands, of which SRTP takes the root table. The queue starts at 0
 * when it is switched on.
 */
function writeCommand(registers: RegisterFile, value: bigint): void {
  const switches = mask(TES) | mask(QIES) | mask(25) | mask(23);
  const old = readRegister(registers, 'GSTS');
  if (bits(value, QIES) === 1n && bits(old, QIES) === 0n) registers.set('IQH', 0n);
  registers.set('GSTS', (old & ~switches) | (value & switches));
  if (bits(value, RTPS) === 1n) setBits(registers, 'GSTS', RTPS);
}

/** Software clears F by writing 1; PPF is 1 as long as one is set. */
function writeFaultRecord(registers: RegisterFile, name: string, value: bigint): void {
  if (!name.endsWith('_HI')) return;
  writeByRule(registers, name, value, { writable: 0n, clearedByOne: mask(F) });
  if (storedFaults(registers).length === 0) clearBits(registers, 'FSTS', PPF);
}
