import { type MachineOperation } from '../machine/operation';

/** Work in slices: gives way at each yield, so that whoever runs it can show progress and stop. */
export type Slices<T> = Generator<void, T, void>;

/** What costs are counted by. */
export interface TableWork {
  /** Leaf entries that were looked at. */
  readonly leaves: number;
  /** Invalidations with their waits. */
  readonly flushes: number;
  /** Large leaves that were split, and the entries that were written for them. */
  readonly splits: number;
  readonly entries: number;
}

export interface Harvest extends TableWork {
  /** Bytes that devices and vCPUs are reported to have written, each once. */
  readonly reported: number;
  /** Bytes that they wrote, by pages of 4 KiB. */
  readonly written: number;
  /** Of `reported`, what vCPUs wrote. */
  readonly byCpus: number;
}

/** Leaves that are dirty now by log2 of their bytes, and what a harvest would report. */
export interface Pending {
  readonly leaves: ReadonlyMap<number, number>;
  readonly bytes: number;
}

/**
 * What is migrated: memory that devices and vCPUs write while time passes, and tables that know it by their leaves. Bytes and
 * seconds. Nothing happens but by these calls.
 */
export interface DirtySource {
  /** What was done to a machine so far, in order; a model does nothing. */
  readonly operations: readonly MachineOperation[];
  /** Accesses of devices so far. */
  readonly requests: number;
  /** Of what `write` does just now, how much is done: 0 to 1. */
  readonly share: number;
  /** Bytes of guest memory. */
  readonly memory: number;
  /** Leaf entries now, and by page size in bytes. */
  readonly leaves: number;
  readonly bySize: Readonly<Record<string, number>>;
  /** Bytes of devices' states that can be had while they run, and that need them stopped. */
  readonly deviceState: { readonly running: number; readonly stopped: number };
  /** Changes page sizes as the policy says, and begins to track. What was written before is not reported. */
  prepare(): Slices<TableWork>;
  /** Lets devices and vCPUs run. */
  write(seconds: number): Slices<void>;
  pending(): Slices<Pending>;
  /**
   * Reports what was written since the last one, makes it clean, and splits what the policy says. onTop: only what the last one
   * did not report.
   */
  harvest(onTop: boolean): Slices<Harvest>;
  /** Devices and vCPUs stop; what devices write back then is written. */
  stop(): Slices<void>;
  /** Devices' states are read, after the last harvest; bytes that they write for it. */
  save(): Slices<number>;
  /** Bytes that were written and that no report named: the destination has them as they were. For the end. */
  lost(): Slices<number>;
  /** Tracking ends, devices run (given up) or not, pages become as large as the policy says; entries that were read for it. */
  finish(runs: boolean): Slices<number>;
}
