/** `iopte trace` of the built command line, as a process. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { CLI, ended, ensureBuilt, runCli, startCli } from '../../built';

const BOOT = 'test/fixtures/traces/vtd-legacy-share/ftrace_boot.head.txt.gz';
const STATS = {
  format: 'ftrace',
  rows: 1048,
  events: { map: 906, unmap: 140, attach_device_to_domain: 2 },
  unknown: 0,
  lost: 0,
};

describe('iopte trace as a process', function () {
  this.timeout(120_000);
  let folder = '';
  let long = '';
  before(() => {
    ensureBuilt();
    folder = mkdtempSync(path.join(tmpdir(), 'iopte-trace-'));
    long = path.join(folder, 'long.txt');
    const text = gunzipSync(readFileSync(BOOT)).toString();
    writeFileSync(long, text.slice(0, text.lastIndexOf('\n') + 1).repeat(200));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it('sums up a file, and the same from standard input', async () => {
    const file = await runCli(['trace', BOOT, '--stats', '--json']);
    assert.equal(file.exitCode, 0, file.stderr);
    assert.deepEqual(JSON.parse(file.stdout), STATS);
    const input = gunzipSync(readFileSync(BOOT)).toString();
    const piped = await runCli(['trace', '-', '--stats', '--json'], { input });
    assert.equal(piped.stdout, file.stdout);
    assert.match((await runCli(['trace', '-'])).stderr, /^iopte: standard input is empty\.\n/);
  });

  it('ends quietly when nobody reads on', async () => {
    const child = startCli(['trace', long, '--json']);
    const end = ended(child);
    child.stdout.once('data', () => child.stdout.destroy());
    const { exitCode, stderr } = await end;
    assert.equal(exitCode, 0);
    assert.equal(stderr, '');
  });

  it('stops at Ctrl-C with what it has written', async () => {
    const child = startCli(['trace', long, '--json']);
    const end = ended(child);
    child.stdout.once('data', () => child.kill('SIGINT'));
    const { exitCode, stdout, stderr } = await end;
    assert.equal(exitCode, 130);
    assert.equal(stderr, 'iopte: cancelled\n');
    const lines = stdout.trimEnd().split('\n');
    assert.ok(lines.length > 1000 && lines.length < 200 * 1048);
    assert.equal((JSON.parse(lines[0] ?? '') as { row: number }).row, 1);
  });

  it('says when its output cannot be written', function () {
    if (process.platform !== 'linux') this.skip();
    const script = '"$0" "$1" trace "$2" --json > /dev/full; echo $?';
    const env = { ...process.env, IOPTE_CACHE: '' };
    const args = ['-c', script, process.execPath, CLI, BOOT];
    const printed = execFileSync('sh', args, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'ignore'] });
    assert.equal(printed, '1\n');
  });

  it('keeps an index in the cache, which clear-caches throws out', () => {
    const env = { ...process.env, IOPTE_CACHE: path.join(folder, 'cache') };
    const run = (...words: string[]): string =>
      execFileSync(process.execPath, [CLI, ...words], {
        encoding: 'utf8',
        env,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    const first = run('trace', long, '--stats', '--json');
    assert.equal(run('trace', long, '--stats', '--json'), first);
    const cleared = JSON.parse(run('clear-caches', '--json')) as { files: number; bytes: number };
    assert.equal(cleared.files, 1);
    assert.ok(cleared.bytes > 0);
    assert.equal(run('clear-caches'), 'nothing was kept\n');
  });
});
