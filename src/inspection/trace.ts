/** What traces add to an inspection's engine: opening, rows, filters, search, analysis, and tables as they stood at a row. */
import { type TextProblem } from '../image/description/textProblem';
import { type ImageFile } from '../image/openImage';
import { type Completion } from '../engine/filter/completion';
import { type Failure } from '../engine/result';
import { type Operation } from '../trace/model/operation';
import { type TraceProblem } from '../trace/model/reader';
import { type FindingKind } from '../trace/replay/findingKinds';
import { type TraceGroup, type TraceGroupBy } from '../trace/query/traceGroup';
import { type TraceRow } from '../trace/query/traceRow';
import { type Page, type PageRequest } from './pages';

export type { FlagName, Operation } from '../trace/model/operation';
export type { TraceProblem } from '../trace/model/reader';
export { formatSeconds } from '../trace/query/times';
export { TRACE_GROUPS } from '../trace/query/traceGroup';
export type { TraceGroup, TraceGroupBy } from '../trace/query/traceGroup';
export type { TraceRow } from '../trace/query/traceRow';

/** Names one opened trace. Chosen by the caller, so that a rebuilt engine gives the same ids. */
export type TraceId = string;
/** Names one filtered view of a trace; chosen by the caller. The empty text is the view of all rows. */
export type TraceViewId = string;

export interface TraceSummary {
  readonly trace: TraceId;
  readonly name: string;
  /** `ftrace`, and `ftrace text, latency format, gzip`. */
  readonly format: string;
  readonly title: string;
  /** Bytes of the trace unpacked, and how many of them have been read into rows. */
  readonly bytes: number;
  readonly read: number;
  /** Rows so far: events, unknown lines and marks of lost events. */
  readonly rows: number;
  readonly complete: boolean;
  readonly events: Readonly<Record<string, number>>;
  readonly operations: Readonly<Partial<Record<Operation, number>>>;
  /** Lines that nobody understands, and events that the tracer lost. */
  readonly unknown: number;
  readonly lost: number;
  /** Nanoseconds that row times count from. */
  readonly origin: string;
  readonly timeDigits: number;
  /** Nanoseconds since origin of the first and the last row that has a time. */
  readonly firstTime: number | null;
  readonly lastTime: number | null;
  readonly header: string;
  readonly namesDevices: boolean;
  readonly devices: readonly string[];
  /** Address spaces told apart so far, by the rules last given. */
  readonly spaces: readonly string[];
  readonly problems: readonly TraceProblem[];
  readonly problemCount: number;
  /** True when the index came from the cache, and why one that was there was not used. */
  readonly cached: boolean;
}

export interface TraceRowPage {
  readonly rows: readonly TraceRow[];
  /** Index of the first row in the view. */
  readonly first: number;
  /** Rows that the view has so far, and whether that is all. */
  readonly total: number;
  readonly complete: boolean;
}

/** What a search looks for: a filter, or text in lines (without regard to case). */
export type TraceQuery = { readonly where: string } | { readonly text: string };

/** Where to go. */
export type TracePlace =
  | { readonly row: number }
  /** The first row at or after this time; nanoseconds since origin. */
  | { readonly time: number }
  /** The next row, from `after` on and around the end, whose range has this address. */
  | { readonly iova: string; readonly after?: number };

/** How rows are told apart by address space. */
export interface TraceSpaces {
  /**
   * `auto`: by device or domain where the trace names them, else one space, and another for each mapping that the first cannot
   * hold; `device` and `domain` as the rows say; `rules`: the first rule that matches.
   */
  readonly by: 'auto' | 'device' | 'domain' | 'rules';
  /** A name for each filter. Rows that none matches stay together, as `other`. */
  readonly rules?: readonly { readonly name: string; readonly where: string }[];
}

/** Tables as they stood at a row of a trace. */
export interface TraceReplay {
  readonly trace: TraceId;
  /** The last row that is taken, from 0. */
  readonly row: number;
  readonly spaces: TraceSpaces;
  /** As a machine's specification names vendors; absent: what the trace speaks of, or VT-d. */
  readonly vendor?: string;
}

/** A mapping from the row that made it to the row that took it away. */
export interface TraceLifetime {
  readonly space: string;
  readonly iova: string;
  readonly size: number;
  readonly paddr: string | null;
  readonly mapRow: number;
  /** Null: still mapped at the end of the trace. */
  readonly unmapRow: number | null;
  /** Nanoseconds it lived; null when it still does, or there is no time. */
  readonly lived: number | null;
  /** The row of the flush that covered it after the unmap. */
  readonly flushRow: number | null;
}

export { FINDING_KINDS as TRACE_FINDINGS } from '../trace/replay/findingKinds';
export type TraceFindingKind = FindingKind;

export interface TraceFinding {
  readonly kind: TraceFindingKind;
  readonly row: number;
  /** The other row that it is about: the map that a double map meets. */
  readonly other: number | null;
  readonly space: string;
  readonly iova: string;
  readonly size: number;
  /** One sentence with the facts. */
  readonly message: string;
}

export interface TraceRequests {
  /** Opens a trace and reads its first rows; `traceIndex` reads on. Fails when the format is not known. */
  traceOpen: { params: { trace: TraceId; file: ImageFile }; result: TraceSummary };
  /** Reads to the end, with progress; cancelled, it keeps what was read and can go on later. */
  traceIndex: { params: { trace: TraceId }; result: TraceSummary };
  traceSummary: { params: { trace: TraceId }; result: TraceSummary };
  traceClose: { params: { trace: TraceId }; result: null };
  /** Rows of a view; at most 1000. Negative `first` is refused, one beyond the end gives none. */
  traceRows: {
    params: { trace: TraceId; view: TraceViewId; first: number; count: number };
    result: TraceRowPage;
  };
  /**
   * Makes or replaces a view, and scans all rows that are there, with progress; `traceRows` of the view answers meanwhile with
   * what was found. Done when every row read so far has been asked.
   */
  traceFilter: {
    params: { trace: TraceId; view: TraceViewId; where: string };
    result: { readonly matched: number; readonly scanned: number; readonly complete: boolean };
  };
  traceDropView: { params: { trace: TraceId; view: TraceViewId }; result: null };
  /** The next row of the view from index `from` on (itself first) that matches, forwards or backwards; null: none, up to the end. */
  traceFind: {
    params: {
      trace: TraceId;
      view: TraceViewId;
      query: TraceQuery;
      from: number;
      backwards?: boolean;
    };
    result: { readonly index: number; readonly row: number } | null;
  };
  /** The index in the view of a place: of its row, or of the first row of the view behind it. */
  traceSeek: {
    params: { trace: TraceId; view: TraceViewId; place: TracePlace };
    result: { readonly index: number; readonly row: number } | null;
  };
  traceGroups: {
    params: { trace: TraceId; where: string; by: TraceGroupBy; page: PageRequest };
    /** `left`: rows of the groups that are one too many to be told apart; they are in none of the pages. */
    result: Page<TraceGroup> & { readonly left: number };
  };
  /** Rows of the view in `buckets` parts of equal length (at most 4096), by operation: maps, unmaps, faults, the rest. */
  traceDensity: {
    params: { trace: TraceId; view: TraceViewId; buckets: number };
    result: {
      readonly total: number;
      readonly maps: readonly number[];
      readonly unmaps: readonly number[];
      readonly faults: readonly number[];
      readonly others: readonly number[];
    };
  };
  checkTraceFilter: { params: { trace: TraceId; where: string }; result: readonly TextProblem[] };
  completeTraceFilter: {
    params: { trace: TraceId; where: string; offset: number };
    result: readonly Completion[];
  };
  /** The rows that the filter leaves, as CSV (RFC 4180), TSV or JSON lines: pieces of about 1 MB, each with the place of the next. */
  traceExport: {
    params: {
      trace: TraceId;
      where: string;
      format: 'csv' | 'tsv' | 'jsonl';
      /** Row to begin with; given by the piece before. */
      from: number;
      /** Rows at most. */
      limit?: number;
    };
    result: { readonly text: string; readonly rows: number; readonly next: number | null };
  };
  /** Tells address spaces apart from now on; says how many rows each has, and what the trace did not let be told apart. */
  traceSpaces: {
    params: { trace: TraceId; spaces: TraceSpaces };
    result: {
      readonly spaces: readonly { readonly name: string; readonly rows: number; readonly live: number }[];
      readonly notes: readonly Failure[];
    };
  };
  /** How many mappings are live after a row, in which spaces, and what tables built from them would leave out. */
  traceLive: {
    params: { trace: TraceId; row: number; spaces: TraceSpaces };
    result: {
      readonly spaces: readonly {
        readonly name: string;
        readonly mappings: number;
        readonly bytes: number;
      }[];
      readonly notes: readonly Failure[];
    };
  };
  /** What happened to one IOVA: every row whose range has it, and the mappings that held it. */
  traceHistory: {
    params: { trace: TraceId; iova: string; space?: string; page: PageRequest };
    result: Page<TraceRow> & { readonly lifetimes: readonly TraceLifetime[] };
  };
  /** Mappings by the order of their maps. `where` is asked of the row that mapped. */
  traceLifetimes: {
    params: { trace: TraceId; where: string; page: PageRequest };
    result: Page<TraceLifetime>;
  };
  /** `where` is asked of the row that a finding is of; counts then are of what matches. */
  traceFindings: {
    params: { trace: TraceId; kinds?: readonly TraceFindingKind[]; where?: string; page: PageRequest };
    result: Page<TraceFinding> & { readonly counts: Readonly<Record<TraceFindingKind, number>> };
  };
}
