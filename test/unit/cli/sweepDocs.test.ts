/** docs/sweeps.md: what stands there is run, or parsed where it needs a cluster. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { parquetReadObjects } from 'hyparquet';
import { parseDocument } from 'yaml';
import { sweepColumns } from '../../../src/cli/scenarios/columns';
import { hasGnuParallel } from '../../../scripts/lib/programs.mjs';
import { CLI, ensureBuilt } from '../../built';

type Row = Readonly<Record<string, unknown>>;
interface IndexedJob {
  readonly spec: {
    readonly completionMode: string;
    readonly completions: number;
    readonly parallelism: number;
    readonly template: { readonly spec: { readonly containers: readonly { readonly command: string[] }[] } };
  };
}

const DOC = path.join(__dirname, '../../../docs/sweeps.md');
const SCRIPT = '#!/usr/bin/env bash\n';

describe('docs/sweeps.md', function () {
  this.timeout(120_000);
  let text: string;
  let folder: string;
  const blocks = (language: string): readonly string[] =>
    [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(
      ([, block = '']) => block,
    );
  const block = (language: string, has: string): string => {
    const [found, ...more] = blocks(language).filter((one) => one.includes(has));
    assert.ok(found !== undefined && more.length === 0, `one block of ${language} with ${has}`);
    return found;
  };
  before(async () => {
    text = await readFile(DOC, 'utf8');
    folder = await mkdtemp(path.join(tmpdir(), 'iopte-docs-'));
  });
  after(() => rm(folder, { recursive: true }));
  const at = (...names: string[]): string => path.join(folder, ...names);

  /** Runs a command of bash where `iopte` is the built one. */
  const bash = async (command: string, env: Readonly<Record<string, string>> = {}): Promise<string> => {
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', command], {
      cwd: folder,
      env: {
        ...process.env,
        ...env,
        HOME: folder,
        PATH: `${folder}${path.delimiter}${process.env['PATH'] ?? ''}`,
      },
    });
    return stdout + stderr;
  };

  async function writeSweep(): Promise<void> {
    ensureBuilt();
    await writeFile(at('migration.iopte.yaml'), block('yaml', 'title: A guest of 4 GiB'));
    await writeFile(at('iopte'), `${SCRIPT}exec "${process.execPath}" "${CLI}" "$@"\n`);
    await writeFile(at('sweep.sh'), block('bash', 'iopte sweep migration'));
    for (const program of ['iopte', 'sweep.sh']) await chmod(at(program), 0o755);
  }

  async function rowsOf(out: string): Promise<readonly Row[]> {
    const rows: Row[] = [];
    for (const name of (await readdir(at(out))).filter((file) => file.endsWith('.parquet'))) {
      const file = new Uint8Array(await readFile(at(out, name))).buffer;
      rows.push(...(await parquetReadObjects({ file })));
    }
    return rows.sort((a, b) => Number(a['row']) - Number(b['row']));
  }

  it('runs its sweep under GNU parallel, and it comes to the same as one run', async function () {
    // Where apt cannot install it: `npm test` says so in its layer "programs".
    if (!hasGnuParallel()) this.skip();
    await writeSweep();
    await bash(block('bash', 'seq 4 |'));
    const names = (await readdir(at('results'))).sort();
    assert.deepEqual(names, [
      ...[1, 2, 3, 4].map((part) => `part-0000${part}-of-00004.parquet`),
      'sweep.json',
    ]);
    await bash('./sweep.sh 1 1', { OUT: 'whole' });
    const rows = await rowsOf('results');
    assert.equal(rows.length, 9);
    assert.deepEqual(rows, await rowsOf('whole'));
    // As a 1 GiB leaf takes 859 ms at 10 Gb/s, more than the limit, and 86 ms at 100.
    const converged = rows
      .filter((row) => row['migrate.pages.policy'] === 'as-is')
      .map((row) => row['converged']);
    assert.deepEqual(converged, [false, false, true]);
  });

  it('has scripts that bash reads', () => {
    const scripts = blocks('bash');
    assert.equal(scripts.length, 4);
    for (const script of scripts) {
      const { status, stderr } = spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' });
      assert.equal(status, 0, stderr);
    }
    const slurm = block('bash', '#SBATCH');
    assert.ok(slurm.startsWith(SCRIPT));
    const directives = slurm.split('\n').filter((line) => line.startsWith('#SBATCH'));
    for (const line of directives) assert.match(line, /^#SBATCH --[a-z-]+(=[\w:%.-]+)?$/);
    // sbatch reads directives up to the first command only.
    assert.doesNotMatch(slurm.slice(slurm.indexOf('set -eu')), /#SBATCH/);
  });

  it('gives every task of a Slurm array and every pod of an Indexed Job a shard of its own', async () => {
    await writeFile(at('sweep.sh'), `${SCRIPT}echo "$@"\n`);
    await chmod(at('sweep.sh'), 0o755);
    const slurm = block('bash', '#SBATCH');
    const [, first, last] = /--array=(\d+)-(\d+)/.exec(slurm) ?? [];
    await writeFile(at('sweep.sbatch'), slurm);
    const task = { SLURM_CPUS_PER_TASK: '2', SLURM_MEM_PER_NODE: '4096', SLURM_ARRAY_TASK_COUNT: '1' };
    for (const id of [first, last]) {
      const said = await bash('bash sweep.sbatch', { ...task, SLURM_ARRAY_TASK_ID: String(id) });
      assert.equal(said, `${String(id)} ${String(last)} --jobs 2 --memory 2457M\n`);
    }
    assert.deepEqual([first, last], ['1', '4']);

    const document = parseDocument(block('yaml', 'kind: Job'), { strict: true, uniqueKeys: true });
    assert.deepEqual([document.errors, document.warnings], [[], []]);
    const { spec } = document.toJS() as IndexedJob;
    assert.equal(spec.completionMode, 'Indexed');
    assert.ok(spec.parallelism <= spec.completions);
    const [program, option, command = ''] = spec.template.spec.containers[0]?.command ?? [];
    assert.deepEqual([program, option], ['bash', '-c']);
    const shards: string[] = [];
    for (let index = 0; index < spec.completions; index++)
      shards.push(await bash(command, { JOB_COMPLETION_INDEX: String(index) }));
    assert.deepEqual(
      shards,
      [1, 2, 3, 4].map((shard) => `${shard} 4 --jobs 2 --memory 2G\n`),
    );
  });

  it('describes every column in order, with its type', () => {
    const settings = new Map([['migrate.link', ['1Gbps', '2Gbps']]]);
    const table = text.slice(text.indexOf('| column'), text.indexOf('## GNU parallel'));
    const rows = [...table.matchAll(/^\| ([^|]+?) +\| ([^|]+?) +\|/gm)].map(([, name, type]) => [name, type]);
    const described = rows.slice(2).map(([name = '', type]) => [/`([\w.]+)`/.exec(name)?.[1], type]);
    const columns = sweepColumns(settings).map(({ name, type }) => [
      name,
      name === 'migrate.link' ? 'INT64, DOUBLE, BOOLEAN or STRING' : type,
    ]);
    assert.deepEqual(described, columns);
  });

  it('asks DuckDB for columns that are there', () => {
    const settings = new Map(['migrate.link', 'migrate.pages.policy'].map((key) => [key, ['a', 'b']]));
    const names = new Set(sweepColumns(settings).map(({ name }) => name));
    const queries = blocks('sql');
    assert.equal(queries.length, 3);
    for (const query of queries) {
      for (const [, name = ''] of query.matchAll(/"([^"]+)"/g)) assert.ok(names.has(name), name);
      const bare = query.replaceAll(/'[^']*'|"[^"]*"/g, '');
      const aliases = new Set([...bare.matchAll(/\bAS (\w+)/g)].map(([, alias]) => alias));
      for (const [word] of bare.matchAll(/\b[a-z][a-z_]+\b(?!\()/g))
        assert.ok(names.has(word) || aliases.has(word), word);
    }
  });
});
