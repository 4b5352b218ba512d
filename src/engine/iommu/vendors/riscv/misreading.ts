import { type CacheOperation } from '../../cacheOperation';
import { type HardwareMistake } from '../../rules';
import { type Command } from '../../commands';
import { type IommuVendor, type RegisterFile } from '../../vendor';

type Decode = (words: readonly bigint[], registers: RegisterFile) => Command;

const AV = 1n << 10n;
const PSCV = 1n << 32n;
const GV = 1n << 33n;

/** A vendor whose commands are read with these mistakes; without those of commands, or for another vendor, the same. */
export function misreading(vendor: IommuVendor, mistakes: readonly HardwareMistake[] = []): IommuVendor {
  const looksAtIds = mistakes.includes('ids-without-valid');
  const looksAtAddress = mistakes.includes('address-without-guest');
  if (vendor.kind !== 'riscv' || (!looksAtIds && !looksAtAddress)) return vendor;
  const decode: Decode = (words, registers) => vendor.commands.decode(words, registers);
  const misread: Decode = (words, registers) => {
    const command = decode(words, registers);
    const [first = 0n, ...others] = words;
    if (looksAtIds && command.name === 'IOTINVAL.VMA')
      return decode([first | GV | PSCV, ...others], registers);
    const isMeant = command.name === 'IOTINVAL.GVMA' && (first & AV) !== 0n && (first & GV) === 0n;
    if (!looksAtAddress || !isMeant) return command;
    const addressed = decode([first | GV, ...others], registers);
    if (addressed.kind !== 'invalidate') return addressed;
    return { ...addressed, operations: addressed.operations.map(ofAnyGuest) };
  };
  return { ...vendor, commands: { ...vendor.commands, decode: misread } };
}

function ofAnyGuest({ translations, tables, ...others }: CacheOperation): CacheOperation {
  return {
    ...others,
    ...(translations ? { translations: anyGuest(translations) } : {}),
    ...(tables ? { tables: anyGuest(tables) } : {}),
  };
}

function anyGuest<Selection extends { readonly vm?: number }>(selection: Selection): Omit<Selection, 'vm'> {
  const { vm: _, ...others } = selection;
  return others;
}
