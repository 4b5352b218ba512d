import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CliError } from '../../../src/cli/errors';
import { describe as describeImage, imageOf, resolveSource } from '../../../src/cli/source';

describe('FILE of the command line', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'iopte-source-'));
    await writeFile(path.join(folder, 'x.elf.gz'), 'image');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const at = (name: string): string => path.join(folder, name);
  const write = (name: string, text: string): Promise<void> => writeFile(at(name), text);
  async function refusal(file: string, options = {}): Promise<CliError> {
    try {
      await resolveSource(file, options);
    } catch (error) {
      if (error instanceof CliError) return error;
      throw error;
    }
    return assert.fail('accepted');
  }

  it('may be an image with a description beside it', async () => {
    await write('other.iopte.json', '{"image": "y.elf.gz"}');
    await write('broken.iopte.json', '{"image"');
    await write('mine.iopte.json', '\u{feff}{"version": 1, "image": "./x.elf.gz"}');
    assert.deepEqual(await resolveSource(at('x.elf.gz'), {}), {
      description: '{"version": 1, "image": "./x.elf.gz"}',
      descriptionPath: at('mine.iopte.json'),
      imagePath: at('x.elf.gz'),
    });
  });

  it('may be a description, whose image is beside it', async () => {
    await write('mine.iopte.json', '{"version": 1, "image": {"file": "x.elf.gz", "segments": []}}');
    const source = await resolveSource(at('mine.iopte.json'), {});
    assert.equal(source.imagePath, at('x.elf.gz'));
  });

  it('may be an image with registers given by hand', async () => {
    const source = await resolveSource(at('x.elf.gz'), {
      registers: new Map([['RTADDR', 0xfffffffffffff000n]]),
    });
    assert.deepEqual(JSON.parse(source.description), {
      version: 1,
      image: 'x.elf.gz',
      iommus: [{ name: 'dmar0', kind: 'vt-d', segment: 0, registers: { RTADDR: '0xfffffffffffff000' } }],
    });
    assert.equal(source.descriptionPath, undefined);
    assert.equal(imageOf(describeImage('a"b', 'riscv', new Map())), 'a"b');
  });

  it('says what to write when there is no description', async () => {
    const error = await refusal(at('x.elf.gz'));
    assert.equal(error.exitCode, 1);
    assert.match(error.message, /x\.elf\.gz has no description beside it/);
    assert.match(error.hint ?? '', /iopte roots .*x\.elf\.gz$/m);
    assert.match(error.hint ?? '', /--registers RTADDR=/);
    assert.match(error.hint ?? '', /--kind .*amd-vi \(DevTabBase\).*riscv \(ddtp\)/);
    assert.ok(error.hint?.includes(at('x.iopte.json')));
    const example = (error.hint ?? '').slice((error.hint ?? '').indexOf('{')).replaceAll('0x...', '0x0');
    assert.deepEqual((JSON.parse(example) as { image: string }).image, 'x.elf.gz');
  });

  it('lists the descriptions when there are several', async () => {
    await write('a.iopte.json', '{"image": "x.elf.gz"}');
    await write('b.iopte.json', '{"image": {"file": "x.elf.gz"}}');
    const error = await refusal(at('x.elf.gz'));
    assert.equal(error.exitCode, 1);
    assert.ok(error.message.includes(`${at('a.iopte.json')}, ${at('b.iopte.json')}`));
  });

  it('is refused with the reason when it is missing, a folder, or names no image', async () => {
    assert.match((await refusal(at('nothing'))).message, /nothing does not exist$/);
    await mkdir(at('folder'));
    assert.match((await refusal(at('folder'))).message, /folder is a folder/);
    await write('gone.iopte.json', '{"image": "gone.elf"}');
    assert.match(
      (await refusal(at('gone.iopte.json'))).message,
      /gone\.elf does not exist, named in .*gone\.iopte\.json/,
    );
    await write('none.iopte.json', '{"version": 1}');
    assert.match((await refusal(at('none.iopte.json'))).message, /does not name its image/);
  });

  it('is refused when it, its description or its image is a pipe or a device', async function () {
    if (process.platform === 'win32') this.skip();
    execFileSync('mkfifo', [at('pipe'), at('pipe.iopte.json')]);
    assert.match((await refusal(at('pipe'))).message, /pipe is a pipe or a device$/);
    assert.match((await refusal(at('pipe'), { registers: new Map() })).message, /is a pipe or a device/);
    assert.match((await refusal(at('pipe.iopte.json'))).message, /is a pipe or a device/);
    await write('of.iopte.json', '{"image": "pipe"}');
    assert.match(
      (await refusal(at('of.iopte.json'))).message,
      /pipe is a pipe or a device, named in .*of\.iopte/,
    );
    await write('mine.iopte.json', '{"image": "x.elf.gz"}');
    assert.equal((await resolveSource(at('x.elf.gz'), {})).descriptionPath, at('mine.iopte.json'));
  });

  it('refuses options that do not fit together as bad usage', async () => {
    await write('mine.iopte.json', '{"image": "x.elf.gz"}');
    assert.equal((await refusal(at('mine.iopte.json'), { registers: new Map() })).exitCode, 2);
    assert.equal((await refusal(at('x.elf.gz'), { kind: 'vt-d' })).exitCode, 2);
  });
});
