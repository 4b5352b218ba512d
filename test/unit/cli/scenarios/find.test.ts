import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findScenarios } from '../../../../src/cli/scenarios/find';
import { CliError } from '../../../../src/cli/errors';

describe('finding scenarios', () => {
  let folder: string;
  const at = (...names: string[]): string => path.join(folder, ...names);
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'iopte-find-'));
    await mkdir(at('b', 'deep'), { recursive: true });
    await mkdir(at('node_modules'));
    for (const name of ['b/deep/z.iopte.yaml', 'b/a.iopte.yaml', 'B.iopte.yaml', 'a.iopte.yaml'])
      await writeFile(at(name), '');
    for (const name of ['node_modules/x.iopte.yaml', 'b/notes.yaml', 'b/a.iopte.json'])
      await writeFile(at(name), '');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const found = async (...asked: string[]) => {
    const { files, problems } = await findScenarios(asked, new AbortController().signal);
    return { files: files.map(({ file }) => path.relative(folder, file)), problems };
  };
  const refused = async (...asked: string[]): Promise<CliError> => {
    const error: unknown = await found(...asked).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof CliError);
    return error;
  };

  it('takes all below a folder, sorted by name, and leaves out what is none', async () => {
    assert.deepEqual(await found(folder), {
      files: ['B.iopte.yaml', 'a.iopte.yaml', 'b/a.iopte.yaml', 'b/deep/z.iopte.yaml'],
      problems: [],
    });
  });

  it('takes files in the order given, and each once', async () => {
    const { files } = await found(at('b', 'deep', 'z.iopte.yaml'), folder, at('a.iopte.yaml'));
    assert.deepEqual(await found(folder, folder), await found(folder));
    assert.deepEqual(files, ['b/deep/z.iopte.yaml', 'B.iopte.yaml', 'a.iopte.yaml', 'b/a.iopte.yaml']);
  });

  it('follows links, and is not caught in a loop of them', async () => {
    await symlink(folder, at('b', 'deep', 'up'));
    await symlink(at('b'), at('again'));
    await symlink(at('nowhere'), at('b', 'broken'));
    const { files, problems } = await found(folder);
    assert.deepEqual(files, [
      'B.iopte.yaml',
      'a.iopte.yaml',
      'again/a.iopte.yaml',
      'again/deep/z.iopte.yaml',
    ]);
    assert.deepEqual(problems, []);
  });

  it('does not go down without end, and says so', async () => {
    const deep = Array.from({ length: 40 }, () => 'd');
    await mkdir(at(...deep), { recursive: true });
    await writeFile(at(...deep, 'low.iopte.yaml'), '');
    const { files, problems } = await found(folder);
    assert.equal(files.length, 4);
    assert.match(problems.join(), /more than 32 folders deep/);
  });

  it('names what is missing, no scenario, or a folder without any', async () => {
    assert.match((await refused(at('none.iopte.yaml'))).message, /none\.iopte\.yaml does not exist/);
    assert.match((await refused(at('b', 'a.iopte.json'))).message, /is no scenario/);
    await mkdir(at('empty'));
    assert.match((await refused(at('empty'))).message, /no \*\.iopte\.yaml in .*empty/);
  });
});
