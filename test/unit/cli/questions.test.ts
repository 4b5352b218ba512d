/** `iopte find` and `iopte diff`, run as processes on the samples. */
import assert from 'node:assert/strict';
import { ensureBuilt, jsonLines, runCli } from '../../built';

const SAMPLE = 'samples/vtd-4level.iopte.json';
const OTHER = 'samples/vtd-3level-1g.iopte.json';

describe('iopte find and diff', function () {
  this.timeout(120_000);
  before(ensureBuilt);

  it('print help with examples', async () => {
    for (const command of ['find', 'diff']) {
      const { exitCode, stdout } = await runCli([command, '--help']);
      assert.equal(exitCode, 0);
      assert.match(stdout, /Examples:\n {2}\$ iopte /);
    }
  });

  it('find says who reaches an address, for people and as JSON', async () => {
    // The leaf 0x9d61003 of domain 4 maps 0xffed8000 for 00:02.0.
    const text = await runCli(['find', SAMPLE, '0x9d61010']);
    assert.equal(text.exitCode, 0, text.stderr);
    assert.match(text.stdout, /0x9d61010 +1 +0xffed8010 +RW +4K +-- +domain 4 .*00:02\.0/);
    const { stdout } = await runCli(['find', SAMPLE, '0x9d61000+8K', '--json']);
    const [row, ...others] = jsonLines(stdout) as readonly Record<string, unknown>[];
    assert.equal(others.length, 0);
    assert.deepEqual(
      [
        row?.['type'],
        row?.['domain'],
        row?.['iova'],
        row?.['length'],
        row?.['paddr'],
        row?.['entry'],
        row?.['sids'],
      ],
      ['mapping', 4, '0xffed8000', '0x2000', '0x9d61000', '0x9d61003', ['0x10']],
    );
  });

  it('find names devices in pass-through, and says when nothing reaches an address', async () => {
    const { stdout } = await runCli(['find', 'samples/vtd-passthrough.iopte.json', '0x1000', '--json']);
    const [row] = jsonLines(stdout) as readonly Record<string, unknown>[];
    assert.deepEqual([row?.['type'], row?.['iova'], row?.['perm']], ['pass-through', '0x1000', 'RW']);
    assert.match((await runCli(['find', SAMPLE, '0xf000000000'])).stdout, /nothing reaches/);
  });

  it('find --aliases lists what is mapped more than once', async () => {
    const { exitCode, stdout, stderr } = await runCli([
      'find',
      SAMPLE,
      '--aliases',
      '--limit',
      '3',
      '--json',
    ]);
    assert.equal(exitCode, 0);
    assert.match(stderr, /stopped at --limit 3 of \d+/);
    for (const row of jsonLines(stdout) as readonly { type: string; mappings: unknown[]; count: number }[]) {
      assert.equal(row.type, 'alias');
      assert.ok(row.count > 1 && row.mappings.length === row.count);
    }
  });

  it('diff exits as diff does: 0 equal, 1 different, 2 trouble', async () => {
    const same = await runCli(['diff', SAMPLE, SAMPLE]);
    assert.deepEqual([same.exitCode, same.stdout], [0, '']);
    const different = await runCli(['diff', SAMPLE, OTHER, '--json']);
    assert.equal(different.exitCode, 1);
    const rows = jsonLines(different.stdout) as readonly { type: string; change: string }[];
    assert.ok(rows.some(({ type, change }) => type === 'domain' && change === 'changed'));
    assert.ok(rows.some(({ type, change }) => type === 'run' && change === 'added'));
    for (const args of [
      ['diff', SAMPLE],
      ['diff', SAMPLE, 'missing.iopte.json'],
      ['diff', 'missing.elf', SAMPLE],
    ]) {
      const { exitCode, stderr } = await runCli(args);
      assert.equal(exitCode, 2, args.join(' '));
      assert.match(stderr, /^iopte: /);
    }
  });

  it('find refuses what is no address with what to write', async () => {
    for (const args of [
      ['find', SAMPLE],
      ['find', SAMPLE, '0x5..0x5'],
      ['find', SAMPLE, '1', '--aliases'],
    ]) {
      const { exitCode, stderr } = await runCli(args);
      assert.equal(exitCode, 2, args.join(' '));
      assert.match(stderr, /^iopte: .+\nhint: /);
    }
  });
});
