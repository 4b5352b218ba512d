/** `iopte find` and `iopte diff`, run as processes on the samples. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
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

  it('say what they cannot read, and take it neither for nothing nor for removed', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'iopte-'));
    try {
      copyFileSync('samples/vtd-4level.elf.gz', path.join(folder, 'vtd-4level.elf.gz'));
      const withRoot = (name: string, RTADDR: string): string => {
        const file = path.join(folder, `${name}.iopte.json`);
        const iommus = [{ name: 'dmar0', kind: 'vt-d', segment: 0, registers: { RTADDR } }];
        writeFileSync(file, JSON.stringify({ version: 1, image: 'vtd-4level.elf.gz', iommus }));
        return file;
      };
      // RTADDR.TTM = 2 is reserved (VT-d 4.1 section 11.4.5); the other one names memory that the image does not have.
      const [unreadable, outside] = [
        withRoot('reserved', '0x2f8f800'),
        withRoot('outside', '0x7f0000000000'),
      ];
      for (const args of [
        ['find', unreadable, '0x9d61000'],
        ['find', unreadable, '--aliases'],
      ]) {
        const { exitCode, stdout, stderr } = await runCli(args);
        assert.deepEqual([exitCode, stdout], [1, ''], stderr);
        assert.match(stderr, /^iopte: dmar0 cannot be read: /);
      }
      const found = await runCli(['find', outside, '0x9d61000']);
      assert.match(found.stdout, /nothing reaches this memory, as far as it can be read/);
      assert.match(found.stderr, /warning: dmar0: /);
      for (const other of [unreadable, outside]) {
        const { exitCode, stdout, stderr } = await runCli(['diff', SAMPLE, other]);
        assert.equal(exitCode, 2, stderr);
        assert.doesNotMatch(stdout, /^ *-/m);
        assert.match(stderr, /dmar0/);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('name domains of both stages apart, and devices as the other commands do', async () => {
    const smmu = 'samples/smmuv3-two-stages.iopte.json';
    const aliases = await runCli(['find', smmu, '--aliases', '--limit', '1']);
    assert.match(aliases.stdout, /smmu0\/ASID 1@0x/);
    const text = await runCli(['diff', 'samples/smmuv3-nested.iopte.json', smmu]);
    assert.match(text.stdout, /^! device 00:03\.0 of smmu0: VMID 7 -> ASID 2$/m);
    assert.match(text.stdout, /^- device 00:02\.0 SubstreamID 0x1 of smmu0: ASID 2 on VMID 7, VMID 7$/m);
    const { stdout } = await runCli(['diff', 'samples/smmuv3-nested.iopte.json', smmu, '--json']);
    const rows = jsonLines(stdout) as readonly Record<string, unknown>[];
    const device = rows.find(({ type }) => type === 'device');
    assert.match(String(device?.['sid']), /^0x[0-9a-f]+$/);
    assert.match(String(device?.['bdf']), /^[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/);
    const domain = rows.find(({ type }) => type === 'domain');
    const side = (domain?.['before'] ?? domain?.['after']) as Record<string, unknown>;
    assert.deepEqual([typeof side['domain'], Array.isArray(side['sids'])], ['number', true]);
    assert.doesNotMatch(stdout, /"requesters?"|"domainId"/);
  });

  it('refuse a limit of no rows as bad usage', async () => {
    for (const args of [
      ['find', SAMPLE, '0x1000'],
      ['diff', SAMPLE, SAMPLE],
      ['list', SAMPLE],
    ]) {
      const { exitCode, stderr } = await runCli([...args, '--limit', '0']);
      assert.equal(exitCode, 2, args.join(' '));
      assert.match(stderr, /limit as a number from 1/);
    }
  });
});
