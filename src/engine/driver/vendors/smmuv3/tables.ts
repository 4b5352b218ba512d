import { type ArmGranule } from '../../../formats/arm';
import { FRAME_BYTES } from '../../../values';
import { type TableTop } from '../../iommuDriver';

/** Tables of a domain as STEs and CDs describe them. */
export interface ArmTables {
  readonly stage: 1 | 2;
  readonly granule: ArmGranule;
  /** log2 bytes of a page. */
  readonly granuleShift: number;
  readonly form: '48' | 'ds' | 'lpa';
  readonly inputBits: number;
  readonly levels: number;
  /** Byte address of the root. */
  readonly root: bigint;
}

const GRANULES: Readonly<Record<string, { readonly granule: ArmGranule; readonly granuleShift: number }>> = {
  '4k': { granule: '4K', granuleShift: 12 },
  '16k': { granule: '16K', granuleShift: 14 },
  '64k': { granule: '64K', granuleShift: 16 },
};

/** Undefined: these are no tables of Arm. */
export function armTablesOf({ tables }: { readonly tables: TableTop }): ArmTables | undefined {
  const { format, addressBits, rootDepth } = tables.format;
  const [, stage, name = '', form = '48'] =
    /^arm-stage([12])-(4k|16k|64k)(?:-(ds|lpa))?$/.exec(format.id) ?? [];
  const granule = GRANULES[name];
  if (!granule) return undefined;
  return {
    stage: stage === '1' ? 1 : 2,
    ...granule,
    form: form === 'ds' || form === 'lpa' ? form : '48',
    inputBits: addressBits,
    levels: rootDepth,
    root: BigInt(tables.root) * BigInt(FRAME_BYTES) + 8n * BigInt(tables.space.rootEntry),
  };
}
