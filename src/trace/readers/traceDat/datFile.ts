import { type CpuPages } from './pages';
import { type EventFormat } from './eventFormat';
import { type TraceProblem } from '../../model/reader';

/** How the pages of a ring buffer are laid out: what `header_page` says. */
export interface PageLayout {
  readonly bytes: number;
  /** Of the word that says how many bytes of the page hold events, and bytes of that word: the kernel's long. */
  readonly commit: number;
  readonly commitBytes: number;
  readonly data: number;
}

/** What was recorded on one CPU into one buffer. */
export interface CpuBuffer {
  readonly cpu: number;
  /** The trace instance; empty for the top one. */
  readonly instance: string;
  readonly pages: CpuPages;
}

/** What a trace.dat holds, whichever its version. */
export interface DatFile {
  readonly version: number;
  readonly bigEndian: boolean;
  readonly layout: PageLayout;
  readonly formats: readonly EventFormat[];
  /** Names of tasks by pid. */
  readonly commands: ReadonlyMap<number, string>;
  readonly buffers: readonly CpuBuffer[];
  readonly clock: string;
  /** What is added to all times, in nanoseconds. */
  readonly timeOffset: bigint;
  /** What the file says of itself: version of trace-cmd, kernel, CPUs. */
  readonly about: readonly string[];
  readonly problems: readonly TraceProblem[];
}
