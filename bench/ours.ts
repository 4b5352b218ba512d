import { FAULTS, type Fault } from '../src/engine/faults';
import { openDirectory } from '../src/engine/directory/index';
import { ALL_PAGES, type AddressSpace } from '../src/engine/pageTable/addressSpace';
import { listRuns, type ListOptions, type RunList } from '../src/engine/pageTable/list';
import { RunColumns } from '../src/engine/pageTable/runColumns';
import { BatchTables, translateBatch } from '../src/engine/pageTable/translate';
import { makeBatch, type TranslationBatch } from '../src/engine/pageTable/translationBatch';
import { requesterId } from '../src/engine/values';
import { openImage } from '../src/image/openImage';
import { type MemoryImage } from '../src/image/memoryImage';
import { nodeImagePlatform } from '../src/inspection/node/inflate';
import * as fs from 'node:fs';
import { type DomainImage, type Requests } from './domainImage';
import { type Round } from './limit';

/** Runs asked for at once, as the protocol's largest page. */
const PAGE_RUNS = 1000;
/** Requests between two places where the engine would give way. */
const STEP_REQUESTS = 2048;

export interface Subject {
  readonly memory: MemoryImage;
  readonly space: AddressSpace;
}

/** Opens the image by its path, as the command line does; with VT-d finds the domain through root and context table. */
export async function openSubject(image: DomainImage): Promise<Subject> {
  const length = fs.statSync(image.imagePath).size;
  const opened = await openImage(
    { kind: 'path', path: image.imagePath },
    { platform: nodeImagePlatform(), segments: [{ paddr: Number(image.base), offset: 0, length }] },
  );
  if (!opened.ok) throw new Error(opened.failure.message);
  const { memory } = opened.value;
  const { shape, root, below } = image;
  if (shape.name !== 'vtd')
    return { memory, space: shape.space(memory, Number(root / 4096n), Number(below / 4096n)) };
  const directory = openDirectory('vt-d', memory, new Map([['RTADDR', image.rootTable]]));
  if (!directory.ok) throw new Error(directory.failure.message);
  const { answer } = directory.value.lookup(requesterId(image.requester), null);
  if (answer.kind !== 'table') throw new Error(`The domain was not found: ${JSON.stringify(answer)}`);
  return { memory, space: answer.space };
}

/** Runs `work` and gives its CPU time: of this process, its helper threads included. */
function timed(work: () => Omit<Round, 'cpuNanoseconds'>): Round {
  const start = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(start);
  return { cpuNanoseconds: 1000 * (user + system), ...result };
}

/** Lists the whole domain in pages, with a checksum over every run. */
export const listRound = ({ space }: Subject): Round =>
  timed(() => {
    const columns = new RunColumns(PAGE_RUNS);
    let checksum = 0;
    let count = 0;
    let runs = 0;
    for (let startPage: number | undefined = 0; startPage !== undefined;) {
      const list = finish(space, { startPage, endPage: ALL_PAGES, limit: PAGE_RUNS, columns });
      if (list.unreadableTables + list.cycles > 0) throw new Error('The list left something out.');
      for (let row = 0; row < list.runs.length; row++) {
        checksum = (checksum + Math.imul(foldRun(list.runs, row), 2 * runs++ + 1)) | 0;
        count += list.runs.count[row] ?? 0;
      }
      startPage = list.nextPage;
    }
    return { checksum: checksum >>> 0, count };
  });

function finish(space: AddressSpace, options: ListOptions): RunList {
  const work = listRuns(space, options);
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

const HIGH = 2 ** -32;

function foldRun(runs: RunColumns, row: number): number {
  const page = runs.page[row] ?? 0;
  const frame = runs.frame[row] ?? 0;
  const address = runs.entryAddress[row] ?? 0;
  const bits =
    (runs.depthOf(row) << 16) |
    (runs.pageShiftOf(row) << 8) |
    (runs.marksOf(row) << 4) |
    runs.permissionOf(row);
  return (
    Math.imul(page, 0x9e3779b1) ^
    Math.imul(page * HIGH, 0x85ebca6b) ^
    Math.imul(runs.count[row] ?? 0, 0xc2b2ae35) ^
    Math.imul(frame, 0x27d4eb2f) ^
    Math.imul(frame * HIGH, 0x165667b1) ^
    Math.imul(address, 0xd3a2646d) ^
    Math.imul(address * HIGH, 0xfd7046c5) ^
    Math.imul(runs.lo[row] ?? 0, 0xb55a4f09) ^
    Math.imul(runs.hi[row] ?? 0, 0x8da6b343) ^
    Math.imul(bits, 0xd8163841)
  );
}

/** The C limit's numbers of the outcomes. */
const OUTCOMES = [
  'address-width',
  'not-present',
  'entry-reserved',
  'read-denied',
  'write-denied',
  'table-unreadable',
  'interrupt-output',
  'level-skip',
  'access-flag',
  'dirty-flag',
] as const satisfies readonly Fault[];

/** Translates all requests in steps, with a checksum over every answer. */
export function makeTranslateRound({ space }: Subject, requests: Requests): () => Round {
  const batch = makeBatch(requests.count);
  batch.addressLo.set(requests.addressLo);
  batch.addressHi.set(requests.addressHi);
  batch.write.set(requests.write);
  const outcomes = new Uint8Array(256);
  OUTCOMES.forEach((fault, index) => (outcomes[1 + FAULTS.indexOf(fault)] = 1 + index));
  return () =>
    timed(() => {
      const tables = new BatchTables(space, batch.count);
      for (let row = 0; row < batch.count; row += STEP_REQUESTS) {
        const end = Math.min(batch.count, row + STEP_REQUESTS);
        translateBatch(space, batch, row, end, tables);
      }
      return { checksum: foldBatch(batch, outcomes), count: batch.count };
    });
}

function foldBatch(batch: TranslationBatch, outcomes: Uint8Array): number {
  let checksum = 0;
  for (let row = 0; row < batch.count; row++) {
    const status = batch.status[row] ?? 0;
    let folded = Math.imul(((outcomes[status] ?? 0) << 8) | (batch.depth[row] ?? 0), 0xd8163841);
    if (status === 0) {
      folded ^=
        Math.imul(batch.paddrLo[row] ?? 0, 0x9e3779b1) ^
        Math.imul(batch.paddrHi[row] ?? 0, 0x85ebca6b) ^
        Math.imul(batch.entryLo[row] ?? 0, 0xc2b2ae35) ^
        Math.imul(batch.entryHi[row] ?? 0, 0x27d4eb2f) ^
        Math.imul(((batch.pageShift[row] ?? 0) << 8) | (batch.permission[row] ?? 0), 0x165667b1);
    }
    checksum = (checksum + Math.imul(folded, 2 * row + 1)) | 0;
  }
  return checksum >>> 0;
}
