import {
  type AddressSpace,
  type DeviceDirectory,
  type DirectoryAnswer,
} from '../../engine/directory/deviceDirectory';
import { gateOf } from '../../engine/directory/gate';
import { levelOf } from '../../engine/formats/compile';
import { joinHalves } from '../../engine/memory/words';
import { permissionText } from '../../engine/pageTable/entry';
import { LeafTables } from '../../engine/pageTable/leafTables';
import { faultOf, makeBatch, translateBatch, type TranslationBatch } from '../../engine/pageTable/translate';
import { type Pasid, type RequesterId } from '../../engine/values';
import { checkRequester, type Inspection } from '../inspection';
import { type TranslateRequest, type Translation } from '../protocol';
import { type Work } from '../work';
import { bytesOf, halvesOf } from './addresses';
import { ownerOf } from './owner';
import { passThrough } from './walk';

/** Rows translated between two yields. */
const ROWS_PER_STEP = 2048;

/** Translates requests in order, grouped by address space for the batch loop. */
export function* translateAll(
  inspection: Inspection,
  requests: readonly TranslateRequest[],
  iommu: string | undefined,
): Work<readonly Translation[]> {
  const answers = new Array<Translation>(requests.length);
  const groups = new Map<AddressSpace, number[]>();
  const routes = new Map<string, Route | undefined>();
  for (let row = 0; row < requests.length; row++) {
    const request = requests[row];
    if (!request) continue;
    halvesOf(request.iova);
    const key = `${request.requester}/${request.pasid}`;
    if (!routes.has(key)) routes.set(key, routeOf(inspection, request, iommu));
    const answer = directly(request, routes.get(key));
    if (row % ROWS_PER_STEP === ROWS_PER_STEP - 1) yield ROWS_PER_STEP;
    if (!('space' in answer)) {
      answers[row] = answer;
      continue;
    }
    const rows = groups.get(answer.space) ?? [];
    if (rows.length === 0) groups.set(answer.space, rows);
    rows.push(row);
  }
  for (const [space, rows] of groups) yield* translateGroup(inspection, space, requests, rows, answers);
  return answers;
}

/** What one (requester, PASID) meets before any table. */
interface Route {
  readonly directory: DeviceDirectory;
  readonly answer: DirectoryAnswer;
}

/** Undefined when no IOMMU answers for the device. */
function routeOf(
  inspection: Inspection,
  request: TranslateRequest,
  iommu: string | undefined,
): Route | undefined {
  const requester: RequesterId = checkRequester(request.requester);
  const owner = ownerOf(inspection, requester, iommu);
  if (!owner) return undefined;
  const { directory } = owner;
  return { directory, answer: directory.lookup(requester, request.pasid as Pasid | null).answer };
}

function directly(
  request: TranslateRequest,
  route: Route | undefined,
): Translation | { readonly space: AddressSpace } {
  if (!route) return { ok: false, fault: 'iommu-not-found', level: null };
  const gate = gateOf(route.directory, request.iova);
  if (gate === 'untranslated') return passThrough(request.iova);
  if (gate === 'interrupt-window') return { ok: false, fault: gate, level: null };
  const { answer } = route;
  if (answer.kind === 'fault') return { ok: false, fault: answer.fault, level: null };
  return answer.kind === 'pass-through' ? passThrough(request.iova) : { space: answer.space };
}

function* translateGroup(
  inspection: Inspection,
  space: AddressSpace,
  requests: readonly TranslateRequest[],
  rows: readonly number[],
  answers: Translation[],
): Work<void> {
  const tables = new LeafTables(inspection.memory, space.format, rows.length);
  for (let first = 0; first < rows.length; first += ROWS_PER_STEP) {
    const part = rows.slice(first, first + ROWS_PER_STEP);
    const batch = makeBatch(part.length);
    part.forEach((row, at) => {
      const { lo, hi } = halvesOf(requests[row]?.iova ?? 0n);
      batch.addressLo[at] = lo;
      batch.addressHi[at] = hi;
      batch.write[at] = requests[row]?.access === 'write' ? 1 : 0;
    });
    translateBatch(inspection.memory, space, batch, 0, batch.count, tables);
    part.forEach((row, at) => (answers[row] = answerOf(space, batch, at)));
    yield part.length;
  }
}

function answerOf(space: AddressSpace, batch: TranslationBatch, row: number): Translation {
  const number = batch.level[row] ?? 0;
  const status = batch.status[row] ?? 0;
  if (status !== 0) return { ok: false, fault: faultOf(status), level: number === 0 ? null : number };
  return {
    ok: true,
    paddr: joinHalves(batch.paddrLo[row] ?? 0, batch.paddrHi[row] ?? 0),
    size: bytesOf(levelOf(space.format, number).pagesPerEntry),
    perm: permissionText(batch.permission[row] ?? 0),
    level: number,
    entry: joinHalves(batch.entryLo[row] ?? 0, batch.entryHi[row] ?? 0),
  };
}
