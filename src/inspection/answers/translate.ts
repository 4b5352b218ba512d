import { type DirectoryAnswer } from '../../engine/directory/deviceDirectory';
import { spaceOf } from '../../engine/directory/gate';
import { type CompiledFormat } from '../../engine/formats/compile';
import { joinHalves } from '../../engine/memory/words';
import { type AddressSpace } from '../../engine/pageTable/addressSpace';
import { permissionText } from '../../engine/pageTable/entry';
import { READ, WRITE } from '../../engine/pageTable/entryClass';
import { BatchTables, translateBatch } from '../../engine/pageTable/translate';
import { faultOf, makeBatch, type TranslationBatch } from '../../engine/pageTable/translationBatch';
import { type Inspection } from '../inspection';
import { type Permission, type TranslateRequest, type Translation } from '../protocol';
import { RequestError } from '../requestError';
import { type Work } from '../work';
import { halvesOf } from './addresses';
import { NO_IOMMU } from './owner';
import { meets, routeOf, type Route } from './route';

/** Rows translated between two yields. */
const ROWS_PER_STEP = 2048;

/** Translates requests in order, grouped by address space for the batch loop. */
export function* translateAll(
  inspection: Inspection,
  requests: readonly TranslateRequest[],
  iommu: string | undefined,
): Work<readonly Translation[]> {
  const answers = new Array<Translation>(requests.length);
  const groups = new Map<AddressSpace, Row[]>();
  const routes = new Map<string, Route | undefined>();
  for (let row = 0; row < requests.length; row++) {
    const request = requests[row];
    if (!request) continue;
    halvesOf(request.iova);
    const key = `${request.segment}/${request.requester}/${request.pasid}`;
    if (!routes.has(key)) routes.set(key, yield* routeFor(inspection, request, iommu));
    const answer = directly(request, routes.get(key));
    if (row % ROWS_PER_STEP === ROWS_PER_STEP - 1) yield ROWS_PER_STEP;
    if (!('space' in answer)) {
      answers[row] = answer;
      continue;
    }
    const rows = groups.get(answer.space) ?? [];
    if (rows.length === 0) groups.set(answer.space, rows);
    rows.push({ row, permission: answer.permission });
  }
  for (const [space, rows] of groups) yield* translateGroup(space, requests, rows, answers);
  return answers;
}

/** Undefined when no IOMMU answers for the device; several that may are refused. */
function* routeFor(
  inspection: Inspection,
  request: TranslateRequest,
  iommu: string | undefined,
): Work<Route | undefined> {
  const route = yield* routeOf(inspection, request, iommu);
  if (route.ok) return route.value;
  if (route.failure.code === NO_IOMMU) return undefined;
  throw new RequestError(route.failure);
}

/** A request of a group: its place among all, and the permission that its device entry leaves. */
interface Row {
  readonly row: number;
  readonly permission: number;
}

interface InSpace {
  readonly space: AddressSpace;
  readonly permission: number;
}

function directly(request: TranslateRequest, route: Route | undefined): Translation | InSpace {
  if (!route) return { ok: false, fault: 'iommu-not-found', level: null };
  return beforeTables(request, meets(route, request).answer);
}

/** What meets a request before any page table, or the address space that takes it. */
export function beforeTables(request: TranslateRequest, answer: DirectoryAnswer): Translation | InSpace {
  if (answer.kind === 'fault') {
    const { fault, level = null, stage } = answer;
    return { ok: false, fault, level, ...(stage ? { stage } : {}) };
  }
  const { permission } = answer;
  const write = request.access === 'write';
  if ((permission & (write ? WRITE : READ)) === 0) {
    return { ok: false, fault: write ? 'write-denied' : 'read-denied', level: null };
  }
  if (answer.kind === 'table') return { space: spaceOf(answer, request.iova), permission };
  return passThrough(request.iova, permissionText(permission));
}

/** Pass-through has no page: the smallest one, and no entry. */
function passThrough(iova: bigint, perm: Permission): Translation {
  return { ok: true, paddr: iova, size: 4096n, perm, level: null, entry: null };
}

function* translateGroup(
  space: AddressSpace,
  requests: readonly TranslateRequest[],
  rows: readonly Row[],
  answers: Translation[],
): Work<void> {
  const tables = new BatchTables(space, rows.length);
  for (let first = 0; first < rows.length; first += ROWS_PER_STEP) {
    const part = rows.slice(first, first + ROWS_PER_STEP);
    const batch = makeBatch(part.length);
    part.forEach(({ row }, at) => {
      const { lo, hi } = halvesOf(requests[row]?.iova ?? 0n);
      batch.addressLo[at] = lo;
      batch.addressHi[at] = hi;
      batch.write[at] = requests[row]?.access === 'write' ? 1 : 0;
    });
    translateBatch(space, batch, 0, batch.count, tables);
    part.forEach(({ row, permission }, at) => (answers[row] = answerOf(space, batch, at, permission)));
    yield part.length;
  }
}

function answerOf(
  space: AddressSpace,
  batch: TranslationBatch,
  row: number,
  permission: number,
): Translation {
  const depth = batch.depth[row] ?? 0;
  const status = batch.status[row] ?? 0;
  if (status !== 0) return refused(space, faultOf(status), depth, batch.stage[row] ?? 1);
  return {
    ok: true,
    paddr: joinHalves(batch.paddrLo[row] ?? 0, batch.paddrHi[row] ?? 0),
    size: 1n << BigInt(batch.pageShift[row] ?? 0),
    perm: permissionText((batch.permission[row] ?? 0) & permission),
    level: levelNumber(space.format, depth),
    entry: joinHalves(batch.entryLo[row] ?? 0, batch.entryHi[row] ?? 0),
  };
}

/** A refusal by the tables of a space, or by the stage 2 below it. */
export function refused(
  space: AddressSpace,
  fault: ReturnType<typeof faultOf>,
  depth: number,
  stage: number,
): Translation & { ok: false } {
  const { stage2 } = space;
  if (!stage2 || stage !== 2) return { ok: false, fault, level: levelNumber(space.format, depth) };
  return { ok: false, fault, level: levelNumber(stage2.format, depth), stage: 2 };
}

/** The number that the specification gives a level; null before any table. */
export function levelNumber({ levels }: CompiledFormat, depth: number): number | null {
  return depth === 0 ? null : (levels[depth]?.rule.level ?? null);
}
