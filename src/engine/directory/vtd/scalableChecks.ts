import { bits } from '../../bits/bitFields';
import { type Pasid } from '../../values';
import { anySet, refusal, type Refusal } from '../structures';
import { LEVELS_OF_WIDTH } from './legacyEntries';
import { reservedFields } from './reservedFields';
import {
  contextReserved,
  directoryEntries,
  PASID_TABLE_LAYOUT,
  PGTT,
  processReserved,
  SCALABLE_CONTEXT_LAYOUT,
} from './scalableEntries';

/** CAP and ECAP, undefined where the register was not given (then nothing is refused for it), and what they reserve by word. */
export interface Capabilities {
  readonly cap: bigint | undefined;
  readonly ecap: bigint | undefined;
  readonly contextReserved: readonly bigint[];
  readonly processReserved: readonly bigint[];
}

export function capabilitiesOf(values: ReadonlyMap<string, bigint>): Capabilities {
  const cap = values.get('CAP');
  const ecap = values.get('ECAP');
  return {
    cap,
    ecap,
    contextReserved: contextReserved(ecap),
    processReserved: processReserved(cap, ecap),
  };
}

const lacks = (register: bigint | undefined, bit: number): boolean =>
  register !== undefined && bits(register, bit) === 0n;

/** What is wrong with a scalable-mode context entry, in the order of VT-d 4.1 §7.1.3, SCT.2 to SCT.4. */
export function contextProblem(words: readonly bigint[], capabilities: Capabilities): Refusal | undefined {
  const [control = 0n, rid = 0n] = words;
  if (bits(control, 0) === 0n)
    return refusal('context-entry-not-present', 'The context entry is not present.');
  if (anySet(words, capabilities.contextReserved)) {
    const fields = reservedFields(words, capabilities.contextReserved, SCALABLE_CONTEXT_LAYOUT);
    const why = `The context entry has set what must be 0: ${fields}.`;
    return refusal('context-entry-reserved', why, 'Fields of what ECAP does not support are reserved, too.');
  }
  const invalid = (why: string) => refusal('context-entry-invalid', why);
  if (bits(control, 4) === 1n && bits(control, 2) === 0n) {
    return invalid('PRE = 1 (page requests) needs DTE = 1 (device TLB).');
  }
  if (bits(control, 6) === 1n && bits(control, 3) === 0n) {
    return invalid('EPTR = 1 (translated requests with a PASID) needs PASIDE = 1.');
  }
  const most = pasidsOf(control);
  if (Number(bits(rid, 19, 0)) < most) return undefined;
  return invalid(`RID_PASID is ${bits(rid, 19, 0)}, and the PASID directory ends at ${most}.`);
}

/** PASIDs that the directory of a context entry has places for. */
export function pasidsOf(control: bigint): number {
  return 64 * directoryEntries(bits(control, 11, 9));
}

/** Why a good context entry refuses a request with this PASID (VT-d 4.1 §7.1.3: SGN.10, SCT.6, SCT.7, SCT.9). */
export function pasidProblem(
  [control = 0n, rid = 0n]: readonly bigint[],
  pasid: Pasid,
  { ecap }: Capabilities,
): Refusal | undefined {
  if (bits(control, 3) === 0n) {
    const why = 'PASIDE is 0: requests with a PASID are blocked.';
    return refusal('pasid-not-supported', why, 'Ask without a PASID.');
  }
  const supported = ecap === undefined ? 20n : bits(ecap, 39, 35) + 1n;
  if (pasid >= 2 ** Number(supported)) {
    return refusal('pasid-out-of-range', `ECAP.PSS says that a PASID has ${supported} bits.`);
  }
  const most = pasidsOf(control);
  if (pasid >= most) {
    return refusal(
      'pasid-out-of-range',
      `The PASID directory ends at ${most} (PDTS = ${bits(control, 11, 9)}).`,
    );
  }
  if (BigInt(pasid) !== bits(rid, 19, 0)) return undefined;
  const why = `PASID ${pasid} is the RID_PASID: it is for requests without a PASID, and others are blocked.`;
  return refusal('pasid-not-supported', why, 'Ask without a PASID.');
}

/**
 * What is wrong with a PASID-table entry (VT-d 4.1 §7.1.3, SPT.2 to SPT.6). `inputBits`: of the second stage
 * for a number of levels.
 */
export function processProblem(
  words: readonly bigint[],
  { cap, ecap, processReserved: reserved }: Capabilities,
  privileged: boolean,
  inputBits: (levels: number) => number,
): Refusal | undefined {
  const [control = 0n, , first = 0n] = words;
  if (bits(control, 0) === 0n) {
    return refusal('process-entry-not-present', 'The PASID-table entry is not present.');
  }
  const type = bits(control, 8, 6);
  // Before the reserved bits: a type that ECAP lacks makes its pointer reserved too, and SPT.4.2 could never be met.
  const unsupported = typeProblem(type, ecap);
  if (unsupported !== undefined) return refusal('process-entry-invalid', unsupported);
  if (anySet(words, reserved)) {
    const fields = reservedFields(words, reserved, PASID_TABLE_LAYOUT);
    const why = `The PASID-table entry has set what must be 0: ${fields}.`;
    const hint = 'Fields of what CAP and ECAP do not support are reserved, too.';
    return refusal('process-entry-reserved', why, hint);
  }
  const why =
    (type === PGTT.second || type === PGTT.nested ? widthProblem(control, cap) : undefined) ??
    (type === PGTT.first || type === PGTT.nested ? modeProblem(first, cap) : undefined) ??
    (type === PGTT.nested ? pointerProblem(control, first, inputBits) : undefined);
  if (why !== undefined) return refusal('process-entry-invalid', why);
  if (!privileged || bits(first, 0) === 1n) return undefined;
  const blocked = 'SRE is 0, and RID_PRIV makes requests without a PASID privileged ones: they are blocked.';
  return refusal('translation-blocked', blocked);
}

function typeProblem(type: bigint, ecap: bigint | undefined): string | undefined {
  const needs: readonly (readonly [type: bigint, name: string, bit: number])[] = [
    [PGTT.first, 'FSTS', 47],
    [PGTT.second, 'SSTS', 46],
    [PGTT.nested, 'NEST', 26],
    [PGTT.passThrough, 'PT', 6],
  ];
  const found = needs.find(([known]) => known === type);
  if (!found) return `PGTT = ${type} is reserved.`;
  const [, name, bit] = found;
  return lacks(ecap, bit) ? `PGTT = ${type}, and ECAP.${name} is 0.` : undefined;
}

function widthProblem(control: bigint, cap: bigint | undefined): string | undefined {
  const width = Number(bits(control, 4, 2));
  const levels = LEVELS_OF_WIDTH[width];
  if (levels === undefined) return `AW = ${width} is reserved.`;
  return lacks(cap, 8 + width) ? `AW = ${width} (${levels} levels) is not in CAP.SAGAW.` : undefined;
}

function modeProblem(first: bigint, cap: bigint | undefined): string | undefined {
  const mode = bits(first, 3, 2);
  if (mode > 1n) return `FSPM = ${mode} is reserved.`;
  return mode === 1n && lacks(cap, 60) ? 'FSPM = 1 (5 levels), and CAP.FS5LP is 0.' : undefined;
}

/** The root of the first stage is a guest physical address, which the second stage must take (SPT.4.4). */
function pointerProblem(
  control: bigint,
  first: bigint,
  inputBits: (levels: number) => number,
): string | undefined {
  const width = inputBits(LEVELS_OF_WIDTH[Number(bits(control, 4, 2))] ?? 0);
  return first >> BigInt(width) === 0n
    ? undefined
    : `FSPTPTR is 0x${(first & ~0xfffn).toString(16)}, and the second stage takes ${width} bits.`;
}
