import fc from 'fast-check';
import { mask } from '../../../src/engine/bits/bitFields';
import { levelOf, type CompiledFormat } from '../../../src/engine/formats/compile';
import {
  type AccessRule,
  type AddressBits,
  type EntryShape,
  type LevelRule,
} from '../../../src/engine/formats/pageTableFormat';
import { type AddressSpace } from '../../../src/engine/pageTable/addressSpace';
import { type FrameMemory } from '../../builders/tables';

/** Tables that a random space has; number 0 is the root. */
export const TABLES = 8;
/** Frames from one table to the next: what the largest table takes. */
export const TABLE_FRAMES = 16;

/** First frame of a table. */
export const tableFrame = (table: number): number => TABLE_FRAMES * (1 + table);

/** One write to a table: an entry, several neighbours, or all entries of a page that takes several. */
export interface Write {
  readonly table: number;
  readonly index: number;
  readonly kind: 'table' | 'leaf' | 'neighbours' | 'run' | 'word';
  /** Table pointed to, and the frame that a leaf maps. */
  readonly target: number;
  readonly frame: number;
  /** Which of the choices that the format gives: permission, marks, next level, size. */
  readonly choice: number;
  /** Added to the word, or the word itself. */
  readonly flips: bigint;
}

const index = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc.integer({ min: 0, max: 3 }),
  fc.integer({ min: 0, max: 40 }),
  fc.integer({ min: 0, max: 0xffff }),
);

const frame = fc.oneof(
  fc.integer({ min: 0, max: 40 }).map((each) => TABLE_FRAMES + each),
  fc.integer({ min: 0xffff0, max: 0x100010 }),
  fc.integer({ min: 0, max: 2 ** 30 }),
  fc.constantFrom(2 ** 34, 2 ** 36 - 1, 2 ** 38, 2 ** 40 - 2 ** 9),
);

const flips = fc.oneof(
  { weight: 12, arbitrary: fc.constant(0n) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 63 }).map((bit) => 1n << BigInt(bit)) },
);

export const writes: fc.Arbitrary<readonly Write[]> = fc.array(
  fc
    .record({
      table: fc.integer({ min: 0, max: TABLES - 1 }),
      index,
      kind: fc.constantFrom('table', 'table', 'leaf', 'neighbours', 'run'),
      target: fc.integer({ min: 0, max: 2 * TABLES }),
      frame,
      choice: fc.nat(),
      flips,
    })
    .chain((write) =>
      fc.oneof(
        { weight: 15, arbitrary: fc.constant(write) },
        {
          weight: 1,
          arbitrary: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map((word) => ({
            ...write,
            kind: 'word' as const,
            flips: word,
          })),
        },
      ),
    ),
  { maxLength: 40, size: 'max' },
);

/** The depth at which a table is meant to be met: the root's for 0, then any below. */
export function depthOfTable(format: CompiledFormat, table: number): number {
  return table === 0 ? format.rootDepth : 1 + (table % Math.max(1, format.rootDepth - 1));
}

/** Writes entries as the format has them; a chain of tables to a leaf-most one is always there. */
export function fill(space: AddressSpace, memory: FrameMemory, all: readonly Write[]): void {
  const { format } = space;
  for (let at = 0; at < TABLES * TABLE_FRAMES; at++) memory.frame(TABLE_FRAMES + at);
  for (let table = 1; table < TABLES; table++) {
    const from = [0, ...Array.from({ length: TABLES - 1 }, (_, below) => below + 1)].find(
      (above) => depthOfTable(format, above) === depthOfTable(format, table) + 1,
    );
    if (from !== undefined)
      put(space, memory, {
        table: from,
        index: table % 4,
        kind: 'table',
        target: table,
        frame: 0,
        choice: 0,
        flips: 0n,
      });
  }
  for (const write of all) put(space, memory, write);
}

function put(space: AddressSpace, memory: FrameMemory, write: Write): void {
  const { format } = space;
  const depth = depthOfTable(format, write.table);
  const level = levelOf(format, depth);
  const size = level.indexMask + 1;
  const at = write.index % size;
  const before = write.table === 0 ? space.rootEntry : 0;
  const set = (place: number, word: bigint): void => {
    const slot = (place % size) + before;
    memory.set(
      tableFrame(write.table) + Math.floor(slot / 512),
      slot % 512,
      BigInt.asUintN(64, word ^ write.flips),
    );
  };
  if (write.kind === 'word') {
    set(at, 0n);
  } else if (write.kind === 'table' && depth > 1) {
    const tables = Array.from({ length: TABLES }, (_, table) => table);
    const fitting = tables.filter((table) => depthOfTable(format, table) < depth && table !== 0);
    const below =
      write.target < TABLES ? fitting[write.target % Math.max(1, fitting.length)] : write.target % TABLES;
    const next = depthOfTable(format, below ?? 0);
    // Where entries do not say the level, one that leads to a table of another depth leads to it all the same.
    set(
      at,
      entryWord(format, level.rule, 'table', BigInt(tableFrame(below ?? 0)) << 12n, write.choice, next),
    );
  } else if (write.kind === 'run' && format.runKind !== 'none') {
    putRuns(format, depth, at, write, set);
  } else {
    const count = write.kind === 'neighbours' ? 2 + (write.choice % 6) : 1;
    for (let next = 0; next < count; next++) {
      const target = leafAddress(write.frame, level.shift) + BigInt(next) * (1n << BigInt(level.shift));
      set(at + next, entryWord(format, level.rule, 'leaf', target, write.choice));
    }
  }
}

const leafAddress = (to: number, shift: number): bigint =>
  ((BigInt(to) << 12n) >> BigInt(shift)) << BigInt(shift);

/** One or two neighbouring pages of several entries each; now and then one of the entries differs, or has other marks. */
function putRuns(
  format: CompiledFormat,
  depth: number,
  at: number,
  { frame: to, choice }: Write,
  set: (place: number, word: bigint) => void,
): void {
  const { rule, runLog2 } = levelOf(format, depth);
  const { largeRun, accessed } = format.format;
  if (!largeRun) return;
  const log2 = format.runKind === 'size-in-address' ? 1 + (choice % 5) : runLog2;
  const first = at - (at % 2 ** log2);
  const shift = rule.shift + log2;
  const start = leafAddress(to, shift);
  const pages = 1 + ((choice >> 4) % 2);
  for (let entry = 0; entry < pages * 2 ** log2; entry++) {
    const ofPage = format.runKind === 'own-address' ? entry : entry - (entry % 2 ** log2);
    const target = start + (BigInt(ofPage) << BigInt(rule.shift));
    let word = (entryWord(format, rule, 'leaf', target, choice) & ~largeRun.when.mask) | largeRun.when.value;
    if (format.runKind === 'size-in-address') word |= mask(shift - 2, 12) & ~(1n << BigInt(shift - 1));
    word = keepRules(format, rule, 'leaf', word);
    if ((choice >> 8) % 4 === 1 && entry % 3 === 1) word ^= accessed;
    if ((choice >> 8) % 8 === 2 && entry === choice % 7) word ^= 1n << BigInt(choice % 52);
    set(first + entry, word);
  }
}

/** A good entry, in one of the ways that the format has. */
export function entryWord(
  format: CompiledFormat,
  rule: LevelRule,
  shape: EntryShape,
  target: bigint,
  choice: number,
  next = 0,
): bigint {
  const { present, address, nextLevel, accessed, dirty, permission } = format.format;
  let word = encodeAddress(address, target);
  word |= choice % 3 === 0 ? present : present & -present;
  const access = permission(shape, format.hardware);
  // Mostly what allows both.
  if (choice % 8 !== 5) word = allow(word, access.write, choice);
  if (choice % 8 !== 6) word = allow(word, access.read, choice);
  if (choice % 16 < 13) word |= shape === 'leaf' || choice % 2 === 0 ? accessed : 0n;
  if (shape === 'leaf' && choice % 3 > 0) word = (word & ~dirty.mask) | dirty.value;
  if (shape === 'leaf' && choice % 5 > 0)
    word = allow(allow(word, access.write, choice), access.read, choice);
  if (nextLevel) {
    word &= ~mask(nextLevel.high, nextLevel.low);
    if (shape === 'table') word |= BigInt(next) << BigInt(nextLevel.low);
  }
  if (typeof rule.leaf !== 'string') word = shaped(word, rule.leaf, shape);
  return keepRules(format, rule, shape, word);
}

function shaped(word: bigint, rule: Exclude<LevelRule['leaf'], string>, shape: EntryShape): bigint {
  const bits = BigInt(rule.mask);
  const isLeaf = (each: bigint) =>
    rule.values.some((value) => BigInt(value) === (each & bits)) !== (rule.not ?? false);
  if (isLeaf(word) === (shape === 'leaf')) return word;
  const value = BigInt(rule.values[0] ?? 0);
  return (word & ~bits) | (isLeaf((word & ~bits) | value) === (shape === 'leaf') ? value : value ^ bits);
}

/** Clears what is reserved, and obeys encoding rules. */
function keepRules(format: CompiledFormat, rule: LevelRule, shape: EntryShape, word: bigint): bigint {
  const { reserved, encodings } = format.format;
  let kept = word & ~reserved(shape, rule, format.hardware);
  for (const { when, must } of encodings?.(shape, rule, format.hardware) ?? [])
    if ((kept & when.mask) === when.value && must) kept = (kept & ~must.mask) | must.value;
  return kept;
}

function allow(word: bigint, rule: AccessRule['read'], choice: number): bigint {
  if (rule === true) return word;
  const test = rule[choice % rule.length];
  return test ? (word & ~test.mask) | test.value : word;
}

function encodeAddress({ high, low, to, extra }: AddressBits, target: bigint): bigint {
  const word = ((target >> BigInt(to)) << BigInt(low)) & mask(high, low);
  if (!extra) return word;
  return word | (((target >> BigInt(extra.to)) << BigInt(extra.low)) & mask(extra.high, extra.low));
}

/** An input address by its index at each depth, leaf-most first; `far` bits are added to it. */
export interface Request {
  readonly indices: readonly number[];
  readonly offset: number;
  readonly far: bigint;
  readonly write: boolean;
}

export const requests: fc.Arbitrary<readonly Request[]> = fc.array(
  fc.record({
    indices: fc.array(index, { minLength: 6, maxLength: 6 }),
    offset: fc.integer({ min: 0, max: 4095 }),
    far: fc.constantFrom(0n, 0n, 0n, 0n, 0n, 1n << 38n, 1n << 47n, 1n << 56n, 1n << 63n),
    write: fc.boolean(),
  }),
  { maxLength: 20, size: 'max' },
);

/** Every other request goes to the upper part of a space that has one. */
export function addressOf(space: AddressSpace, { indices, offset, far }: Request): bigint {
  const { format, highStart } = space;
  let address = BigInt(offset);
  for (let depth = 1; depth <= format.rootDepth; depth++) {
    const { shift, indexMask } = levelOf(format, depth);
    address |= BigInt((indices[depth - 1] ?? 0) % (indexMask + 1)) << BigInt(shift);
  }
  const signed = BigInt(highStart) << 12n;
  const bits = BigInt(format.addressBits);
  const upper = address >> (bits - 1n) === 1n || space.lowEnd === 0;
  if (highStart !== 2 ** 52 && upper && signed < 1n << 64n)
    address |= ((1n << 64n) - 1n) ^ ((1n << bits) - 1n);
  return BigInt.asUintN(64, address ^ far);
}
