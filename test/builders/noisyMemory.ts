/**
 * A machine's memory around real tables: what a kernel has in its other frames, and old copies of the tables that lead to
 * frames used for something else since. Every frame is made from a seed when it is read, so that a memory of any size takes
 * no room.
 */
import { frameNumber, type FrameNumber } from '../../src/engine/values';

const FRAME_WORDS = 1024;
/** Kinds of noise by the lowest bits of a frame number: page tables find those of the next level by it. */
const KINDS = 32;
const SHARES = 1024;
const MADE_KEPT = 8192;

export interface NoisyOptions {
  readonly seed: number;
  /** Frames in all. */
  readonly frames: number;
  /** Old copies of every real frame. */
  readonly copies: number;
}

/** A small generator of 32-bit numbers (xorshift128). */
export class Random {
  #a: number;
  #b = 0x9e3779b9;
  #c = 0x243f6a88;
  #d = 0xb7e15162;

  constructor(seed: number) {
    this.#a = seed >>> 0 || 1;
    for (let warm = 0; warm < 8; warm++) this.next();
  }

  next(): number {
    const t = this.#a ^ (this.#a << 11);
    this.#a = this.#b;
    this.#b = this.#c;
    this.#c = this.#d;
    this.#d = this.#d ^ (this.#d >>> 19) ^ t ^ (t >>> 8);
    return this.#d >>> 0;
  }

  below(end: number): number {
    // Both are known to be 32-bit numbers: the remainder of any others is several times as slow.
    return this.next() % (end >>> 0);
  }
}

export class NoisyMemory {
  readonly generation = 0;
  /** Half-open, bytes. */
  readonly ranges: readonly { readonly start: number; readonly end: number }[];
  /** The same in frames. */
  readonly #stretches: readonly { readonly start: number; readonly count: number }[];
  readonly #seed: number;
  readonly #kept = new Map<number, Uint32Array>();
  /** Frames read lately: walkers read a table once for each of its entries. */
  readonly #made = new Map<number, Uint32Array>();

  /** @param real The frames with the tables; they keep their addresses. */
  constructor(real: ReadonlyMap<number, Uint32Array>, { seed, frames, copies }: NoisyOptions) {
    this.#seed = seed;
    this.ranges = around([...real.keys()], frames);
    this.#stretches = this.ranges.map(({ start, end }) => ({
      start: start / 4096,
      count: (end - start) / 4096,
    }));
    for (const [frame, words] of real) this.#kept.set(frame, words);
    this.#addCopies(real, copies, new Random(seed));
  }

  readFrame(frame: FrameNumber): Uint32Array | undefined {
    const address = frame * 4096;
    if (!this.ranges.some(({ start, end }) => address >= start && address < end)) return undefined;
    const known = this.#made.get(frame);
    if (known) return known;
    const words = new Uint32Array(FRAME_WORDS);
    this.#fill(frame, words);
    if (this.#made.size >= MADE_KEPT) this.#made.clear();
    this.#made.set(frame, words);
    return words;
  }

  read(start: number, target: Uint8Array): number {
    const words = new Uint32Array(target.buffer, target.byteOffset, target.byteLength / 4);
    for (let at = 0; at < words.length; at += FRAME_WORDS) {
      this.#fill(start / 4096 + at / FRAME_WORDS, words.subarray(at, at + FRAME_WORDS));
    }
    return target.length;
  }

  explainMissing(frame: FrameNumber): string {
    return `frame ${frame} is not in the memory`;
  }

  /** A frame of noise, of the kind if one is given. */
  #anyFrame(random: Random, kind?: number): number {
    const stretch = this.#stretches[random.below(this.#stretches.length)];
    const frame = stretch ? stretch.start + random.below(stretch.count) : 0;
    return kind === undefined ? frame : frame - (frame % KINDS) + kind;
  }

  #fill(frame: number, words: Uint32Array): void {
    const kept = this.#kept.get(frame);
    if (kept) words.set(kept);
    else
      fillNoise(words, frame, new Random(Math.imul(frame, 0x01000193) ^ this.#seed), (random, kind) =>
        this.#anyFrame(random, kind),
      );
  }

  /** Old copies: at least one pointer of each leads to a frame that holds something else now, some to another old copy. */
  #addCopies(real: ReadonlyMap<number, Uint32Array>, copies: number, random: Random): void {
    const places = new Map<number, number[]>();
    for (const frame of real.keys()) {
      const free: number[] = [];
      while (free.length < copies) {
        const place = this.#anyFrame(random);
        if (this.#kept.has(place)) continue;
        this.#kept.set(place, new Uint32Array(FRAME_WORDS));
        free.push(place);
      }
      places.set(frame, free);
    }
    for (const [frame, words] of real) {
      const pointers = pointersIn(words, places);
      for (const place of places.get(frame) ?? [])
        this.#kept.set(place, this.#oldCopy(words, pointers, places, random));
    }
  }

  #oldCopy(
    words: Uint32Array,
    pointers: readonly Pointer[],
    places: ReadonlyMap<number, readonly number[]>,
    random: Random,
  ): Uint32Array {
    const copy = words.slice();
    const sure = pointers.length === 0 ? 0 : random.below(pointers.length);
    for (const [index, { at, shift, to }] of pointers.entries()) {
      const old = places.get(to) ?? [];
      const choice = index === sure ? 0 : random.below(4);
      let target = to;
      if (choice === 0) {
        do target = this.#anyFrame(random);
        while (this.#kept.has(target));
      } else if (choice === 1) target = old[random.below(old.length)] ?? to;
      const word = (BigInt(copy[at + 1] ?? 0) << 32n) | BigInt(copy[at] ?? 0);
      const changed = word - (BigInt(to) << shift) + (BigInt(target) << shift);
      copy[at] = Number(changed & 0xffff_ffffn);
      copy[at + 1] = Number(changed >> 32n);
    }
    return copy;
  }
}

/** A word that holds the number of a frame from bit `shift` on. */
interface Pointer {
  readonly at: number;
  readonly shift: bigint;
  readonly to: number;
}

/** Words of a frame that lead to frames with a place. */
function pointersIn(words: Uint32Array, places: ReadonlyMap<number, unknown>): Pointer[] {
  const pointers: Pointer[] = [];
  for (let at = 0; at < FRAME_WORDS; at += 2) {
    const word = (BigInt(words[at + 1] ?? 0) << 32n) | BigInt(words[at] ?? 0);
    // Where the formats have their pointers: bits 51:12, RISC-V 53:10 and 43:0.
    for (const shift of [12n, 10n, 0n]) {
      const to = Number((word >> shift) & (shift === 12n ? 0xff_ffff_ffffn : 0xfff_ffff_ffffn));
      if (places.has(to)) {
        pointers.push({ at, shift, to });
        break;
      }
    }
  }
  return pointers;
}

/** Stretches of memory, `frames` in all, that hold all of the frames. */
function around(real: readonly number[], frames: number) {
  const gap = 0x4000;
  const clusters: { start: number; end: number }[] = [];
  for (const frame of [...real].sort((a, b) => a - b)) {
    const last = clusters.at(-1);
    if (last && frame - last.end < gap) last.end = frame + 1;
    else clusters.push({ start: frame, end: frame + 1 });
  }
  const used = clusters.reduce((sum, { start, end }) => sum + end - start, 0);
  const each = Math.max(0, Math.floor((frames - used) / clusters.length));
  const stretches = clusters.map(({ start, end }) => {
    const below = Math.min(start - 1, Math.floor(each / 2));
    return { start: start - below, end: end + each - below };
  });
  // Stretches that have grown together are one.
  const joined: { start: number; end: number }[] = [];
  for (const stretch of stretches) {
    const last = joined.at(-1);
    if (last && stretch.start <= last.end) last.end = Math.max(last.end, stretch.end);
    else joined.push({ ...stretch });
  }
  // Stretches that met, and those that begin at address 0, leave some for the last one.
  const made = joined.reduce((sum, { start, end }) => sum + end - start, 0);
  const last = joined.at(-1);
  if (last) last.end += Math.max(0, frames - made);
  const bytes = (frame: number): number => Math.ceil(frame / KINDS) * KINDS * 4096;
  return joined.map(({ start, end }) => ({
    start: Math.floor(start / KINDS) * KINDS * 4096,
    end: bytes(end),
  }));
}

type Pick = (random: Random, kind?: number) => number;

const TEXT = 'the quick brown fox jumps over the lazy dog; int main(void) { return 0; }\n';
const TEXT_BYTES = new TextEncoder().encode(TEXT);

/** What stands in a frame of each kind. */
function fillNoise(words: Uint32Array, frame: number, random: Random, pick: Pick): void {
  const kind = frame % KINDS;
  words.fill(0);
  if (kind < 4) fillPageTable(words, random, pick, X86, kind);
  else if (kind < 8) fillPageTable(words, random, pick, ARM, kind - 4);
  else if (kind < 12) fillPageTable(words, random, pick, RISCV, kind - 8);
  else if (kind < 15) fillPointers(words, random);
  else if (kind < 18) fillText(words, random);
  else if (kind < 21) fillSmallNumbers(words, random);
  else if (kind < 26) for (let at = 0; at < FRAME_WORDS; at++) words[at] = random.next();
}

/** A processor's page tables: frames of `kind` are leaf tables, the next three kinds the levels above. */
interface Tables {
  readonly kind: number;
  /** Entries hold the frame number from this bit on. */
  readonly shift: number;
  /** Flags, low and high halves. */
  readonly table: number;
  readonly leaf: readonly [lo: number, hi: number];
}
const X86: Tables = { kind: 0, shift: 12, table: 0x67, leaf: [0x163, 0x80000000] };
const ARM: Tables = { kind: 4, shift: 12, table: 3, leaf: [0xf13, 0x680000] };
const RISCV: Tables = { kind: 8, shift: 10, table: 1, leaf: [0xe7, 0] };

/** Dense, sparse or with few entries. */
function fillPageTable(words: Uint32Array, random: Random, pick: Pick, tables: Tables, level: number): void {
  const share = [SHARES, SHARES / 8, 8][random.below(3)] ?? SHARES;
  const { shift } = tables;
  const above = 2 ** (32 - shift);
  for (let at = 0; at < FRAME_WORDS; at += 2) {
    if (share < SHARES && random.below(SHARES) >= share) continue;
    const target = level === 0 ? pick(random) : pick(random, tables.kind + level - 1);
    const [lo, hi] = level === 0 ? tables.leaf : [tables.table, 0];
    words[at] = (target << shift) | lo;
    words[at + 1] = Math.floor(target / above) | hi;
  }
}

/** Lists, vtables and lengths of a kernel. */
function fillPointers(words: Uint32Array, random: Random): void {
  for (let at = 0; at < FRAME_WORDS; at += 2) {
    const what = random.below(4);
    if (what === 0) continue;
    words[at] = what === 1 ? random.below(4096) : random.next() & ~7;
    words[at + 1] = what === 1 ? 0 : what === 2 ? 0xffff8881 : 0xffffffff;
  }
}

function fillText(words: Uint32Array, random: Random): void {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  const from = random.below(TEXT.length);
  for (let at = -from; at < bytes.length; at += TEXT.length) {
    const skipped = Math.max(0, -at);
    bytes.set(TEXT_BYTES.subarray(skipped, Math.min(TEXT.length, bytes.length - at)), at + skipped);
  }
}

/** Counters and flags: some stand as far apart as device entries do. */
function fillSmallNumbers(words: Uint32Array, random: Random): void {
  const step = 2 << random.below(5);
  const values = 1 + random.below(3);
  const share = random.below(SHARES);
  for (let at = 0; at < FRAME_WORDS; at += step) {
    if (random.below(SHARES) < share) words[at] = 1 + random.below(values);
  }
}

/** All frames of a memory by number. */
export function framesOf(
  memory: { readFrame(frame: FrameNumber): Uint32Array | undefined },
  ranges: readonly { readonly start: number; readonly end: number }[],
): Map<number, Uint32Array> {
  const frames = new Map<number, Uint32Array>();
  for (const { start, end } of ranges) {
    for (let frame = start / 4096; frame < end / 4096; frame++) {
      const words = memory.readFrame(frameNumber(frame));
      if (words) frames.set(frame, words.slice());
    }
  }
  return frames;
}
