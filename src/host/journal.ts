import type { MachineOperation, MachineSpec, TraceReplay, TranslateRequest } from '../inspection/protocol';

/** The workspace's state is read and written as a whole, so that longer traces of DMA are kept in files beside it. */
export const MOST_REQUESTS_IN_JOURNAL = 2000;

/**
 * What is needed to bring an inspection back, bit for bit, in a new engine or a reloaded window. It holds no image
 * bytes: the image is read again from where it was, and an emulated machine is built again from what was done to it.
 */
export interface JournalEntry {
  readonly id: string;
  readonly title: string;
  /** Set for an emulated machine, whose `description` is empty and whose `imageUri` only names it. */
  readonly machine?: JournalMachine;
  /** Set for tables as a trace left them at one of its rows; the trace is named by its URI, and `imageUri` only names them. */
  readonly replay?: TraceReplay;
  /** The description as it was opened, not as its file is now. */
  readonly description: string;
  /** URI of the description's file; absent when it was never written. */
  readonly descriptionUri?: string;
  readonly imageUri: string;
  /** The filter, in the filter language; empty for none. */
  readonly where: string;
  readonly walk?: JournalWalk;
}

/** A machine and all that was done to it. */
export interface JournalMachine {
  readonly version: 1;
  readonly spec: MachineSpec;
  readonly operations: readonly JournalOperation[];
}

export type JournalOperation = MachineOperation | OperationInFile | OperationsInFile;

/** An operation that is kept in a file: mostly a trace of DMA. */
export interface OperationInFile {
  readonly kind: 'inFile';
  /** Its name, in the folder that the editor gives the extension. */
  readonly file: string;
  /** Of a trace; 0 of another operation. */
  readonly requests: number;
}

/** Many operations, one after the other, that are kept in one file: what a scenario did. */
export interface OperationsInFile {
  readonly kind: 'manyInFile';
  readonly file: string;
  readonly operations: number;
}

export const isKeptInFile = (operation: JournalOperation): operation is OperationInFile | OperationsInFile =>
  operation.kind === 'inFile' || operation.kind === 'manyInFile';

/** How many operations there are, with those that are kept in files together. */
export const countOperations = ({ operations }: JournalMachine): number =>
  operations.reduce((sum, each) => sum + (each.kind === 'manyInFile' ? each.operations : 1), 0);

/** The last walk's question; its answer follows from the image. */
export interface JournalWalk {
  readonly iommu?: string;
  readonly requester: number;
  readonly segment?: number;
  readonly pasid: number | null;
  /** 0x hexadecimal: JSON has no 64-bit integers. */
  readonly iova: string;
  readonly access: 'read' | 'write';
}

const JOURNAL_VERSION = 3;
/** Version 1 had images only, version 2 machines too, in the same form. */
const READABLE_VERSIONS: readonly unknown[] = [1, 2, JOURNAL_VERSION];

/** The form in which the journal is kept in the workspace's state. */
export interface StoredJournal {
  readonly version: typeof JOURNAL_VERSION;
  readonly inspections: readonly JournalEntry[];
}

export const storeJournal = (inspections: readonly JournalEntry[]): StoredJournal => ({
  version: JOURNAL_VERSION,
  inspections,
});

/** Reads a kept journal. What another version or another program left there is not trusted: it gives no entries. */
export function readJournal(stored: unknown): readonly JournalEntry[] {
  if (!isRecord(stored) || !READABLE_VERSIONS.includes(stored['version'])) return [];
  const entries: unknown = stored['inspections'];
  return Array.isArray(entries) ? entries.filter(isEntry) : [];
}

export const walkRequest = (walk: JournalWalk): TranslateRequest => ({
  requester: walk.requester,
  ...(walk.segment !== undefined && { segment: walk.segment }),
  pasid: walk.pasid,
  iova: BigInt(walk.iova),
  access: walk.access,
});

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

function isEntry(value: unknown): value is JournalEntry {
  if (!isRecord(value)) return false;
  const texts = [value['id'], value['title'], value['description'], value['imageUri'], value['where']];
  const uri = value['descriptionUri'];
  const walk = value['walk'];
  const machine = value['machine'];
  const replay = value['replay'];
  return (
    (machine === undefined || isMachine(machine)) &&
    (replay === undefined || isReplay(replay)) &&
    texts.every((text) => typeof text === 'string') &&
    (uri === undefined || typeof uri === 'string') &&
    (walk === undefined || isWalk(walk))
  );
}

/** Whether it may be a machine: what it says of one is checked when it is built. */
const isMachine = (value: unknown): value is JournalMachine =>
  isRecord(value) &&
  value['version'] === 1 &&
  isRecord(value['spec']) &&
  Array.isArray(value['operations']) &&
  value['operations'].every(isOperation);

/** Whether it may be a replay: rows and rules are checked when it is built. */
const isReplay = (value: unknown): value is TraceReplay =>
  isRecord(value) &&
  typeof value['trace'] === 'string' &&
  Number.isSafeInteger(value['row']) &&
  isRecord(value['spaces']) &&
  typeof value['spaces']['by'] === 'string';

/** A name that leads out of the folder is none of ours. */
const isOperation = (value: unknown): boolean =>
  isRecord(value) &&
  typeof value['kind'] === 'string' &&
  ((value['kind'] !== 'inFile' && value['kind'] !== 'manyInFile') ||
    (typeof value['file'] === 'string' &&
      /^[\w-]+\.json$/.test(value['file']) &&
      typeof value[value['kind'] === 'inFile' ? 'requests' : 'operations'] === 'number'));

function isWalk(value: unknown): value is JournalWalk {
  if (!isRecord(value)) return false;
  const { iommu, requester, segment, pasid, iova, access } = value as Partial<
    Record<keyof JournalWalk, unknown>
  >;
  return (
    (iommu === undefined || typeof iommu === 'string') &&
    typeof requester === 'number' &&
    (segment === undefined || typeof segment === 'number') &&
    (pasid === null || typeof pasid === 'number') &&
    typeof iova === 'string' &&
    /^0x[0-9a-f]{1,16}$/.test(iova) &&
    (access === 'read' || access === 'write')
  );
}
