import { type Command } from 'commander';
import { type EngineClient } from '../inspection/protocol';
import { type ExitCode } from './errors';
import { type Output } from './output';
import { type ProgressLine } from './progress';
import { type Session } from './session';
import { type SourceOptions } from './source';

/** Options that every command has. */
export interface CommonOptions extends SourceOptions {
  readonly json?: boolean;
}

/** What a command gets when it runs: the opened source, where to write, what was asked. */
export interface Call<Options extends CommonOptions> {
  readonly session: Session;
  readonly file: string;
  /** What stands behind FILE, and the source it names where it is one. */
  readonly operand?: string;
  readonly other?: Session;
  /** Sets the exit code where that is an answer. */
  readonly exitWith: (code: ExitCode) => void;
  readonly output: Output;
  readonly options: Options;
  /** Warnings and notes, on standard error. */
  readonly note: (text: string) => void;
}

/** A command: one file of src/cli/commands each, listed in program.ts. */
export interface CliCommand<Options extends CommonOptions> {
  readonly name: string;
  readonly summary: string;
  /** Lines after `iopte NAME`. */
  readonly examples: readonly string[];
  /** Set for a command that takes something behind FILE; a second source is opened before it runs. */
  readonly operand?: { readonly syntax: string; readonly help: string; readonly isSource: boolean };
  /** Set for a command that looks at FILE itself: nothing is opened, and no registers are needed. */
  readonly opensNothing?: boolean;
  /** Set for a command that is about no file. */
  readonly takesNoFile?: boolean;
  /** What FILE is, where it is no image or description: in a word, and below the options. */
  readonly fileHelp?: string;
  readonly about?: string;
  /** Exit code of bad input where it is not the usual one. */
  readonly badInputExit?: ExitCode;
  /** Adds the options; FILE, --registers, --kind and --json are there already. */
  configure(command: Command): void;
  run(call: Call<Options>): Promise<void>;
}

/** Options that every command on scenario files has. */
export interface ScenarioOptions {
  readonly json?: boolean;
}

/** What a command on scenario files gets: nothing is open, and it starts engines as it needs them. */
export interface ScenarioCall<Options extends ScenarioOptions> {
  /** Operands, as they were written. */
  readonly operands: readonly string[];
  readonly options: Options;
  readonly output: Output;
  readonly progress: ProgressLine;
  /** Aborted by Ctrl-C and by SIGTERM. */
  readonly signal: AbortSignal;
  /** Version of the program. */
  readonly version: string;
  readonly startEngine: () => Promise<EngineClient>;
  /** Lines on standard error, as they are. */
  readonly warn: (text: string) => void;
  readonly exitWith: (code: ExitCode) => void;
}

/** A command on scenario files: one file of src/cli/commands each, listed in program.ts. Its exit codes are RUN_EXIT. */
export interface ScenarioCommand<Options extends ScenarioOptions> {
  readonly name: string;
  readonly summary: string;
  readonly operand: { readonly syntax: string; readonly help: string };
  /** Help behind the options: what is read and written. */
  readonly about: string;
  /** Lines after `iopte NAME`. */
  readonly examples: readonly string[];
  /** Adds the options; --json is there already. */
  configure(command: Command): void;
  run(call: ScenarioCall<Options>): Promise<void>;
}
