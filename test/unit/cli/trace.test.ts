import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parseReplayRow, parseRows, parseSpaces } from '../../../src/cli/traces/arguments';
import { secondsText } from '../../../src/cli/traces/words';
import { ProgressLine } from '../../../src/cli/progress';
import { Session } from '../../../src/cli/session';
import { resolveSource } from '../../../src/cli/source';
import { inProcessEngine } from '../inspection/inProcess';
import { runInProcess, type CliRun } from './traceCli';

const FIXTURES = path.join(__dirname, '../../fixtures/traces');
const BOOT = path.join(FIXTURES, 'vtd-legacy-share/ftrace_boot.head.txt.gz');
const DMA = path.join(FIXTURES, 'vtd-sm-fl-share/ftrace_sample_alldma.txt.gz');

const trace = (...words: readonly string[]): Promise<CliRun> => runInProcess('trace', ...words);
const jsonLines = ({ stdout }: CliRun): Record<string, unknown>[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
/** Lines of the file itself that are events. */
const linesOf = (file: string): readonly string[] =>
  gunzipSync(readFileSync(file))
    .toString()
    .split('\n')
    .filter((line) => /^[^#].*: /.test(line) && !line.startsWith('#'));

describe('iopte trace', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'iopte-trace-'));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });
  const at = (name: string): string => path.join(folder, name);

  it('sums a trace up for programs, with these members and no others', async () => {
    const run = await trace(BOOT, '--stats', '--json');
    assert.equal(run.exitCode, 0);
    const lines = linesOf(BOOT).slice(0, 1048);
    const count = (event: string): number => lines.filter((line) => line.includes(`: ${event}: `)).length;
    assert.deepEqual(jsonLines(run), [
      {
        format: 'ftrace',
        rows: 1048,
        events: {
          map: count('map'),
          unmap: count('unmap'),
          attach_device_to_domain: count('attach_device_to_domain'),
        },
        unknown: 0,
        lost: 0,
      },
    ]);
    assert.match(run.stderr, /warning: .*The header says 31976 events/);
  });

  it('sums a trace up for people', async () => {
    const { stdout } = await trace(BOOT, '--stats');
    assert.match(stdout, /^ftrace_boot\.head\.txt\.gz: ftrace text, gzip\n {2}1,048 rows/);
    assert.match(stdout, /from 11\.415790 to 40\.679193 s: 29\.3 s/);
    assert.match(stdout, /\n {2}map +906\n/);
  });

  it('prints rows as a table, from 1, up to a limit', async () => {
    const run = await trace(BOOT, '--limit', '2');
    const [heading = '', first = '', second = '', end] = run.stdout.split('\n');
    assert.match(heading, /^ +ROW +TIME +CPU +TASK +DEVICE +EVENT +IOVA +SIZE +PHYSICAL +FLAGS$/);
    assert.match(first, /^ +1 +11\.415790 +1 +modprobe-106 +map +0xffffe000 +4K +0x14b3bd000$/);
    assert.match(second, /^ +2 +11\.415827 /);
    assert.equal(end, '');
    assert.match(run.stderr, /stopped at --limit 2/);
    for (const format of ['--json', '--csv', '--tsv']) {
      const stopped = await trace(BOOT, '--rows', '1..4', '--limit', '2', format);
      assert.match(stopped.stderr, /stopped at --limit 2/, format);
      const whole = await trace(BOOT, '--rows', '1..3', '--limit', '2', format);
      assert.doesNotMatch(whole.stderr, /stopped/, format);
    }
  });

  it('writes the rows that match as JSON lines, with the line as it stands', async () => {
    const run = await trace(BOOT, '--where', 'op = unmap and size > 4K', '--json');
    const expected = linesOf(BOOT).flatMap((line, row) => {
      const [, size = '0'] = / size=(\d+) unmapped_size/.exec(line) ?? [];
      return Number(size) > 4096 ? [{ row: row + 1, line }] : [];
    });
    assert.ok(expected.length > 3);
    assert.deepEqual(
      jsonLines(run).map(({ row, line }) => ({ row, line })),
      expected,
    );
  });

  it('takes a range of rows, with and without a filter', async () => {
    const rows = async (...words: string[]): Promise<unknown[]> =>
      jsonLines(await trace(BOOT, '--json', ...words)).map(({ row }) => row);
    assert.deepEqual(await rows('--rows', '10..13'), [10, 11, 12]);
    assert.deepEqual(await rows('--rows', '10+2'), [10, 11]);
    assert.deepEqual(await rows('--rows', '1048'), [1048]);
    assert.deepEqual(await rows('--rows', '1047..'), [1047, 1048]);
    const unmaps = linesOf(BOOT).flatMap((line, row) => (line.includes(': unmap: ') ? [row + 1] : []));
    assert.deepEqual(
      await rows('--rows', '1..100', '--where', 'op = unmap'),
      unmaps.filter((row) => row < 100),
    );
    const beyond = await trace(BOOT, '--rows', '1049');
    assert.equal(beyond.exitCode, 2);
    assert.match(beyond.stderr, /there is no row 1049\nhint: .*has 1048 rows/);
  });

  it('finds text without regard to case, also with quotes in it', async () => {
    const run = await trace(BOOT, '--find', 'KWORKER', '--tsv');
    const [heading, ...rows] = run.stdout.trimEnd().split('\n');
    assert.match(heading ?? '', /^row\ttime\tcpu\ttask\t/);
    assert.equal(rows.length, linesOf(BOOT).filter((line) => line.includes('kworker')).length);
    const none = await trace(BOOT, '--find', 'a "quote"');
    assert.equal(none.stdout, 'nothing matches\n');
    assert.equal(none.exitCode, 0);
  });

  it('writes CSV with its titles once', async () => {
    const { stdout } = await trace(BOOT, '--rows', '5..8', '--csv');
    const lines = stdout.split('\r\n');
    assert.equal(lines.length, 5);
    assert.match(lines[0] ?? '', /^row,time,/);
    assert.match(lines[1] ?? '', /^5,11\.4/);
  });

  it('groups rows', async () => {
    const groups = jsonLines(await trace(BOOT, '--group', 'operation', '--json'));
    assert.deepEqual(
      groups.map(({ value, rows }) => [value, rows]),
      [
        ['map', 906],
        ['unmap', 140],
        ['attach', 2],
      ],
    );
    assert.equal(groups[0]?.['firstRow'], 1);
    assert.match((await trace(BOOT, '--group', 'task', '--limit', '1')).stdout, /^GROUP.*\nip-224 +308 /);
  });

  it('lists findings, and of kinds that are asked for', async () => {
    const all = await trace(BOOT, '--findings');
    assert.match(all.stdout, /Row \d+ maps .* which is still mapped at the end of the trace/);
    assert.match(all.stderr, /note: The trace does not name the devices of its maps/);
    const none = await trace(BOOT, '--findings', 'unmap-nothing,missing-flush', '--json');
    assert.equal(none.exitCode, 0);
    assert.equal(none.stdout, '');
  });

  it('lists findings of the rows that match', async () => {
    const all = jsonLines(await trace(BOOT, '--findings', 'leak', '--json'));
    const some = await trace(BOOT, '--findings', 'leak', '--where', 'row < 100', '--json', '--rows', '5..');
    const wanted = all.filter(({ row }) => Number(row) < 100 && Number(row) >= 5);
    assert.ok(wanted.length > 0 && wanted.length < all.length);
    assert.deepEqual(jsonLines(some), wanted);
    const counted = await trace(BOOT, '--findings', '--where', 'row < 100', '--rows', '5..');
    assert.match(counted.stdout, new RegExp(`${wanted.length} leak`));
    assert.equal((await trace(BOOT, '--findings', '--where', 'row = 0')).stdout, 'nothing was found\n');
  });

  it('says how many rows are of groups that are too many', async () => {
    const lines = Array.from({ length: 65_540 }, (_, row) => `0x1000,${4096 * (row + 1)}`);
    writeFileSync(at('many.csv'), `iova,size\n${lines.join('\n')}\n`);
    const run = await trace(at('many.csv'), '--group', 'size', '--limit', '1');
    assert.match(run.stderr, /: 4 rows are of further groups, too many to be told apart\n/);
    assert.doesNotMatch((await trace(BOOT, '--group', 'size')).stderr, /further groups/);
  });

  it('tells the history of an IOVA, and life times', async () => {
    const lines = jsonLines(await trace(BOOT, '--history', '0xffffb000', '--json'));
    const rows = lines.filter(({ type }) => type === 'row').map(({ row }) => row);
    const expected = linesOf(BOOT).flatMap((line, row) =>
      line.includes(' iova=0x00000000ffffb000 ') ? [row + 1] : [],
    );
    assert.deepEqual(rows.slice(0, 2), expected.slice(0, 2));
    assert.ok(lines.some(({ type }) => type === 'lifetime'));
    const [life] = jsonLines(await trace(BOOT, '--lifetimes', '--rows', '5', '--json'));
    assert.deepEqual([life?.['mapRow'], life?.['iova'], life?.['unmapRow']], [5, '0xffffb000', 10]);
  });

  it('splits address spaces by device, and by rules', async () => {
    const device = await trace(DMA, '--group', 'space', '--spaces', 'auto', '--json');
    const names = jsonLines(device).map(({ value }) => String(value));
    assert.ok(
      names.some((name) => name.includes('0000:00:')),
      names.join(' '),
    );
    const rules = ['--spaces', 'disk=task = dd', '--spaces', 'rest=not task = dd'];
    const split = jsonLines(await trace(BOOT, '--group', 'space', ...rules, '--json'));
    assert.deepEqual(
      split.map(({ value }) => value),
      ['rest'],
    );
    const wrong = await trace(BOOT, '--group', 'space', '--spaces', 'disk=tusk = dd');
    assert.match(wrong.stderr, /space disk: There is no field 'tusk'/);
    assert.equal(wrong.exitCode, 1);
  });

  it('says what is mapped after a row', async () => {
    const [space] = jsonLines(await trace(BOOT, '--replay-to', '4', '--json', '--spaces', 'rules=op = map'));
    assert.deepEqual(space, { type: 'space', row: 4, name: 'rules', mappings: 4, bytes: 4 * 4096 });
    assert.match((await trace(BOOT, '--replay-to', '2000')).stderr, /there is no row 2000/);
  });

  it('refuses what does not go together, before it reads anything', async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['--stats', '--findings'], /--stats and --findings cannot be given together/],
      [['--json', '--csv'], /one of --json, --tsv and --csv/],
      [['--stats', '--csv'], /--tsv and --csv are for rows/],
      [['--save', 'x.elf'], /--save and --vendor need --replay-to/],
      [['--space', 'x'], /--space needs --history/],
      [['--stats', '--where', 'op = map'], /do not go with --stats/],
      [['--rows', '0..5'], /'0\.\.5' is invalid.*from 1 on/],
      [['--group', 'colour'], /'colour' is invalid.*device, task/],
      [['--findings', 'leek'], /'leek' is invalid.*double-map/],
      [['--history', 'here'], /'here' is invalid/],
      [['--spaces', 'auto', '--spaces', 'x=cpu = 1'], /cannot stand beside/],
      [['--replay-to', 'nowhere'], /'nowhere' is invalid/],
    ];
    for (const [words, message] of cases) {
      const run = await trace('no such file', ...words);
      assert.equal(run.exitCode, 2, words.join(' '));
      assert.match(run.stderr, message);
      assert.equal(run.stdout, '');
    }
  });

  it('says of a bad filter where, and of a bad file what', async () => {
    const filter = await trace(BOOT, '--where', 'op = map and sise > 4K');
    assert.equal(filter.exitCode, 1);
    assert.match(filter.stderr, /filter: There is no field 'sise'\.\n.*sise > 4K\n +\^{4}\nhint: .*'size'/);
    writeFileSync(at('notes.txt'), 'nothing of a trace\n');
    const unknown = await trace(at('notes.txt'));
    assert.equal(unknown.exitCode, 1);
    assert.match(
      unknown.stderr,
      /^iopte: notes\.txt is no trace of a known format\.\nhint: Known are: .*ftrace text/,
    );
    assert.match((await trace(at('missing'))).stderr, /^iopte: missing cannot be opened: ENOENT/);
  });

  it('does not let a line of the trace write to the terminal', async () => {
    writeFileSync(at('escape.txt'), `${linesOf(BOOT).slice(0, 5).join('\n')}\n\u001b[31mred\u0007\n`);
    const { stdout } = await trace(at('escape.txt'));
    assert.match(stdout, /unknown: +\u{fffd}\[31mred\u{fffd}/u);
    assert.ok(!stdout.includes('\u001b'));
  });

  it('saves the tables at a row as an image that opens again, and never over a file', async () => {
    const image = at('tables.elf');
    const run = await trace(DMA, '--replay-to', 'end', '--save', image);
    assert.equal(run.exitCode, 0, run.stderr);
    assert.ok(existsSync(image) && existsSync(at('tables.iopte.json')));
    assert.match(run.stderr, /wrote .*tables\.elf and .*tables\.iopte\.json/);
    const source = await resolveSource(image, {});
    const { client } = inProcessEngine();
    const session = new Session(client, new AbortController().signal, new ProgressLine(process.stderr));
    const summary = await session.open(source);
    assert.ok(summary.iommus.every(({ failure }) => failure === undefined));
    const domains = await session.domains();
    assert.ok(domains.length > 0);
    await client.dispose();
    const again = await trace(DMA, '--replay-to', 'end', '--save', image);
    assert.equal(again.exitCode, 1);
    assert.match(again.stderr, /is there already/);
  });
});

describe('iopte clear-caches', () => {
  it('says what it threw out', async () => {
    const run = await runInProcess('clear-caches', '--json');
    assert.deepEqual(JSON.parse(run.stdout), { files: 0, bytes: 0 });
    assert.equal((await runInProcess('clear-caches')).stdout, 'nothing was kept\n');
  });
});

describe('what people write for rows and spaces', () => {
  it('counts rows from 1', () => {
    assert.deepEqual(parseRows('1..3'), { start: 0, end: 2 });
    assert.deepEqual(parseRows('7+3'), { start: 6, end: 9 });
    assert.deepEqual(parseRows('7'), { start: 6, end: 7 });
    assert.deepEqual(parseRows('7..'), { start: 6, end: Infinity });
    for (const wrong of ['', '0', '3..3', '3..2', '3+0', 'a..b', '-1', '1..9007199254740993']) {
      assert.throws(() => parseRows(wrong), /rows? /, wrong);
    }
    assert.equal(parseReplayRow('end'), 'end');
    assert.equal(parseReplayRow('5'), 4);
  });

  it('splits a rule at its first equals sign', () => {
    const one = parseSpaces('disk=task = dd');
    assert.deepEqual(parseSpaces('net = cpu = 1', one).rules, [
      { name: 'disk', where: 'task = dd' },
      { name: 'net', where: 'cpu = 1' },
    ]);
    assert.throws(() => parseSpaces('DISK=cpu = 2', one), /given twice/);
    assert.throws(() => parseSpaces('disk'), /NAME=FILTER/);
  });

  it('writes seconds with the digits that the tracer wrote', () => {
    assert.equal(secondsText({ origin: '0', timeDigits: 6 }, 90_520_583_000), '90.520583');
    assert.equal(secondsText({ origin: '1000000000000000000', timeDigits: 9 }, 5), '1000000000.000000005');
    assert.equal(secondsText({ origin: '-5000000', timeDigits: 3 }, 0), '-0.005');
    assert.equal(secondsText({ origin: '0', timeDigits: 0 }, 2e9), '2');
    assert.equal(secondsText({ origin: '0', timeDigits: 6 }, null), '');
  });
});
