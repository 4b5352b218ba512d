/** VMSAv8-64 translation tables, as Arm DDI 0487 D8.2 and D8.3 lay them out. */
import { type Space } from './armRiscvMemory';
import { type RadixLevel, RadixTree } from './armRiscvRadix';

export type Granule = '4K' | '16K' | '64K';

interface GranuleSpec {
  /** log2 of the page, and the input bits that a whole table resolves. */
  readonly page: number;
  readonly stride: number;
  /** CD.TG0 and STE.S2TG; CD.TG1 has its own code. */
  readonly tg0: bigint;
  readonly tg1: bigint;
}

export const GRANULES: Readonly<Record<Granule, GranuleSpec>> = {
  '4K': { page: 12, stride: 9, tg0: 0n, tg1: 2n },
  '16K': { page: 14, stride: 11, tg0: 2n, tg1: 1n },
  '64K': { page: 16, stride: 13, tg0: 1n, tg1: 3n },
};

/** How an address of up to 52 bits stands in a descriptor. */
export type AddressForm = '48' | '64K-52' | 'DS-52';

/** DDI 0487 D8.3.1: 64K keeps [51:48] in [15:12]; with DS=1, 4K and 16K keep [51:50] in [9:8]. */
export function addressBits(address: bigint, form: AddressForm): bigint {
  if (form === '48') return address;
  if (form === '64K-52') return (address & 0xffff_ffff_0000n) | (((address >> 48n) & 0xfn) << 12n);
  return (address & 0x3_ffff_ffff_f000n) | (((address >> 50n) & 3n) << 8n);
}

const AF = 1n << 10n;
const SH_INNER = 3n << 8n;
export const TABLE = 3n;
export const CONTIGUOUS = 1n << 52n;
export const DBM = 1n << 51n;

/** Stage 1: AP[2:1] at 7:6. */
export const AP = { privRW: 0n, RW: 1n << 6n, privRO: 2n << 6n, RO: 3n << 6n } as const;
/** Stage 2: S2AP at 7:6. */
export const S2AP = { none: 0n, R: 1n << 6n, W: 2n << 6n, RW: 3n << 6n } as const;
/** Table descriptors of stage 1 (D8.4.1.2): nothing below may be written; nothing below is for the unprivileged. */
export const APTABLE = { noWrite: 1n << 62n, noUnprivileged: 1n << 61n } as const;

export interface LeafOptions {
  readonly permissions?: bigint;
  readonly af?: boolean;
  readonly form?: AddressForm;
  /** Further bits: Contiguous, DBM, software bits. */
  readonly more?: bigint;
}

function leaf(type: bigint, address: bigint, options: LeafOptions, defaults: bigint): bigint {
  const { permissions = defaults, af = true, form = '48', more = 0n } = options;
  // With DS=1 the shareability bits hold address bits.
  const share = form === 'DS-52' ? 0n : SH_INNER;
  return type | addressBits(address, form) | permissions | share | (af ? AF : 0n) | more;
}

/** A stage 1 leaf: a page at level 3, a block above it. Readable and writable by everybody unless said otherwise. */
export const s1Leaf = (level: number, address: bigint, options: LeafOptions = {}): bigint =>
  leaf(level === 3 ? 3n : 1n, address, options, AP.RW);

/** A stage 2 leaf, of normal write-back memory. */
export const s2Leaf = (level: number, address: bigint, options: LeafOptions = {}): bigint =>
  leaf(level === 3 ? 3n : 1n, address, options, S2AP.RW) | (0xfn << 2n);

export interface ArmTree {
  readonly granule: Granule;
  /** Initial lookup level, from the tables in D8.2.8 to D8.2.10. */
  readonly start: number;
  /** Input address bits: 64 - TxSZ. */
  readonly inputBits: number;
  readonly form?: AddressForm;
  /** The root's address; a page aligned one is found when absent. */
  readonly root?: bigint;
}

/** The input bits of each level; the root's table is smaller or, when concatenated, larger than the others. */
function levels({ granule, start, inputBits }: ArmTree): readonly RadixLevel[] {
  const { page, stride } = GRANULES[granule];
  const found: RadixLevel[] = [];
  for (let level = start; level <= 3; level++) {
    const shift = page + (3 - level) * stride;
    found.push({ level, shift, bits: level === start ? inputBits - shift : stride });
  }
  return found;
}

export function armTree(space: Space, tree: ArmTree): RadixTree {
  const { granule, form = '48', root } = tree;
  const shape = {
    levels: levels(tree),
    pointer: (address: bigint) => TABLE | addressBits(address, form),
    tableAlignment: 1n << BigInt(GRANULES[granule].page),
  };
  return new RadixTree(space, shape, root);
}

/** Enters a run of leaves with the Contiguous bit, as D8.7.1 wants them: every entry points to its own part. */
export function setRun(
  tree: RadixTree,
  input: bigint,
  level: number,
  count: number,
  entry: (offset: bigint) => bigint,
): void {
  const span = tree.span(level);
  for (let index = 0n; index < BigInt(count); index++) {
    tree.set(input + index * span, level, entry(index * span) | CONTIGUOUS);
  }
}
