import { FRAME_BYTES } from '../../../values';
import { type KernelDomain } from '../../iommuDriver';

/** Words of a device table entry (AMD 48882 3.10 §2.2.2.1). */
export type DteWords = readonly [bigint, bigint, bigint, bigint];

const V = 1n;
const TV = 2n;
/** HAD = 3: hardware marks A and D in host tables. */
export const HAD = 3n << 7n;
const GIOV = 1n << 54n;
export const GV = 1n << 55n;
const IR_IW = 3n << 61n;
/** I: the device may have a TLB. */
const DEVICE_TLB = 1n << 32n;
/** GuestPagingMode, word 2. */
export const GUEST_PAGING_MODE = 3n << 54n;
const PAGE_MASK = 0x000f_ffff_ffff_f000n;
const MODE_AND_ROOT = (7n << 9n) | PAGE_MASK;
/** Of word 0 of a guest's: what it has a say in. GIOV, GV, GLX, the low part of the GCR3 root, PPR and GPRP. */
const GUEST_WORD_0 = GIOV | GV | (0x1fn << 56n) | (3n << 52n);
/** The other parts of the GCR3 root in word 1. */
const GUEST_WORD_1 = (0xffffn << 16n) | (0x1f_ffffn << 43n);

export const isValid = ([control]: DteWords): boolean => (control & V) !== 0n;
export const hasGuest = ([control]: DteWords): boolean => (control & GV) !== 0n;

/** V = TV = 1 without tables and permission: every request is refused. */
export const BLOCKED_DTE: DteWords = [V | TV, 0n, 0n, 0n];

const idWord = (id: number, ats: boolean): bigint => BigInt(id) | (ats ? DEVICE_TLB : 0n);

/** Mode and HostPageTableRootPtr. */
const hostTables = ({ tables }: KernelDomain): bigint =>
  (BigInt(tables.format.rootDepth) << 9n) | (BigInt(tables.root) * BigInt(FRAME_BYTES));

export function passThroughDte(id: number, ats: boolean): DteWords {
  return [V | TV | IR_IW, idWord(id, ats), 0n, 0n];
}

export function hostDte(domain: KernelDomain, marks: boolean, ats: boolean): DteWords {
  return [V | TV | IR_IW | hostTables(domain) | (marks ? HAD : 0n), idWord(domain.id, ats), 0n, 0n];
}

/** Where the guest tables of a device's PASIDs are, as the kernel made them. */
export interface GuestTables {
  /** Byte address of the GCR3 table, and its levels. */
  readonly gcr3: number;
  readonly gcr3Levels: number;
  readonly levels: number;
  /** Requests without a PASID use those of PASID 0. */
  readonly forAll: boolean;
}

export function guestDte(id: number, tables: GuestTables, ats: boolean): DteWords {
  const [low, high] = gcr3Parts(BigInt(tables.gcr3));
  return [
    V | TV | IR_IW | GV | (tables.forAll ? GIOV : 0n) | (BigInt(tables.gcr3Levels - 1) << 56n) | low,
    idWord(id, ats) | high,
    BigInt(tables.levels - 4) << 54n,
    0n,
  ];
}

/** GCR3 TRP[14:12] in bits 60:58 of word 0; [30:15] and [51:31] in bits 31:16 and 63:43 of word 1. */
function gcr3Parts(address: bigint): [low: bigint, high: bigint] {
  const part = (high: bigint, low: bigint) => (address >> low) & ((1n << (high - low + 1n)) - 1n);
  return [part(14n, 12n) << 58n, (part(30n, 15n) << 16n) | (part(51n, 31n) << 43n)];
}

/** The entry of a guest's over host tables: its GCR3 table is at a guest physical address. */
export function nestedDte(
  parent: KernelDomain,
  id: number,
  guest: readonly bigint[],
  { marks, ats }: { readonly marks: boolean; readonly ats: boolean },
): DteWords {
  const [control = 0n, second = 0n, third = 0n] = guest;
  const [host] = hostDte(parent, marks, ats);
  return [
    host | (control & GUEST_WORD_0),
    idWord(id, ats) | (second & GUEST_WORD_1),
    third & GUEST_PAGING_MODE,
    0n,
  ];
}

/** Why the kernel refuses a guest's entry: it owns the host tables, and needs the guest's. */
export function guestDteProblem([control = 0n, second = 0n, third = 0n]: readonly bigint[]):
  string | undefined {
  if ((control & MODE_AND_ROOT) !== 0n) return 'Mode and the root of host tables are 0 in the DTE of a guest';
  if ((control & V) === 0n) return 'the DTE of a guest is valid (V = 1)';
  if ((control & GV) === 0n || (control & GIOV) === 0n) return 'the DTE of a guest has GV and GIOV set';
  if ((control & (7n << 58n)) === 0n && (second & GUEST_WORD_1) === 0n)
    return 'the DTE of a guest has a GCR3 table';
  return third >> 54n === 2n || third >> 54n === 3n ? 'GuestPagingMode is 0 or 1' : undefined;
}

/** The same entry with other host tables. */
export const withHostTables = (control: bigint, domain: KernelDomain): bigint =>
  (control & ~MODE_AND_ROOT) | hostTables(domain);

/** Entry of a GCR3 table: V, and the page that it leads to. */
export const gcr3Entry = (address: number): bigint => BigInt(address) | 1n;
export const gcr3Target = (entry: bigint): number | undefined =>
  (entry & 1n) === 0n ? undefined : Number(entry & PAGE_MASK);
