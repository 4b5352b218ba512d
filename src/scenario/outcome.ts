import { type MigrationResult } from '../engine/migration/result';

/** What a run of one variant of a scenario came to. Plain JSON; bytes and seconds. The command line prints it as it is. */
export interface ScenarioOutcome {
  /** As it was named by whoever asked. */
  readonly file: string;
  /** null: the file has no variants. */
  readonly variant: string | null;
  readonly title: string;
  readonly passed: boolean;
  readonly failures: readonly ExpectationFailure[];
  /** Requests of devices. */
  readonly requests: number;
  /** Bytes, by pages of 4 KiB. */
  readonly dirty: {
    /** Distinct pages that devices, vCPUs and the host wrote; that reports named, report by report added up. */
    readonly written: number;
    readonly reported: number;
    /** Pages whose newest contents the destination would never get. */
    readonly lost: number;
    /** Reported and not written. */
    readonly over: number;
  };
  /** Records in the fault logs. */
  readonly faults: number;
  /** Of computing. */
  readonly seconds: number;
  readonly migration: MigrationResult | null;
  /** Set when it was cancelled: what there is up to then. */
  readonly cancelled?: true;
}

export interface ExpectationFailure {
  /** From 1; of the expectation, or of the step that went wrong. */
  readonly line: number;
  /** Offsets in the text, half-open. */
  readonly start: number;
  readonly end: number;
  /** What was looked at: `lost`, `entries[0].dirty`, `split`. */
  readonly what: string;
  readonly expected: string;
  readonly actual: string;
}

/** A problem of a scenario's text; offsets half-open. */
export interface ScenarioProblem {
  readonly severity: 'error' | 'warning';
  readonly start: number;
  readonly end: number;
  readonly message: string;
  /** What to do about it: `did you mean "smmuv3"?`. */
  readonly hint?: string;
}

/** What an editor shows of a file before it runs. */
export interface ScenarioOutline {
  readonly title: string;
  readonly about?: string;
  readonly start: number;
  readonly end: number;
  readonly variants: readonly {
    readonly name: string;
    readonly about?: string;
    readonly start: number;
    readonly end: number;
  }[];
  readonly migrates: boolean;
  /** Files that it names, relative to it: what a run needs beside the text. */
  readonly files: readonly string[];
  /** Bytes that a run takes at most, by a rough count: how many may run side by side. */
  readonly memory: number;
}
