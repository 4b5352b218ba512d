import { intermediateBits, type SmmuFeatures } from './features';
import { streamWorld, usesWorld } from './stage1';
import { CONFIG_STAGE1, CONFIG_STAGE2, type Ste } from './streamTable';

const SPLIT_STAGE_ATS = 2;
const FULL_ATS = 1;
const FULL_ATS_WITH_TABLE = 3;
const BOTH_STAGES = 7;

/** Why a valid STE that lets requests pass is illegal but for its stage 2 tables, as a sentence (IHI 0070 5.2.2). */
export function steProblem(features: SmmuFeatures, ste: Ste): string | undefined {
  const stage1 = (ste.config & CONFIG_STAGE1) !== 0;
  const stage2 = (ste.config & CONFIG_STAGE2) !== 0;
  if (stage1 && features.stage1 === false)
    return `Config is ${ste.config}, and IDR0.S1P says that there is no stage 1.`;
  if (stage2 && features.stage2 === false)
    return `Config is ${ste.config}, and IDR0.S2P says that there is no stage 2.`;
  return (
    atsProblem(features, ste) ??
    (stage1 ? stage1Problem(features, ste) : undefined) ??
    (stage2 ? stage2Problem(features, ste) : undefined) ??
    vmidProblem(features, ste)
  );
}

function atsProblem(features: SmmuFeatures, ste: Ste): string | undefined {
  if (features.ats !== true || ste.config === 4) return undefined;
  if (ste.ats === SPLIT_STAGE_ATS) {
    if (ste.config !== BOTH_STAGES) return 'EATS is 2, which needs both stages.';
    if (ste.stalls) return 'EATS is 2, and S2S is 1.';
    if (features.splitStageAts === false) return 'EATS is 2, and IDR0.NS1ATS says that it is not supported.';
  }
  if (ste.ats === FULL_ATS_WITH_TABLE && features.permissionTable === true) {
    if (usesWorld(features, ste) && ste.world !== 0) {
      return `EATS is 3 (permission table), and STRW is ${ste.world}, not EL1.`;
    }
  }
  const stalls = ste.stalls && (ste.config & CONFIG_STAGE2) !== 0;
  return ste.ats === FULL_ATS && stalls ? 'EATS is 1, and S2S is 1.' : undefined;
}

function stage1Problem(features: SmmuFeatures, ste: Ste): string | undefined {
  const { stallModel, substreamIdBits, twoLevelContexts } = features;
  if (streamWorld(features, ste) === undefined) return `STRW is ${ste.world}, which is reserved.`;
  if (ste.neverStalls && stallModel !== undefined && stallModel !== 0) {
    return 'S1STALLD is 1, and IDR0.STALL_MODEL says that stalls cannot be chosen.';
  }
  const substreams = ste.contextsLog2 !== 0;
  if (ste.contextsLog2 > (substreamIdBits ?? 20)) {
    return `S1CDMax is ${ste.contextsLog2}, above the ${substreamIdBits ?? 20} bits of SubstreamIDs.`;
  }
  if (substreams && (ste.contextFormat === 1 || ste.contextFormat === 2) && twoLevelContexts === false) {
    return `S1Fmt is ${ste.contextFormat}, and IDR0.CD2L says that CD tables have one level.`;
  }
  const bits = (ste.config & CONFIG_STAGE2) === 0 ? features.outputBits : intermediateBits(features);
  if (bits !== undefined && ste.contextPointer >> BigInt(bits) !== 0n) {
    return `S1ContextPtr 0x${ste.contextPointer.toString(16)} is beyond ${bits} bits.`;
  }
  return undefined;
}

function stage2Problem({ stallModel }: SmmuFeatures, ste: Ste): string | undefined {
  if (stallModel === 1 && ste.stalls) return 'S2S is 1, and IDR0.STALL_MODEL says that there are no stalls.';
  return stallModel === 2 && !ste.stalls
    ? 'S2S is 0, and IDR0.STALL_MODEL says that all faults stall.'
    : undefined;
}

function vmidProblem(features: SmmuFeatures, ste: Ste): string | undefined {
  const ignored =
    features.stage2 === false ||
    ste.config === 4 ||
    (ste.config === 5 && ste.world !== 0 && features.hypervisor !== false);
  return !ignored && features.vmid16 === false && ste.vmid > 0xff
    ? `S2VMID is ${ste.vmid}, and IDR0.VMID16 says that VMIDs have 8 bits.`
    : undefined;
}
