import { ENCODING_COLUMNS, levelOf, type CompiledFormat } from '../formats/compile';
import { classify, entryPermission, isRun } from './entry';
import { LEAF } from './entryClass';
import { marksOf } from './marks';

/** Words that are known at once: those of a domain differ in few of their bits but the address. */
const SLOTS_LOG2 = 9;

/** Bits of a kind: READ | WRITE, then ACCESSED | DIRTY. */
export const KIND_PERMISSION = 3;
export const KIND_MARKS_SHIFT = 2;
/** A good leaf that is a page of its own. Other kinds say nothing. */
export const KIND_PAGE = 1 << 4;
const KNOWN = 1 << 5;

/**
 * What leaf-most entries say, by their bits but the address: one look-up in a loop instead of all the rules of a format,
 * which are more than a compiler puts in the place of a call.
 */
export class LeafKinds {
  readonly #format: CompiledFormat;
  readonly #maskLo: number;
  readonly #maskHi: number;
  readonly #los = new Int32Array(1 << SLOTS_LOG2);
  readonly #his = new Int32Array(1 << SLOTS_LOG2);
  /** 0: not known yet. */
  readonly #kinds = new Uint8Array(1 << SLOTS_LOG2);

  constructor(format: CompiledFormat) {
    this.#format = format;
    const { reservedLeafLo, reservedLeafHi, encodingsLeaf } = levelOf(format, 1);
    let lo = ~format.addressLo | reservedLeafLo;
    let hi = ~format.addressHi | reservedLeafHi;
    for (let at = 0; at < encodingsLeaf.length; at += ENCODING_COLUMNS) {
      const rule = encodingsLeaf.subarray(at, at + ENCODING_COLUMNS);
      if (isOfRunsOnly(format, rule)) continue;
      lo |= (rule[0] ?? 0) | (rule[4] ?? 0);
      hi |= (rule[2] ?? 0) | (rule[6] ?? 0);
    }
    this.#maskLo = lo;
    this.#maskHi = hi;
  }

  /** The kind of a leaf-most entry. */
  of(lo: number, hi: number): number {
    const keyLo = lo & this.#maskLo;
    const keyHi = hi & this.#maskHi;
    const slot = Math.imul(keyLo ^ Math.imul(keyHi, 0x9e3779b1), 0x85ebca6b) >>> (32 - SLOTS_LOG2);
    const kind = this.#kinds[slot] ?? 0;
    if (kind !== 0 && this.#los[slot] === keyLo && this.#his[slot] === keyHi) return kind;
    this.#los[slot] = keyLo;
    this.#his[slot] = keyHi;
    return (this.#kinds[slot] = this.#learn(lo, hi));
  }

  #learn(lo: number, hi: number): number {
    const format = this.#format;
    const level = levelOf(format, 1);
    if (isRun(format, level, lo, hi) || classify(format, level, lo, hi) !== LEAF) return KNOWN;
    const permission = entryPermission(format, LEAF, lo, hi);
    return KNOWN | KIND_PAGE | permission | (marksOf(format, lo, hi) << KIND_MARKS_SHIFT);
  }
}

/** Whether an encoding rule is about pages of several entries only. */
function isOfRunsOnly(format: CompiledFormat, rule: Int32Array): boolean {
  const { runKind, runMaskLo, runMaskHi, runValueLo, runValueHi } = format;
  const [maskLo = 0, valueLo = 0, maskHi = 0, valueHi = 0] = rule;
  return (
    runKind !== 'none' &&
    levelOf(format, 1).runLog2 !== 0 &&
    (maskLo & runMaskLo) === runMaskLo &&
    (maskHi & runMaskHi) === runMaskHi &&
    (valueLo & runMaskLo) === runValueLo &&
    (valueHi & runMaskHi) === runValueHi
  );
}

const kept = new WeakMap<CompiledFormat, LeafKinds>();

/** The kinds of a format, shared by all that read it. */
export function leafKindsOf(format: CompiledFormat): LeafKinds {
  const kinds = kept.get(format) ?? new LeafKinds(format);
  kept.set(format, kinds);
  return kinds;
}
