import { armFormat, stage1Start } from '../../formats/arm';
import { addressSize, type SmmuFeatures } from './features';
import {
  GRANULES,
  GRANULES_UPPER,
  addressForm,
  alignedRoot,
  granuleProblem,
  notRead,
  rootProblem,
  sizeProblem,
  type TableRegime,
} from './regime';
import { type Cd, type CdRegion } from './contexts';
import { type Refusal } from '../structures';
import { type Ste } from './streamTable';

/** Whose addresses a stream has: decided by STE.STRW and CR2.E2H (IHI 0070 5.2 STRW). */
export interface StreamWorld {
  /** One address range and one privilege: EL2 without E2H. */
  readonly single: boolean;
}

/** Whether STE.STRW counts (IHI 0070 5.2 STRW). */
export function usesWorld(features: SmmuFeatures, ste: Ste): boolean {
  return features.hypervisor !== false && ste.config === 5;
}

/** The world of a non-secure stream with stage 1; undefined when STRW is reserved. */
export function streamWorld(features: SmmuFeatures, ste: Ste): StreamWorld | undefined {
  if (!usesWorld(features, ste) || ste.world === 0) return { single: false };
  // Without CR2 it is E2H, as those hypervisors have it that give streams to EL2.
  return ste.world === 2 ? { single: features.hostMode === false } : undefined;
}

/** Whether requests of a stream count as privileged: not, as those of PCIe devices, unless the STE says so. */
export function isPrivileged(features: SmmuFeatures, ste: Ste, world: StreamWorld): boolean {
  return world.single || (ste.privilege === 3 && features.overridesPrivilege !== false);
}

/**
 * Why a CD is illegal before its tables are looked at, as a sentence (IHI 0070 5.4.2 CdIllegal); or a refusal of tables that
 * hardware takes, and that are not read; undefined when it is good.
 */
export function cdProblem(
  features: SmmuFeatures,
  ste: Ste,
  world: StreamWorld,
  cd: Cd,
): string | Refusal | undefined {
  const { stallModel, marks, tables64, tables32 } = features;
  if (ste.neverStalls && cd.stalls) return 'CD.S is 1, and the STE forbids stalls (S1STALLD).';
  if (features.abortsOnly === true && !cd.aborts) {
    return 'CD.A is 0, and IDR0.TERM_MODEL says that terminated requests are aborted.';
  }
  if (stallModel === 1 && cd.stalls) return 'CD.S is 1, and IDR0.STALL_MODEL says that there are no stalls.';
  if (stallModel === 2 && !cd.stalls) return 'CD.S is 0, and IDR0.STALL_MODEL says that all faults stall.';
  const walked = regionsWalked(world, cd);
  if (walked.length > 0 && cd.bigEndian) {
    return features.bigEndian === false
      ? 'CD.ENDI is 1, and IDR0.TTENDIAN says that tables are little-endian.'
      : notRead('CD.ENDI is 1', 'big-endian tables');
  }
  if (walked.length > 0 && features.littleEndian === false) {
    return 'CD.ENDI is 0, and IDR0.TTENDIAN says that tables are big-endian.';
  }
  if (!cd.aa64) {
    return tables32 === false
      ? 'CD.AA64 is 0, and IDR0.TTF says that VMSAv8-32 tables are not supported.'
      : notRead('CD.AA64 is 0', 'VMSAv8-32 tables and 128-bit descriptors');
  }
  if (tables64 === false) return 'CD.AA64 is 1, and IDR0.TTF says that VMSAv8-64 tables are not supported.';
  if (ste.indirect1 && cd.indirect && features.indirect1 === true) {
    return notRead('CD.PIE is 1', 'indirect permissions');
  }
  if ((cd.marksAccessed || cd.marksDirty) && marks === 0) {
    return 'CD.HA or CD.HD is 1, and IDR0.HTTU says that hardware marks nothing.';
  }
  if (cd.marksDirty && marks === 1)
    return 'CD.HD is 1, and IDR0.HTTU says that hardware does not mark dirty.';
  if (marks === 3 && cd.marksTables && !cd.marksAccessed) {
    return 'CD.HAFT is 1 (hardware marks tables), and CD.HA is 0.';
  }
  if (!world.single && features.asid16 === false && cd.asid > 0xff) {
    return `CD.ASID is ${cd.asid}, and IDR0.ASID16 says that ASIDs have 8 bits.`;
  }
  return undefined;
}

/** The ranges that a CD has tables for. EL2 without E2H has one, and cannot switch it off. */
export function regionsWalked(world: StreamWorld, cd: Cd): CdRegion[] {
  if (world.single) return [cd.regions[0]];
  return cd.regions.filter(({ disabled }) => !disabled);
}

/** The tables of one range of a CD, or why the CD is illegal, as a sentence. */
export function stage1Regime(
  features: SmmuFeatures,
  world: StreamWorld,
  cd: Cd,
  region: CdRegion,
  privileged: boolean,
): TableRegime | string {
  const name = region.region;
  const granule = (name === 0 ? GRANULES : GRANULES_UPPER)[region.granule];
  const wrongGranule = granuleProblem(features, granule);
  if (granule === undefined || wrongGranule !== undefined) {
    return `CD.TG${name} is ${region.granule}, ${wrongGranule ?? ''}.`;
  }
  const form = addressForm(features, granule, cd.wide);
  const wide = features.wideInput !== false && (granule === '64K' || form === 'ds');
  const wrongSize = sizeProblem(features, granule, region.tsz, wide ? 12 : 16);
  if (wrongSize !== undefined) return `CD.T${name}SZ is ${wrongSize}.`;
  const outputBits = Math.min(addressSize(cd.outputSize), features.outputBits ?? 52);
  const wrongRoot = rootProblem(region.root, granule === '64K' ? 'lpa' : form, outputBits);
  if (wrongRoot !== undefined) return `CD.TTB${name} 0x${region.root.toString(16)} ${wrongRoot}.`;
  const inputBits = 64 - region.tsz;
  const start = stage1Start(granule, inputBits);
  return {
    format: armFormat(1, granule, form),
    start,
    inputBits,
    root: alignedRoot(region.root, start, outputBits),
    hardware: {
      outputBits,
      privileged,
      setsAccessed: cd.marksAccessed,
      setsDirty: cd.marksAccessed && cd.marksDirty,
      ignoresAccessed: cd.ignoresAccessed && !cd.marksAccessed,
      features: {
        hierarchicalPermissions: !(region.hierarchyOff && features.hierarchyCanBeOff !== false),
        marksTables: cd.marksTables && (features.marks ?? 3) === 3,
        privilegedAccessNever: cd.privilegedNever && !world.single,
      },
    },
  };
}
