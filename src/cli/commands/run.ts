import { type EngineClient, type ScenarioOutcome } from '../../inspection/protocol';
import { type ScenarioCall, type ScenarioCommand, type ScenarioOptions } from '../command';
import { badInput, errorText, RUN_EXIT, type CliError } from '../errors';
import { timeText } from '../figures';
import { findScenarios, type FoundScenario } from '../scenarios/find';
import { junitXml, type JUnitCase } from '../scenarios/junit';
import { addPoolOptions, EnginePool, limitsOf } from '../scenarios/pool';
import { outcomeJson, printOutcome } from '../scenarios/report';
import { performRun, runName, RunsProgress, settle, type Came } from '../scenarios/runs';
import { ScenarioFiles } from '../scenarios/scenarioFiles';
import { parseSetting, type Settings } from '../scenarios/settings';
import { planRun, readScenario, withoutVariant, type ScenarioRun } from '../scenarios/source';
import { ReportFile } from '../scenarios/wholeFile';

interface RunOptions extends ScenarioOptions {
  readonly variant?: string;
  readonly junit?: string;
  readonly set?: Settings;
  readonly jobs?: number;
  readonly memory?: bigint;
}

export const run: ScenarioCommand<RunOptions> = {
  name: 'run',
  summary: 'run scenarios, and say whether what they expect came true',
  operand: { syntax: '<FILE|DIR...>', help: 'scenario (*.iopte.yaml), or a folder: all scenarios below it' },
  about: `
Every variant of a file is run; one without variants is run as it is.
Exit codes: 0 everything came true, 1 something did not, 2 bad usage or a file that cannot run, 130 cancelled.`,
  examples: [
    'first.iopte.yaml',
    'samples --junit results.xml',
    'bug.iopte.yaml --variant fixed --set machine.vendor=smmuv3',
    'migration.iopte.yaml --json',
  ],
  configure(command) {
    command
      .option('--variant <name>', 'only this variant')
      .option('--set <path=value>', 'another value in the scenario; may be repeated', parseSetting)
      .option('--junit <file>', 'write JUnit XML, too');
    addPoolOptions(command);
  },
  async run(call) {
    const { options, signal } = call;
    const report = options.junit === undefined ? undefined : await ReportFile.at(options.junit);
    const found = await findScenarios(call.operands, signal);
    const pool = new EnginePool(limitsOf(options), call.startEngine, signal);
    try {
      const cases = await runAll(call, pool, found.files);
      for (const problem of found.problems) call.warn(errorText(problem));
      const trouble = found.problems.length > 0 || cases.some(({ came }) => came.kind === 'error');
      const failed = cases.some(({ came }) => came.kind === 'outcome' && !came.outcome.passed);
      if (options.json !== true) await summarise(call, cases);
      await report?.write(junitXml(cases));
      call.exitWith(trouble ? RUN_EXIT.trouble : failed ? RUN_EXIT.failed : RUN_EXIT.passed);
    } finally {
      await pool.dispose();
    }
  },
};

/** A variant of a file that was asked for, or a file that says nothing of its variants. */
interface Planned {
  readonly file: string;
  readonly variant: string | null;
  readonly run: Came<ScenarioRun>;
}

async function runAll(
  call: ScenarioCall<RunOptions>,
  pool: EnginePool,
  files: readonly FoundScenario[],
): Promise<readonly JUnitCase[]> {
  const planned = await Promise.all(
    files.map(async (found): Promise<readonly Planned[]> => {
      const came = await settle(pool.run(0, (engine) => plan(call, engine, found)));
      return came.ok ? came.value : [{ file: found.file, variant: null, run: came }];
    }),
  );
  const plans = planned.flat();
  if (plans.length === 0 && !call.signal.aborted) {
    const variant = call.options.variant ?? '';
    throw badInput(`no scenario has a variant "${variant}"`, 'leave --variant out to run all of them');
  }
  const progress = new RunsProgress(call.progress, plans.filter(({ run }) => run.ok).length);
  const started = plans.map(({ file, variant, run }) => ({
    ...{ file, variant, run },
    came: run.ok ? settle(start(call, pool, run.value, progress)) : Promise.resolve(run),
  }));
  // Some end badly before it is their turn to be looked at.
  for (const { came } of started) came.catch(() => undefined);
  const cases: JUnitCase[] = [];
  // What is wrong with a file or with a setting is the same in many variants.
  const told = new Set<string>();
  const warn = (text: string): void => {
    if (!told.has(text)) call.warn(text);
    told.add(text);
  };
  for (const { file, variant, run, came } of started) {
    const text = run.ok ? run.value.source.text : '';
    cases.push(await tell({ ...call, warn }, { file, variant, text }, await came));
  }
  return cases;
}

/** What is to run of a file. */
async function plan(
  { options, warn }: ScenarioCall<RunOptions>,
  engine: EngineClient,
  { file, named }: FoundScenario,
): Promise<readonly Planned[]> {
  const read = await settle(readScenario(engine, file, warn));
  if (!read.ok) return [{ file, variant: null, run: read }];
  const source = read.value;
  const { variant: wanted } = options;
  if (wanted !== undefined && !source.variants.includes(wanted)) {
    // Of a folder those that have it are run.
    if (!named) return [];
    return [{ file, variant: wanted, run: { ok: false, why: withoutVariant(source, wanted), lost: false } }];
  }
  const all = source.variants.length === 0 ? [null] : source.variants;
  const variants = wanted === undefined ? all : [wanted];
  const set = Object.fromEntries([...(options.set ?? [])].map(([key, [value = '']]) => [key, value]));
  const plans: Planned[] = [];
  for (const variant of variants) {
    const run = await settle(planRun(engine, source, variant, set, new ScenarioFiles(file)));
    plans.push({ file, variant, run });
  }
  return plans;
}

async function start(
  { signal }: ScenarioCall<RunOptions>,
  pool: EnginePool,
  one: ScenarioRun,
  progress: RunsProgress,
): Promise<ScenarioOutcome> {
  const { file } = one.source;
  const name = runName(file, one.variant);
  try {
    return await pool.run(one.memory, (engine) =>
      performRun(engine, one, new ScenarioFiles(file), signal, progress.of(name)),
    );
  } finally {
    progress.ended(name);
  }
}

/** Prints what came of a run. */
async function tell(
  call: ScenarioCall<RunOptions>,
  { file, variant, text }: { readonly file: string; readonly variant: string | null; readonly text: string },
  came: Came<ScenarioOutcome>,
): Promise<JUnitCase> {
  if (!came.ok) return inTrouble(call, file, variant, came.why);
  const outcome = came.value;
  if (call.options.json === true) await call.output.json([outcomeJson(outcome, text)]);
  else await printOutcome(call.output, outcome, text);
  return { file, variant, came: { kind: 'outcome', outcome, text } };
}

function inTrouble(
  { signal, warn }: ScenarioCall<RunOptions>,
  file: string,
  variant: string | null,
  why: CliError,
): JUnitCase {
  if (signal.aborted) return { file, variant, came: { kind: 'skipped' } };
  const hint = why.hint === undefined ? '' : `\nhint: ${why.hint}`;
  const { message } = why;
  // What the check of a file says has its place already.
  const placed = message.startsWith(file) ? message : `${runName(file, variant)}: error: ${message}`;
  warn(`${placed}${hint}\n`);
  return { file, variant, came: { kind: 'error', message } };
}

async function summarise(
  { output, signal }: ScenarioCall<RunOptions>,
  cases: readonly JUnitCase[],
): Promise<void> {
  const outcomes = cases.flatMap(({ came }) => (came.kind === 'outcome' ? [came.outcome] : []));
  const ended = outcomes.filter(({ cancelled }) => cancelled === undefined);
  const failed = ended.filter(({ passed }) => !passed).length;
  const errors = cases.filter(({ came }) => came.kind === 'error').length;
  const parts = [
    `${ended.length - failed} ok`,
    `${failed} failed`,
    ...(errors > 0 ? [`${errors} could not run`] : []),
    ...(signal.aborted ? [`${cases.length - ended.length - errors} not finished`] : []),
  ];
  const seconds = outcomes.reduce((sum, outcome) => sum + outcome.seconds, 0);
  await output.lines([`${parts.join(', ')}; ${timeText(seconds)} of computing`]);
}
