import { type BitField } from '../bits/bitFields';
import { levelOf, type CompiledFormat } from '../formats/compile';
import { joinHalves } from '../memory/words';
import { hex } from '../values';
import { type EntryShape } from '../formats/pageTableFormat';
import { ABSENT, classify, isLeaf } from './entry';

/** Something wrong with an entry, and the bits it is about. */
export interface BitProblem {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly severity: 'error' | 'warning';
  readonly high: number;
  readonly low: number;
}

/** What an entry is to be read as. A word that is not present is read as its low bits say. */
export function shapeOf(format: CompiledFormat, level: number, lo: number, hi: number): EntryShape {
  return isLeaf(levelOf(format, level), lo, hi) ? 'leaf' : 'table';
}

/** What is wrong with one page-table entry. */
export function entryProblems(format: CompiledFormat, level: number, lo: number, hi: number): BitProblem[] {
  const compiled = levelOf(format, level);
  const word = joinHalves(lo, hi);
  if (classify(format, compiled, lo, hi) === ABSENT) return word === 0n ? [] : [staleWord(word)];
  const shape = shapeOf(format, level, lo, hi);
  const wrong = word & format.format.reserved(shape, compiled.rule, format.hardware);
  if (wrong === 0n) return [];
  const name = compiled.rule.entryName;
  return format.format
    .layout(shape, compiled.rule)
    .flatMap((field) => reservedProblem(field, wrong, name, shape, compiled.rule.shift));
}

function reservedProblem(
  field: BitField,
  wrong: bigint,
  name: string,
  shape: EntryShape,
  shift: number,
): BitProblem[] {
  const { high, low } = field;
  const bits = (wrong >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);
  if (bits === 0n) return [];
  const where = high === low ? `bit ${high}` : `bits ${high}:${low}`;
  const base = { severity: 'error' as const, high, low };
  if (shape === 'leaf' && low === 12 && high === shift - 1) {
    const message = `The address of this large leaf is not a multiple of its size: ${where} of the ${name} are ${hex(bits)}, and must be 0.`;
    return [
      {
        ...base,
        code: 'entry/misaligned-leaf',
        message,
        hint: 'Hardware faults here. Check who wrote the physical address.',
      },
    ];
  }
  if (field.kind === 'reserved') {
    const message = `Reserved ${where} of the ${name} ${high === low ? 'is' : 'are'} ${hex(bits)}, and must be 0.`;
    return [
      { ...base, code: 'entry/reserved-bits', message, hint: 'Hardware faults here (reserved field not 0).' },
    ];
  }
  const message = `${field.name} (${where}) of the ${name} is set, but the capability registers say that it is not supported.`;
  return [
    { ...base, code: 'entry/not-supported', message, hint: 'Hardware treats it as reserved and faults.' },
  ];
}

function staleWord(word: bigint): BitProblem {
  return {
    code: 'entry/stale-word',
    message: `Not present (R = W = 0), but the word is ${hex(word)}, not 0: only A, D, address or software bits are left.`,
    hint: 'Software that takes any word other than 0 for a mapping misreads it. Clear the whole word on unmap.',
    severity: 'warning',
    high: 63,
    low: 0,
  };
}
