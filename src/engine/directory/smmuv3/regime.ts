import { type ArmGranule, type ArmStart } from '../../formats/arm';
import { type ArmAddressForm } from '../../formats/armDescriptors';
import { type FormatHardware, type PageTableFormat } from '../../formats/pageTableFormat';
import { refusal, type Refusal } from '../structures';
import { type SmmuFeatures } from './features';

const HARDWARE_FLAGS = ['privileged', 'setsAccessed', 'setsDirty', 'ignoresAccessed'] as const;
const HARDWARE_FEATURES = [
  'hierarchicalPermissions',
  'privilegedAccessNever',
  'protectedTables',
  'stage2MemoryType',
  'marksTables',
] as const;

/** What STEs and CDs say of the hardware: all of it is in `hardwareKey`. */
export type RegimeHardware = Pick<FormatHardware, 'outputBits' | (typeof HARDWARE_FLAGS)[number]> & {
  readonly features?: Partial<Readonly<Record<(typeof HARDWARE_FEATURES)[number], boolean>>>;
};

/** Tells two such hardwares apart. */
export function hardwareKey(hardware: RegimeHardware): string {
  let key = `${hardware.outputBits}:`;
  for (const name of HARDWARE_FLAGS) key += digit(hardware[name]);
  for (const name of HARDWARE_FEATURES) key += digit(hardware.features?.[name]);
  return key;
}

const digit = (flag: boolean | undefined): string => (flag === undefined ? '-' : flag ? '1' : '0');

/** Tables of one stage, as an STE or a CD describes them. */
export interface TableRegime {
  readonly format: PageTableFormat;
  readonly start: ArmStart;
  readonly hardware: RegimeHardware;
  /** What holds when hardware reads stage 1 tables and context descriptors through them, where it is something else. */
  readonly hardwareForTables?: RegimeHardware;
  readonly inputBits: number;
  /** Byte address of the root, aligned as hardware does. */
  readonly root: number;
}

const NOT_READ_HINT =
  'This version reads VMSAv8-64 tables of 64-bit little-endian descriptors with direct permissions.';

/** Tables that hardware takes, and that are not read here. `what`: the field, as `S2ENDI is 1`. */
export function notRead(what: string, tables: string): Refusal {
  return refusal('not-read', `${what}: ${tables} are not read by this version.`, NOT_READ_HINT);
}

/** Granule by TG0 and S2TG, and by TG1 (IHI 0070 5.4, 5.2). */
export const GRANULES: readonly (ArmGranule | undefined)[] = ['4K', '64K', '16K'];
export const GRANULES_UPPER: readonly (ArmGranule | undefined)[] = [undefined, '16K', '4K', '64K'];

/** How descriptors hold addresses: `wide` is CD.DS or STE.S2DS. */
export function addressForm(features: SmmuFeatures, granule: ArmGranule, wide: boolean): ArmAddressForm {
  if (granule === '64K') return (features.outputBits ?? 52) === 52 ? 'lpa' : '48';
  return wide && features.wideSmallGranules !== false ? 'ds' : '48';
}

/** Why a size field is out of range, as a sentence's end; undefined when it is good. */
export function sizeProblem(
  features: SmmuFeatures,
  granule: ArmGranule,
  tsz: number,
  least: number,
): string | undefined {
  const most = features.smallTables === false ? 39 : granule === '64K' ? 47 : 48;
  if (tsz < least) return `${tsz}, below ${least}, the least for this granule`;
  return tsz > most ? `${tsz}, above ${most}, the most for this granule` : undefined;
}

/** Why a granule cannot be used; undefined when it can. */
export function granuleProblem(features: SmmuFeatures, granule: ArmGranule | undefined): string | undefined {
  if (granule === undefined) return 'which is reserved';
  return features.granules?.[granule] === false
    ? `the ${granule} granule, which IDR5 says is not supported`
    : undefined;
}

/** Why a root address cannot be used; undefined when it can. */
export function rootProblem(root: bigint, form: ArmAddressForm, outputBits: number): string | undefined {
  if (root >= 1n << BigInt(outputBits)) return `is beyond the ${outputBits} bits of output addresses`;
  return form === '48' && root >= 1n << 48n ? 'is beyond 48 bits' : undefined;
}

/** Hardware aligns a root to its size, and to 64 bytes where addresses have 52 bits (DDI 0487 D8.2.5.2). */
export function alignedRoot(root: bigint, { rootIndexBits }: ArmStart, outputBits: number): number {
  const size = BigInt(Math.max(8 * 2 ** rootIndexBits, outputBits === 52 ? 64 : 16));
  return Number(root - (root % size));
}
