import {
  ENGINE_LOST,
  RequestError,
  type EngineClient,
  type Progress,
  type ScenarioOutcome,
} from '../../inspection/protocol';
import { CliError, fromFailure } from '../errors';
import { type ProgressLine } from '../progress';
import { type ScenarioFiles } from './scenarioFiles';
import { type ScenarioRun } from './source';

/** What came of something that may not have been possible. */
export type Came<T> =
  | { readonly ok: true; readonly value: T }
  /** `lost`: the engine stopped, so that another try may go well. */
  | { readonly ok: false; readonly why: CliError; readonly lost: boolean };

/** Turns what was thrown into a value, but for bugs. */
export async function settle<T>(promise: Promise<T>): Promise<Came<T>> {
  try {
    return { ok: true, value: await promise };
  } catch (error) {
    if (error instanceof CliError) return { ok: false, why: error, lost: false };
    if (!(error instanceof RequestError)) throw error;
    return { ok: false, why: fromFailure(error.failure), lost: error.code === ENGINE_LOST };
  }
}

/** `samples/a.iopte.yaml (broken)`. */
export const runName = (file: string, variant: string | null): string =>
  variant === null ? file : `${file} (${variant})`;

/** Runs a variant on an engine; cancelled, it gives what there is. `named`: the files of its scenario. */
export async function performRun(
  engine: EngineClient,
  { source, variant, set, files }: ScenarioRun,
  named: ScenarioFiles,
  signal: AbortSignal,
  onProgress: (progress: Progress) => void,
): Promise<ScenarioOutcome> {
  const { file, text } = source;
  const params = { text, file, variant, set, files: await named.read(files) };
  return (await engine.request('runScenario', params, { signal, onProgress })).outcome;
}

/** How far many runs are, as one line. */
export class RunsProgress {
  #done = 0;
  readonly #parts = new Map<string, number>();

  constructor(
    private readonly line: ProgressLine,
    private readonly total: number,
  ) {}

  /** For the progress of the run of that name. */
  of(name: string): (progress: Progress) => void {
    return ({ message, fraction = 0 }) => {
      this.#parts.set(name, fraction);
      this.#show(`${name}: ${message}`);
    };
  }

  ended(name: string): void {
    this.#parts.delete(name);
    this.#done++;
    this.#show(name);
  }

  #show(what: string): void {
    const running = [...this.#parts.values()].reduce((sum, part) => sum + part, 0);
    this.line.show({
      message: `${this.#done} of ${this.total}: ${what}`,
      fraction: (this.#done + running) / this.total,
    });
  }
}
