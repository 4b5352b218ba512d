/** `iopte sweep` of the built command line, and the Parquet that it writes read back by another library. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parquetMetadata, parquetReadObjects, parquetSchema } from 'hyparquet';
import { ended, ensureBuilt, jsonLines, runCli, startCli } from '../../built';
import { MIGRATION, PLAIN, WRITE } from './scenarios/texts';

type Row = Readonly<Record<string, unknown>>;

describe('iopte sweep', function () {
  this.timeout(120_000);
  let folder: string;
  before(async () => {
    ensureBuilt();
    folder = await mkdtemp(path.join(tmpdir(), 'iopte-sweep-'));
    await writeFile(path.join(folder, 'move.iopte.yaml'), MIGRATION);
    await writeFile(path.join(folder, 'write.iopte.yaml'), WRITE);
    await writeFile(path.join(folder, 'plain.iopte.yaml'), PLAIN);
  });
  after(() => rm(folder, { recursive: true }));
  const at = (...names: string[]): string => path.join(folder, ...names);
  const sweep = (...args: string[]) => runCli(['sweep', ...args], { cwd: folder });
  const GRID = [
    ...['--set', 'migrate.link=1Gbps,10Gbps,100Gbps'],
    ...['--set', 'migrate.pages.policy=as-is,split-eagerly'],
    ...['--set', 'migrate.mostRounds=5,50'],
  ];
  const bytesOf = async (...names: string[]): Promise<ArrayBuffer> => {
    const bytes = await readFile(at(...names));
    return new Uint8Array(bytes).buffer;
  };
  const rowsOf = async (...names: string[]): Promise<readonly Row[]> =>
    parquetReadObjects({ file: await bytesOf(...names) });

  it('writes a row for every combination, with settings and outcome', async () => {
    const { exitCode, stdout, stderr } = await sweep('move.iopte.yaml', ...GRID, '--out', 'one');
    assert.equal(exitCode, 0, stderr);
    assert.match(
      stdout,
      /^one\/part-00001-of-00001\.parquet: 12 rows, 12 passed, 0 failed, 0 could not run\n$/,
    );
    const rows = await rowsOf('one', 'part-00001-of-00001.parquet');
    assert.deepEqual(
      rows.map(({ row }) => row),
      Array.from({ length: 12 }, (_, index) => index),
    );
    const [first, second] = rows;
    assert.deepEqual(
      [
        first?.['migrate.link'],
        first?.['migrate.pages.policy'],
        first?.['migrate.mostRounds'],
        first?.['variant'],
      ],
      ['1Gbps', 'as-is', 5n, null],
    );
    assert.equal(second?.['migrate.mostRounds'], 50n);
    // 64 MiB over a link of 1 Gb/s, and of 100.
    assert.ok(Math.abs(Number(first?.['link_seconds']) - (64 * 2 ** 20 * 8) / 1e9) < 0.01);
    assert.ok(Math.abs(Number(rows[8]?.['link_seconds']) - (64 * 2 ** 20 * 8) / 100e9) < 0.001);
    assert.deepEqual([first?.['passed'], first?.['error'], first?.['converged']], [true, null, true]);
    assert.equal(first?.['sent_bytes'], BigInt(64 * 2 ** 20));
    const split = rows[2];
    assert.equal(split?.['migrate.pages.policy'], 'split-eagerly');
    assert.deepEqual(split['leaves_after'], { 4096: (64 * 2 ** 20) / 4096 });
  });

  it('comes to the same in one shard as in four', async () => {
    for (const shard of ['3/4', '1/4', '4/4', '2/4']) {
      const { exitCode, stderr } = await sweep('move.iopte.yaml', ...GRID, '--shard', shard, '--out', 'four');
      assert.equal(exitCode, 0, stderr);
    }
    const names = (await readdir(at('four'))).sort();
    assert.deepEqual(names, [
      ...[1, 2, 3, 4].map((index) => `part-0000${index}-of-00004.parquet`),
      'sweep.json',
    ]);
    const whole = await bytesOf('one', 'part-00001-of-00001.parquet');
    const union: Row[] = [];
    for (const [index, name] of names.slice(0, 4).entries()) {
      const rows = await rowsOf('four', name);
      assert.deepEqual(
        rows.map(({ row }) => Number(row) % 4),
        rows.map(() => index),
      );
      union.push(...rows);
      const schema = parquetSchema(parquetMetadata(await bytesOf('four', name)));
      assert.deepEqual(schema, parquetSchema(parquetMetadata(whole)));
    }
    union.sort((a, b) => Number(a['row']) - Number(b['row']));
    assert.deepEqual(union, await parquetReadObjects({ file: whole }));
  });

  it('writes the same bytes when it runs again, and does not run again without --force', async () => {
    const part = ['one', 'part-00001-of-00001.parquet'] as const;
    const before = await bytesOf(...part);
    const again = await sweep('move.iopte.yaml', ...GRID, '--out', 'one', '--json');
    assert.equal(again.exitCode, 0);
    const report = { file: path.join(...part), rows: 12, passed: 12, failed: 0, errors: 0 };
    assert.deepEqual(jsonLines(again.stdout), [{ ...report, skipped: true }]);
    const forced = await sweep(
      'move.iopte.yaml',
      ...GRID,
      '--out',
      'one',
      '--force',
      '--json',
      '--jobs',
      '1',
    );
    assert.deepEqual(jsonLines(forced.stdout), [report]);
    assert.deepEqual(new Uint8Array(await bytesOf(...part)), new Uint8Array(before));
  });

  it('takes every variant unless one is named, and says with 1 that some failed', async () => {
    const settings = ['--set', 'machine.memory=64M,128M'];
    const { exitCode, stdout } = await sweep('write.iopte.yaml', ...settings, '--out', 'all');
    assert.equal(exitCode, 1);
    assert.match(stdout, /6 rows, 4 passed, 2 failed, 0 could not run\n/);
    const again = await sweep('write.iopte.yaml', ...settings, '--out', 'all');
    assert.equal(again.exitCode, 1);
    assert.match(again.stdout, /6 rows, 4 passed, 2 failed, 0 could not run \(there already.*--force/);
    const rows = await rowsOf('all', 'part-00001-of-00001.parquet');
    assert.deepEqual(
      rows.map(({ variant, passed }) => [variant, passed]),
      [
        ['right', true],
        ['right', true],
        ['clean', true],
        ['clean', true],
        ['wrong', false],
        ['wrong', false],
      ],
    );
    assert.match(String(rows[4]?.['first_failure']), /^requests: expected 3/);
    assert.deepEqual(
      [rows[4]?.['failures'], rows[0]?.['failures'], rows[0]?.['blackout_seconds']],
      [1, 0, null],
    );
    const one = await sweep('write.iopte.yaml', ...settings, '--variant', 'right', '--out', 'right');
    assert.equal(one.exitCode, 0, one.stderr);
    assert.equal((await rowsOf('right', 'part-00001-of-00001.parquet')).length, 2);
  });

  it('keeps a row that cannot run as a row, with the reason', async () => {
    const { exitCode, stderr } = await sweep(
      ...['plain.iopte.yaml', '--set', 'machine.vendor=smmuv3,sun4v,vt-d', '--out', 'odd'],
    );
    assert.equal(exitCode, 1);
    assert.match(stderr, /^iopte: row 1 could not run: 3:\d+: error: .*sun4v/m);
    const rows = await rowsOf('odd', 'part-00001-of-00001.parquet');
    assert.deepEqual(
      rows.map(({ passed, error }) => [passed, error === null]),
      [
        [true, true],
        [false, false],
        [true, true],
      ],
    );
  });

  it('refuses a part that it has not written', async () => {
    const args = ['plain.iopte.yaml', '--set', 'machine.memory=64M', '--out', 'torn'];
    assert.equal((await sweep(...args)).exitCode, 0);
    await writeFile(at('torn', 'part-00001-of-00001.parquet'), 'PAR1, but cut off');
    const { exitCode, stderr } = await sweep(...args);
    assert.equal(exitCode, 2);
    assert.match(stderr, /is damaged, or was written by something else\nhint: --force computes it again/);
    assert.equal((await sweep(...args, '--force')).exitCode, 0);
  });

  it('exits by what came out, also when nobody reads it', async () => {
    for (const [file, exitCode] of [
      ['plain.iopte.yaml', 0],
      ['write.iopte.yaml', 1],
    ] as const) {
      const child = startCli(
        ['sweep', file, '--set', 'machine.memory=64M', '--out', `unread-${exitCode}`],
        folder,
      );
      child.stdout.destroy();
      assert.equal((await ended(child)).exitCode, exitCode);
      assert.equal(
        (await rowsOf(`unread-${exitCode}`, 'part-00001-of-00001.parquet')).length,
        exitCode * 2 + 1,
      );
    }
  });

  it('goes on where it was stopped, and comes to the same', async () => {
    const values = Array.from({ length: 150 }, (_, index) => String(4096 * (index + 1))).join();
    const args = ['plain.iopte.yaml', '--set', `steps[0].dma.length=${values}`, '--jobs', '1'];
    const child = startCli(['sweep', ...args, '--out', 'cut'], folder);
    const kept = at('cut', 'part-00001-of-00001.parquet.rows');
    const rowsKept = async (): Promise<number> =>
      (await readFile(kept, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '').length;
    const end = ended(child);
    while ((await rowsKept()) < 5 && child.exitCode === null)
      await new Promise((done) => setTimeout(done, 20));
    // As a cluster does it that takes the machine away.
    child.kill('SIGTERM');
    const { exitCode, stderr } = await end;
    assert.equal(exitCode, 130, stderr);
    assert.match(
      stderr,
      /^iopte: \d+ of 150 rows are kept; the same command goes on from there\niopte: cancelled\n$/,
    );
    const before = await rowsKept();
    assert.ok(before >= 5 && before < 150, String(before));
    assert.ok(!(await readdir(at('cut'))).includes('part-00001-of-00001.parquet'));
    // A line that was cut off by a lost machine.
    await writeFile(kept, '\n{"index":149,"val', { flag: 'a' });
    assert.equal((await sweep(...args, '--out', 'cut')).exitCode, 0);
    assert.deepEqual((await readdir(at('cut'))).sort(), ['part-00001-of-00001.parquet', 'sweep.json']);
    assert.equal((await sweep(...args, '--out', 'uncut')).exitCode, 0);
    const name = 'part-00001-of-00001.parquet';
    assert.deepEqual(
      new Uint8Array(await bytesOf('cut', name)),
      new Uint8Array(await bytesOf('uncut', name)),
    );
  });

  it('refuses bad usage with 2, and says what to do', async () => {
    const set = ['--set', 'migrate.link=1Gbps,10Gbps'];
    const out = ['--out', 'none'];
    const many = Array.from({ length: 400 }, (_, index) => String(index)).join();
    const cases: [string[], RegExp][] = [
      [['move.iopte.yaml', ...out], /required option '--set <path=a,b,\.\.\.>' not specified/],
      [['move.iopte.yaml', ...set], /required option '--out <dir>' not specified/],
      [['move.iopte.yaml', ...set, ...out, '--shard', '5/4'], /Write a shard as I\/N/],
      [['move.iopte.yaml', ...set, ...out, '--variant', 'x'], /has no variant "x"\nhint: it has none/],
      [['move.iopte.yaml', '--set', 'migrate.lnk=1,2', ...out], /move\.iopte\.yaml:\d+:\d+: error: .*lnk/],
      [['.', ...set, ...out], /^iopte: \. is a folder\nhint: name one scenario/],
      [
        ['move.iopte.yml', ...set, ...out],
        /^iopte: move\.iopte\.yml is no scenario\nhint: rename it to move\.iopte\.yaml/,
      ],
      [['none.iopte.yaml', ...set, ...out], /none\.iopte\.yaml cannot be read: ENOENT/],
      [
        ['move.iopte.yaml', '--set', `a.b=${many}`, '--set', `a.c=${many}`, ...out],
        /^iopte: 160000 combinations\nhint: at most 100000/,
      ],
      [
        ['move.iopte.yaml', ...set, '--out', 'one'],
        /^iopte: one has results of another sweep: settings, rows differ/,
      ],
      [
        ['move.iopte.yaml', ...set, '--out', 'move.iopte.yaml'],
        /move\.iopte\.yaml cannot be written: EEXIST/,
      ],
    ];
    for (const [args, message] of cases) {
      const { exitCode, stdout, stderr } = await sweep(...args);
      assert.equal(exitCode, 2, `${args.join(' ').slice(0, 200)}\n${stderr}`);
      assert.match(stderr, message);
      assert.equal(stdout, '');
    }
    assert.ok(!(await readdir(folder)).includes('none'));
  });
});
