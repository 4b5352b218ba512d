/** What scenario files add to an inspection's engine: checking, help while writing, and running. */
import { type ScenarioOutcome, type ScenarioOutline, type ScenarioProblem } from '../scenario/outcome';
import { type MachineRecord } from './machine';

export type {
  ExpectationFailure,
  ScenarioOutcome,
  ScenarioOutline,
  ScenarioProblem,
} from '../scenario/outcome';
export type { MigrationResult, MigrationRound } from '../engine/migration/result';

export const SCENARIO_SUFFIX = '.iopte.yaml';

export interface ScenarioCompletion {
  readonly label: string;
  readonly insert: string;
  readonly kind: 'key' | 'value' | 'snippet';
  readonly detail?: string;
  readonly documentation?: string;
  /** What it replaces; offsets half-open. */
  readonly start: number;
  readonly end: number;
}

export interface ScenarioRequests {
  /**
   * All that is wrong with a text; none: it can run. The outline is there as far as the text can be read. With `set`: of one
   * variant as `runScenario` would run it, and the outline's `files` and `memory` are of that run alone.
   */
  checkScenario: {
    params: { text: string; variant?: string | null; set?: Readonly<Record<string, string>> };
    result: { readonly problems: readonly ScenarioProblem[]; readonly outline: ScenarioOutline | null };
  };
  completeScenario: {
    params: { text: string; offset: number };
    result: { readonly items: readonly ScenarioCompletion[]; readonly more: boolean };
  };
  /** Markdown; null: nothing is known of what stands there. */
  hoverScenario: {
    params: { text: string; offset: number };
    result: { readonly markdown: string; readonly start: number; readonly end: number } | null;
  };
  /** The JSON schema (draft-07) of the language, for other editors. */
  scenarioSchema: { params: Record<string, never>; result: { readonly schema: object } };
  /** Starting points, of which New Scenario offers a list. */
  scenarioTemplates: {
    params: Record<string, never>;
    result: readonly {
      readonly id: string;
      readonly title: string;
      readonly about: string;
      readonly text: string;
    }[];
  };
  /**
   * Runs one variant. With `inspection` the machine opens under that id, as `open` would have it from `record`; without, it is
   * thrown away and there is no record. Cancelled, it gives what there is, marked so; cancelled within an operation, the machine is
   * not opened, and `open` builds it from the record. Fails when the text has errors, with the first one.
   */
  runScenario: {
    params: {
      readonly text: string;
      /** For the outcome, and for messages. */
      readonly file: string;
      readonly variant: string | null;
      /** `machine.memory`, `parameters.protocol` -> the value as YAML has it; over what the file and the variant say. */
      readonly set?: Readonly<Record<string, string>>;
      /** The files that the outline names, by those names. */
      readonly files?: Readonly<Record<string, Uint8Array>>;
      readonly inspection?: string;
    };
    result: {
      readonly outcome: ScenarioOutcome;
      readonly record: MachineRecord | null;
      readonly opened: boolean;
    };
  };
  /** A scenario that makes the same machine by the same operations. Large traces of DMA go into `files`. */
  machineAsScenario: {
    params: {
      readonly inspection: string;
      readonly title: string;
      /** What the names of those files begin with; else they are named after the title. */
      readonly stem?: string;
    };
    result: { readonly text: string; readonly files: Readonly<Record<string, Uint8Array>> };
  };
}
