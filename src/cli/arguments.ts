/** Values that people write on the command line. Each refuses what it cannot read with commander's own error. */
import { InvalidArgumentError } from 'commander';
import { parseDevice as parseNamedDevice, parseInteger, type TranslateRequest } from '../inspection/protocol';

/** `0x12a000`, `4096`, `2M`: at most 64 bits. */
export function parseAddress(text: string): bigint {
  const value = parseInteger(text);
  if (value === undefined) {
    throw new InvalidArgumentError('Write an address of at most 64 bits: 0xfee00000, 4096 or 2M.');
  }
  return value;
}

/** A device as a request names it; without a segment the only one that has it. */
export type AskedDevice = Pick<TranslateRequest, 'requester' | 'segment'>;

/** `00:02.0`, `0001:00:02.0` with its PCI segment, or an id of at most 32 bits such as `0x10`. */
export function parseDevice(text: string): AskedDevice {
  const device = parseNamedDevice(text);
  if (device === undefined) {
    throw new InvalidArgumentError(
      'Write a device as bus:device.function (00:02.0, 0001:00:02.0) or as an id of at most 32 bits (0x10).',
    );
  }
  const { requester, segment } = device;
  return segment === undefined ? { requester } : { requester, segment };
}

export function parseStage(text: string): 1 | 2 {
  if (text === '1') return 1;
  if (text === '2') return 2;
  throw new InvalidArgumentError('Write 1 or 2.');
}

/** PASIDs have 20 bits. */
export const parsePasid = (text: string): number => parseBounded(text, 0xfffffn, 'a PASID');

/** VT-d domain ids have 16 bits, those of other IOMMUs at most 20. */
export const parseDomain = (text: string): number => parseBounded(text, 0xfffffn, 'a domain id');

/** Rows: at least one, as an answer of none would look like nothing. */
export const parseLimit = (text: string): number =>
  parseBounded(text, BigInt(Number.MAX_SAFE_INTEGER), 'a limit', 1n);

/** A place in a list, counted from 1. */
export const parseRank = (text: string): number => parseBounded(text, 1_000_000n, 'a place in the list', 1n);

function parseBounded(text: string, highest: bigint, what: string, lowest = 0n): number {
  const value = parseInteger(text);
  if (value === undefined || value < lowest || value > highest) {
    throw new InvalidArgumentError(
      `Write ${what} as a number from ${lowest.toString()} to ${highest.toString()}.`,
    );
  }
  return Number(value);
}

/** Registers by their specification's names, in the order given. */
export type Registers = ReadonlyMap<string, bigint>;

/** `RTADDR=0x2f8f000,GSTS=0xc7000000`; the option may be repeated, `previous` is what came before. */
export function parseRegisters(text: string, previous: Registers = new Map()): Registers {
  const registers = new Map(previous);
  for (const part of text.split(',')) {
    const [, name = '', digits = ''] = /^\s*([A-Za-z][A-Za-z0-9_]*)\s*=\s*(\S+)\s*$/.exec(part) ?? [];
    const value = parseInteger(digits);
    if (name === '' || value === undefined) {
      throw new InvalidArgumentError(
        `"${part}" is not NAME=VALUE. Write for example RTADDR=0x2f8f000,GSTS=0xc7000000.`,
      );
    }
    if (registers.has(name)) throw new InvalidArgumentError(`${name} is given twice.`);
    registers.set(name, value);
  }
  return registers;
}
