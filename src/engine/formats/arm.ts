import { mask } from '../bits/bitFields';
import { assert } from '../result';
import { armLayout, zeroBits, type ArmAddressForm, type ArmShape, type ArmStage } from './armDescriptors';
import {
  type AccessRule,
  type AddressBits,
  type EncodingRule,
  type EntryShape,
  type FormatHardware,
  type LevelRule,
  type PageTableFormat,
} from './pageTableFormat';

/** Name of a translation granule: the size of a page. */
export type ArmGranule = '4K' | '16K' | '64K';

interface GranuleRule {
  /** log2 of the bytes of a page. */
  readonly pageShift: number;
  /** Input-address bits that a whole table decodes. */
  readonly stride: number;
  /** Lookup level of the topmost table there can be. */
  readonly topLevel: number;
  /** log2 of the entries of a run with the Contiguous bit, by lookup level (Table D8-104). */
  readonly runs: Readonly<Record<number, number>>;
  /** The uppermost level that holds blocks: 2 or 1, and with 52-bit addresses one above for 16K and 64K. */
  readonly blocksFrom: Readonly<Record<ArmAddressForm, number>>;
}

/** Arm DDI 0487 Tables D8-16, D8-26 and D8-35. */
const ARM_GRANULES: Readonly<Record<ArmGranule, GranuleRule>> = {
  '4K': {
    pageShift: 12,
    stride: 9,
    topLevel: -1,
    runs: { 3: 4, 2: 4, 1: 4 },
    blocksFrom: { '48': 1, ds: 0, lpa: 1 },
  },
  '16K': {
    pageShift: 14,
    stride: 11,
    topLevel: 0,
    runs: { 3: 7, 2: 5 },
    blocksFrom: { '48': 2, ds: 1, lpa: 2 },
  },
  '64K': {
    pageShift: 16,
    stride: 13,
    topLevel: 1,
    runs: { 3: 5, 2: 5 },
    blocksFrom: { '48': 2, ds: 2, lpa: 1 },
  },
};

function levelsOf(
  { pageShift, stride, topLevel }: GranuleRule,
  stage: ArmStage,
  form: ArmAddressForm,
): readonly LevelRule[] {
  const mostBits = form === '48' ? 48 : 52;
  return Array.from({ length: 4 - Math.max(topLevel, form === '48' ? 0 : -1) }, (_, index): LevelRule => {
    const level = 3 - index;
    const shift = pageShift + stride * index;
    return {
      level,
      entryName: `S${stage} descriptor`,
      shift,
      indexBits: Math.min(stride, mostBits - shift),
      // Bit 1 tells a table from a block; at level 3 it must be set.
      leaf: level === 3 ? 'always' : { mask: 1 << 1, values: [0] },
    };
  });
}

/** Bit 6 and bit 7 of a leaf: AP[1] and AP[2], S2AP[0] and S2AP[1]. */
const BIT_6 = mask(6);
const BIT_7 = mask(7);
const ACCESS_FLAG = mask(10);
const DBM = mask(51);
const NO_UNPRIVILEGED_BELOW = mask(61);
const NO_WRITES_BELOW = mask(62);

const always = { mask: 0n, value: 0n };

/** Stage 1, direct permissions: AP[2:1], and APTable of the tables above (D8.4.1). */
function stage1Permission(shape: EntryShape, hardware: FormatHardware): AccessRule {
  const privileged = hardware.privileged === true;
  if (shape === 'table') {
    if (hardware.features?.hierarchicalPermissions === false) return { read: true, write: true };
    const unprivileged = privileged ? 0n : NO_UNPRIVILEGED_BELOW;
    return {
      read: [{ mask: unprivileged, value: 0n }],
      write: [{ mask: unprivileged | NO_WRITES_BELOW, value: 0n }],
    };
  }
  const unprivileged = privileged ? 0n : BIT_6;
  // PAN: what unprivileged requests may reach is closed to privileged ones.
  const closed = privileged && hardware.features?.privilegedAccessNever === true ? BIT_6 : 0n;
  const reach = { mask: unprivileged | closed, value: unprivileged };
  const writable = { mask: reach.mask | BIT_7, value: reach.value };
  const clean = { mask: reach.mask | DBM, value: reach.value | DBM };
  return { read: [reach], write: hardware.setsDirty === true ? [writable, clean] : [writable] };
}

/** Bits of MemAttr of which one is set in normal memory; none where the memory type is of no account (D8.6.5, D8.6.6). */
function normalMemory({ features }: FormatHardware): readonly bigint[] {
  if (features?.protectedTables !== true) return [0n];
  return features.stage2MemoryType === true ? [mask(4)] : [mask(4), mask(5)];
}

function stage2Permission(shape: EntryShape, hardware: FormatHardware): AccessRule {
  if (shape === 'table') return { read: true, write: true };
  const writable = { mask: BIT_7, value: BIT_7 };
  const clean = { mask: DBM, value: DBM };
  return {
    read: normalMemory(hardware).map((type) => ({ mask: BIT_6 | type, value: BIT_6 | type })),
    write: hardware.setsDirty === true ? [writable, clean] : [writable],
  };
}

function addressBitsOf({ pageShift, form }: ArmShape): AddressBits {
  if (form === 'ds') {
    return { high: 49, low: pageShift, to: pageShift, extra: { high: 9, low: 8, to: 50 } };
  }
  const plain = { high: 47, low: pageShift, to: pageShift };
  return form === 'lpa' ? { ...plain, extra: { high: 15, low: 12, to: 48 } } : plain;
}

/** Descriptors that are reserved, and so not valid (D8.3.1), and bits that software should have left 0. */
function encodingsOf(arm: ArmShape, rule: GranuleRule, shape: EntryShape, level: LevelRule): EncodingRule[] {
  const encodings: EncodingRule[] = [];
  if (shape === 'leaf' && level.level === 3) {
    encodings.push({
      when: always,
      must: { mask: mask(1), value: mask(1) },
      high: 1,
      low: 1,
      code: 'entry/reserved-type',
      message: 'Bit 1 of a level 3 descriptor is 0, which is reserved: hardware takes it as not valid.',
      faults: true,
    });
  }
  if (shape === 'leaf' && level.level < rule.blocksFrom[arm.form]) {
    encodings.push({
      when: always,
      high: 1,
      low: 1,
      code: 'entry/block-not-allowed',
      message: `Level ${level.level} of this granule holds no blocks: hardware takes the descriptor as not valid.`,
      faults: true,
    });
  }
  for (const field of armLayout(arm, shape, level)) {
    const bits = zeroBits([field]);
    if (bits === 0n) continue;
    const where = field.high === field.low ? `Bit ${field.high}` : `Bits ${field.high}:${field.low}`;
    encodings.push({
      when: always,
      must: { mask: bits, value: 0n },
      high: field.high,
      low: field.low,
      code: 'entry/res0-set',
      message: `${where} should be 0. Hardware ignores ${field.high === field.low ? 'it' : 'them'}.`,
      faults: false,
    });
  }
  return encodings;
}

const RULES: Readonly<Record<ArmStage, string>> = {
  1: 'AP of the leaf: AP[1] for unprivileged requests, AP[2] = 0 (or DBM, where hardware keeps dirty state) for writes; APTable of every table above takes away.',
  2: 'S2AP of the leaf: S2AP[0] for reads, S2AP[1] (or DBM, where hardware keeps dirty state) for writes.',
};

const FORM_TITLES: Readonly<Record<ArmAddressForm, string>> = {
  '48': '',
  ds: ', 52-bit addresses (DS)',
  lpa: ', 52-bit addresses (LPA)',
};

function makeFormat(stage: ArmStage, granule: ArmGranule, form: ArmAddressForm): PageTableFormat {
  const rule = ARM_GRANULES[granule];
  const arm: ArmShape = { stage, pageShift: rule.pageShift, form };
  return {
    id: `arm-stage${stage}-${granule.toLowerCase()}${form === '48' ? '' : `-${form}`}`,
    title: `Armv8 stage ${stage}, ${granule} granule${FORM_TITLES[form]}`,
    specification: 'Arm DDI 0487 D8.2, D8.3.1',
    levels: levelsOf(rule, stage, form),
    present: mask(0),
    permissionRule: RULES[stage],
    permission: stage === 1 ? stage1Permission : stage2Permission,
    deniesAtLeaf: true,
    accessed: ACCESS_FLAG,
    dirty: { mask: DBM | BIT_7, value: stage === 1 ? DBM : DBM | BIT_7 },
    // DBM is software's: where it is clear, bit 7 is permission.
    dirtyMark: BIT_7,
    faultsUnaccessed: true,
    tableMarks: ({ setsAccessed, features }) =>
      setsAccessed === true && features?.marksTables === true ? ACCESS_FLAG : 0n,
    address: addressBitsOf(arm),
    largeRun: {
      kind: 'own-address',
      when: { mask: mask(52), value: mask(52) },
      log2Entries: ({ level }) => rule.runs[level] ?? 0,
    },
    layout: (shape, level) => armLayout(arm, shape, level),
    reserved: () => 0n,
    encodings: (shape, level) => encodingsOf(arm, rule, shape, level),
  };
}

const formats = new Map<string, PageTableFormat>();

/** VMSAv8-64 tables of a stage and granule. `ds` is of the 4K and 16K granules, `lpa` of the 64K granule. */
export function armFormat(stage: ArmStage, granule: ArmGranule, form: ArmAddressForm): PageTableFormat {
  assert(form === '48' || (form === 'lpa') === (granule === '64K'), `no ${form} with ${granule}`);
  const key = `${stage} ${granule} ${form}`;
  const known = formats.get(key) ?? makeFormat(stage, granule, form);
  formats.set(key, known);
  return known;
}

/** Every Armv8 format there is. */
export function armFormats(): readonly PageTableFormat[] {
  return ([1, 2] as const).flatMap((stage) => [
    ...(['4K', '16K'] as const).flatMap((granule) =>
      (['48', 'ds'] as const).map((form) => armFormat(stage, granule, form)),
    ),
    ...(['48', 'lpa'] as const).map((form) => armFormat(stage, '64K', form)),
  ]);
}

/** Where a walk starts. */
export interface ArmStart {
  /** Tables from the root to the leaves. */
  readonly levels: number;
  /** log2 of the entries of the root, with all tables that are concatenated there. */
  readonly rootIndexBits: number;
}

/** Where a stage 1 walk of so many input bits starts: as low as its table can take them (D8.2.8 to D8.2.10). */
export function stage1Start(granule: ArmGranule, inputBits: number): ArmStart {
  const { pageShift, stride } = ARM_GRANULES[granule];
  const levels = Math.max(1, Math.ceil((inputBits - pageShift) / stride));
  return { levels, rootIndexBits: inputBits - pageShift - (levels - 1) * stride };
}

/** Lookup level by SL2:SL0 (Tables D8-19, D8-29 and D8-38). */
const START_LEVELS: Readonly<Record<ArmGranule, readonly (number | undefined)[]>> = {
  '4K': [2, 1, 0, 3, -1],
  '16K': [3, 2, 1, 0],
  '64K': [3, 2, 1],
};

/** The least bits of physical addresses that a start level is there for (AArch64.S2InvalidSL). */
const LEAST_PHYSICAL_BITS: Readonly<Record<ArmGranule, Readonly<Record<number, number>>>> = {
  '4K': { [-1]: 52, 0: 44 },
  '16K': { 0: 52, 1: 42 },
  '64K': { 1: 44 },
};

/** What the hardware allows of stage 2 start levels; undefined: not known, so the permissive reading. */
interface Stage2Limits {
  /** PAMax, or OAS of an SMMU. */
  readonly physicalBits?: number | undefined;
  /** FEAT_TTST: tables of the 4K granule may start at level 3. */
  readonly smallTables?: boolean | undefined;
}

/** Tables that may be concatenated at the start of a stage 2 walk: up to 16. */
const MOST_CONCATENATED_LOG2 = 4;

/**
 * Where a stage 2 walk starts, of which software chooses the level; undefined when the level is reserved or does not
 * fit the input bits (Tables D8-20 to D8-24, D8-30 to D8-33, D8-39 to D8-41), or the hardware (J1.1 AArch64.S2InvalidSL).
 */
export function stage2Start(
  granule: ArmGranule,
  form: ArmAddressForm,
  inputBits: number,
  startLevel: { readonly sl0: number; readonly sl2: number },
  { physicalBits = 52, smallTables = true }: Stage2Limits = {},
): ArmStart | undefined {
  const { pageShift, stride, topLevel } = ARM_GRANULES[granule];
  const level = START_LEVELS[granule][startLevel.sl2 * 4 + startLevel.sl0];
  // The topmost level of the 4K and 16K granules is there for 52-bit addresses only.
  if (level === undefined || (level === topLevel && granule !== '64K' && form !== 'ds')) return undefined;
  if (granule === '4K' && level === 3 && !smallTables) return undefined;
  if (physicalBits < (LEAST_PHYSICAL_BITS[granule][level] ?? 0)) return undefined;
  const levels = 4 - level;
  const rootIndexBits = inputBits - pageShift - (levels - 1) * stride;
  // The topmost table is never concatenated: all the bits there are fit one.
  const most = level === topLevel ? stride : stride + MOST_CONCATENATED_LOG2;
  return rootIndexBits >= 1 && rootIndexBits <= most ? { levels, rootIndexBits } : undefined;
}
