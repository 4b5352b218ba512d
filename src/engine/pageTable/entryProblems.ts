import { type BitField } from '../bits/bitFields';
import { levelOf, type CompiledFormat } from '../formats/compile';
import { type EncodingRule, type EntryShape } from '../formats/pageTableFormat';
import { joinHalves } from '../memory/words';
import { FRAME_BYTES, frameNumber, hex } from '../values';
import { classify, isLeaf } from './entry';
import { type AddressSpace } from './addressSpace';
import { ABSENT, MALFORMED } from './entryClass';
import { pageAt } from './pageAt';

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
export function shapeOf(format: CompiledFormat, depth: number, lo: number): EntryShape {
  return isLeaf(levelOf(format, depth), lo) ? 'leaf' : 'table';
}

/** What is wrong with one page-table entry, looked at alone. */
export function entryProblems(format: CompiledFormat, depth: number, lo: number, hi: number): BitProblem[] {
  const compiled = levelOf(format, depth);
  const word = joinHalves(lo, hi);
  const found = classify(format, compiled, lo, hi);
  if (found === ABSENT) return word === 0n ? [] : [staleWord(word)];
  const shape = shapeOf(format, depth, lo);
  const { rule } = compiled;
  const wrong = word & format.format.reserved(shape, rule, format.hardware);
  const problems = format.format
    .layout(shape, rule)
    .flatMap((field) => reservedProblem(field, wrong, rule.entryName, shape, rule.shift));
  const encodings = format.format.encodings?.(shape, rule, format.hardware) ?? [];
  problems.push(...encodings.filter((each) => isBroken(each, word)).map(encodingProblem));
  if (problems.length === 0 && found === MALFORMED) problems.push(badLevel(format, depth, lo));
  return problems;
}

/** What is wrong between the entries of a page that takes several; `address` is that of one of its leaves. */
export function neighbourProblems(
  { format, memory }: AddressSpace,
  depth: number,
  address: bigint,
): BitProblem[] {
  const frame = frameNumber(Number(address / BigInt(FRAME_BYTES)));
  const words = memory.readFrame(frame);
  if (!words) return [];
  const found = pageAt(format, levelOf(format, depth), words, Number(address % BigInt(FRAME_BYTES)) / 8);
  if (found.whole) return [];
  return [
    {
      code: 'entry/run-differs',
      message: 'The neighbours of this entry should make one page with it, and they differ.',
      hint: 'Hardware may use any of them. Check who wrote only some of the entries of the page.',
      severity: 'error',
      high: 63,
      low: 0,
    },
  ];
}

function isBroken({ when, must }: EncodingRule, word: bigint): boolean {
  return (word & when.mask) === when.value && (word & (must?.mask ?? 0n)) !== (must?.value ?? 1n);
}

function encodingProblem({ code, message, faults, high, low }: EncodingRule): BitProblem {
  const base = { code, message, severity: faults ? 'error' : 'warning', high, low } as const;
  return faults ? { ...base, hint: 'Hardware faults here.' } : base;
}

/** What only the level field or the size of a page can be wrong about. */
function badLevel({ format, rootDepth, levels }: CompiledFormat, depth: number, lo: number): BitProblem {
  const { high = 63, low = 0 } = format.nextLevel ?? {};
  const level = levels[depth];
  const own = level?.rule.level ?? depth;
  const isTable = level !== undefined && !isLeaf(level, lo);
  const message = isTable
    ? `The next level of this entry is not below its own, which is ${own} of ${rootDepth}.`
    : `The page size that the address says cannot stand in a table of level ${own}.`;
  return {
    code: isTable ? 'entry/next-level' : 'entry/page-size',
    message,
    hint: 'Hardware faults here. Check who wrote the level field.',
    severity: 'error',
    high,
    low,
  };
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
  // Bit 12 of a large x86 leaf is no address bit.
  if (shape === 'leaf' && (low === 12 || low === 13) && high === shift - 1) {
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
    message: `Not present, but the word is ${hex(word)}, not 0: only bits that say nothing by themselves are left.`,
    hint: 'Software that takes any word other than 0 for a mapping misreads it. Clear the whole word on unmap.',
    severity: 'warning',
    high: 63,
    low: 0,
  };
}
