import { type ArmGranule } from '../../../formats/arm';
import { mask } from '../../../bits/bitFields';
import { type Smmuv3Capabilities } from '../../capabilities/smmuv3';
import { type ArmTables } from './tables';

/** An STE or a CD: eight words (IHI 0070 5.2, 5.4). */
export type EntryWords = readonly bigint[];

const field = (value: number | bigint, low: number): bigint => BigInt(value) << BigInt(low);
const flag = (on: boolean, low: number): bigint => (on ? 1n << BigInt(low) : 0n);

export const STE_VALID = 1n;
export const CD_VALID = 1n << 31n;
/** STE.Config. */
export const CONFIG = { abort: 0, bypass: 4, stage1: 5, stage2: 6, nested: 7 } as const;
/** STE.S1DSS: what requests without a SubstreamID meet. */
export const DSS = { terminate: 0, bypass: 1, substream0: 2 } as const;

/** Cacheable, inner shareable: what table walks and CD fetches are. */
const CACHEABLE = 1;
const INNER_SHAREABLE = 3;
/** SHCFG: as the request says. */
const SHARE_AS_REQUEST = field(1, 44);
const FULL_ATS = field(1, 28);
/** MAIR: attribute 0 non-cacheable, 1 write-back, 2 device, 3 outer write-back only. */
const MEMORY_TYPES = 0xf404_ff44n;

const GRANULE_CODES: Readonly<Record<ArmGranule, number>> = { '4K': 0, '64K': 1, '16K': 2 };
const SIZE_CODES = [32, 36, 40, 42, 44, 48, 52];

const words = (w0 = 0n, w1 = 0n, w2 = 0n, w3 = 0n): EntryWords => [w0, w1, w2, w3, 0n, 0n, 0n, 0n];

function outputCode({ outputBits }: Smmuv3Capabilities, { form }: ArmTables): number {
  return SIZE_CODES.indexOf(Math.min(outputBits, form === '48' ? 48 : 52));
}

/** The hardware sets AF; and dirty, where HTTU says so. */
const marks = ({ httu }: Smmuv3Capabilities) => ({ accessed: httu >= 1, dirty: httu >= 2 });

export const abortSte = (): EntryWords => words(STE_VALID);
export const bypassSte = (): EntryWords => words(STE_VALID | field(CONFIG.bypass, 1), SHARE_AS_REQUEST);

/** Where the context descriptors of a stream are. */
export interface ContextTable {
  readonly address: number;
  /** S1CDMax. */
  readonly log2: number;
  /** S1Fmt: 0 linear, 2 two levels of 1024 CDs. */
  readonly format: number;
}

export function stage1Ste(table: ContextTable, dss: number, ats: boolean): EntryWords {
  return words(
    STE_VALID |
      field(CONFIG.stage1, 1) |
      field(table.format, 4) |
      BigInt(table.address) |
      field(table.log2, 59),
    field(dss, 0) |
      field(CACHEABLE, 2) |
      field(CACHEABLE, 4) |
      field(INNER_SHAREABLE, 6) |
      // Stalls are not for devices that no one has given them to.
      flag(true, 27) |
      (ats ? FULL_ATS : 0n) |
      (dss === DSS.bypass ? SHARE_AS_REQUEST : 0n),
  );
}

/** S2SL0 by granule and start level (DDI 0487 D8.2.9): inverted, and counted from level -1 with 4K. */
function startLevelCode({ granule, levels }: ArmTables): number {
  const level = 4 - levels;
  return ~(granule === '4K' ? level + 1 : level) & 3;
}

export function stage2Ste(vmid: number, tables: ArmTables, of: Smmuv3Capabilities, ats: boolean): EntryWords {
  const { accessed, dirty } = marks(of);
  const wide = tables.form === 'ds';
  const belowZero = wide && tables.granule === '4K' && tables.levels === 5;
  return words(
    STE_VALID | field(CONFIG.stage2, 1),
    SHARE_AS_REQUEST | (ats ? FULL_ATS : 0n),
    field(vmid, 0) |
      field(64 - tables.inputBits, 32) |
      field(belowZero ? 0 : startLevelCode(tables), 38) |
      field(CACHEABLE, 40) |
      field(CACHEABLE, 42) |
      field(INNER_SHAREABLE, 44) |
      field(GRANULE_CODES[tables.granule], 46) |
      field(outputCode(of, tables), 48) |
      // S2AA64, S2PTW, S2HD, S2HA, S2R.
      flag(true, 51) |
      flag(true, 54) |
      flag(dirty, 55) |
      flag(accessed, 56) |
      flag(true, 58),
    flag(belowZero, 2) | flag(wide, 3) | tables.root,
  );
}

/** What user space may say in words 0 and 1 of an STE (iommufd: IOMMU_HWPT_DATA_ARM_SMMUV3). */
export const USER_WORD_0 = STE_VALID | mask(3, 1) | mask(5, 4) | mask(51, 6) | mask(63, 59);
const EATS = mask(29, 28);
const MEV = 1n << 19n;
export const USER_WORD_1 = mask(7, 0) | mask(27) | EATS;

/** A guest's STE over the stage 2 of its parent. */
export function nestedSte(
  stage2: EntryWords,
  [control = 0n, second = 0n]: readonly bigint[],
  ats: boolean,
): EntryWords {
  const config = userConfig(control);
  if ((control & STE_VALID) === 0n || config === CONFIG.abort) return abortSte();
  const [, below = 0n, vmid = 0n, root = 0n] = stage2;
  if (config === CONFIG.bypass) return words(stage2[0], below | MEV, vmid, root);
  const wanted = second & (ats ? USER_WORD_1 : USER_WORD_1 & ~EATS);
  return words(
    STE_VALID | field(CONFIG.nested, 1) | (control & USER_WORD_0 & ~mask(3, 1)),
    (below & ~EATS) | MEV | wanted,
    vmid,
    root,
  );
}

export const userConfig = (control: bigint): number => Number((control >> 1n) & 7n);
export const userAts = (second: bigint): number => Number((second >> 28n) & 3n);

/** A CD: the lower addresses by TTB0, none by TTB1. */
export function contextDescriptor(asid: number, tables: ArmTables, of: Smmuv3Capabilities): EntryWords {
  const { accessed, dirty } = marks(of);
  return words(
    field(64 - tables.inputBits, 0) |
      field(GRANULE_CODES[tables.granule], 6) |
      field(CACHEABLE, 8) |
      field(CACHEABLE, 10) |
      field(INNER_SHAREABLE, 12) |
      // EPD1.
      flag(true, 30) |
      CD_VALID |
      field(outputCode(of, tables), 32) |
      // AA64.
      flag(true, 41) |
      flag(dirty, 42) |
      flag(accessed, 43) |
      // R, A, ASET.
      flag(true, 45) |
      flag(true, 46) |
      flag(true, 47) |
      field(asid, 48),
    tables.root,
    flag(tables.form === 'ds', 58),
    MEMORY_TYPES,
  );
}

export const noContextDescriptor = (): EntryWords => words();

/** Bits that hardware looks at in an STE (IHI 0070 5.2): the others may change at any time. */
export function usedOfSte([control = 0n, second = 0n]: EntryWords): EntryWords {
  if ((control & STE_VALID) === 0n) return words(STE_VALID);
  const config = userConfig(control);
  const shares = config === CONFIG.bypass ? mask(45, 44) : 0n;
  const first = (config & CONFIG.stage1) === CONFIG.stage1;
  const below = (config & CONFIG.stage2) === CONFIG.stage2;
  const dssShares = first && (second & 3n) === BigInt(DSS.bypass) ? mask(45, 44) : 0n;
  return words(
    STE_VALID | mask(3, 1) | (first ? mask(5, 4) | mask(55, 6) | mask(63, 59) : 0n),
    shares |
      dssShares |
      (first ? mask(7, 0) | mask(27) | mask(31, 28) : 0n) |
      (below ? mask(25) | EATS | mask(45, 44) : 0n),
    (first ? mask(15, 0) : 0n) | (below ? mask(15, 0) | mask(58, 32) : 0n),
    below ? mask(3, 2) | mask(51, 4) : 0n,
  );
}

export function usedOfCd([control = 0n]: EntryWords): EntryWords {
  const all = mask(63, 0);
  return (control & CD_VALID) === 0n ? words(CD_VALID) : words(all, all, all, all);
}
