import { bits, mask } from '../../bits/bitFields';
import { type RegisterFile, type RingPlace, type RingPointer } from '../vendor';

export const readRegister = (registers: RegisterFile, name: string): bigint => registers.get(name) ?? 0n;

export const registerField = (registers: RegisterFile, name: string, high: number, low = high): number =>
  Number(bits(readRegister(registers, name), high, low));

export const isSet = (registers: RegisterFile, name: string, bit: number): boolean =>
  bits(readRegister(registers, name), bit) === 1n;

export function setBits(registers: RegisterFile, name: string, ...positions: readonly number[]): void {
  registers.set(
    name,
    positions.reduce((value, bit) => value | mask(bit), readRegister(registers, name)),
  );
}

export function clearBits(registers: RegisterFile, name: string, ...positions: readonly number[]): void {
  registers.set(
    name,
    positions.reduce((value, bit) => value & ~mask(bit), readRegister(registers, name)),
  );
}

/** Which bits a write of software changes, by the registers' kinds: others keep their value. */
export interface WriteRule {
  /** Bits that take what is written. */
  readonly writable: bigint;
  /** Bits that a written 1 clears. */
  readonly clearedByOne?: bigint;
}

export function writeByRule(
  registers: RegisterFile,
  name: string,
  value: bigint,
  { writable, clearedByOne = 0n }: WriteRule,
): void {
  const old = readRegister(registers, name);
  registers.set(name, ((old & ~writable) | (value & writable)) & ~(value & clearedByOne));
}

/** A pointer whose index begins at a bit: `low` 4 where it is a byte offset of 16-byte slots. Other bits keep their value. */
export function ringPointer(
  register: string,
  low: (registers: RegisterFile) => number,
  ring: (registers: RegisterFile) => RingPlace,
): RingPointer {
  const width = (registers: RegisterFile): number => {
    const { slots, wraps } = ring(registers);
    return Math.log2(wraps ? 2 * slots : slots);
  };
  const field = (registers: RegisterFile): bigint => {
    const count = width(registers);
    const at = low(registers);
    return count === 0 ? 0n : mask(at + count - 1, at);
  };
  return {
    register,
    position: (registers) =>
      Number((readRegister(registers, register) & field(registers)) >> BigInt(low(registers))),
    value: (registers, position) =>
      (readRegister(registers, register) & ~field(registers)) | (BigInt(position) << BigInt(low(registers))),
  };
}
