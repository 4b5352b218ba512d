/** The built command line, run as a process on the samples. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { CLI, ended, ensureBuilt, jsonLines, runCli, startCli } from '../../built';

const SAMPLE = 'samples/vtd-4level.iopte.json';
const PASS_THROUGH = 'samples/vtd-passthrough.iopte.json';

describe('iopte', function () {
  this.timeout(120_000);
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'iopte-cli-'));
    ensureBuilt();
  });
  after(() => rm(folder, { recursive: true }));
  const at = (name: string): string => path.join(folder, name);

  describe('usage', () => {
    it('prints help with examples for itself and for every command', async () => {
      for (const command of [
        [],
        ['inspect'],
        ['walk'],
        ['list'],
        ['translate'],
        ['run'],
        ['sweep'],
        ['trace'],
      ]) {
        const { exitCode, stdout, stderr } = await runCli([...command, '--help']);
        assert.equal(exitCode, 0);
        assert.match(stdout, /^Usage: iopte /);
        assert.match(stdout, /Examples:\n {2}\$ iopte /);
        assert.equal(stderr, '');
      }
    });

    it('prints its version', async () => {
      assert.match((await runCli(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
    });

    it('exits with 2 and says what to do on bad usage', async () => {
      const cases: [string[], RegExp][] = [
        [[], /Usage: iopte/],
        [['inspct'], /iopte: unknown command 'inspct'\n.*inspect/],
        [['inspect'], /iopte: missing required argument 'FILE'\n+hint: iopte inspect --help/],
        [['inspect', SAMPLE, 'more'], /iopte: too many arguments/],
        [['walk', SAMPLE], /iopte: required option '--device <device>' not specified/],
        [['walk', SAMPLE, '--device', 'x', '--iova', '1'], /iopte: .*'x' is invalid.*bus:device\.function/],
        [['walk', SAMPLE, '--device', '00:02.0', '--iova', '0xg'], /'0xg' is invalid.*64 bits/],
        [['list', SAMPLE, '--domain', '1', '--device', '00:02.0'], /iopte: --domain and --device/],
        [['list', SAMPLE, '--nothing'], /iopte: unknown option '--nothing'/],
        [['inspect', SAMPLE, '--kind', 'vt-d'], /iopte: --kind needs --registers/],
        [['roots', SAMPLE, '--candidate', '2'], /iopte: --candidate needs --write/],
        [['roots', SAMPLE, '--write', 'x.iopte.json', '--candidate', '0'], /'0' is invalid.*from 1 to/],
      ];
      for (const [args, message] of cases) {
        const { exitCode, stdout, stderr } = await runCli(args);
        assert.equal(exitCode, 2, args.join(' '));
        assert.match(stderr, message);
        assert.equal(stdout, '');
      }
    });
  });

  describe('bad input', () => {
    it('exits with 1 and says what is wrong and what to do', async () => {
      await writeFile(at('noise.elf.gz'), 'this is no image');
      await writeFile(at('noise.iopte.json'), '{"version": 1, "image": "noise.elf.gz", "iommus": []');
      const cases: [string[], RegExp][] = [
        [['inspect', at('missing.elf')], /^iopte: .*missing\.elf does not exist/],
        [['inspect', folder], /^iopte: .* is a folder/],
        [
          ['inspect', 'package.json'],
          /^iopte: package\.json has no description beside it\nhint: [^]*--registers/,
        ],
        [['inspect', at('noise.iopte.json')], /^iopte: .*noise\.iopte\.json:1:\d+: [^]*\^[^]*hint: /],
        [['inspect', at('noise.elf.gz'), '--registers', 'RTADDR=0x1000'], /^iopte: .+\nhint: .+/],
        [
          ['walk', SAMPLE, '--device', '00:02.0', '--iova', '0', '--iommu', 'x'],
          /no IOMMU "x"\nhint: .*dmar0/,
        ],
        [
          ['list', SAMPLE, '--domain', '77'],
          /^iopte: there is no domain 77\nhint: domains here: domain 2 \(root 0x342e000\) of dmar0/,
        ],
        [
          ['list', SAMPLE, '--device', '00:09.0'],
          /^iopte: no entry for device 00:09\.0\nhint: devices here: 00:00\.0/,
        ],
        [['list', PASS_THROUGH, '--device', '00:02.0'], /00:02\.0 is passed through/],
        [
          ['translate', SAMPLE, '--requests', at('missing.jsonl')],
          /^iopte: requests cannot be read: .*missing\.jsonl/,
        ],
      ];
      for (const [args, message] of cases) {
        const { exitCode, stdout, stderr } = await runCli(args);
        assert.equal(exitCode, 1, `${args.join(' ')}\n${stderr}`);
        assert.match(stderr, message);
        assert.equal(stdout, '');
      }
    });

    it('points a caret at the place where a filter is wrong', async () => {
      const { exitCode, stderr } = await runCli(['list', SAMPLE, '--where', 'perm = rw and sise >= 2M']);
      assert.equal(exitCode, 1);
      const [message = '', filter = '', caret = ''] = stderr.split('\n');
      assert.match(message, /^iopte: filter: /);
      assert.equal(filter, '  perm = rw and sise >= 2M');
      assert.equal(caret.indexOf('^'), filter.indexOf('sise'));
    });

    it('lists the descriptions when an image has several', async () => {
      await copyFile('samples/vtd-4level.elf.gz', at('two.elf.gz'));
      for (const name of ['a', 'b']) await writeFile(at(`${name}.iopte.json`), '{"image": "two.elf.gz"}');
      const { exitCode, stderr } = await runCli(['inspect', at('two.elf.gz')]);
      assert.equal(exitCode, 1);
      assert.match(stderr, /more than one description: .*a\.iopte\.json, .*b\.iopte\.json/);
    });
  });

  describe('inspect', () => {
    it('shows IOMMU, registers, devices and domains to people', async () => {
      const { exitCode, stdout, stderr } = await runCli(['inspect', SAMPLE]);
      assert.equal(exitCode, 0, stderr);
      assert.equal(stderr, '');
      assert.match(stdout, /^dmar0: VT-d legacy, PCI segment 0, translation on$/m);
      assert.match(stdout, /^ +RTADDR +0x2f8f000$/m);
      assert.match(stdout, /^ +TES +31 +0x1 /m);
      assert.match(stdout, /^ +00:02\.0 +0x10 +- +table +DID 4 +0x3436000 /m);
      // Domain 9: 21 pages of 4K and 9 of 2M, 23 of them writable.
      assert.match(
        stdout,
        /^ +DID 9 +2 +VT-d second stage +0x1184b000 +4 +18516K +30 +21 x 4K, 9 x 2M +23 RW, 7 R .*00:07\.0$/m,
      );
      assert.ok(!stdout.includes('\u{1b}'), 'no colour in a pipe');
    });

    it('writes the same as JSON lines', async () => {
      const { exitCode, stdout } = await runCli(['inspect', SAMPLE, '--json']);
      assert.equal(exitCode, 0);
      const lines = jsonLines(stdout) as readonly Record<string, unknown>[];
      const ofType = (type: string) => lines.filter((line) => line['type'] === type);
      assert.equal(ofType('image').length, 1);
      assert.equal(ofType('device').length, 11);
      assert.equal(ofType('domain').length, 9);
      const [iommu] = ofType('iommu');
      assert.deepEqual(iommu?.['registers'], {
        RTADDR: '0x2f8f000',
        GSTS: '0xc7000000',
        CAP: '0xd2008c222f0606',
        ECAP: '0xf00f4a',
      });
      const domain = ofType('domain').find((line) => line['domain'] === 9);
      assert.equal(domain?.['root'], '0x1184b000');
      assert.equal(domain['mappedBytes'], '0x1215000');
      assert.deepEqual(domain['leavesByPermission'], { RW: 23, R: 7 });
    });

    it('opens an image with registers given by hand', async () => {
      await copyFile('samples/vtd-4level.elf.gz', at('alone.elf.gz'));
      const registers = ['--registers', 'RTADDR=0x2f8f000', '--registers', 'GSTS=0xc7000000'];
      const { exitCode, stdout, stderr } = await runCli(['inspect', at('alone.elf.gz'), ...registers]);
      assert.equal(exitCode, 0, stderr);
      assert.match(stdout, /Devices: 11$/m);
    });
  });

  describe('walk', () => {
    it('shows every level and the result', async () => {
      const { exitCode, stdout } = await runCli([
        'walk',
        SAMPLE,
        '--device',
        '00:02.0',
        '--iova',
        '0xffed8123',
      ]);
      assert.equal(exitCode, 0);
      assert.match(stdout, /^read of 0xffed8123 by 00:02\.0 \(source-id 0x10\), through dmar0$/m);
      assert.match(stdout, /0x9d61003 /);
      assert.match(stdout, /^0xffed8123 -> 0x9d61123 \(4K page, RW\)$/m);
    });

    it('shows why a request fails', async () => {
      const walk = ['walk', SAMPLE, '--device', '00:07.0', '--iova', '0x5000'];
      const { exitCode, stdout } = await runCli(walk);
      assert.equal(exitCode, 0);
      assert.match(stdout, /^fault: not-present, fault reason 6h$/m);
    });

    it('writes steps and result as JSON lines', async () => {
      const { stdout } = await runCli([
        'walk',
        SAMPLE,
        '--device',
        '0x10',
        '--iova',
        '0xffed8000',
        '--write',
        '--json',
      ]);
      const lines = jsonLines(stdout) as readonly Record<string, unknown>[];
      assert.deepEqual(
        lines.map((line) => [line['type'], line['role'] ?? null, line['level'] ?? null]),
        [
          ['step', 'root', null],
          ['step', 'context', null],
          ['step', 'table', 4],
          ['step', 'table', 3],
          ['step', 'table', 2],
          ['step', 'table', 1],
          ['result', null, 1],
        ],
      );
      const result = lines.at(-1);
      assert.equal(result?.['paddr'], '0x9d61000');
      assert.equal(result['entry'], '0x9d61003');
    });
  });

  describe('list', () => {
    it('lists the runs of a domain to people', async () => {
      const { exitCode, stdout } = await runCli(['list', SAMPLE, '--domain', '4']);
      assert.equal(exitCode, 0);
      assert.match(stdout, /^domain 4 \(root 0x3436000\) of dmar0: 00:02\.0$/m);
      assert.match(stdout, /^ +0xfff00000 +0xfff80000 +512K +0x6c00000 +RW +128 x 4K +1 /m);
      assert.equal((await runCli(['list', SAMPLE, '--device', '00:02.0'])).stdout, stdout);
    });

    it('filters, limits and writes JSON lines', async () => {
      const args = ['list', SAMPLE, '--device', '00:07.0', '--where', 'size >= 2M', '--json'];
      const { stdout } = await runCli(args);
      const runs = jsonLines(stdout) as readonly Record<string, unknown>[];
      assert.equal(
        runs.reduce((sum, run) => sum + Number(run['count']), 0),
        9,
      );
      assert.ok(runs.every((run) => run['size'] === '0x200000' && run['level'] === 2));
      const limited = await runCli([...args, '--limit', '1']);
      assert.deepEqual(jsonLines(limited.stdout), runs.slice(0, 1));
      assert.match(limited.stderr, /^iopte: stopped at --limit 1, within domain 9 /m);
    });

    it('says so when nothing matches', async () => {
      const { exitCode, stdout } = await runCli(['list', SAMPLE, '--domain', '2', '--where', 'perm = rw']);
      assert.equal(exitCode, 0);
      assert.match(stdout, /nothing matches/);
    });

    it('ends quietly when its reader goes away', async () => {
      const shell = `"${process.execPath}" "${CLI}" list ${SAMPLE} --json | head -1`;
      const { stdout, stderr } = await promisify(execFile)('bash', ['-c', `set -o pipefail; ${shell}`]);
      assert.equal(jsonLines(stdout).length, 1);
      assert.equal(stderr, '');
    });
  });

  describe('several IOMMUs', () => {
    before(async () => {
      await copyFile('samples/vtd-4level.elf.gz', at('several.elf.gz'));
      const registers = { RTADDR: '0x2f8f000' };
      const iommus = [
        { name: 'dmar0', kind: 'vt-d', registers },
        { name: 'dmar1', kind: 'vt-d', registers },
        { name: 'other', kind: 'riscv', registers: { ddtp: '0xf' } },
      ];
      await writeFile(
        at('several.iopte.json'),
        JSON.stringify({ version: 1, image: 'several.elf.gz', iommus }),
      );
    });
    const walk = (...more: string[]): string[] => [
      ...['walk', at('several.iopte.json'), '--device', '00:02.0', '--iova', '0xffed8000'],
      ...more,
    ];

    it('are shown, with the reason for one that cannot be read', async () => {
      const { exitCode, stdout } = await runCli(['inspect', at('several.iopte.json'), '--json']);
      assert.equal(exitCode, 0);
      const iommus = (jsonLines(stdout) as readonly Record<string, unknown>[]).filter(
        ({ type }) => type === 'iommu',
      );
      assert.deepEqual(
        iommus.map(({ name, failure }) => [name, failure !== undefined]),
        [
          ['dmar0', false],
          ['dmar1', false],
          ['other', true],
        ],
      );
      const refused = await runCli(walk('--iommu', 'other'));
      assert.equal(refused.exitCode, 1);
      assert.match(refused.stderr, /^iopte: .*ddtp/m);
    });

    it('must be told apart where a domain id or a device is in more than one', async () => {
      const domain = ['list', at('several.iopte.json'), '--domain', '4'];
      const ambiguous = await runCli(domain);
      assert.equal(ambiguous.exitCode, 1);
      assert.match(
        ambiguous.stderr,
        /^iopte: domain 4 is not the only one with this id: domain 4 \(root 0x3436000\) of dmar0, domain 4 \(root 0x3436000\) of dmar1\nhint: choose with --iommu NAME$/m,
      );
      assert.match(
        (await runCli([...domain, '--iommu', 'dmar1'])).stdout,
        /^domain 4 .* of dmar1: 00:02\.0$/m,
      );
      const device = await runCli(walk());
      assert.equal(device.exitCode, 1);
      assert.match(
        device.stderr,
        /00:02\.0 may belong to more than one IOMMU: dmar0, dmar1\.\nhint: Name one of them/,
      );
      assert.match((await runCli(walk('--iommu', 'dmar1'))).stdout, /through dmar1$/m);
    });

    it('are told apart by the PCI segment of a device', async () => {
      const iommu = (name: string, segment: number) => ({
        ...{ name, kind: 'vt-d', segment },
        registers: { RTADDR: '0x2f8f000' },
      });
      const iommus = [iommu('first', 0), iommu('second', 1)];
      const description = { version: 1, image: 'several.elf.gz', iommus };
      await writeFile(at('segments.iopte.json'), JSON.stringify(description));
      const iova = ['--iova', '0xffed8000'];
      for (const [device, name] of [
        ['0000:00:02.0', 'first'],
        ['0001:00:02.0', 'second'],
      ] as const) {
        const { stdout } = await runCli(['walk', at('segments.iopte.json'), '--device', device, ...iova]);
        assert.match(stdout, new RegExp(`by ${device} \\(source-id 0x10\\), through ${name}$`, 'm'));
        const list = await runCli(['list', at('segments.iopte.json'), '--device', device]);
        assert.match(list.stdout, new RegExp(`^domain 4 .* of ${name}: 00:02`, 'm'));
      }
      const either = await runCli(['walk', at('segments.iopte.json'), '--device', '00:02.0', ...iova]);
      assert.match(either.stderr, /may belong to more than one IOMMU: first, second/);
      const request = { sid: '0x10', segment: 1, iova: '0xffed8000', access: 'read' };
      const input = `${JSON.stringify(request)}\n`;
      const answered = await runCli(['translate', at('segments.iopte.json'), '--requests', '-'], { input });
      assert.match(answered.stdout, /^0001:00:02\.0 .* 0x9d61000 /m);
    });
  });

  describe('two stages', () => {
    const NESTED = 'samples/smmuv3-nested.iopte.json';
    const nestedWalk = ['walk', NESTED, '--device', '0x10', '--pasid', '1', '--iova', '0x123456000'];

    it('names devices, processes and domains by the vendor’s words', async () => {
      const { stdout } = await runCli(['inspect', NESTED]);
      assert.match(stdout, /^ +DEVICE +STREAMID +SUBSTREAMID /m);
      assert.match(stdout, /^ +00:02\.0 +0x10 +0x1 +table +ASID 2, VMID 7 /m);
      assert.match(stdout, /^ +ASID 1 on VMID 7 +1, upper half +Armv8 stage 1, 4K granule +0x44003000 /m);
      assert.match(stdout, /^ +VMID 7 +2 +Armv8 stage 2, 4K granule +0x410000 /m);
    });

    it('shows the stage-2 walk of every stage-1 access', async () => {
      const { stdout } = await runCli(nestedWalk);
      assert.match(stdout, /by 00:02\.0 \(StreamID 0x10\), SubstreamID 0x1, through smmu0$/m);
      for (const guest of ['0x44013040', '0x44005020', '0x4400f8d0', '0x440112b0']) {
        assert.match(stdout, new RegExp(`^  stage-2 walk of ${guest}\n    S2 descriptor, level 1 `, 'm'));
      }
      assert.match(stdout, /^stage-2 walk of 0x42080000\n {2}S2 descriptor, level 1 /m);
      assert.match(stdout, /^0x123456000 -> 0x89ab4d000 /m);
    });

    it('writes the stage-2 walks into the steps as JSON', async () => {
      const { stdout } = await runCli([...nestedWalk, '--json']);
      const steps = (jsonLines(stdout) as readonly Record<string, unknown>[]).slice(0, -1);
      const under = steps.map((step) => (Array.isArray(step['under']) ? step['under'].length : 0));
      assert.deepEqual(
        steps.map((step, index) => [step['role'], step['stage'] ?? null, under[index]]),
        [
          ['context', null, 0],
          ['process', null, 3],
          ...[1, 2, 3].map(() => ['table', 1, 3]),
          ...[1, 2, 3].map(() => ['table', 2, 0]),
        ],
      );
    });

    it('says which stage refused, with the vendor’s code', async () => {
      const hole = ['walk', NESTED, '--device', '0x10', '--iova', '0xff002000', '--json'];
      const result = jsonLines((await runCli(hole)).stdout).at(-1) as Record<string, unknown>;
      assert.deepEqual(
        [result['fault'], result['level'], result['stage'], result['vendorFault']],
        ['not-present', 2, 2, 'F_TRANSLATION (0x10)'],
      );
    });

    it('must be told apart where an id is in both', async () => {
      const both = ['list', 'samples/smmuv3-two-stages.iopte.json', '--domain', '1'];
      const ambiguous = await runCli(both);
      assert.equal(ambiguous.exitCode, 1);
      assert.match(
        ambiguous.stderr,
        /domain ASID 1 \(root 0x10b387000\) of smmu0, domain VMID 1 \(root 0x10e11c000\) of smmu0\nhint: choose with --stage 1 or --stage 2$/m,
      );
      const second = await runCli([...both, '--stage', '2']);
      assert.match(second.stdout, /^domain VMID 1 \(root 0x10e11c000\) of smmu0: 00:07\.0$/m);
    });

    it('lists both halves of an address space, a process, or the stage below', async () => {
      const titles = async (...args: string[]): Promise<readonly string[]> =>
        (await runCli(['list', NESTED, ...args])).stdout
          .split('\n')
          .filter((line) => line.startsWith('domain'));
      const halves = await titles('--device', '00:02.0');
      assert.equal(halves.length, 2);
      assert.match(
        halves.join(),
        /ASID 1 \(root 0x44001000, over.*ASID 1 \(root 0x44003000, upper half, over/,
      );
      assert.deepEqual(await titles('--domain', '1'), halves);
      assert.match((await titles('--device', '00:02.0', '--pasid', '1')).join(), /^domain ASID 2 /);
      assert.match((await titles('--device', '00:02.0', '--stage', '2')).join(), /^domain VMID 7 /);
      const unknown = await runCli(['list', NESTED, '--device', '00:02.0', '--pasid', '5']);
      assert.match(
        unknown.stderr,
        /no entry for device 00:02\.0 with PASID 0x5\nhint: PASIDs of 00:02\.0: 0x1$/m,
      );
    });
  });

  describe('translate', () => {
    const line = (iova: string, access = 'read'): string =>
      `${JSON.stringify({ sid: '0x10', pasid: null, iova, access })}\n`;
    const HIT = { ok: true, paddr: '0x9d61000', size: '0x1000', perm: 'RW', level: 1, entry: '0x9d61003' };

    it('answers in order, from a file and from standard input', async () => {
      const input =
        line('0xffed8000') + line('0xfee00000') + line('4293754880', 'write') + line('0xffffffffffffffff');
      await writeFile(at('requests.jsonl'), input);
      const { exitCode, stdout, stderr } = await runCli([
        'translate',
        SAMPLE,
        '--requests',
        at('requests.jsonl'),
        '--json',
      ]);
      assert.equal(exitCode, 0, stderr);
      assert.deepEqual(jsonLines(stdout), [
        HIT,
        { ok: false, fault: 'interrupt-window', level: null },
        HIT,
        { ok: false, fault: 'address-width', level: null },
      ]);
      const piped = await runCli(['translate', SAMPLE, '--requests', '-', '--json'], { input });
      assert.equal(piped.stdout, stdout);
    });

    it('answers pass-through with the IOVA itself and no entry', async () => {
      const { stdout } = await runCli(['translate', PASS_THROUGH, '--requests', '-', '--json'], {
        input: line('0x12345678'),
      });
      assert.deepEqual(jsonLines(stdout), [
        { ok: true, paddr: '0x12345678', size: '0x1000', perm: 'RW', level: null, entry: null },
      ]);
    });

    it('keeps the order over many batches', async () => {
      const pages = Array.from(
        { length: 20_000 },
        (_, index) => 0xfff00000 + (index % 128) * 4096 + (index % 4096),
      );
      const input = pages.map((page) => line(`0x${page.toString(16)}`)).join('');
      const { stdout } = await runCli(['translate', SAMPLE, '--requests', '-', '--json'], { input });
      const answers = jsonLines(stdout) as readonly { paddr: string }[];
      assert.deepEqual(
        answers.map((answer) => Number(answer.paddr)),
        pages.map((page) => page - 0xfff00000 + 0x6c00000),
      );
    });

    it('answers what comes before a bad line, names the line and exits with 1', async () => {
      const input = `${line('0xffed8000')}\n{"sid": "0x10"}\n${line('0xffed8000')}`;
      const { exitCode, stdout, stderr } = await runCli(['translate', SAMPLE, '--requests', '-', '--json'], {
        input,
      });
      assert.equal(exitCode, 1);
      assert.deepEqual(jsonLines(stdout), [HIT]);
      assert.match(stderr, /^iopte: standard input:3: "iova" is missing\nhint: /);
    });

    it('answers each request as it comes, and stops with 130 on Ctrl-C', async () => {
      const child = startCli(['translate', SAMPLE, '--requests', '-', '--json']);
      const end = ended(child);
      for (let round = 0; round < 3; round++) {
        const answered = new Promise((resolve) => child.stdout.once('data', resolve));
        child.stdin.write(line('0xffed8000'));
        await answered;
      }
      child.kill('SIGINT');
      const { exitCode, stdout, stderr } = await end;
      assert.deepEqual(jsonLines(stdout), [HIT, HIT, HIT]);
      assert.equal(exitCode, 130);
      assert.equal(stderr, 'iopte: cancelled\n');
    });

    it('reads requests from a pipe, and stops at once on Ctrl-C though nobody writes', async function () {
      if (process.platform === 'win32') this.skip();
      await promisify(execFile)('mkfifo', [at('pipe')]);
      const args = ['translate', SAMPLE, '--requests', at('pipe'), '--json'];
      const read = ended(startCli(args));
      await writeFile(at('pipe'), line('0xffed8000'));
      const { exitCode, stdout, stderr } = await read;
      assert.equal(exitCode, 0, stderr);
      assert.deepEqual(jsonLines(stdout), [HIT]);
      const child = startCli(args);
      const end = ended(child);
      const writer = await open(at('pipe'), 'w');
      await writer.write(line('0xffed8000'));
      await new Promise((resolve) => child.stdout.once('data', resolve));
      child.kill('SIGINT');
      assert.equal((await end).exitCode, 130);
      await writer.close();
    });

    it('shows a table to people', async () => {
      const input = line('0xffed8000') + line('0x0', 'write');
      const { stdout } = await runCli(['translate', SAMPLE, '--requests', '-'], { input });
      assert.match(
        stdout,
        /^DEVICE .*\n00:02\.0 +- +read +0xffed8000 +0x9d61000 +4K +RW +1 +0x9d61003\n00:02\.0 +- +write +0x0 +not-present .*\n$/,
      );
    });
  });

  describe('in integrated terminals', () => {
    it('is started by its wrapper with the Node it is given', async () => {
      const { stdout } = await promisify(execFile)('media/bin/iopte', ['--version'], {
        env: { ...process.env, IOPTE_NODE: process.execPath },
      });
      assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
    });
  });
});
