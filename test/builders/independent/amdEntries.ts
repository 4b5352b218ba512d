/** AMD IOMMU registers, device-table entries and host page tables: 48882 rev 3.10 §2.2.2, §2.2.3, §3.4. */
import { addressOf, bit, field, type Frames } from './frames';
import { spanOf } from './tree';

export const PRESENT = bit(0);
export const IR = bit(61);
export const IW = bit(62);
export const FC = bit(60);
export const U = bit(59);

/** A pointer to a table of a level. */
export const v1Pointer = (address: bigint, nextLevel: number): bigint =>
  address | field(9, nextLevel) | IR | IW | PRESENT;

/** A leaf with the default size of its level (NextLevel 0). */
export const v1Leaf = (address: bigint): bigint => address | IR | IW | PRESENT;

/** A leaf whose size is in the trailing ones of its address (NextLevel 7). */
export const v1SizedLeaf = (address: bigint, size: bigint): bigint =>
  address | ((size / 2n - 1n) & ~0xfffn) | field(9, 7) | IR | IW | PRESENT;

/** The pointer of one level to the next, for `Tree`. */
export const v1Link = (frame: number, level: number): bigint => v1Pointer(addressOf(frame), level - 1);

/** Input addresses that tables of `mode` levels take: six levels take all 64 bits. */
export const v1Limit = (mode: number): bigint => (mode === 6 ? bit(64) : spanOf(mode + 1));

export interface DeviceEntry {
  readonly valid?: boolean;
  readonly translationValid?: boolean;
  readonly mode?: number;
  readonly root?: bigint;
  readonly read?: boolean;
  readonly write?: boolean;
  readonly domain?: number;
  /** GV with its GCR3 table. */
  readonly guest?: GuestEntry;
}

export interface GuestEntry {
  /** Physical (or guest physical) address of the GCR3 table root. */
  readonly gcr3: bigint;
  /** GCR3 levels - 1. */
  readonly glx: number;
  readonly giov?: boolean;
  /** Guest page-table levels. */
  readonly levels?: 4 | 5;
}

/** The four words of a device-table entry. */
export function deviceEntry(entry: DeviceEntry): bigint[] {
  const { valid = true, translationValid = true, mode = 0, root = 0n } = entry;
  const { read = true, write = true, domain = 1, guest } = entry;
  const low =
    (valid ? bit(0) : 0n) |
    (translationValid ? bit(1) : 0n) |
    field(9, mode) |
    root |
    (read ? IR : 0n) |
    (write ? IW : 0n);
  if (guest === undefined) return [low, BigInt(domain), 0n, 0n];
  const { gcr3, glx, giov = false, levels = 4 } = guest;
  return [
    low | bit(55) | (giov ? bit(54) : 0n) | field(56, glx) | (((gcr3 >> 12n) & 7n) << 58n),
    BigInt(domain) | (((gcr3 >> 15n) & 0xffffn) << 16n) | (((gcr3 >> 31n) & 0x1f_ffffn) << 43n),
    field(54, levels - 4),
    0n,
  ];
}

/** A device table of whole frames, 128 entries a frame. */
export class DeviceTable {
  readonly root: number;

  constructor(
    readonly frames: Frames,
    readonly pages: number,
  ) {
    this.root = frames.addRun(pages);
  }

  set(device: number, words: readonly bigint[]): void {
    const frame = this.root + (device >> 7);
    words.forEach((word, index) => this.frames.set(frame, (device & 127) * 4 + index, word));
  }

  /** Registers of an IOMMU that has this table, 6-level host and 5-level guest tables, and 3 levels of GCR3. */
  registers(options: { enabled?: boolean; gcr3IsGuest?: boolean } = {}): Record<string, bigint> {
    const { enabled = true, gcr3IsGuest = false } = options;
    // NXSup, GTSup, IASup; HATS, GATS, GLXSup; PASmax 19 (20 bits); GIOSUP.
    const features =
      bit(3) | bit(4) | bit(6) | field(10, 2) | field(12, 1) | field(14, 2) | field(32, 19) | bit(48);
    // IommuEn, GTEn, GCR3TRPMode.
    const control = (enabled ? bit(0) : 0n) | bit(16) | (gcr3IsGuest ? bit(58) : 0n);
    return {
      DevTabBase: addressOf(this.root) | BigInt(this.pages - 1),
      Control: control,
      ExtFeat: features,
      ExtFeat2: gcr3IsGuest ? bit(3) : 0n,
    };
  }
}
