/**
 * The only door of the inspection: what host, webview and command line may know of it. Requests go in with an id, can be
 * cancelled, and fail as a `Failure` at the caller; lists are pages. Addresses and entries are bigint here (an edge).
 */
import { type FieldValue } from '../engine/bits/bitFields';
import { type VendorWords } from '../engine/directory/deviceDirectory';
import { type Fault } from '../engine/faults';
import { type Failure } from '../engine/result';
import { type Completion } from '../engine/filter/completion';
import { type IommuKind } from '../image/description/registers';
import { type TextProblem } from '../image/description/textProblem';
import { type ImageFile } from '../image/openImage';
import { type ImageProblem } from '../image/problems';
import { type CancelSignal, type Progress } from '../bytes/task';
import { type DomainKey, type DomainRow, type EntryRef, type Permission, type Run } from './mapping';
import { type AddressRange, type Page, type PageRequest } from './pages';
import { type MachineRecord, type MachineRequests } from './machine';
import { type RootsParams, type RootsResult } from './roots';
import { type ScenarioRequests } from './scenario';
import { type TraceReplay, type TraceRequests } from './trace';
import {
  type AliasesParams,
  type AliasPage,
  type CompareParams,
  type DifferencePage,
  type FindParams,
  type FoundPage,
} from './questions';

export type { Failure, Result } from '../engine/result';
export { failure, success } from '../engine/result';
export type { AddressRange, Page, PageRequest } from './pages';
export type { DomainKey, DomainRow, EntryRef, EntryRole, Permission, Run } from './mapping';
export type * from './questions';
export type * from './machine';
export type * from './scenario';
export type * from './trace';
export { formatSeconds, TRACE_FINDINGS, TRACE_GROUPS } from './trace';
export { SCENARIO_SUFFIX } from './scenario';
export { parseRange } from './addressRange';
export { MAPPING_COLUMNS, domainKeyOf, domainTag, mappingRow, sameDomain } from './mapping';
export type { RootCandidate, RootsParams, RootsResult } from './roots';
/** A text as a filter has to write it. */
export { quote as quoteForFilter } from '../engine/filter/tokens';
/** The kinds of IOMMU that a description may name, with their registers. */
export { IOMMU_KINDS, KIND_TITLES, REGISTERS } from '../image/description/registers';
export type { IommuKind, RegisterSpec } from '../image/description/registers';
export { DESCRIPTION_SUFFIX } from '../image/description/types';
export { RequestError } from './requestError';
/** `fault` of a refused request; docs/faults.md says each in full with its code in the specification. */
export { FAULTS } from '../engine/faults';
export type { Fault } from '../engine/faults';
export type { VendorWords } from '../engine/directory/deviceDirectory';
export {
  formatRequester,
  formatSize,
  hex,
  parseDevice,
  parseInteger,
  parseRequester,
} from '../engine/values';

/** Names one opened source. Chosen by the caller, so that a rebuilt engine gives the same ids. */
export type InspectionId = string;
/** Names a tree node; stable over restarts for the same source, filter-independent. */
export type NodeId = string;

/** Bytes of a file: a path the engine reads by ranges (Node), or the bytes themselves (web, virtual file systems). */
export type FileSource = ImageFile;

export type OpenParams = OpenImageParams | OpenMachineParams | OpenReplayParams;

/** Builds the tables that an opened trace leaves after one of its rows. */
export interface OpenReplayParams {
  readonly inspection: InspectionId;
  readonly replay: TraceReplay;
}

/** Builds an emulated machine, and does again what was done to it. */
export interface OpenMachineParams {
  readonly inspection: InspectionId;
  readonly machine: MachineRecord;
}

export interface OpenImageParams {
  readonly inspection: InspectionId;
  /**
   * Text of the `*.iopte.json` description. An image opened without one comes with a description made from what was asked;
   * empty for an image that says itself which IOMMUs there are (`recognise`).
   */
  readonly description: string;
  /** The image the description names. */
  readonly image: FileSource;
}

/** A problem found in the source that did not stop the opening. */
export type SourceProblem = ImageProblem;

export interface InspectionSummary {
  readonly inspection: InspectionId;
  readonly image: {
    readonly name: string;
    readonly format: string;
    /** Bytes of memory held, and of the address space they span. */
    readonly bytesHeld: bigint;
    readonly segments: number;
    readonly highestAddress: bigint;
  };
  readonly iommus: readonly IommuSummary[];
  readonly problems: readonly SourceProblem[];
  /** Set when the source is an emulated machine, which operations change. */
  readonly emulated?: true;
}

export interface IommuSummary {
  readonly name: string;
  readonly kind: IommuKind;
  readonly segment: number;
  /** What the device structures are: `VT-d legacy`. */
  readonly mode: string;
  /** False when the registers say that translation is off; `off` says what requests meet then. */
  readonly translating: boolean;
  readonly off?: string;
  /** The vendor's own words, for labels. */
  readonly words: VendorWords;
  readonly registers: readonly RegisterValue[];
  /** Set when this IOMMU cannot be read; the others still can. */
  readonly failure?: Failure;
}

export interface RegisterValue {
  readonly name: string;
  readonly value: bigint;
  readonly fields: readonly FieldValue[];
}

interface NodeBase {
  readonly id: NodeId;
  /** How many entries below have problems, as far as known without reading further; undefined: not known. */
  readonly problems?: number;
}

/** A node of the Domains tree: facts, for the host to word. */
export type TreeNode =
  | (NodeBase & {
      readonly kind: 'iommu';
      readonly summary: IommuSummary;
      readonly devices: number;
      readonly domains: number;
    })
  | (NodeBase & {
      readonly kind: 'device';
      readonly device: DeviceRow;
    })
  | (NodeBase & { readonly kind: 'devicesWithoutTable'; readonly count: number })
  | (NodeBase & { readonly kind: 'domain'; readonly domain: DomainRow })
  | (NodeBase & {
      readonly kind: 'table';
      /** The entry that points to the table. */
      readonly entry: EntryRef;
      readonly word: bigint;
      readonly range: AddressRange;
      /** Level of the table pointed to. */
      readonly level: number;
      readonly table: bigint;
      /** Why the table cannot be opened: outside the image, cycle. */
      readonly failure?: Failure;
    })
  | (NodeBase & { readonly kind: 'run'; readonly run: Run })
  | (NodeBase & {
      /** Present entries that are no good, or stale words (only A, D or software bits left). */
      readonly kind: 'entry';
      readonly entry: EntryRef;
      readonly word: bigint;
      readonly range: AddressRange;
      readonly level: number;
      readonly why: Failure;
    })
  /** Synthetic: a part of more than 1000 children. */
  | (NodeBase & {
      readonly kind: 'range';
      readonly first: string;
      readonly last: string;
      readonly count: number;
    })
  | (NodeBase & { readonly kind: 'message'; readonly why: Failure });

export interface DeviceRow {
  readonly iommu: string;
  readonly requester: number;
  readonly pasid: number | null;
  readonly translation: 'table' | 'pass-through' | 'blocked';
  readonly context: EntryRef;
  /** The address spaces its requests go through: first the one that takes their addresses, then what is above and below it. */
  readonly domains: readonly DomainKey[];
  readonly problems: readonly Failure[];
}

export type { FieldValue } from '../engine/bits/bitFields';

export interface EntryDetails {
  readonly ref: EntryRef;
  /** Title: `IOPTE, level 1 (4K page)`. */
  readonly title: string;
  /** 64-bit words, lowest address first: one for an IOPTE, two for a context entry. */
  readonly words: readonly bigint[];
  /** For each word its fields, highest bit first, every bit covered. */
  readonly fields: readonly (readonly FieldValue[])[];
  readonly problems: readonly EntryProblem[];
  /** What it maps or points to. */
  readonly target?: { readonly address: bigint; readonly what: string };
  readonly range?: AddressRange;
  readonly specification: string;
}

export interface EntryProblem extends Failure {
  readonly severity: 'error' | 'warning';
  /** Word and bits the problem is about. */
  readonly word: number;
  readonly high: number;
  readonly low: number;
}

export type Access = 'read' | 'write';

/** One DMA request. */
export interface TranslateRequest {
  /** Requester id; with an SMMU that the firmware's tables do not describe a StreamID, with RISC-V a device_id. */
  readonly requester: number;
  /** PCI segment; absent: the only one that has the device. */
  readonly segment?: number;
  readonly pasid: number | null;
  readonly iova: bigint;
  readonly access: Access;
}

export type Translation =
  | {
      readonly ok: true;
      readonly paddr: bigint;
      /** Bytes of the page; 4096 for pass-through. */
      readonly size: bigint;
      readonly perm: Permission;
      /** Level of the leaf as the specification numbers it; null for pass-through. */
      readonly level: number | null;
      /** The leaf's word; null for pass-through. */
      readonly entry: bigint | null;
    }
  | {
      readonly ok: false;
      readonly fault: Fault;
      readonly level: number | null;
      /** Set when the stage 2 below a stage 1 refused. */
      readonly stage?: 2;
    };

/** One step of a walk: an entry that was read, and what it said. */
export interface WalkStep {
  readonly entry: EntryRef;
  readonly title: string;
  readonly words: readonly bigint[];
  /** Index in its table. */
  readonly index: number;
  readonly says: string;
  readonly problems: readonly EntryProblem[];
  /** Effective permission after this step. */
  readonly perm: Permission;
  /** Of a page-table entry: whose tables it is in, and the address that these translate: guest physical in a stage 2 below. */
  readonly stage?: 1 | 2;
  readonly input?: bigint;
  /** The stage-2 walk that found this entry, when its address is a guest physical one. */
  readonly under?: readonly WalkStep[];
}

export interface WalkResult {
  readonly request: TranslateRequest;
  readonly iommu: string;
  readonly steps: readonly WalkStep[];
  readonly translation: Translation;
  /** The result in one sentence, with the reason when it fails. */
  readonly summary: string;
  readonly hint?: string;
  /** The vendor's own name or code of the fault: `fault reason 6h`, `F_TRANSLATION`. */
  readonly vendorFault?: string;
  /** The domain whose tables were walked; `locate` finds its node. */
  readonly domain?: DomainKey;
}

export interface DomainStatistics {
  readonly domain: DomainKey;
  readonly mappedBytes: bigint;
  readonly leaves: bigint;
  readonly tablesByLevel: readonly { readonly level: number; readonly tables: bigint }[];
  readonly leavesBySize: readonly {
    readonly level: number;
    readonly pageSize: bigint;
    readonly leaves: bigint;
    /** Bytes of those that are marked: an upper bound of what a device read or wrote, as a page is marked whole. */
    readonly accessedBytes: bigint;
    readonly dirtyBytes: bigint;
  }[];
  readonly leavesByPermission: readonly { readonly perm: Permission; readonly leaves: bigint }[];
  readonly accessed: bigint;
  readonly dirty: bigint;
  /** Malformed entries, those that point back to a table above them, and entries of one page that do not agree. */
  readonly problems: bigint;
  readonly unreadableTables: bigint;
  /** False when a bound was reached; `why` says which. */
  readonly complete: boolean;
  readonly why?: string;
}

export interface ListParams {
  readonly inspection: InspectionId;
  readonly domain: DomainKey;
  /** In the filter language; empty: all. */
  readonly where: string;
  readonly page: PageRequest;
}

/** Rows of a list; `scannedTo` tells how far the walk came, also when nothing matched. */
export interface RunPage extends Page<Run> {
  readonly scannedTo: bigint;
  /** Tables of this stretch that are not in the image, and entries that point back to a table above them: left out. */
  readonly unreadableTables: number;
  readonly cycles: number;
  /** Why the walk gave up before the end, though nobody asked it to. */
  readonly gaveUp?: Failure;
}

export type { TextProblem } from '../image/description/textProblem';
export type { Completion } from '../engine/filter/completion';

export type { CancelSignal, Progress } from '../bytes/task';

/** What clearing the caches gave back. */
export interface ClearedCaches {
  readonly files: number;
  readonly bytes: number;
}

/** Every request: its parameters and its result. */
export interface Requests extends MachineRequests, ScenarioRequests, TraceRequests {
  open: { params: OpenParams; result: InspectionSummary };
  close: { params: { inspection: InspectionId }; result: null };
  /** What opening gave, as it is now: operations change the registers of a machine. */
  summary: { params: { inspection: InspectionId }; result: InspectionSummary };
  /** Children of a tree node; no node: the IOMMUs. With `where`, only what matches is shown below domains. */
  children: {
    params: { inspection: InspectionId; node?: NodeId; where?: string; page: PageRequest };
    result: Page<TreeNode>;
  };
  /** The nodes from the root of the tree down to this one: for reveal and for restoring a selection. */
  path: { params: { inspection: InspectionId; node: NodeId; where?: string }; result: readonly TreeNode[] };
  /** The node that shows this IOVA of this domain (a run, a table or an entry), with its ancestors. */
  locate: {
    params: { inspection: InspectionId; domain: DomainKey; iova: bigint; where?: string };
    result: readonly TreeNode[];
  };
  devices: {
    params: { inspection: InspectionId; iommu?: string; page: PageRequest };
    result: Page<DeviceRow>;
  };
  domains: {
    params: { inspection: InspectionId; iommu?: string; page: PageRequest };
    result: Page<DomainRow>;
  };
  entry: { params: { inspection: InspectionId; entry: EntryRef }; result: EntryDetails };
  walk: {
    params: { inspection: InspectionId; iommu?: string; request: TranslateRequest };
    result: WalkResult;
  };
  translate: {
    params: { inspection: InspectionId; iommu?: string; requests: readonly TranslateRequest[] };
    result: readonly Translation[];
  };
  list: { params: ListParams; result: RunPage };
  statistics: { params: { inspection: InspectionId; domain: DomainKey }; result: DomainStatistics };
  /** Every way to a range of physical memory, over all domains of all IOMMUs. */
  find: { params: FindParams; result: FoundPage };
  /** Physical memory that is mapped more than once, by kind, then by address. */
  aliases: { params: AliasesParams; result: AliasPage };
  /** What differs between two open sources: IOMMUs, devices, domains, then the runs of each domain. */
  compare: { params: CompareParams; result: DifferencePage };
  /** Throws out unpacked files and indexes of traces that were kept on disk. What is open stays open. */
  clearCaches: { params: Record<string, never>; result: ClearedCaches };
  checkFilter: { params: { where: string }; result: readonly TextProblem[] };
  completeFilter: { params: { where: string; offset: number }; result: readonly Completion[] };
  /** Problems of a description text, with exact ranges; does not open the image. */
  checkDescription: { params: { text: string }; result: readonly TextProblem[] };
  /** Looks for the roots of IOMMU structures in an image of which nothing is known; opens no inspection. */
  roots: { params: RootsParams; result: RootsResult };
  /**
   * What a file is, from its first bytes and its name: `elf-core`, `raw`, `gzip` of these, or why it is neither. One that
   * `describesItself` opens without a description.
   */
  recognise: {
    params: { image: FileSource };
    result: { format: string; needsSegments: boolean; describesItself: boolean };
  };
}

export type Method = keyof Requests;
export type Params<M extends Method> = Requests[M]['params'];
export type ResultOf<M extends Method> = Requests[M]['result'];

/** Messages to the engine. */
export type ToEngine =
  | { readonly type: 'request'; readonly id: number; readonly method: Method; readonly params: unknown }
  | { readonly type: 'cancel'; readonly id: number };

/** Messages from the engine. */
export type FromEngine =
  | { readonly type: 'ready' }
  | { readonly type: 'result'; readonly id: number; readonly result: unknown }
  | { readonly type: 'failure'; readonly id: number; readonly failure: Failure }
  | { readonly type: 'progress'; readonly id: number; readonly progress: Progress }
  /** A bug of the engine, for the log. */
  | { readonly type: 'log'; readonly message: string };

export { CANCELLED } from '../bytes/task';
/** Code of the failure of every request that was pending when the engine was lost. */
export const ENGINE_LOST = 'engine/lost';

export interface RequestOptions {
  readonly signal?: CancelSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/** An engine, wherever it runs. Made by `startEngine()` of inspection/node or inspection/web. */
export interface EngineClient {
  /** Rejects with a `RequestError`. */
  request<M extends Method>(method: M, params: Params<M>, options?: RequestOptions): Promise<ResultOf<M>>;
  /** Where it runs: for the log and the tests. */
  readonly where: 'worker' | 'in-process';
  /** Called once when the engine is lost (crash, kill); every pending request has been rejected with ENGINE_LOST before. */
  onLost(listener: (why: Failure) => void): void;
  /** Called for each line that belongs in the log. */
  onLog(listener: (message: string) => void): void;
  dispose(): Promise<void>;
}
