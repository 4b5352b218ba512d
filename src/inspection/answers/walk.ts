import { type DirectoryLookup, type StructureEntry } from '../../engine/directory/deviceDirectory';
import { levelOf } from '../../engine/formats/compile';
import { joinHalves } from '../../engine/memory/words';
import { type AddressSpace } from '../../engine/pageTable/addressSpace';
import { entryFrame, leafFrame, nextDepth, pageShift, permissionText } from '../../engine/pageTable/entry';
import { LEAF, MALFORMED, TABLE } from '../../engine/pageTable/entryClass';
import { entryProblems } from '../../engine/pageTable/entryProblems';
import { type TableStep, type TableWalk } from '../../engine/pageTable/tableWalk';
import { walkTables } from '../../engine/pageTable/walk';
import { FRAME_BYTES, formatRequester, formatSize, hex, requesterId } from '../../engine/values';
import { type Inspection } from '../inspection';
import { type TranslateRequest, type Translation, type WalkResult, type WalkStep } from '../protocol';
import { RequestError } from '../requestError';
import { domainKey } from '../spaces';
import { type Work } from '../work';
import { bytesOf, halvesOf } from './addresses';
import { structureProblems } from './entry';
import { explainFault } from './faultWords';
import { meets, routeOf, type Route } from './route';
import { beforeTables, refused } from './translate';

/** Walks one request and tells every step. */
export function* walk(
  inspection: Inspection,
  request: TranslateRequest,
  iommu: string | undefined,
): Work<WalkResult> {
  const { lo, hi } = halvesOf(request.iova);
  const found = yield* routeOf(inspection, request, iommu);
  if (!found.ok) throw new RequestError(found.failure);
  const route = found.value;
  const device = formatRequester(requesterId(request.requester));
  const base = { request, iommu: route.iommu };
  const { answer, why: told, gate } = meets(route, request);
  const steps = gate ? [] : structureSteps(route);
  const before = beforeTables(request, answer);
  if (!('space' in before)) {
    if (!before.ok) {
      const { why, hint } =
        answer.kind === 'fault' ? answer : { why: deniedByDevice(request), hint: undefined };
      return { ...base, steps, ...refusal(route, request, before, undefined, told ?? why, hint) };
    }
    const summary = told ?? `${device} is in pass-through: the physical address is the IOVA.`;
    return { ...base, steps, translation: before, summary };
  }
  const { space, permission } = before;
  const walked = walkTables(space, lo, hi, request.access === 'write');
  return {
    ...base,
    steps: [...steps, ...tableSteps(route.iommu, space, walked), ...resultSteps(route.iommu, space, walked)],
    ...conclude(route, request, space, walked, permission),
    domain: domainKey(route.iommu, space),
  };
}

const deniedByDevice = ({ access }: TranslateRequest): string =>
  `The device entry does not allow ${access === 'write' ? 'writes' : 'reads'}.`;

type Refused = Translation & { ok: false };

function refusal(
  route: Route,
  request: TranslateRequest,
  translation: Refused,
  space?: AddressSpace,
  reason?: string,
  better?: string,
) {
  const { fault, level, stage } = translation;
  const { why, hint } = explainFault(fault, request, level, reason, stage);
  const vendorFault = route.directory.faultCode(fault, request.access, stage ?? space?.stage ?? null);
  return {
    translation,
    summary: why,
    hint: better ?? hint,
    ...(vendorFault === undefined ? {} : { vendorFault }),
  };
}

function conclude(
  route: Route,
  request: TranslateRequest,
  space: AddressSpace,
  walked: TableWalk,
  permission: number,
) {
  const { outcome, steps } = walked;
  const last = steps.at(-1);
  if (!outcome.ok) {
    const translation = refused(space, outcome.fault, outcome.depth, outcome.stage);
    const told = refusal(route, request, translation, space);
    return outcome.fault === 'table-unreadable'
      ? { ...told, summary: `${told.summary} Its ${missing(space, walked)}.` }
      : told;
  }
  const paddr = joinHalves(outcome.paddrLo, outcome.paddrHi);
  const size = 1n << BigInt(outcome.pageShift);
  const perm = permissionText(outcome.permission & permission);
  const translation: Translation = {
    ok: true,
    paddr,
    size,
    perm,
    level: last ? levelOf(space.format, last.depth).rule.level : null,
    entry: last ? joinHalves(last.lo, last.hi) : null,
  };
  return {
    translation,
    summary: `${hex(request.iova)} translates to ${hex(paddr)}: ${formatSize(size)} page, ${perm}.`,
  };
}

/** Why the table at which a walk of this space, or of the stage 2 below it, ended is missing. */
function missing(space: AddressSpace, { steps, under, outcome }: TableWalk): string {
  if (space.stage2 && under && !under.outcome.ok && !outcome.ok) return missing(space.stage2, under);
  const last = steps.at(-1);
  return space.memory.explainMissing(last ? entryFrame(space.format, last.lo, last.hi) : space.root);
}

function structureSteps({ iommu, directory, lookup }: Route): WalkStep[] {
  const stage2 = lookup.answer.kind === 'table' ? lookup.answer.space.stage2 : undefined;
  return lookup.entries.map((entry) => {
    const { role, words, index, says } = entry;
    const step = {
      entry: { iommu, address: BigInt(entry.address), role },
      title: directory.titleOf(role).title,
      words,
      index,
      says,
      problems: structureProblems(directory, role, words),
      perm: isBlocking(lookup, entry) ? ('-' as const) : ('RW' as const),
    };
    return entry.under && stage2 ? { ...step, under: tableSteps(iommu, stage2, entry.under) } : step;
  });
}

/** The last entry of a refused lookup is the one that refused. */
function isBlocking({ answer, entries }: DirectoryLookup, entry: StructureEntry): boolean {
  return entry === entries.at(-1) && answer.kind === 'fault';
}

/** The steps of a walk; each with its stage-2 walk where there is one, the last with that which ended the walk. */
function tableSteps(iommu: string, space: AddressSpace, walked: TableWalk): WalkStep[] {
  const address = joinHalves(walked.inputLo, walked.inputHi);
  return walked.steps.map((step) => tableStep(iommu, space, step, address));
}

/** The stage-2 steps for the result of stage 1, or for the table that stage 2 refused. */
function resultSteps(iommu: string, { stage2 }: AddressSpace, { under }: TableWalk): WalkStep[] {
  return stage2 && under ? tableSteps(iommu, stage2, under) : [];
}

function tableStep(iommu: string, space: AddressSpace, step: TableStep, address: bigint): WalkStep {
  const { format, stage, stage2 } = space;
  const { depth, lo, hi } = step;
  const level = levelOf(format, depth);
  const span = bytesOf(level.pagesPerEntry);
  const under = step.under && stage2 && tableSteps(iommu, stage2, step.under);
  return {
    entry: {
      iommu,
      address: BigInt(step.address),
      role: 'table',
      domain: domainKey(iommu, space),
      level: level.rule.level,
      iova: address - (address % span),
    },
    title: `${level.rule.entryName}, level ${level.rule.level}`,
    words: [joinHalves(lo, hi)],
    index: step.index,
    says: says(space, step),
    problems: entryProblems(format, depth, lo, hi).map((problem) => ({ ...problem, word: 0 })),
    perm: permissionText(step.permission),
    stage,
    input: address,
    ...(under ? { under } : {}),
  };
}

function says(
  { format, memory }: AddressSpace,
  { depth, table, address, lo, hi, class: found }: TableStep,
): string {
  const level = levelOf(format, depth);
  if (found === TABLE) {
    const next = levelOf(format, nextDepth(format, level, lo)).rule.level;
    return `table of level ${next} at ${hex(bytesOf(entryFrame(format, lo, hi)))}`;
  }
  if (found === LEAF) {
    const size = formatSize(1n << BigInt(pageShift(format, level, lo, hi)));
    return `${size} page at ${hex(bytesOf(leafFrame(format, level, lo, hi)))}`;
  }
  if (found === MALFORMED) return 'present, but not as the specification has it';
  const known = memory.knows?.(table, address / 8 - table * (FRAME_BYTES / 8)) ?? true;
  return known ? 'not present' : 'not in the dump';
}
