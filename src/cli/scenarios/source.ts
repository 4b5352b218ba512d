import { type EngineClient, type ScenarioProblem } from '../../inspection/protocol';
import { badInput, pointAt, positionOf, type CliError } from '../errors';
import { readBounded } from './files';
import { type ScenarioFiles } from './scenarioFiles';

const TEXT_BYTES = 2 ** 20;

/** A scenario file without errors. */
export interface ScenarioSource {
  readonly file: string;
  readonly text: string;
  readonly title: string;
  readonly variants: readonly string[];
  /** Names of the files that its variants name. */
  readonly files: readonly string[];
  /** Bytes that a run takes at most, roughly. */
  readonly memory: number;
}

/** One variant of one file, as settings make it. */
export interface ScenarioRun {
  readonly source: ScenarioSource;
  /** null: the file has no variants. */
  readonly variant: string | null;
  readonly set: Readonly<Record<string, string>>;
  readonly files: readonly string[];
  /** Bytes of the run, with its files. */
  readonly memory: number;
}

/** Reads and checks a scenario. Throws a CliError: why it cannot run, with file, line and column. Warnings go to `warn`. */
export async function readScenario(
  engine: EngineClient,
  file: string,
  warn: (text: string) => void,
): Promise<ScenarioSource> {
  const text = decoded(file, await readBounded(file, file, TEXT_BYTES));
  const { problems, outline } = await engine.request('checkScenario', { text });
  refuseErrors(file, text, problems);
  if (!outline) throw badInput(`${file}:1:1: error: this is no scenario`);
  for (const problem of problems) warn(`${placed(file, text, problem)}\n`);
  const { title, files, memory } = outline;
  return { file, text, title, variants: outline.variants.map(({ name }) => name), files, memory };
}

/** What a run needs. Throws a CliError for settings that the scenario cannot have, and for files that cannot be read. */
export async function planRun(
  engine: EngineClient,
  source: ScenarioSource,
  variant: string | null,
  set: Readonly<Record<string, string>>,
  named: ScenarioFiles,
): Promise<ScenarioRun> {
  let { files, memory } = source;
  if (Object.keys(set).length > 0) {
    const { text } = source;
    const { problems, outline } = await engine.request('checkScenario', { text, variant, set });
    refuseErrors(source.file, text, problems);
    if (outline) ({ files, memory } = outline);
  }
  return { source, variant, set, files, memory: memory + 2 * (await named.bytes(files)) };
}

export function withoutVariant({ file, variants }: ScenarioSource, variant: string): CliError {
  return badInput(
    `${file} has no variant "${variant}"`,
    variants.length === 0 ? 'it has none: leave --variant out' : `variants here: ${variants.join(', ')}`,
  );
}

function refuseErrors(file: string, text: string, problems: readonly ScenarioProblem[]): void {
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw badInput(errors.map((problem) => placed(file, text, problem)).join('\n'));
}

/**
 * As compilers write it, so that editors find the place:
 *
 *     a.iopte.yaml:3:8: error: There is no vendor "smuv3".
 *       machine: { vendor: smuv3 }
 *                          ^^^^^
 *     hint: did you mean "smmuv3"?
 */
function placed(file: string, text: string, problem: ScenarioProblem): string {
  const { line, column } = positionOf(text, problem.start);
  const hint = problem.hint === undefined || problem.hint === '' ? '' : `\nhint: ${problem.hint}`;
  const head = `${file}:${line}:${column}: ${problem.severity}: ${problem.message}`;
  return `${head}\n${pointAt(text, problem)}${hint}`;
}

function decoded(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw badInput(`${file}:1:1: error: it is not UTF-8`, 'save it as UTF-8');
  }
}
