import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { SCENARIO_SUFFIX } from '../../inspection/protocol';
import { parseAddress, parseLimit } from '../arguments';
import { type ScenarioCall, type ScenarioCommand, type ScenarioOptions } from '../command';
import { badUsage, cancelled, RUN_EXIT } from '../errors';
import { flatten, sweepColumns, type FlatRow, type SweepColumn } from '../scenarios/columns';
import { MOST_ROWS, parseShard, rowCount, rowsOf, type Row, type Shard } from '../scenarios/grid';
import { parquetOf } from '../scenarios/parquet';
import { defaultLimits, EnginePool } from '../scenarios/pool';
import { performRun, RunsProgress, settle } from '../scenarios/runs';
import { parseSettings, type Settings } from '../scenarios/settings';
import { readNamed, readScenario, type ScenarioSource } from '../scenarios/source';
import { SweepFolder, type SweepIdentity } from '../scenarios/sweepFolder';

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
      .option('--force', 'compute a shard again whose file is there')
      .option('--jobs <n>', 'run so many at a time (default: the cores)', parseLimit)
      .option(
        '--memory <size>',
        'memory that they may take together (default: 60% of what is free)',
        parseAddress,
      );
  },
  async run(call) {
    const { options, signal } = call;
    const [file = ''] = call.operands;
    await checkFile(file);
    const limits = defaultLimits();
    const pool = new EnginePool(
      { jobs: options.jobs ?? limits.jobs, bytes: Number(options.memory ?? limits.bytes) },
      call.startEngine,
      signal,
    );
    try {
      const source = await pool.run(0, (engine) => readScenario(engine, file, call.warn));
      await sweepShard(call, pool, source);
    } finally {
      await pool.dispose();
    }
  },
};

async function checkFile(file: string): Promise<void> {
  if (file.endsWith(SCENARIO_SUFFIX)) return;
  const folder = await stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );
  throw badUsage(
    folder ? `${file} is a folder` : `${file} is no scenario`,
    `name one scenario: a file named *${SCENARIO_SUFFIX}`,
  );
}

async function sweepShard(
  call: ScenarioCall<SweepOptions>,
  pool: EnginePool,
  source: ScenarioSource,
): Promise<void> {
  const { set: settings, shard = WHOLE, out, force } = call.options;
  const variants = variantsOf(source, call.options.variant);
  const total = rowCount(variants, settings);
  if (total > MOST_ROWS) {
    throw badUsage(`${total} combinations`, `at most ${MOST_ROWS}: sweep fewer values at once`);
  }
  const files = await readNamed(source);
  const identity: SweepIdentity = {
    scenario: source.outline.title,
    sha256: hash(source.text, files),
    version: call.version,
    variants,
    settings: Object.fromEntries(settings),
    rows: total,
    shards: shard.of,
  };
  const folder = await SweepFolder.open(out, identity, shard);
  const rows = rowsOf(variants, settings, shard);
  if (force !== true && (await folder.isDone())) {
    await say(call, { file: folder.part, rows: rows.length, skipped: true });
    return;
  }
  if (force === true) await folder.forget();
  const columns = sweepColumns(settings);
  const results = await runRows(call, pool, source, { folder, rows, columns });
  await folder.finish(parquetOf(columns, results, { 'iopte.sweep': JSON.stringify(identity) }));
  await tell(call, folder.part, columns, results);
}

/** The variants of a sweep's rows; [null]: the file has none. */
function variantsOf(
  { file, outline }: ScenarioSource,
  variant: string | undefined,
): readonly (string | null)[] {
  const names = outline.variants.map(({ name }) => name);
  if (variant === undefined) return names.length === 0 ? [null] : names;
  if (names.includes(variant)) return [variant];
  throw badUsage(
    `${file} has no variant "${variant}"`,
    names.length === 0 ? 'it has none: leave --variant out' : `variants here: ${names.join(', ')}`,
  );
}

function hash(text: string, files: Readonly<Record<string, Uint8Array>>): string {
  const sum = createHash('sha256').update(text);
  for (const [name, bytes] of Object.entries(files)) sum.update(`\0${name}\0${bytes.length}\0`).update(bytes);
  return sum.digest('hex');
}

/** Runs the rows that are not done yet; each is kept as it ends. Throws when it was cancelled. */
async function runRows(
  call: ScenarioCall<SweepOptions>,
  pool: EnginePool,
  source: ScenarioSource,
  {
    folder,
    rows,
    columns,
  }: {
    readonly folder: SweepFolder;
    readonly rows: readonly Row[];
    readonly columns: readonly SweepColumn[];
  },
): Promise<readonly FlatRow[]> {
  const done = await folder.finished(rows);
  const left = rows.filter(({ index }) => !done.has(index));
  const progress = new RunsProgress(call.progress, left.length);
  const perform = async (row: Row): Promise<void> => {
    const name = `row ${row.index}`;
    const came = await settle(
      pool.run(source.memory, (engine) =>
        performRun(engine, { source, variant: row.variant }, row.set, call.signal, progress.of(name)),
      ),
    );
    progress.ended(name);
    if (call.signal.aborted) return;
    // Another try may go well: not a result of this row.
    if (!came.ok && came.lost) throw came.why;
    const flat = flatten(columns, came.ok ? { row, outcome: came.value } : { row, error: came.why.message });
    done.set(row.index, flat);
    await folder.keep(flat);
  };
  await Promise.all(left.map(perform));
  if (call.signal.aborted) {
    if (done.size > 0) {
      call.warn(`iopte: ${done.size} of ${rows.length} rows are kept; the same command goes on from there\n`);
    }
    throw cancelled();
  }
  return rows.flatMap(({ index }) => done.get(index) ?? []);
}

interface ShardReport {
  readonly file: string;
  readonly rows: number;
  readonly skipped?: true;
  readonly passed?: number;
  readonly failed?: number;
  readonly errors?: number;
}

async function tell(
  call: ScenarioCall<SweepOptions>,
  file: string,
  columns: readonly SweepColumn[],
  results: readonly FlatRow[],
): Promise<void> {
  const place = (wanted: string): number => columns.findIndex(({ name }) => name === wanted);
  const [passedAt, errorAt] = [place('passed'), place('error')];
  const passed = results.filter(({ values }) => values[passedAt] === true).length;
  const wrong = results.filter(({ values }) => values[errorAt] !== null);
  const failed = results.length - passed - wrong.length;
  await say(call, { file, rows: results.length, passed, failed, errors: wrong.length });
  const [first] = wrong;
  const why = first?.values[errorAt];
  if (first && typeof why === 'string') call.warn(`iopte: row ${first.index} could not run: ${why}\n`);
  call.exitWith(passed === results.length ? RUN_EXIT.passed : RUN_EXIT.failed);
}

async function say({ options, output }: ScenarioCall<SweepOptions>, report: ShardReport): Promise<void> {
  if (options.json === true) {
    await output.json([report]);
    return;
  }
  const { file, rows, passed = 0, failed = 0, errors = 0 } = report;
  const what = report.skipped
    ? 'there already, so it is left alone (--force computes it again)'
    : `${passed} passed, ${failed} failed, ${errors} could not run`;
  await output.lines([`${file}: ${rows} rows, ${what}`]);
}
