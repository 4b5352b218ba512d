import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { type ScenarioOutcome } from '../../inspection/protocol';
import { type ScenarioCall, type ScenarioCommand, type ScenarioOptions } from '../command';
import { badUsage, cancelled, RUN_EXIT, type CliError } from '../errors';
import { flatten, sweepColumns, type FlatRow, type SweepColumn } from '../scenarios/columns';
import { isScenario, scenarioHint } from '../scenarios/files';
import { MOST_ROWS, parseShard, rowCount, rowsOf, type Row, type Shard } from '../scenarios/grid';
import { parquetOf } from '../scenarios/parquet';
import { addPoolOptions, EnginePool, limitsOf } from '../scenarios/pool';
import { performRun, RunsProgress, settle } from '../scenarios/runs';
import { parseSettings, type Settings } from '../scenarios/settings';
import { ScenarioFiles } from '../scenarios/scenarioFiles';
import { planRun, readScenario, withoutVariant, type ScenarioSource } from '../scenarios/source';
import { COUNTS_KEY, SweepFolder, type SweepCounts, type SweepIdentity } from '../scenarios/sweepFolder';

interface SweepOptions extends ScenarioOptions {
  readonly set: Settings;
  readonly out: string;
  readonly variant?: string;
  readonly shard?: Shard;
  readonly force?: boolean;
  readonly jobs?: number;
  readonly memory?: bigint;
}

const WHOLE: Shard = { index: 1, of: 1 };

export const sweep: ScenarioCommand<SweepOptions> = {
  name: 'sweep',
  summary: 'run a scenario with every combination of settings, into Parquet',
  operand: { syntax: '<FILE>', help: 'scenario (*.iopte.yaml)' },
  about: `
Every row has its own index, so that shards that ran anywhere come to the same as one run: docs/sweeps.md.
A shard whose file is there is left alone; one that was stopped goes on where it was.
Exit codes: 0 every row passed, 1 some did not, 2 bad usage or a file that cannot run, 130 cancelled.`,
  examples: [
    'migration.iopte.yaml --set migrate.link=25Gbps,100Gbps --set migrate.pages.policy=as-is,split-eagerly --out results',
    'migration.iopte.yaml --set migrate.link=25Gbps,100Gbps --shard 1/2 --out results',
  ],
  configure(command) {
    command
      .requiredOption('--set <path=a,b,...>', 'values to try; may be repeated', parseSettings)
      .requiredOption('--out <dir>', 'folder of the results')
      .option('--variant <name>', 'only this variant (default: each)')
      .option('--shard <i/n>', 'only the rows of part I of N (default: 1/1)', parseShard)
      .option('--force', 'compute a shard again whose file is there');
    addPoolOptions(command);
  },
  async run(call) {
    const { options, signal } = call;
    const [file = ''] = call.operands;
    await checkFile(file);
    const limits = limitsOf(options);
    const pool = new EnginePool(limits, call.startEngine, signal);
    try {
      const source = await pool.run(0, (engine) => readScenario(engine, file, call.warn));
      await sweepShard(call, pool, source, limits.jobs);
    } finally {
      await pool.dispose();
    }
  },
};

async function checkFile(file: string): Promise<void> {
  if (isScenario(file)) return;
  const folder = await stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );
  throw badUsage(
    folder ? `${file} is a folder` : `${file} is no scenario`,
    folder ? 'name one scenario in it' : scenarioHint(file),
  );
}

async function sweepShard(
  call: ScenarioCall<SweepOptions>,
  pool: EnginePool,
  source: ScenarioSource,
  jobs: number,
): Promise<void> {
  const { set: settings, shard = WHOLE, out, force } = call.options;
  const variants = variantsOf(source, call.options.variant);
  const total = rowCount(variants, settings);
  if (total > MOST_ROWS) {
    throw badUsage(`${total} combinations`, `at most ${MOST_ROWS}: sweep fewer values at once`);
  }
  const named = new ScenarioFiles(source.file, true);
  await checkSettings(pool, source, rowsOf(variants, settings, WHOLE).slice(0, CHECKED_ROWS), named);
  const identity: SweepIdentity = {
    scenario: source.title,
    sha256: hash(source.text, await named.read(filesOf(source, settings))),
    version: call.version,
    variants,
    settings: Object.fromEntries(settings),
    rows: total,
    shards: shard.of,
  };
  const folder = await SweepFolder.open(out, identity, shard);
  const rows = rowsOf(variants, settings, shard);
  const before = force === true ? undefined : await folder.done();
  if (before) {
    await tell(call, { file: folder.part, rows: rows.length, skipped: true, ...before });
    return;
  }
  if (force === true) await folder.forget();
  const columns = sweepColumns(settings);
  const results = await runRows(call, pool, { source, named, folder, rows, columns, jobs });
  const counts = countsOf(columns, results);
  const about = { 'iopte.sweep': JSON.stringify(identity), [COUNTS_KEY]: JSON.stringify(counts) };
  await folder.finish(parquetOf(columns, results, about));
  warnOfError(call, columns, results);
  await tell(call, { file: folder.part, rows: rows.length, ...counts });
}

/** The variants of a sweep's rows; [null]: the file has none. */
function variantsOf(source: ScenarioSource, variant: string | undefined): readonly (string | null)[] {
  const { variants } = source;
  if (variant === undefined) return variants.length === 0 ? [null] : variants;
  if (variants.includes(variant)) return [variant];
  throw withoutVariant(source, variant);
}

/** Rows of a sweep's beginning of which one at least has to be possible: else a path or a value is mistyped. */
const CHECKED_ROWS = 100;

/** The same for every shard, so that either all of them run or none does. Throws why the first row cannot run. */
async function checkSettings(
  pool: EnginePool,
  source: ScenarioSource,
  rows: readonly Row[],
  named: ScenarioFiles,
): Promise<void> {
  let first: CliError | undefined;
  for (const { variant, set } of rows) {
    const came = await settle(pool.run(0, (engine) => planRun(engine, source, variant, set, named)));
    if (came.ok) return;
    first ??= came.why;
  }
  if (first) throw first;
}

/** The scenario's files and those that a setting names instead. */
const filesOf = ({ files }: ScenarioSource, settings: Settings): readonly string[] => [
  ...files,
  ...[...settings].flatMap(([key, values]) => (key.endsWith('.file') ? values : [])),
];

function hash(text: string, files: Readonly<Record<string, Uint8Array>>): string {
  const sum = createHash('sha256').update(text);
  for (const [name, bytes] of Object.entries(files)) sum.update(`\0${name}\0${bytes.length}\0`).update(bytes);
  return sum.digest('hex');
}

interface ShardWork {
  readonly source: ScenarioSource;
  readonly named: ScenarioFiles;
  readonly folder: SweepFolder;
  readonly rows: readonly Row[];
  readonly columns: readonly SweepColumn[];
  readonly jobs: number;
}

/** Runs the rows that are not done yet; each is kept as it ends. Throws when it was cancelled. */
async function runRows(
  call: ScenarioCall<SweepOptions>,
  pool: EnginePool,
  { source, named, folder, rows, columns, jobs }: ShardWork,
): Promise<readonly FlatRow[]> {
  const { signal } = call;
  const done = await folder.finished(rows);
  const left = rows.filter(({ index }) => !done.has(index));
  const progress = new RunsProgress(call.progress, left.length);
  const one = async ({ index, variant, set }: Row): Promise<ScenarioOutcome> => {
    const run = await pool.run(0, (engine) => planRun(engine, source, variant, set, named));
    const show = progress.of(`row ${index}`);
    return pool.run(run.memory, (engine) => performRun(engine, run, named, signal, show));
  };
  let lost: CliError | undefined;
  const perform = async (row: Row): Promise<void> => {
    const came = await settle(one(row));
    progress.ended(`row ${row.index}`);
    // Another try may go well: not a result of this row.
    if (!came.ok && came.lost) lost ??= came.why;
    if (signal.aborted || lost) return;
    const result = came.ok ? { row, outcome: came.value } : { row, error: errorOf(source.file, came.why) };
    const flat = flatten(columns, result);
    done.set(row.index, flat);
    await folder.keep(flat);
  };
  const waiting = left.values();
  const inTurn = async (): Promise<void> => {
    for (const row of waiting) if (!signal.aborted && !lost) await perform(row);
  };
  // One that is checked for each that runs.
  await Promise.all(Array.from({ length: 2 * jobs }, inTurn));
  if (signal.aborted || lost) {
    if (done.size > 0) {
      call.warn(`iopte: ${done.size} of ${rows.length} rows are kept; the same command goes on from there\n`);
    }
    throw lost ?? cancelled();
  }
  return rows.flatMap(({ index }) => done.get(index) ?? []);
}

/** In a line, and the same wherever the scenario lies. */
function errorOf(file: string, { message }: CliError): string {
  const [line = ''] = message.split('\n', 1);
  return line.startsWith(`${file}:`) ? line.slice(file.length + 1) : line;
}

function countsOf(columns: readonly SweepColumn[], results: readonly FlatRow[]): SweepCounts {
  const passed = results.filter(({ values }) => values[placeOf(columns, 'passed')] === true).length;
  const errors = results.filter(({ values }) => values[placeOf(columns, 'error')] !== null).length;
  return { passed, failed: results.length - passed - errors, errors };
}

const placeOf = (columns: readonly SweepColumn[], wanted: string): number =>
  columns.findIndex(({ name }) => name === wanted);

function warnOfError(
  { warn }: ScenarioCall<SweepOptions>,
  columns: readonly SweepColumn[],
  results: readonly FlatRow[],
): void {
  const place = placeOf(columns, 'error');
  const first = results.find(({ values }) => values[place] !== null);
  const why = first?.values[place];
  if (first && typeof why === 'string') warn(`iopte: row ${first.index} could not run: ${why}\n`);
}

interface ShardReport extends SweepCounts {
  readonly file: string;
  readonly rows: number;
  readonly skipped?: true;
}

/** Says what came of a shard, now or when it ran before: the exit code is the same. */
async function tell(
  { options, output, exitWith }: ScenarioCall<SweepOptions>,
  report: ShardReport,
): Promise<void> {
  const { file, rows, passed, failed, errors } = report;
  exitWith(passed === rows ? RUN_EXIT.passed : RUN_EXIT.failed);
  if (options.json === true) {
    await output.json([report]);
    return;
  }
  const there = report.skipped ? ' (there already, so it is left alone: --force computes it again)' : '';
  const what = `${passed} passed, ${failed} failed, ${errors} could not run`;
  await output.lines([`${file}: ${rows} row${rows === 1 ? '' : 's'}, ${what}${there}`]);
}
