import * as vscode from 'vscode';
import {
  RequestError,
  type FileSource,
  type InspectionId,
  type InspectionSummary,
  type MachineOperation,
  type MachineRecord,
  type OpenParams,
  type OperationReport,
  type Params,
  type RequestOptions,
  type ResultOf,
  type TraceReplay,
  type TranslateRequest,
  type WalkResult,
} from '../inspection/protocol';
import type { EngineHost, InspectionMethod } from './engineHost';
import {
  readJournal,
  storeJournal,
  walkRequest,
  type JournalEntry,
  type JournalMachine,
  type JournalOperation,
  type JournalWalk,
} from './journal';
import type { OperationFiles } from './operationFiles';
import { readImage } from './source';

const JOURNAL_KEY = 'iopte.journal';
/** Of URIs that name emulated machines; they lead to no file. */
export const MACHINE_SCHEME = 'iopte-machine';
/** Of URIs that name tables replayed from a trace; they lead to no file. */
export const REPLAY_SCHEME = 'iopte-replay';

export type InspectionChange = 'opened' | 'closed' | 'current' | 'filter' | 'walk' | 'refreshed' | 'operated';

/** An open inspection as the host knows it; what is in the image only the engine knows. */
export interface Inspection {
  readonly id: InspectionId;
  readonly title: string;
  readonly descriptionUri: vscode.Uri | undefined;
  readonly imageUri: vscode.Uri;
  /** The description's text as it was opened. */
  readonly description: string;
  /** The filter of the tree; empty for none. */
  readonly where: string;
  /** The last walk; a restored window has its question first and its answer when the view asks. */
  readonly walk: JournalWalk | undefined;
  /** Set for an emulated machine: what it was made from, and all that was done to it. */
  readonly machine: JournalMachine | undefined;
  /** Set for tables as a trace left them at one of its rows. */
  readonly replay: TraceReplay | undefined;
}

/** What it takes to open: a description's text and the image it names. */
export interface InspectionSource {
  readonly title: string;
  readonly description: string;
  readonly descriptionUri: vscode.Uri | undefined;
  /** Of an emulated machine: names it, and leads to no file. */
  readonly imageUri: vscode.Uri;
  readonly machine?: JournalMachine | undefined;
  readonly replay?: TraceReplay | undefined;
}

/** The open inspections, which of them is current, and their journal. */
export class Inspections implements vscode.Disposable {
  private readonly open = new Map<InspectionId, Inspection>();
  /** Those that are being opened for the first time: views do not show them yet. */
  private readonly opening = new Map<InspectionId, Inspection>();
  private readonly walks = new Map<InspectionId, WalkResult>();
  private readonly changes = new vscode.EventEmitter<{ inspection: Inspection; change: InspectionChange }>();
  private readonly allowedSizes = new Map<string, number>();
  /** The last operation on each machine: the next one begins when it is over, so that the journal has their order. */
  private readonly turns = new Map<InspectionId, Promise<unknown>>();
  private currentId: InspectionId | undefined;
  readonly onDidChange = this.changes.event;

  constructor(
    private readonly state: vscode.Memento,
    private readonly engine: EngineHost,
    /** Whether the engine reads ranges of local files itself. */
    private readonly canReadPaths: boolean,
    private readonly operationFiles: OperationFiles,
  ) {
    for (const entry of readJournal(state.get(JOURNAL_KEY))) this.open.set(entry.id, fromJournal(entry));
    this.currentId = [...this.open.keys()].at(-1);
  }

  get all(): readonly Inspection[] {
    return [...this.open.values()];
  }

  /** The inspection that commands mean when they are given none: the one used last. */
  get current(): Inspection | undefined {
    return this.currentId === undefined ? undefined : this.open.get(this.currentId);
  }

  find(id: InspectionId): Inspection | undefined {
    return this.open.get(id);
  }

  makeCurrent(inspection: Inspection): void {
    if (this.currentId === inspection.id || !this.open.has(inspection.id)) return;
    this.currentId = inspection.id;
    this.changes.fire({ inspection, change: 'current' });
  }

  /** Opens a source. One that cannot be opened leaves nothing behind. What is open already is opened anew. */
  async add(
    source: InspectionSource,
    options?: RequestOptions,
  ): Promise<{ inspection: Inspection; summary: InspectionSummary }> {
    const before = this.all.find((each) => originOf(each) === originOf(source));
    const fresh = { id: this.freshId(), ...NOTHING_YET };
    const inspection: Inspection = { ...fresh, ...source };
    this.opening.set(inspection.id, inspection);
    try {
      const summary = await this.engine.open(inspection.id, options);
      await this.take(inspection, before);
      return { inspection, summary };
    } finally {
      this.opening.delete(inspection.id);
    }
  }

  /**
   * Takes over a machine that the engine makes and opens under the id that it is given: nothing is opened a second time. What comes
   * from the same place is closed then. Without a record there is nothing to take over.
   */
  async addMade<T extends { readonly record: MachineRecord | null }>(
    source: Omit<InspectionSource, 'machine'>,
    make: (id: InspectionId) => Promise<T>,
  ): Promise<{ readonly made: T; readonly inspection: Inspection | undefined }> {
    const reserved: Inspection = { id: this.freshId(), ...NOTHING_YET, ...source };
    this.opening.set(reserved.id, reserved);
    try {
      const made = await make(reserved.id);
      if (!made.record) return { made, inspection: undefined };
      const operations = await this.keepAll(reserved.id, made.record.operations);
      const inspection = { ...reserved, machine: { ...made.record, operations } };
      const before = this.all.find((each) => originOf(each) === originOf(source));
      await this.take(inspection, before);
      return { made, inspection };
    } finally {
      this.opening.delete(reserved.id);
    }
  }

  async close(inspection: Inspection): Promise<void> {
    const now = this.open.get(inspection.id);
    if (!now) return;
    this.open.delete(now.id);
    this.walks.delete(inspection.id);
    if (this.currentId === inspection.id) this.currentId = [...this.open.keys()].at(-1);
    await this.keep();
    this.changes.fire({ inspection, change: 'closed' });
    await this.engine.close(inspection.id);
    await this.turns.get(inspection.id)?.catch(() => undefined);
    this.turns.delete(inspection.id);
    await this.operationFiles.forget(now.machine?.operations ?? []);
  }

  /** Reads the image again, or the one that the description names now; the ids of what did not change stay. */
  async refresh(
    inspection: Inspection,
    source: Pick<InspectionSource, 'description' | 'imageUri'>,
  ): Promise<void> {
    const renewed = await this.update(inspection, source);
    if (!renewed) return;
    await this.engine.close(inspection.id);
    this.walks.delete(inspection.id);
    this.changes.fire({ inspection: renewed, change: 'refreshed' });
  }

  /**
   * Shows tables of a trace at another row, in the place and under the id of those before, so that what is open in the tree stays
   * open. When they cannot be built those before stay.
   */
  async replayAt(
    inspection: Inspection,
    source: Pick<InspectionSource, 'title' | 'replay'>,
    options?: RequestOptions,
  ): Promise<Inspection> {
    const before = { title: inspection.title, replay: inspection.replay };
    const renewed = await this.update(inspection, source);
    if (!renewed) throw closed();
    await this.engine.close(inspection.id);
    this.walks.delete(inspection.id);
    try {
      await this.engine.open(inspection.id, options);
    } catch (error) {
      await this.update(inspection, before);
      await this.engine.close(inspection.id);
      throw error;
    }
    this.changes.fire({ inspection: renewed, change: 'refreshed' });
    this.makeCurrent(renewed);
    return renewed;
  }

  async setFilter(inspection: Inspection, where: string): Promise<void> {
    const changed = await this.update(inspection, { where });
    if (changed) this.changes.fire({ inspection: changed, change: 'filter' });
  }

  /** Walks, and keeps the walk as this inspection's last one. */
  async walk(
    inspection: Inspection,
    iommu: string | undefined,
    request: TranslateRequest,
    options?: RequestOptions,
  ): Promise<WalkResult> {
    const where = iommu === undefined ? {} : { iommu };
    const result = await this.ask(inspection, 'walk', { ...where, request }, options);
    this.walks.set(inspection.id, result);
    const walk: JournalWalk = { ...where, ...request, iova: `0x${request.iova.toString(16)}` };
    const changed = await this.update(inspection, { walk });
    if (changed) this.changes.fire({ inspection: changed, change: 'walk' });
    return result;
  }

  /** The last walk's answer, asked for again after a restart. */
  async lastWalk(inspection: Inspection): Promise<WalkResult | undefined> {
    const known = this.walks.get(inspection.id);
    if (known ?? !inspection.walk) return known;
    const { iommu } = inspection.walk;
    const request = walkRequest(inspection.walk);
    const result = await this.ask(inspection, 'walk', iommu === undefined ? { request } : { iommu, request });
    this.walks.set(inspection.id, result);
    return result;
  }

  /** What was found on opening, or stands there since the last operation; opens what is not open yet. */
  summary(inspection: Inspection, options?: RequestOptions): Promise<InspectionSummary> {
    return inspection.machine
      ? this.ask(inspection, 'summary', {}, options)
      : this.engine.open(inspection.id, options);
  }

  /** Does an operation on an emulated machine, and keeps it in the journal. */
  operate(
    inspection: Inspection,
    operation: MachineOperation,
    options?: RequestOptions,
  ): Promise<OperationReport> {
    return this.inTurn(inspection, async () => {
      // Before it is done: one that cannot be kept would be lost with the engine.
      const kept = await this.operationFiles.keep(operation);
      try {
        const report = await this.ask(inspection, 'operate', { operation }, options);
        await this.record(inspection, (operations) => [...operations, kept]);
        // Closed meanwhile: nothing leads to it.
        if (!this.open.has(inspection.id)) await this.operationFiles.forget([kept]);
        return report;
      } catch (error) {
        await this.operationFiles.forget([kept]);
        throw error;
      }
    });
  }

  /** Takes back the last operation on an emulated machine. */
  undo(inspection: Inspection, options?: RequestOptions): Promise<void> {
    return this.inTurn(inspection, async () => {
      const now = this.open.get(inspection.id)?.machine?.operations ?? [];
      // Before it is done: what cannot be kept would be lost with the engine.
      const without = await this.operationFiles.withoutLast(now);
      try {
        await this.ask(inspection, 'undo', {}, options);
      } catch (error) {
        await this.operationFiles.forget(without.filter((each) => !now.includes(each)));
        throw error;
      }
      await this.record(inspection, () => without);
      await this.operationFiles.forget(now.slice(-1));
    });
  }

  private inTurn<T>({ id }: Inspection, task: () => Promise<T>): Promise<T> {
    const before = this.turns.get(id) ?? Promise.resolve();
    const mine = before.then(task, task);
    this.turns.set(id, mine);
    return mine;
  }

  private async record(
    { id }: Inspection,
    change: (operations: readonly JournalOperation[]) => readonly JournalOperation[],
  ): Promise<void> {
    const now = this.open.get(id);
    if (!now?.machine) return;
    const machine = { ...now.machine, operations: change(now.machine.operations) };
    this.walks.delete(id);
    const changed = await this.update(now, { machine });
    if (changed) this.changes.fire({ inspection: changed, change: 'operated' });
  }

  /** Asks the engine about an inspection. */
  ask<M extends InspectionMethod>(
    inspection: Inspection,
    method: M,
    params: Omit<Params<M>, 'inspection'>,
    options?: RequestOptions,
  ): Promise<ResultOf<M>> {
    // `Omit` of a generic type does not give the type back when the key is added again.
    const whole = { ...params, inspection: inspection.id } as Params<M> & { inspection: InspectionId };
    return this.engine.askAbout(method, whole, options);
  }

  /** What the engine needs to open an inspection of this list. */
  async openParams(id: InspectionId): Promise<OpenParams> {
    const inspection = this.open.get(id) ?? this.opening.get(id);
    if (!inspection) throw closed();
    const { machine, replay } = inspection;
    if (replay) return { inspection: id, replay };
    if (machine) {
      const operations: MachineOperation[] = [];
      for (const kept of machine.operations) operations.push(...(await this.operationFiles.read(kept)));
      return { inspection: id, machine: { ...machine, operations } };
    }
    const image = await this.readImage(inspection.imageUri);
    return { inspection: id, description: inspection.description, image };
  }

  /** How the engine gets at an image. Whether a large one may be read whole is asked once. */
  readImage(uri: vscode.Uri): Promise<FileSource> {
    return readImage(uri, this.canReadPaths, this.allowedSizes);
  }

  dispose(): void {
    this.changes.dispose();
  }

  private async keepAll(
    id: InspectionId,
    operations: readonly MachineOperation[],
  ): Promise<readonly JournalOperation[]> {
    try {
      return await this.operationFiles.keepAll(operations);
    } catch (error) {
      await this.engine.close(id);
      throw error;
    }
  }

  /** Puts what the engine has open into the list, in the place of what it replaces. */
  private async take(inspection: Inspection, before: Inspection | undefined): Promise<void> {
    this.open.set(inspection.id, inspection);
    if (before) await this.close(before);
    this.currentId = inspection.id;
    await this.keep();
    this.changes.fire({ inspection, change: 'opened' });
  }

  private async update(inspection: Inspection, part: Partial<Inspection>): Promise<Inspection | undefined> {
    const now = this.open.get(inspection.id);
    if (!now) return undefined;
    const changed = { ...now, ...part };
    this.open.set(now.id, changed);
    await this.keep();
    return changed;
  }

  private keep(): Thenable<void> {
    return this.state.update(JOURNAL_KEY, storeJournal(this.all.map(toJournal)));
  }

  private freshId(): InspectionId {
    const numbers = [...this.open.keys(), ...this.opening.keys()]
      .map((id) => Number(id.slice(1)))
      .filter(Number.isSafeInteger);
    return `i${Math.max(0, ...numbers) + 1}`;
  }
}

const NOTHING_YET = { where: '', walk: undefined, machine: undefined, replay: undefined };

const closed = (): RequestError =>
  new RequestError({
    code: 'host/closed',
    message: vscode.l10n.t('This memory image or machine was closed.'),
    hint: vscode.l10n.t('Open the image again with "IOPTE: Open Recent Image", or make the machine anew.'),
  });

/** Where an inspection came from: one image may have several descriptions. */
const originOf = ({ descriptionUri, imageUri }: InspectionSource): string =>
  (descriptionUri ?? imageUri).toString();

function toJournal(inspection: Inspection): JournalEntry {
  const { id, title, description, where, walk, descriptionUri, imageUri, machine, replay } = inspection;
  return {
    ...{ id, title, description, where, imageUri: imageUri.toString() },
    ...(machine && { machine }),
    ...(replay && { replay }),
    ...(descriptionUri && { descriptionUri: descriptionUri.toString() }),
    ...(walk && { walk }),
  };
}

const fromJournal = (entry: JournalEntry): Inspection => ({
  ...entry,
  walk: entry.walk,
  machine: entry.machine,
  replay: entry.replay,
  imageUri: vscode.Uri.parse(entry.imageUri),
  descriptionUri: entry.descriptionUri === undefined ? undefined : vscode.Uri.parse(entry.descriptionUri),
});
