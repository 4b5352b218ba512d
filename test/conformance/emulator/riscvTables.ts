/** Page tables of the RISC-V formats, made as they are needed. */
import { bit, pointer, type RiscvBench } from './riscvBench';

/** Levels by MODE of iosatp and iohgatp. */
export const MODES = [
  { mode: 8n, name: 'Sv39', levels: 3 },
  { mode: 9n, name: 'Sv48', levels: 4 },
  { mode: 10n, name: 'Sv57', levels: 5 },
] as const;

/** Bits of entries. */
export const V = bit(0);
export const R = bit(1);
export const W = bit(2);
export const X = bit(3);
export const U = bit(4);
export const A = bit(6);
export const D = bit(7);
export const N = bit(63);
/** V, R, W, X and U: accessed and dirty are left to hardware. */
export const FRESH = V | R | W | X | U;
export const leaf = (frame: bigint, flags = FRESH): bigint => (frame << 10n) | flags;
/** PPN of a leaf. */
export const pageOf = (word: bigint): bigint => (word >> 10n) & ((1n << 44n) - 1n);

/** Where the frames of tables are: second-stage and plain tables lie where their pointers say. */
interface Frames {
  /** A new frame, by its own address. */
  make(): number;
  /** Where it is in physical memory. */
  place(frame: number): number;
}

/** One tree. Its root has 2^11 entries in a second stage, else 2^9. */
export class RiscvTables {
  readonly root: number;
  readonly #bench: RiscvBench;
  readonly #levels: number;
  readonly #frames: Frames;

  constructor(bench: RiscvBench, levels: number, stage: 1 | 2, frames?: Frames) {
    this.#bench = bench;
    this.#levels = levels;
    this.#frames = frames ?? { make: () => bench.frames(), place: (frame) => frame };
    this.root = stage === 2 ? bench.frames(4) : this.#frames.make();
    this.#rootBits = stage === 2 ? 11n : 9n;
  }

  readonly #rootBits: bigint;

  /** Sets the entry of an address at a level, 0 is leaf-most; returns its physical address. */
  put(address: bigint, level: number, word: bigint): number {
    let table = this.root;
    for (let at = this.#levels - 1; ; at--) {
      const bits = at === this.#levels - 1 ? this.#rootBits : 9n;
      const index = Number((address >> BigInt(12 + 9 * at)) & ((1n << bits) - 1n));
      const entry = this.#frames.place(table) * 4096 + index * 8;
      if (at === level) {
        this.#bench.put(entry, word);
        return entry;
      }
      const above = this.#bench.word(entry);
      if ((above & V) !== 0n) table = Number(pageOf(above));
      else {
        table = this.#frames.make();
        this.#bench.put(entry, pointer(table));
      }
    }
  }
}
