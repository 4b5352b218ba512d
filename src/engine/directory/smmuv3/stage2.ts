import { armFormat, stage2Start } from '../../formats/arm';
import { addressSize, intermediateBits, type SmmuFeatures } from './features';
import {
  GRANULES,
  addressForm,
  alignedRoot,
  granuleProblem,
  notRead,
  rootProblem,
  sizeProblem,
  type RegimeHardware,
  type TableRegime,
} from './regime';
import { type Refusal } from '../structures';
import { type Ste } from './streamTable';

/**
 * The stage 2 tables of an STE; or why the STE is illegal, as a sentence (IHI 0070 5.2, S2* fields; 5.2.2 SteIllegal); or a
 * refusal of tables that hardware takes, and that are not read.
 */
export function stage2Regime(features: SmmuFeatures, ste: Ste): TableRegime | Refusal | string {
  const { marks, tables64, tables32 } = features;
  if (!ste.aa64) {
    return tables32 === false
      ? 'S2AA64 is 0, and IDR0.TTF says that VMSAv8-32 tables are not supported.'
      : notRead('S2AA64 is 0', 'VMSAv8-32 tables and 128-bit descriptors');
  }
  if (tables64 === false) return 'S2AA64 is 1, and IDR0.TTF says that VMSAv8-64 tables are not supported.';
  if (ste.bigEndian) {
    return features.bigEndian === false
      ? 'S2ENDI is 1, and IDR0.TTENDIAN says that tables are little-endian.'
      : notRead('S2ENDI is 1', 'big-endian tables');
  }
  if (features.littleEndian === false) {
    return 'S2ENDI is 0, and IDR0.TTENDIAN says that tables are big-endian.';
  }
  if (ste.overlay2 && features.overlay2 === true) {
    if (!ste.indirect2) return 'S2POE is 1 (permission overlay), and S2PIE is 0.';
    if (ste.hardwareBits !== 0 && features.hardwareAttributes === true) {
      return `S2POE is 1 (permission overlay), and S2HWU62 to S2HWU59 are ${ste.hardwareBits}, not 0.`;
    }
  }
  if (ste.indirect2 && features.indirect2 === true) {
    return notRead('S2PIE is 1', 'indirect permissions');
  }
  if ((ste.marksAccessed || ste.marksDirty) && marks === 0) {
    return 'S2HA or S2HD is 1, and IDR0.HTTU says that hardware marks nothing.';
  }
  if (ste.marksDirty && marks === 1)
    return 'S2HD is 1, and IDR0.HTTU says that hardware does not mark dirty.';
  if (marks === 3 && ste.marksTables && !ste.marksAccessed) {
    return 'S2HAFT is 1 (hardware marks tables), and S2HA is 0.';
  }
  const granule = GRANULES[ste.granule];
  const wrongGranule = granuleProblem(features, granule);
  if (granule === undefined || wrongGranule !== undefined) {
    return `S2TG is ${ste.granule}, ${wrongGranule ?? ''}.`;
  }
  const form = addressForm(features, granule, ste.wide);
  const outputBits = Math.min(addressSize(ste.outputSize), features.outputBits ?? 52);
  const wrongRoot = rootProblem(ste.root, form, outputBits);
  if (wrongRoot !== undefined) return `S2TTB 0x${ste.root.toString(16)} ${wrongRoot}.`;
  const least = Math.max(
    form === '48' && granule !== '64K' ? 16 : 12,
    64 - (intermediateBits(features) ?? 52),
  );
  const wrongSize = sizeProblem(features, granule, ste.t0sz, least);
  if (wrongSize !== undefined) return `S2T0SZ is ${wrongSize}.`;
  const inputBits = 64 - ste.t0sz;
  const sl2 = form === 'ds' && granule === '4K' ? ste.sl0Bit2 : 0;
  const startLevel = { sl0: ste.sl0, sl2 };
  const limits = { physicalBits: features.outputBits, smallTables: features.smallTables };
  const start = stage2Start(granule, form, inputBits, startLevel, limits);
  if (!start) {
    const fits = stage2Start(granule, form, inputBits, startLevel) !== undefined;
    const what = `S2SL0 ${sl2 * 4 + ste.sl0} does not fit S2T0SZ ${ste.t0sz} with the ${granule} granule`;
    return fits ? `${what} and what IDR5.OAS and IDR3.STT say.` : `${what}.`;
  }
  const hardware: RegimeHardware = {
    outputBits,
    setsAccessed: ste.marksAccessed,
    setsDirty: ste.marksAccessed && ste.marksDirty,
    ignoresAccessed: ste.ignoresAccessed && !ste.marksAccessed,
  };
  const stage2MemoryType = ste.decidesMemoryType && features.stage2MemoryType !== false;
  return {
    format: armFormat(2, granule, form),
    start,
    inputBits,
    root: alignedRoot(ste.root, start, outputBits),
    hardware,
    ...(ste.protectsTables
      ? { hardwareForTables: { ...hardware, features: { protectedTables: true, stage2MemoryType } } }
      : {}),
  };
}
