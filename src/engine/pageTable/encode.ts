import { levelOf, type CompiledFormat } from '../formats/compile';
import { type BitTest, type EntryShape, type LeafRule } from '../formats/pageTableFormat';
import { mask } from '../bits/bitFields';
import { joinHalves, type EntryHalves } from '../memory/words';
import { READ, WRITE } from './entryClass';

/** A leaf to be written. */
export interface LeafContents {
  /** First frame of the page, a multiple of its size. */
  readonly frame: number;
  /** log2 of the bytes of the page; one of `pageShifts`. */
  readonly pageShift: number;
  /** READ | WRITE. */
  readonly permission: number;
  readonly accessed: boolean;
  readonly dirty: boolean;
}

/**
 * The words of the entries of a page, in order: one, or as many as its run has. They say what is asked and nothing else:
 * attributes and software bits are 0.
 */
export function leafWords(format: CompiledFormat, depth: number, contents: LeafContents): bigint[] {
  const { shift } = levelOf(format, depth);
  const { frame, pageShift } = contents;
  const run = format.format.largeRun;
  const entries = 2 ** (pageShift - shift);
  let word = withPermission(format, 'leaf', contents.permission);
  if (contents.accessed) word |= format.format.accessed;
  word = withDirty(format, word, contents.dirty);
  if (entries > 1 && run) word = force(word, run.when);
  if (run?.kind === 'size-in-address') {
    // 8 KiB has no bit set: the lowest clear one is bit 12.
    word |= addressBits(format, frame) | (entries > 1 ? mask(pageShift - 2, 12) : 0n);
    return new Array<bigint>(entries).fill(settle(format, depth, 'leaf', word));
  }
  const step = run?.kind === 'own-address' ? 2 ** (shift - 12) : 0;
  return Array.from({ length: entries }, (_, index) =>
    settle(format, depth, 'leaf', word | addressBits(format, frame + index * step)),
  );
}

/** The word of an entry that points to a table at `frame`, of depth `next`, and takes no permission away. */
export function tableWord(format: CompiledFormat, depth: number, frame: number, next = depth - 1): bigint {
  const field = format.format.nextLevel;
  const level = field ? BigInt(next) << BigInt(field.low) : 0n;
  const word = withPermission(format, 'table', READ | WRITE) | addressBits(format, frame) | level;
  return settle(format, depth, 'table', word);
}

/** Address bits of a frame where the format has them. */
function addressBits(format: CompiledFormat, frame: number): bigint {
  const halves: EntryHalves = { lo: 0, hi: 0 };
  addressHalves(format, frame, halves);
  return joinHalves(halves.lo, halves.hi);
}

/** The same as halves: what `baseLo` and `baseHi` take out of an entry. */
export function addressHalves(format: CompiledFormat, frame: number, into: EntryHalves): void {
  const { addressMove, extraShift, extraMask, extraTo } = format;
  const lo = (frame << 12) >>> 0;
  const hi = Math.floor(frame / 0x100000);
  // A shift by 32 would be none at all.
  const carried = (hi << 1) << (31 - addressMove);
  const extra = ((hi >>> extraTo) & extraMask) << extraShift;
  into.lo = ((((lo >>> addressMove) | carried) & format.addressLo) | extra) >>> 0;
  into.hi = ((hi >>> addressMove) & format.addressHi) >>> 0;
}

function withPermission({ format, hardware }: CompiledFormat, shape: EntryShape, permission: number): bigint {
  const rule = format.permission(shape, hardware);
  let word = format.present & -format.present;
  // No write first: what allows reads may share its bits.
  if ((permission & WRITE) === 0) word = deny(word, rule.write);
  if ((permission & READ) === 0) word = deny(word, rule.read);
  if ((permission & READ) !== 0) word = allow(word, rule.read);
  if ((permission & WRITE) !== 0) word = allow(word, rule.write);
  return (permission & (READ | WRITE)) === 0 && format.present === mask(1, 0) ? 0n : word;
}

const force = (word: bigint, { mask: bits, value }: BitTest): bigint => (word & ~bits) | value;

function allow(word: bigint, tests: readonly BitTest[] | true): bigint {
  const [first] = tests === true ? [] : tests;
  return first ? force(word, first) : word;
}

/** Fails every test, by the highest bit of each. */
function deny(word: bigint, tests: readonly BitTest[] | true): bigint {
  if (tests === true) return word;
  return tests.reduce((all, { mask: bits, value }) => {
    const highest = 1n << BigInt(bits.toString(2).length - 1);
    return (all & ~highest) | (~value & highest);
  }, word);
}

/** Marks a leaf dirty or clean. Where another bit lets hardware mark it, that bit is left as permission has it. */
function withDirty({ format }: CompiledFormat, word: bigint, dirty: boolean): bigint {
  const { mask: bits, value } = format.dirty;
  if (bits === 0n) return word;
  if (dirty) return force(word, format.dirty);
  const marks = format.dirtyMark ?? bits;
  return marks === bits ? force(word, { mask: bits, value: ~value & bits }) : word;
}

/** Makes a word a leaf or a table by the rule of its level, and gives it what its encoding demands. */
function settle(format: CompiledFormat, depth: number, shape: EntryShape, word: bigint): bigint {
  const { rule } = levelOf(format, depth);
  const shaped = shape === 'leaf' ? asLeaf(rule.leaf, word) : asTable(rule.leaf, word);
  const rules = format.format.encodings?.(shape, rule, format.hardware) ?? [];
  return rules.reduce(
    (all, { when, must }) => (must && (all & when.mask) === when.value ? force(all, must) : all),
    shaped,
  );
}

function asLeaf(rule: LeafRule, word: bigint): bigint {
  if (typeof rule === 'string') return word;
  const bits = BigInt(rule.mask);
  const has = rule.values.some((value) => (word & bits) === BigInt(value));
  if (has !== (rule.not ?? false)) return word;
  // A leaf that must not be one of the values: any other will do; the highest bit says the least.
  return rule.not === true
    ? word | (1n << BigInt(bits.toString(2).length - 1))
    : (word & ~bits) | BigInt(rule.values[0] ?? 0);
}

function asTable(rule: LeafRule, word: bigint): bigint {
  if (typeof rule === 'string') return word;
  const bits = BigInt(rule.mask);
  if (rule.not === true) return (word & ~bits) | BigInt(rule.values[0] ?? 0);
  const has = rule.values.some((value) => (word & bits) === BigInt(value));
  return has ? word ^ (bits & -bits) : word;
}
