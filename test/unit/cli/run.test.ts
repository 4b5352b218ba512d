/** \`iopte run\` of the built command line, on scenarios written for it. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CLI, ended, ensureBuilt, jsonLines, runCli, startCli } from '../../built';
import { LONG, MIGRATION, PLAIN, WRITE } from './scenarios/texts';
import { parseXml } from './scenarios/xml';

interface Line {
  readonly file: string;
  readonly variant: string | null;
  readonly passed: boolean;
  readonly failures: readonly Readonly<Record<string, unknown>>[];
  readonly migration: { readonly converged: boolean; readonly rounds: readonly unknown[] } | null;
}

describe('iopte run', function () {
  this.timeout(120_000);
  let folder: string;
  before(async () => {
    ensureBuilt();
    folder = await mkdtemp(path.join(tmpdir(), 'iopte-run-'));
    await mkdir(path.join(folder, 'more'));
    await mkdir(path.join(folder, 'good'));
    await writeFile(path.join(folder, 'write.iopte.yaml'), WRITE);
    await writeFile(path.join(folder, 'more', 'plain.iopte.yaml'), PLAIN);
    await writeFile(path.join(folder, 'good', 'b.iopte.yaml'), PLAIN);
    await writeFile(path.join(folder, 'good', 'a.iopte.yaml'), MIGRATION);
  });
  after(() => rm(folder, { recursive: true }));
  const run = (...args: string[]) => runCli(['run', ...args], { cwd: folder });
  const lines = (stdout: string) => jsonLines(stdout) as readonly Line[];

  it('says of every variant whether it came true, and where not', async () => {
    const { exitCode, stdout, stderr } = await run('write.iopte.yaml');
    assert.equal(stderr, '');
    assert.equal(exitCode, 1);
    const [right = '', clean = '', wrong = '', why = '', sum = ''] = stdout.split('\n');
    assert.match(right, /^ok {6}write\.iopte\.yaml \(right\) {2}[\d.]+ (s|ms|µs)$/);
    assert.match(clean, /^ok {6}write\.iopte\.yaml \(clean\) /);
    assert.match(wrong, /^FAILED {2}write\.iopte\.yaml \(wrong\) /);
    // The line of "requests: 3" in the text.
    assert.match(
      why,
      /^write\.iopte\.yaml:17:17: error: requests: expected 3( requests)?, got 1( request)?$/,
    );
    assert.match(sum, /^2 ok, 1 failed; /);
  });

  it('exits with 0 when everything came true', async () => {
    const { exitCode, stdout, stderr } = await run('write.iopte.yaml', '--variant', 'right');
    assert.equal(exitCode, 0, stdout + stderr);
    assert.doesNotMatch(stdout, /clean|wrong/);
  });

  it('writes one object for each file and variant', async () => {
    const { exitCode, stdout } = await run('write.iopte.yaml', 'good', '--json');
    assert.equal(exitCode, 1);
    const [right, , wrong, migration, plain, ...rest] = lines(stdout);
    assert.deepEqual(rest, []);
    const keys = [
      'file',
      'variant',
      'passed',
      'failures',
      'requests',
      'dirty',
      'faults',
      'seconds',
      'migration',
    ];
    for (const line of [right, wrong, migration, plain]) assert.deepEqual(Object.keys(line ?? {}), keys);
    const { seconds, ...same } = right as Line & { seconds: number };
    assert.ok(seconds > 0 && seconds < 60);
    assert.deepEqual(same, {
      ...{ file: 'write.iopte.yaml', variant: 'right', passed: true, failures: [], requests: 1 },
      dirty: { written: 4096, reported: 4096, lost: 0, over: 0 },
      ...{ faults: 0, migration: null },
    });
    const [failure, ...others] = wrong?.failures ?? [];
    assert.deepEqual(others, []);
    assert.deepEqual(Object.keys(failure ?? {}), ['line', 'column', 'what', 'expected', 'actual']);
    assert.deepEqual([failure?.['line'], failure?.['column'], failure?.['what']], [17, 17, 'requests']);
    assert.equal(migration?.file, path.join('good', 'a.iopte.yaml'));
    assert.equal(migration.migration?.converged, true);
    assert.ok(migration.migration.rounds.length >= 1);
    assert.deepEqual([plain?.variant, plain?.passed, plain?.migration], [null, true, null]);
  });

  it('shows the rounds of a migration as a table', async () => {
    const { exitCode, stdout } = await run('good/a.iopte.yaml');
    assert.equal(exitCode, 0);
    assert.match(stdout, /^ +ROUND +TIME +PENDING +SENT +WRITTEN +REPORTED /m);
    // 64 MiB at 10 Gb/s.
    assert.match(stdout, /^ +1 +53\.7 ms +64M +64M /m);
    assert.match(stdout, /^ +blackout .*, total .*, sent /m);
  });

  it('gives the same in the same order however many run at a time', async () => {
    const strip = (stdout: string) => lines(stdout).map((line) => JSON.stringify({ ...line, seconds: 0 }));
    const one = await run('.', '--json', '--jobs', '1');
    const three = await run('.', '--json', '--jobs', '3');
    assert.deepEqual(strip(three.stdout), strip(one.stdout));
    assert.equal(lines(one.stdout).length, 6);
    const tight = await run('.', '--json', '--memory', '1M');
    assert.deepEqual(strip(tight.stdout), strip(one.stdout));
  });

  it('takes settings from outside', async () => {
    const { stdout } = await run('good/b.iopte.yaml', '--set', 'steps[0].dma.length=8192', '--json');
    const [line] = jsonLines(stdout) as readonly { dirty: { written: number } }[];
    assert.equal(line?.dirty.written, 8192);
    const wrong = await run('good/b.iopte.yaml', '--set', 'machine.vendor=sun4v');
    assert.equal(wrong.exitCode, 2);
    assert.match(wrong.stderr, /^good\/b\.iopte\.yaml:3:\d+: error: .*sun4v/);
  });

  it('runs what it can beside a file that cannot, and exits with 2', async () => {
    await writeFile(path.join(folder, 'more', 'bad.iopte.yaml'), PLAIN.replace('smmuv3', 'smuv3'));
    const { exitCode, stdout, stderr } = await run('more');
    await rm(path.join(folder, 'more', 'bad.iopte.yaml'));
    assert.equal(exitCode, 2);
    assert.match(stderr, /^more\/bad\.iopte\.yaml:3:\d+: error: .*smuv3[^]*\^+\nhint: .*smmuv3/);
    assert.match(stdout, /^ok {6}more\/plain\.iopte\.yaml /);
    assert.match(stdout, /1 ok, 0 failed, 1 could not run/);
  });

  it('writes JUnit XML that says the same', async () => {
    const { exitCode } = await run('.', '--junit', 'results.xml');
    assert.equal(exitCode, 1);
    const root = parseXml(await readFile(path.join(folder, 'results.xml'), 'utf8'));
    assert.deepEqual(
      [root.attributes['tests'], root.attributes['failures'], root.attributes['errors']],
      ['6', '1', '0'],
    );
    const cases = root.elements.flatMap(({ elements }) => elements);
    const failed = cases.filter(({ elements }) => elements.some(({ name }) => name === 'failure'));
    assert.deepEqual(
      failed.map(({ attributes }) => [attributes['classname'], attributes['name']]),
      [['write.iopte.yaml', 'wrong']],
    );
    assert.match(failed[0]?.elements[0]?.text ?? '', /^write\.iopte\.yaml:17:17: error: /);
  });

  it('says once what is wrong with a setting in every variant', async () => {
    const { exitCode, stderr } = await run('write.iopte.yaml', '--set', 'machine.vendr=amd-vi');
    assert.equal(exitCode, 2);
    assert.deepEqual(stderr.match(/error: .*|hint: .*/g), [
      'error: machine has no key "vendr".',
      'hint: Did you mean "vendor"?',
    ]);
  });

  it('goes on when nobody reads what it prints: exit code and JUnit XML say what came out', async () => {
    for (const [file, exitCode, failures] of [
      ['write.iopte.yaml', 1, '1'],
      ['good', 0, '0'],
    ] as const) {
      const child = startCli(['run', file, '--junit', 'unread.xml'], folder);
      child.stdout.destroy();
      const end = await ended(child);
      assert.deepEqual([end.exitCode, end.signal, end.stderr], [exitCode, null, '']);
      const root = parseXml(await readFile(path.join(folder, 'unread.xml'), 'utf8'));
      assert.equal(root.attributes['failures'], failures);
    }
  });

  it('says that the disk is full, after all has run', async function () {
    if (!existsSync('/dev/full')) this.skip();
    const full = await open('/dev/full', 'w');
    const child = spawn(process.execPath, [CLI, 'run', 'write.iopte.yaml', '--junit', 'full.xml'], {
      ...{ cwd: folder, env: { ...process.env, IOPTE_CACHE: '' } },
      stdio: ['ignore', full.fd, 'pipe'],
    });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const exitCode = await new Promise((resolve) => child.on('close', resolve));
    await full.close();
    assert.equal(exitCode, 2);
    assert.match(stderr, /^iopte: standard output cannot be written: ENOSPC: .*\n$/);
    const root = parseXml(await readFile(path.join(folder, 'full.xml'), 'utf8'));
    assert.deepEqual([root.attributes['tests'], root.attributes['failures']], ['3', '1']);
  });

  it('leaves no report of yesterday where a run did not come to its end', async () => {
    const report = path.join(folder, 'old.xml');
    for (const args of [['good', '--variant', 'right'], ['none.iopte.yaml']]) {
      await writeFile(report, '<testsuites/>');
      assert.equal((await run(...args, '--junit', 'old.xml')).exitCode, 2);
      assert.ok(!existsSync(report), args.join(' '));
    }
    await symlink('real.xml', report);
    await writeFile(path.join(folder, 'real.xml'), '');
    assert.equal((await run('good', '--junit', 'old.xml')).exitCode, 0);
    assert.match(await readFile(path.join(folder, 'real.xml'), 'utf8'), /<testsuites name="iopte"/);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });

  it('takes a name in either case, and says what a .yml is to be named', async () => {
    const [upper, yml] = [path.join('case', 'UP.IOPTE.YAML'), path.join('case', 'x.iopte.yml')];
    await mkdir(path.join(folder, 'case'));
    await writeFile(path.join(folder, upper), PLAIN);
    await writeFile(path.join(folder, yml), PLAIN);
    for (const asked of ['case', upper])
      assert.match((await run(asked)).stdout, /^ok {6}.*UP\.IOPTE\.YAML /, asked);
    const { exitCode, stderr } = await run(yml);
    await rm(path.join(folder, 'case'), { recursive: true });
    assert.equal(exitCode, 2);
    assert.match(stderr, /x\.iopte\.yml is no scenario\nhint: rename it to .*x\.iopte\.yaml/);
  });

  it('reads the files that a scenario names, relative to it', async () => {
    const request = { sid: '0x10', iova: '0x7000', length: 4096, access: 'write' };
    await mkdir(path.join(folder, 'traced'));
    await writeFile(path.join(folder, 'traced', 'one.jsonl'), `${JSON.stringify(request)}\n`);
    const replay = PLAIN.replace(/ {2}- dma: .*/, '  - replay: { file: one.jsonl }');
    const file = path.join('traced', 'trace.iopte.yaml');
    await writeFile(path.join(folder, file), replay);
    const { exitCode, stdout, stderr } = await run(file, '--json');
    assert.equal(exitCode, 0, stderr);
    const [line] = jsonLines(stdout) as readonly { requests: number; dirty: { written: number } }[];
    assert.deepEqual([line?.requests, line?.dirty.written], [1, 4096]);
    await rm(path.join(folder, 'traced', 'one.jsonl'));
    const without = await run(file);
    assert.equal(without.exitCode, 2);
    assert.match(without.stderr, /one\.jsonl, which it names, cannot be read: ENOENT/);
    await rm(path.join(folder, 'traced'), { recursive: true });
  });

  it('refuses bad usage with 2, and says what to do', async () => {
    const cases: [string[], RegExp][] = [
      [[], /missing required argument 'FILE\|DIR'\n+hint: iopte run --help/],
      [['none.iopte.yaml'], /^iopte: none\.iopte\.yaml does not exist/],
      [['results.txt'], /^iopte: results\.txt does not exist/],
      [['write.iopte.yaml', '--jobs', '0'], /'0' is invalid/],
      [['write.iopte.yaml', '--memory', 'much'], /'much' is invalid/],
      [['write.iopte.yaml', '--set', 'machine'], /Write PATH=VALUE/],
      [['write.iopte.yaml', '--junit', 'no/where.xml'], /^iopte: no\/where\.xml cannot be written: ENOENT/],
      [
        ['write.iopte.yaml', '--variant', 'rigth'],
        /has no variant "rigth"\nhint: variants here: right, clean, wrong/,
      ],
      [['good', '--variant', 'right'], /^iopte: no scenario has a variant "right"/],
      [['write.iopte.yaml', '--nothing'], /unknown option '--nothing'/],
    ];
    for (const [args, message] of cases) {
      const { exitCode, stderr } = await run(...args);
      assert.equal(exitCode, 2, `${args.join(' ')}\n${stderr}`);
      assert.match(stderr, message);
    }
  });

  for (const [told, signal] of [
    ['Ctrl-C', 'SIGINT'],
    ['SIGTERM', 'SIGTERM'],
  ] as const)
    it(`stops at ${told}, keeps and prints what it has, and exits with 130`, async () => {
      const file = path.join(folder, 'long.iopte.yaml');
      await writeFile(file, LONG);
      const child = startCli(
        ['run', 'good/b.iopte.yaml', 'long.iopte.yaml', '--json', '--junit', 'cut.xml'],
        folder,
      );
      child.stdout.once('data', () => setTimeout(() => child.kill(signal), 1500));
      const before = Date.now();
      const { exitCode, stdout, stderr } = await ended(child);
      await rm(file);
      assert.ok(Date.now() - before < 30_000, 'it stops at once');
      assert.equal(exitCode, 130);
      assert.match(stderr, /iopte: cancelled/);
      const [done, stopped] = jsonLines(stdout) as readonly (Line & { cancelled?: true; requests: number })[];
      assert.deepEqual([done?.passed, done?.cancelled], [true, undefined]);
      assert.equal(stopped?.cancelled, true);
      assert.ok(stopped.requests > 0 && stopped.requests < 150_000_000);
      const root = parseXml(await readFile(path.join(folder, 'cut.xml'), 'utf8'));
      assert.deepEqual([root.attributes['tests'], root.attributes['skipped']], ['2', '1']);
    });
});
