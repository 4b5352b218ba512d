import {
  type AddressSpace,
  type DirectoryLookup,
  type StructureEntry,
} from '../../engine/directory/deviceDirectory';
import { gateOf } from '../../engine/directory/gate';
import { levelOf } from '../../engine/formats/compile';
import { joinHalves } from '../../engine/memory/words';
import { LEAF, MALFORMED, TABLE, entryFrame, permissionText } from '../../engine/pageTable/entry';
import { entryProblems } from '../../engine/pageTable/entryProblems';
import { walkTables, type TableStep, type TableWalk } from '../../engine/pageTable/walk';
import { formatRequester, formatSize, hex, type Pasid } from '../../engine/values';
import { checkRequester, domainKey, type Inspection } from '../inspection';
import {
  type Fault,
  type TranslateRequest,
  type Translation,
  type WalkResult,
  type WalkStep,
} from '../protocol';
import { refuse } from '../requestError';
import { bytesOf, halvesOf } from './addresses';
import { structureProblems } from './entry';
import { explainFault } from './faultWords';
import { ownerOf, type Owner } from './owner';

/** Walks one request and tells every step. */
export function walk(
  inspection: Inspection,
  request: TranslateRequest,
  iommu: string | undefined,
): WalkResult {
  const requester = checkRequester(request.requester);
  const { lo, hi } = halvesOf(request.iova);
  const owner = ownerOf(inspection, requester, iommu);
  if (!owner) return refuse('walk/no-iommu', `No IOMMU has an entry for ${formatRequester(requester)}.`);
  const { directory, name } = owner;
  const base = { request, iommu: name };
  const gate = gateOf(directory, request.iova);
  if (gate === 'untranslated') {
    const summary = 'Translation is off (GSTS.TES = 0): the request passes untranslated.';
    return { ...base, steps: [], translation: passThrough(request.iova), summary };
  }
  if (gate === 'interrupt-window') return { ...base, steps: [], ...refusal(request, gate, null) };
  const lookup = directory.lookup(requester, request.pasid as Pasid | null);
  const steps = lookup.entries.map((entry) => structureStep(owner, lookup, entry));
  const { answer } = lookup;
  if (answer.kind === 'fault') {
    const told = refusal(request, answer.fault, null, answer.why);
    return {
      ...base,
      steps,
      ...told,
      ...(answer.hint ? { hint: answer.hint } : {}),
    };
  }
  if (answer.kind === 'pass-through') {
    const summary = `${formatRequester(requester)} is in pass-through: the physical address is the IOVA.`;
    return { ...base, steps, translation: passThrough(request.iova), summary };
  }
  const { space } = answer;
  const walked = walkTables(inspection.memory, space, lo, hi, request.access === 'write');
  const tableSteps = walked.steps.map((step) => tableStep(name, space, step, request.iova));
  return {
    ...base,
    steps: [...steps, ...tableSteps],
    ...conclude(inspection, request, space, walked),
    domain: domainKey(name, space),
  };
}

export function passThrough(iova: bigint): Translation {
  return { ok: true, paddr: iova, size: 4096n, perm: 'RW', level: null, entry: null };
}

function refusal(request: TranslateRequest, fault: Fault, level: number | null, reason?: string) {
  const { why, hint } = explainFault(fault, request, level, reason);
  return { translation: { ok: false, fault, level } as const, summary: why, hint };
}

function conclude(inspection: Inspection, request: TranslateRequest, space: AddressSpace, walked: TableWalk) {
  const { outcome, steps } = walked;
  const last = steps.at(-1);
  if (!outcome.ok) {
    const told = refusal(request, outcome.fault, outcome.level);
    if (outcome.fault !== 'table-unreadable') return told;
    const table = last ? entryFrame(space.format, last.lo, last.hi) : space.root;
    return { ...told, summary: `${told.summary} Its ${inspection.memory.explainMissing(table)}.` };
  }
  const paddr = joinHalves(outcome.paddrLo, outcome.paddrHi);
  const size = last ? bytesOf(levelOf(space.format, last.level).pagesPerEntry) : 4096n;
  const perm = permissionText(last?.permission ?? 0);
  const translation: Translation = {
    ok: true,
    paddr,
    size,
    perm,
    level: last?.level ?? null,
    entry: last ? joinHalves(last.lo, last.hi) : null,
  };
  return {
    translation,
    summary: `${hex(request.iova)} translates to ${hex(paddr)}: ${formatSize(size)} page, ${perm}.`,
  };
}

function structureStep({ name, directory }: Owner, lookup: DirectoryLookup, entry: StructureEntry): WalkStep {
  const { role, words, index, says } = entry;
  const blocked = entry === lookup.entries.at(-1) && lookup.answer.kind === 'fault';
  return {
    entry: { iommu: name, address: BigInt(entry.address), role },
    title: directory.titleOf(role).title,
    words,
    index,
    says,
    problems: structureProblems(directory, role, words),
    perm: blocked ? '-' : 'RW',
  };
}

function tableStep(iommu: string, space: AddressSpace, step: TableStep, address: bigint): WalkStep {
  const { format } = space;
  const level = levelOf(format, step.level);
  const span = bytesOf(level.pagesPerEntry);
  return {
    entry: {
      iommu,
      address: BigInt(step.address),
      role: 'table',
      domain: domainKey(iommu, space),
      level: step.level,
      iova: address - (address % span),
    },
    title: `${level.rule.entryName}, level ${step.level}`,
    words: [joinHalves(step.lo, step.hi)],
    index: step.index,
    says: says(space, step, span),
    problems: entryProblems(format, step.level, step.lo, step.hi).map((problem) => ({ ...problem, word: 0 })),
    perm: permissionText(step.permission),
  };
}

function says(space: AddressSpace, step: TableStep, span: bigint): string {
  const target = hex(bytesOf(entryFrame(space.format, step.lo, step.hi)));
  if (step.class === TABLE) return `table of level ${step.level - 1} at ${target}`;
  if (step.class === LEAF) return `${formatSize(span)} page at ${target}`;
  return step.class === MALFORMED ? 'present, with reserved bits set' : 'not present';
}
