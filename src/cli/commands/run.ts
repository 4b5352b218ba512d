import { open, type FileHandle } from 'node:fs/promises';
import { type ScenarioOutcome } from '../../inspection/protocol';
import { parseAddress, parseLimit } from '../arguments';
import { type ScenarioCall, type ScenarioCommand, type ScenarioOptions } from '../command';
import { badInput, badUsage, errorText, RUN_EXIT, type CliError } from '../errors';
import { timeText } from '../figures';
import { findScenarios, reason, type FoundScenario } from '../scenarios/find';
import { junitXml, type JUnitCase } from '../scenarios/junit';
import { defaultLimits, EnginePool } from '../scenarios/pool';
import { outcomeJson, printOutcome } from '../scenarios/report';
import { performRun, runName, RunsProgress, settle, type Came, type ScenarioRun } from '../scenarios/runs';
import { parseSetting, type Settings } from '../scenarios/settings';
import { readScenario, type ScenarioSource } from '../scenarios/source';

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
      .option('--junit <file>', 'write JUnit XML, too')
      .option('--jobs <n>', 'run so many at a time (default: the cores)', parseLimit)
      .option(
        '--memory <size>',
        'memory that they may take together (default: 60% of what is free)',
        parseAddress,
      );
  },
  async run(call) {
    const { options, signal } = call;
    const found = await findScenarios(call.operands, signal);
    const junit = options.junit === undefined ? undefined : await openJUnit(options.junit);
    const limits = defaultLimits();
    const pool = new EnginePool(
      { jobs: options.jobs ?? limits.jobs, bytes: Number(options.memory ?? limits.bytes) },
      call.startEngine,
      signal,
    );
    try {
      const cases = await runAll(call, pool, found.files);
      for (const problem of found.problems) call.warn(errorText(problem));
      const trouble = found.problems.length > 0 || cases.some(({ came }) => came.kind === 'error');
      const failed = cases.some(({ came }) => came.kind === 'outcome' && !came.outcome.passed);
      if (options.json !== true) await summarise(call, cases);
      await junit?.writeFile(junitXml(cases));
      call.exitWith(trouble ? RUN_EXIT.trouble : failed ? RUN_EXIT.failed : RUN_EXIT.passed);
    } finally {
      await junit?.close();
      await pool.dispose();
    }
  },
};

/** Before anything runs: an hour's results must not be lost to a folder that is not there. */
async function openJUnit(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'w');
  } catch (error) {
    throw badUsage(`${file} cannot be written: ${reason(error)}`);
  }
}

interface Planned {
  readonly found: FoundScenario;
  readonly runs: Came<readonly ScenarioRun[]>;
}

async function runAll(
  call: ScenarioCall<RunOptions>,
  pool: EnginePool,
  files: readonly FoundScenario[],
): Promise<readonly JUnitCase[]> {
  const plans = await plan(call, pool, files);
  const total = plans.reduce((sum, { runs }) => sum + (runs.ok ? runs.value.length : 0), 0);
  const progress = new RunsProgress(call.progress, total);
  const set = Object.fromEntries([...(call.options.set ?? [])].map(([key, [value = '']]) => [key, value]));
  const started = plans.map(({ found, runs }) => ({
    file: found.file,
    runs: runs.ok
      ? runs.value.map((one) => ({ one, came: settle(start(call, pool, one, set, progress)) }))
      : [],
    why: runs.ok ? undefined : runs.why,
  }));
  // Some end badly before it is their turn to be looked at.
  for (const { runs } of started) for (const { came } of runs) came.catch(() => undefined);
  const cases: JUnitCase[] = [];
  for (const { file, runs, why } of started) {
    if (why) cases.push(inTrouble(call, file, null, why));
    for (const { one, came } of runs) cases.push(await tell(call, one, await came));
  }
  return cases;
}

/** Reads and checks all files, and says what is to run of each. */
async function plan(
  call: ScenarioCall<RunOptions>,
  pool: EnginePool,
  files: readonly FoundScenario[],
): Promise<readonly Planned[]> {
  const { variant } = call.options;
  const sources = await Promise.all(
    files.map(({ file }) => settle(pool.run(0, (engine) => readScenario(engine, file, call.warn)))),
  );
  const plans = files.flatMap((found, index): readonly Planned[] => {
    const source = sources[index];
    if (source === undefined) return [];
    if (!source.ok) return [{ found, runs: source }];
    const runs = runsOf(source.value, variant);
    if (runs.length > 0) return [{ found, runs: { ok: true, value: runs } }];
    return found.named
      ? [{ found, runs: { ok: false, why: withoutVariant(source.value, variant), lost: false } }]
      : [];
  });
  if (plans.length === 0 && !call.signal.aborted) {
    throw badInput(`no scenario has a variant "${variant ?? ''}"`, 'leave --variant out to run all of them');
  }
  return plans;
}

function runsOf(source: ScenarioSource, variant: string | undefined): readonly ScenarioRun[] {
  const names = source.outline.variants.map(({ name }) => name);
  if (variant === undefined)
    return (names.length === 0 ? [null] : names).map((name) => ({ source, variant: name }));
  return names.includes(variant) ? [{ source, variant }] : [];
}

function withoutVariant({ file, outline }: ScenarioSource, variant = ''): CliError {
  const names = outline.variants.map(({ name }) => name);
  return badInput(
    `${file} has no variant "${variant}"`,
    names.length === 0 ? 'it has none: leave --variant out' : `variants here: ${names.join(', ')}`,
  );
}

async function start(
  { signal }: ScenarioCall<RunOptions>,
  pool: EnginePool,
  one: ScenarioRun,
  set: Readonly<Record<string, string>>,
  progress: RunsProgress,
): Promise<ScenarioOutcome> {
  const name = runName(one.source.file, one.variant);
  try {
    return await pool.run(one.source.memory, (engine) =>
      performRun(engine, one, set, signal, progress.of(name)),
    );
  } finally {
    progress.ended(name);
  }
}

/** Prints what came of a run. */
async function tell(
  call: ScenarioCall<RunOptions>,
  { source, variant }: ScenarioRun,
  came: Came<ScenarioOutcome>,
): Promise<JUnitCase> {
  const { file, text } = source;
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
