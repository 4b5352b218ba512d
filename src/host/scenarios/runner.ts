import * as vscode from 'vscode';
import {
  RequestError,
  type RequestOptions,
  type Params,
  type ScenarioOutcome,
  type ScenarioOutline,
  type ScenarioProblem,
} from '../../inspection/protocol';
import { signalOf } from '../cancel';
import type { EngineHost } from '../engineHost';
import { ActionableError } from '../errors';
import { MACHINE_SCHEME, type Inspection, type Inspections } from '../inspections';
import type { Checked, ScenarioChecks } from './checks';
import { problemText } from './diagnostics';
import { showRange, type ScenarioFailures } from './failures';
import { nameOf, positionsOf, readFilesOf, readScenario, stemOf } from './files';
import type { ScenarioResults } from './results';

/** A scenario that can run: its text, and what it needs beside it. */
export interface Runnable {
  readonly uri: vscode.Uri;
  readonly text: string;
  readonly outline: ScenarioOutline;
  readonly files: Readonly<Record<string, Uint8Array>>;
}

export interface RunOptions extends RequestOptions {
  readonly set?: Readonly<Record<string, string>>;
  /** Whether the machine that it leaves opens as an inspection. */
  readonly open?: boolean;
}

export interface Ran {
  readonly outcome: ScenarioOutcome;
  readonly inspection: Inspection | undefined;
}

/** After the last run, the engine of runs that open nothing is kept for the next ones. */
const IDLE_MS = 20_000;

/** Runs scenarios, and knows which are under way. */
export class ScenarioRunner implements vscode.Disposable {
  private readonly running = new Set<vscode.CancellationTokenSource>();
  private idle: unknown;

  constructor(
    private readonly engine: EngineHost,
    /** Of their own, for runs that open nothing: what they take, or break, leaves the views alone. */
    private readonly batch: EngineHost,
    private readonly inspections: Inspections,
    private readonly checks: ScenarioChecks,
    private readonly results: ScenarioResults,
    private readonly failures: ScenarioFailures,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** Reads a scenario and all that it names. Throws what is wrong with it, with a way to the place. */
  async prepare(uri: vscode.Uri): Promise<Runnable> {
    const text = await readScenario(uri);
    const outline = runnable(uri, text, await this.checks.ofText(text));
    return { uri, text, outline, files: await readFilesOf(uri, outline) };
  }

  /** The same for one run of a sweep: settings make a scenario impossible, or name other files. */
  async prepareWith(
    { uri, text, files }: Runnable,
    variant: string | null,
    set: Readonly<Record<string, string>>,
  ): Promise<Runnable> {
    const outline = runnable(uri, text, await this.checks.ofText(text, { variant, set }));
    const hasAll = outline.files.every((name) => name in files);
    return { uri, text, outline, files: hasAll ? files : await readFilesOf(uri, outline) };
  }

  /** Runs one variant; null where there are none. What it comes to is kept, and failed expectations are shown in the text. */
  async run(
    scenario: Runnable,
    variant: string | null,
    { set = {}, open = false, ...options }: RunOptions = {},
  ): Promise<Ran> {
    const { uri, text, files } = scenario;
    const stop = new vscode.CancellationTokenSource();
    const cancel = (): void => {
      stop.cancel();
    };
    if (options.signal?.aborted === true) throw new vscode.CancellationError();
    options.signal?.addEventListener('abort', cancel);
    this.begin(stop);
    const isPlain = Object.keys(set).length === 0;
    try {
      const params = { text, file: nameOf(uri), variant, files, ...(!isPlain && { set }) };
      const request = { ...options, signal: signalOf(stop.token) };
      if (open) return await this.runOpening(scenario, params, request);
      const { outcome } = await this.batch.runScenario(params, request);
      await this.keep(scenario, outcome, set);
      return { outcome, inspection: undefined };
    } finally {
      options.signal?.removeEventListener('abort', cancel);
      this.end(stop);
      stop.dispose();
    }
  }

  /** Takes back what failed expectations show in the text. */
  forgetFailures(uri: vscode.Uri): void {
    this.failures.clear(uri);
  }

  /** Cancels everything that is under way; each keeps what it has. */
  stop(): void {
    for (const each of this.running) each.cancel();
  }

  dispose(): void {
    this.stop();
    clearTimeout(this.idle);
    void this.batch.dispose();
  }

  private async runOpening(
    scenario: Runnable,
    params: Params<'runScenario'>,
    request: RequestOptions,
  ): Promise<Ran> {
    const { uri } = scenario;
    const { variant } = params;
    const title = variant === null ? stemOf(uri) : `${stemOf(uri)} (${variant})`;
    const imageUri = vscode.Uri.from({
      scheme: MACHINE_SCHEME,
      path: `/${title}`,
      query: uri.toString(),
      fragment: variant ?? '',
    });
    const source = { title, description: '', descriptionUri: undefined, imageUri };
    const { made, inspection } = await this.inspections.addMade(source, async (inspection) => {
      const result = await this.engine.runScenario({ ...params, inspection }, request);
      // Before the machine's record is written, for which a disk may have no room.
      await this.keep(scenario, result.outcome, params.set ?? {});
      return result;
    });
    return { outcome: made.outcome, inspection };
  }

  private async keep(
    { uri, text }: Runnable,
    outcome: ScenarioOutcome,
    set: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { file, variant, failures } = outcome;
    this.log.info(`${file}${variant === null ? '' : ` (${variant})`}: ${verdict(outcome)}`);
    this.results.add({ uri, text, outcome, set });
    if (Object.keys(set).length === 0) await this.failures.show(uri, text, variant, failures);
  }

  private begin(run: vscode.CancellationTokenSource): void {
    clearTimeout(this.idle);
    this.running.add(run);
    this.tell();
  }

  private end(run: vscode.CancellationTokenSource): void {
    this.running.delete(run);
    this.tell();
    // The memory of the largest machine is the engine's until it ends.
    if (this.running.size === 0)
      this.idle = setTimeout(() => {
        this.batch.end().catch((error: unknown) => {
          this.log.error(`The engine of scenarios did not end: ${String(error)}`);
        });
      }, IDLE_MS);
  }

  private tell(): void {
    void vscode.commands.executeCommand('setContext', 'iopte:scenarioRuns', this.running.size > 0);
  }
}

/** A scenario that cannot run: what is wrong first, and where. */
export class ScenarioError extends ActionableError {
  readonly range: vscode.Range;
  /** Without the place. */
  readonly said: string;

  constructor(uri: vscode.Uri, text: string, problem: ScenarioProblem | undefined) {
    const at = positionsOf(text);
    const range = new vscode.Range(at(problem?.start ?? 0), at(problem?.end ?? 0));
    const said = problem ? problemText(problem) : vscode.l10n.t('This is no scenario.');
    const place = `${nameOf(uri)}:${range.start.line + 1}:${range.start.character + 1}`;
    super({ code: 'scenario/problem', message: `${place}: ${said}` }, [
      { label: vscode.l10n.t('Show Problem'), run: () => showRange(uri, range) },
    ]);
    this.range = range;
    this.said = said;
  }
}

function runnable(uri: vscode.Uri, text: string, { problems, outline }: Checked): ScenarioOutline {
  const wrong = problems.find(({ severity }) => severity === 'error');
  if (wrong || !outline) throw new ScenarioError(uri, text, wrong);
  return outline;
}

/** The variants that running a file means: all of them; null for a file without. */
export const variantsOf = ({ variants }: ScenarioOutline): readonly (string | null)[] =>
  variants.length === 0 ? [null] : variants.map(({ name }) => name);

/** A variant by its name; throws where the file has none of that name. */
export function namedVariant({ variants }: ScenarioOutline, name: string): string {
  if (variants.some((each) => each.name === name)) return name;
  throw new RequestError({
    code: 'scenario/variant',
    message: vscode.l10n.t('There is no variant {0}.', name),
    hint:
      variants.length === 0
        ? vscode.l10n.t('The scenario has no variants.')
        : vscode.l10n.t('The variants are: {0}.', variants.map((each) => each.name).join(', ')),
  });
}

/** What a run came to, in a word or two. */
export function verdict({ passed, cancelled, failures }: ScenarioOutcome): string {
  if (cancelled) return vscode.l10n.t('cancelled');
  if (passed) return vscode.l10n.t('passed');
  return failures.length === 1
    ? vscode.l10n.t('1 expectation failed')
    : vscode.l10n.t('{0} expectations failed', failures.length);
}
