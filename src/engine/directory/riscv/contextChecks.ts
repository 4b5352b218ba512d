import { bits, reservedMask } from '../../bits/bitFields';
import { anySet, refusal, type Refusal } from '../structures';
import {
  FIRST_STAGE_MODES,
  PROCESS_LAYOUT,
  PROCESS_MODES,
  SECOND_STAGE_MODES,
  isOn,
  modeName,
  readPointer,
  type DeviceContext,
} from './entries';
import { has, type Capability, type RiscvRegisters } from './registers';

const PROCESS_RESERVED = PROCESS_LAYOUT.map(reservedMask);
const NOT_READ_HINT = 'Tables of 32-bit modes and big-endian tables are not read by this version.';

/** One rule: the sentence when it is broken, undefined when it holds. */
type Rule = (context: DeviceContext, registers: RiscvRegisters) => string | undefined;

/** Rules of RISC-V IOMMU 1.0 §2.1.4 beside the reserved bits, in its order. */
const RULES: readonly Rule[] = [
  (context, registers) => {
    const set = (['EN_ATS', 'EN_PRI', 'PRPR'] as const).find((name) => isOn(context, name));
    return set && !has(registers, 'ATS') ? `tc.${set} is 1, and capabilities.ATS is 0.` : undefined;
  },
  (context) => needs(context, 'T2GPA', 'EN_ATS'),
  (context) => needs(context, 'EN_PRI', 'EN_ATS'),
  (context) => needs(context, 'PRPR', 'EN_PRI'),
  (context, registers) =>
    isOn(context, 'T2GPA') && !has(registers, 'T2GPA')
      ? 'tc.T2GPA is 1, and capabilities.T2GPA is 0.'
      : undefined,
  (context) =>
    isOn(context, 'T2GPA') && context.guest.mode === 0
      ? 'tc.T2GPA is 1, and iohgatp.MODE is Bare.'
      : undefined,
  (context, registers) =>
    isOn(context, 'PDTV')
      ? modeProblem('fsc.MODE', context.first.mode, PROCESS_MODES, registers)
      : firstStageProblem('fsc.MODE', context.first.mode, isOn(context, 'SXL'), registers),
  (context) => needs(context, 'DPE', 'PDTV'),
  (context, registers) =>
    bits(registers.fctl, 2) === 1n
      ? modeProblem('iohgatp.MODE', context.guest.mode, { 8: 'Sv32x4' }, registers)
      : modeProblem('iohgatp.MODE', context.guest.mode, SECOND_STAGE_MODES, registers),
  ({ msi }) => (msi.mode > 1 ? `msiptp.MODE = ${msi.mode} is reserved.` : undefined),
  ({ guest }) =>
    guest.mode !== 0 && guest.page % 4 !== 0
      ? `The second-stage root 0x${(BigInt(guest.page) << 12n).toString(16)} is not aligned to 16 KiB.`
      : undefined,
  (context, registers) => {
    const set = (['SADE', 'GADE'] as const).find((name) => isOn(context, name));
    return set && !has(registers, 'AMO_HWAD') ? `tc.${set} is 1, and capabilities.AMO_HWAD is 0.` : undefined;
  },
  (context, registers) =>
    !has(registers, 'END') && isOn(context, 'SBE') !== (bits(registers.fctl, 0) === 1n)
      ? 'tc.SBE differs from fctl.BE, and capabilities.END is 0.'
      : undefined,
  (context, registers) =>
    bits(registers.fctl, 2) === 1n && !isOn(context, 'SXL') ? 'fctl.GXL is 1, and tc.SXL is 0.' : undefined,
  ({ guest, msi }) =>
    guest.mode === 0 && msi.mode !== 0 ? 'msiptp.MODE is not Off, and iohgatp.MODE is Bare.' : undefined,
];

function needs(
  context: DeviceContext,
  name: 'T2GPA' | 'EN_PRI' | 'PRPR' | 'DPE',
  other: 'EN_ATS' | 'EN_PRI' | 'PDTV',
) {
  return isOn(context, name) && !isOn(context, other) ? `tc.${name} is 1, and tc.${other} is 0.` : undefined;
}

function modeProblem(
  field: string,
  mode: number,
  modes: Readonly<Record<number, Capability>>,
  registers: RiscvRegisters,
): string | undefined {
  if (mode === 0) return undefined;
  const name = modeName(modes, mode);
  if (name === undefined) return `${field} = ${mode} is reserved.`;
  return has(registers, name) ? undefined : `${field} is ${name}, and capabilities.${name} is 0.`;
}

function firstStageProblem(field: string, mode: number, narrow: boolean, registers: RiscvRegisters) {
  const modes: Readonly<Record<number, Capability>> = narrow ? { 8: 'Sv32' } : FIRST_STAGE_MODES;
  return modeProblem(field, mode, modes, registers);
}

/** What a valid device context has wrong, so that no request of its device passes; `reserved`: a mask by word (RISC-V IOMMU 1.0 §2.1.4). */
export function contextProblem(
  words: readonly bigint[],
  reserved: readonly bigint[],
  context: DeviceContext,
  registers: RiscvRegisters,
): Refusal | undefined {
  if (anySet(words, reserved))
    return refusal('context-entry-reserved', 'The device context has reserved bits set.');
  for (const rule of RULES) {
    const why = rule(context, registers);
    if (why !== undefined) return refusal('context-entry-invalid', why);
  }
  return undefined;
}

/** The same of a process context (§2.2.4). */
export function processProblem(
  words: readonly bigint[],
  context: DeviceContext,
  registers: RiscvRegisters,
): Refusal | undefined {
  if (anySet(words, PROCESS_RESERVED))
    return refusal('process-entry-reserved', 'The process context has reserved bits set.');
  const { mode } = readPointer(words[1] ?? 0n);
  const why = firstStageProblem('PC fsc.MODE', mode, isOn(context, 'SXL'), registers);
  return why === undefined ? undefined : refusal('process-entry-invalid', why);
}

/** Modes that are good, and that are not read here; told by name. `firstMode`: iosatp.MODE, 0 without a first stage. */
export function notRead(
  context: DeviceContext,
  firstMode: number,
  { fctl }: RiscvRegisters,
): Refusal | undefined {
  const refuse = (what: string) =>
    refusal('not-read', `${what}, and such tables cannot be read.`, NOT_READ_HINT);
  if (context.guest.mode !== 0 && bits(fctl, 2) === 1n)
    return refuse('fctl.GXL = 1 selects Sv32x4 (second stage)');
  if (firstMode !== 0 && isOn(context, 'SXL')) return refuse('tc.SXL = 1 selects Sv32 (first stage)');
  const directory = isOn(context, 'PDTV') && context.first.mode !== 0;
  if ((firstMode !== 0 || directory) && isOn(context, 'SBE'))
    return refuse('tc.SBE = 1 makes PDT and first stage big-endian');
  return undefined;
}
