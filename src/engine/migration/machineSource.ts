import { type MachineHwpt } from '../machine/domains';
import { type Machine } from '../machine/machine';
import { type MachineOperation, type OperationReport } from '../machine/operation';
import { isRunning } from '../driver/vfio/states';
import { assert } from '../result';
import { FRAME_BYTES, formatRequester, formatSize, hex, parseInteger } from '../values';
import { type LeafMap } from './leafMap';
import { searchLost } from '../machine/lostPages';
import { Pace } from './pace';
import { PageSet } from './pageSet';
import { type DirtySource, type Harvest, type Pending, type Slices, type TableWork } from './source';
import { type MigrationSpec } from './spec';
import { surveyLeaves } from './survey';
import { WorkingSet, type Region } from './workingSet';

export interface MachineSourceOptions {
  readonly machine: Machine;
  /** Of which the tables are tracked. IOVAs are guest physical addresses. */
  readonly domain: MachineHwpt;
  readonly leaves: LeafMap;
  readonly devices: readonly {
    readonly source: Extract<MachineOperation, { kind: 'traffic' }>['sources'][number];
    readonly seed: number;
    readonly accessesPerSecond: number;
  }[];
  readonly deviceState: DirtySource['deviceState'];
  readonly spec: Pick<MigrationSpec, 'pages' | 'vcpus'>;
}

/** Leaves of one read of dirty pages: a report tells 1,000 runs, and as many leaves between them may be clean. */
const LEAVES_A_READ = 1999;
/** Steps of a machine after which it gives way. */
const STEPS_A_SLICE = 2 ** 14;

/** A machine refused an operation of a migration. */
export class RefusedOperation extends Error {
  readonly operation: MachineOperation['kind'];
  readonly report: OperationReport;

  constructor(operation: MachineOperation['kind'], report: OperationReport) {
    super(`${report.errno ?? 'EIO'}: ${report.summary}`);
    this.operation = operation;
    this.report = report;
  }
}

/**
 * An emulated machine: every request, harvest and split is an operation on it. What was really written is asked of its ledger.
 * Throws `RefusedOperation` when an operation is refused.
 */
export class MachineSource implements DirtySource {
  readonly memory: number;
  readonly deviceState: DirtySource['deviceState'];
  /** What was done, in order: on a machine like this one was they give the machine that it is now. */
  readonly operations: MachineOperation[] = [];
  readonly #options: MachineSourceOptions;
  readonly #paces: readonly Pace[];
  readonly #vcpus: WorkingSet;
  readonly #reported: PageSet;
  /** Since the last harvest. */
  readonly #byCpus: PageSet;
  /** Pages that were written before the last harvest, and that it did not report. */
  #missed = new Set<number>();
  #leaves: LeafMap;
  #splits: (Region & { readonly shift: number; readonly entries: number })[] = [];
  readonly #wasTracking: boolean;
  #converged = false;
  #share = 0;

  constructor(options: MachineSourceOptions) {
    const { machine, domain, spec, leaves } = options;
    const { regions } = machine.layout;
    this.#options = options;
    this.#leaves = leaves;
    this.memory = machine.layout.bytes;
    this.deviceState = options.deviceState;
    this.#paces = options.devices.map(({ accessesPerSecond }) => new Pace(accessesPerSecond));
    this.#vcpus = new WorkingSet(regions, spec.vcpus);
    const end = regions.reduce((most, { endPage }) => Math.max(most, endPage), leaves.endPage);
    [this.#reported, this.#byCpus] = [new PageSet(end), new PageSet(end)];
    this.#wasTracking = domain.tracking === 'on';
  }

  get leaves(): number {
    return this.#leaves.leaves;
  }

  get bySize(): Readonly<Record<string, number>> {
    return this.#leaves.bySize;
  }

  /** The page sizes as they are now. */
  get leafMap(): LeafMap {
    return this.#leaves;
  }

  get requests(): number {
    return this.#paces.reduce((all, { done }) => all + done, 0);
  }

  get share(): number {
    return this.#share;
  }

  *lost(): Slices<number> {
    const { machine } = this.#options;
    const pages = this.#converged ? machine.ledger.behind : yield* searchLost(machine);
    return pages.reduce((all, { startPage, endPage }) => all + endPage - startPage, 0) * FRAME_BYTES;
  }

  *prepare(): Slices<TableWork> {
    const { machine, domain, spec } = this.#options;
    const { policy, to } = spec.pages;
    const work = { leaves: 0, flushes: 1, splits: 0, entries: 0 };
    if (policy === 'split-eagerly') {
      for (const { start, end } of machine.areasOf(domain)) {
        const made = this.#planSplit({ startPage: pageOf(start), endPage: pageOf(end) });
        work.splits += made.splits;
        work.entries += made.entries;
        if (made.splits === 0) continue;
        const range = { iova: hex(start), length: hex(end - start) };
        yield* this.#perform({ kind: 'split', domain: domain.id, ...range, size: formatSize(to) });
      }
      work.flushes += work.splits;
      yield* this.#survey();
    }
    yield* this.#perform({ kind: 'setDirtyTracking', domain: domain.id, enable: true });
    if (machine.spec.cpu) yield* this.#perform({ kind: 'harvestCpu' });
    for (const { requester, preCopy } of this.#migrating())
      if (preCopy) yield* this.#perform({ kind: 'deviceState', requester, state: 'PRE_COPY' });
    return work;
  }

  *write(seconds: number): Slices<void> {
    const { devices } = this.#options;
    for (const [index, { source, seed }] of devices.entries()) {
      this.#share = index / devices.length;
      const pace = this.#paces[index];
      const skip = pace?.done ?? 0;
      const requests = pace?.due(seconds) ?? 0;
      if (requests > 0) yield* this.#perform({ kind: 'traffic', sources: [source], requests, seed, skip });
    }
    const accesses: { address: string; length: number; access: 'write' }[] = [];
    this.#vcpus.write(seconds, (startPage, endPage) => {
      this.#byCpus.addRange(startPage, endPage);
      const length = (endPage - startPage) * FRAME_BYTES;
      accesses.push({ address: hex(startPage * FRAME_BYTES), length, access: 'write' });
    });
    if (accesses.length > 0) yield* this.#perform({ kind: 'cpu', accesses });
  }

  *pending(): Slices<Pending> {
    const leaves = new Map<number, number>();
    let pages = this.#byCpus.count;
    const { machine, domain } = this.#options;
    // Entries are looked at without a report: nobody has asked for one.
    for (const area of machine.areasOf(domain)) {
      const all = { startPage: pageOf(area.start), endPage: pageOf(area.end) };
      const marked = machine.ledger.pendingIn(domain.paging.kernel.tables.space, undefined, all);
      for (const { startPage, endPage } of marked.runs()) {
        pages += endPage - startPage;
        for (let page = startPage; page < endPage;) {
          const shift = Math.max(this.#leaves.shiftOf(page), 12);
          leaves.set(shift, (leaves.get(shift) ?? 0) + 1);
          page += 2 ** (shift - 12);
        }
      }
      yield;
    }
    return { leaves, bytes: Math.min(pages * FRAME_BYTES, this.memory) };
  }

  *harvest(onTop: boolean): Slices<Harvest> {
    const { machine, domain, spec } = this.#options;
    const reported = this.#reported;
    if (!onTop) reported.clear();
    const before = reported.count;
    let dirty = 0;
    let written = 0;
    for (const { startPage, endPage } of machine.ledger.behind)
      for (let page = startPage; page < endPage; page++)
        if (!this.#missed.has(page) && !(onTop && reported.has(page))) written++;
    yield* this.#survey();
    const scanned = this.leaves;
    const large: Region[] = [];
    const to = Math.log2(spec.pages.to);
    const splits = spec.pages.policy === 'split-on-dirty' && !onTop;
    yield* this.#readDirty((startPage, endPage) => {
      reported.addRange(startPage, endPage);
      dirty += endPage - startPage;
      if (splits) for (const leaf of this.#leavesAbove(to, startPage, endPage)) large.push(leaf);
    });
    const ofDevices = reported.count - before;
    const cpus = machine.spec.cpu ? yield* this.#harvestCpus() : { pages: 0, added: 0 };
    const work = { splits: 0, entries: 0 };
    for (const leaf of large) {
      const made = this.#planSplit(leaf);
      work.splits += made.splits;
      work.entries += made.entries;
      const length = hex((leaf.endPage - leaf.startPage) * FRAME_BYTES);
      const iova = hex(leaf.startPage * FRAME_BYTES);
      yield* this.#perform({
        kind: 'split',
        domain: domain.id,
        iova,
        length,
        size: formatSize(spec.pages.to),
      });
    }
    if (large.length > 0) yield* this.#survey();
    this.#remember();
    const flushes = (dirty > 0 ? 1 : 0) + work.splits;
    return {
      leaves: scanned,
      flushes,
      ...work,
      reported: (ofDevices + cpus.added) * FRAME_BYTES,
      written: written * FRAME_BYTES,
      byCpus: cpus.pages * FRAME_BYTES,
    };
  }

  *stop(): Slices<void> {
    for (const { requester } of this.#migrating())
      yield* this.#perform({ kind: 'deviceState', requester, state: 'STOP' });
  }

  *save(): Slices<number> {
    const before = yield* this.lost();
    for (const { requester } of this.#migrating())
      yield* this.#perform({ kind: 'deviceState', requester, state: 'STOP_COPY' });
    this.#converged = true;
    return Math.max(0, (yield* this.lost()) - before);
  }

  *finish(runs: boolean): Slices<number> {
    const { domain, spec } = this.#options;
    let entries = 0;
    if (spec.pages.collapseAfter) {
      for (const run of this.#splitRuns()) {
        const range = {
          iova: hex(run.startPage * FRAME_BYTES),
          length: hex((run.endPage - run.startPage) * FRAME_BYTES),
        };
        yield* this.#perform({
          ...{ kind: 'collapse', domain: domain.id, ...range },
          size: formatSize(2 ** run.shift),
        });
      }
      entries = this.#splits.reduce((all, split) => all + split.entries, 0);
      yield* this.#survey();
    }
    if (!this.#wasTracking)
      yield* this.#perform({ kind: 'setDirtyTracking', domain: domain.id, enable: false });
    for (const { requester, state } of this.#migrating())
      if (runs && state !== 'RUNNING')
        yield* this.#perform({ kind: 'deviceState', requester, state: 'RUNNING' });
    return entries;
  }

  /** Devices that VFIO migrates. */
  #migrating() {
    const { machine } = this.#options;
    return machine.devices
      .filter(({ pasid }) => pasid === null)
      .flatMap(({ requester }) => {
        const side = machine.sideOf(requester)?.migration;
        if (!side) return [];
        const { state, model } = side;
        const preCopy = model.features.preCopy && isRunning(state);
        return [{ requester: formatRequester(requester), state, preCopy }];
      });
  }

  /** What vCPUs wrote is reported, and clean; `added`: pages that no report named before. */
  *#harvestCpus(): Slices<{ readonly pages: number; readonly added: number }> {
    const { dirty } = yield* this.#perform({ kind: 'harvestCpu' });
    this.#byCpus.clear();
    if (!dirty) return { pages: 0, added: 0 };
    const before = this.#reported.count;
    let named = 0;
    for (const { start, end } of dirty.ranges) {
      const [startPage, endPage] = [pageOf(parseInteger(start) ?? 0n), pageOf(parseInteger(end) ?? 0n)];
      this.#reported.addRange(startPage, endPage);
      named += endPage - startPage;
    }
    // Of more runs than a report tells, only the number of pages is known.
    const added = this.#reported.count - before + dirty.pages - named;
    return { pages: dirty.pages, added };
  }

  /** Reads dirty pages in parts that end between leaves, each with no more runs than a report tells. */
  *#readDirty(found: (startPage: number, endPage: number) => void): Slices<void> {
    const { machine, domain } = this.#options;
    for (const area of machine.areasOf(domain)) {
      const endPage = pageOf(area.end);
      for (let startPage = pageOf(area.start); startPage < endPage;) {
        const next = this.#after(startPage, endPage);
        const { dirty } = yield* this.#perform({
          ...{ kind: 'readDirty', domain: domain.id, clear: true },
          ...{ iova: hex(startPage * FRAME_BYTES), length: hex((next - startPage) * FRAME_BYTES) },
        });
        assert(dirty?.more === false, 'a part has no more runs than a report tells');
        for (const { start, end } of dirty.ranges)
          found(pageOf(parseInteger(start) ?? 0n), pageOf(parseInteger(end) ?? 0n));
        startPage = next;
      }
    }
  }

  /** Where so many leaves end. */
  #after(startPage: number, endPage: number): number {
    let page = startPage;
    for (let leaves = 0; leaves < LEAVES_A_READ && page < endPage; leaves++) {
      const shift = Math.max(this.#leaves.shiftOf(page), 12);
      page += 2 ** (shift - 12);
    }
    return Math.min(page, endPage);
  }

  #leavesAbove(shift: number, startPage: number, endPage: number): Region[] {
    const found: Region[] = [];
    for (let page = startPage; page < endPage;) {
      const leaf = Math.max(this.#leaves.shiftOf(page), 12);
      const end = page + 2 ** (leaf - 12);
      if (leaf > shift) found.push({ startPage: page, endPage: end });
      page = end;
    }
    return found;
  }

  /** What a split will do, and to remember it. */
  #planSplit({ startPage, endPage }: Region): { readonly splits: number; readonly entries: number } {
    const { pages } = this.#options.spec;
    return this.#leaves
      .copy()
      .split(startPage, endPage, Math.log2(pages.to), (first, end, shift, entries) => {
        this.#splits.push({ startPage: first, endPage: end, shift, entries });
      });
  }

  /** Leaves that were split: neighbours of a size as one. */
  #splitRuns(): (Region & { readonly shift: number })[] {
    const runs: { startPage: number; endPage: number; shift: number }[] = [];
    for (const { startPage, endPage, shift } of [...this.#splits].sort((a, b) => a.startPage - b.startPage)) {
      const last = runs.at(-1);
      if (last?.shift === shift && last.endPage === startPage) last.endPage = endPage;
      else runs.push({ startPage, endPage, shift });
    }
    return runs;
  }

  /** What the destination lacks although everything was harvested and copied. */
  #remember(): void {
    this.#missed = new Set();
    for (const { startPage, endPage } of this.#options.machine.ledger.behind)
      for (let page = startPage; page < endPage; page++) this.#missed.add(page);
  }

  *#survey(): Slices<void> {
    const { machine, domain } = this.#options;
    const found = yield* surveyLeaves(machine, domain);
    assert(found.ok, 'a migration maps nothing');
    this.#leaves = found.value;
  }

  *#perform(operation: MachineOperation): Slices<OperationReport> {
    const steps = this.#options.machine.perform(operation, 'requests');
    for (let count = 1; ; count++) {
      const step = steps.next();
      if (step.done === true) {
        this.operations.push(operation);
        if (step.value.errno !== undefined) throw new RefusedOperation(operation.kind, step.value);
        return step.value;
      }
      if (count % STEPS_A_SLICE === 0) yield;
    }
  }
}

const pageOf = (address: bigint): number => Number(address / BigInt(FRAME_BYTES));
