/** `iopte roots` as a process of its own. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ensureBuilt, runCli } from '../built';
import { CORPUS } from './manifest';

const IMAGE = path.join(CORPUS, 'vtd-small-share.elf.gz');

describe('iopte roots', () => {
  let folder = '';
  before('builds what is old', async function () {
    this.timeout(300_000);
    ensureBuilt();
    folder = await mkdtemp(path.join(tmpdir(), 'iopte-roots-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('prints candidates for people and for programs', async () => {
    const text = await runCli(['roots', IMAGE]);
    assert.equal(text.exitCode, 0, text.stderr);
    assert.match(text.stdout, /1\. VT-d legacy: root table at 0x2f8f000 \(strong evidence\)/);
    assert.match(text.stdout, /--kind vt-d --registers RTADDR=0x2f8f000\n/);
    const json = await runCli(['roots', IMAGE, '--json']);
    const [image, first] = json.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as object);
    assert.deepEqual(Object.entries(image ?? {}).slice(0, 2), [
      ['type', 'image'],
      ['name', 'vtd-small-share.elf.gz'],
    ]);
    assert.deepEqual(Object.entries(first ?? {}).slice(0, 5), [
      ['type', 'candidate'],
      ['rank', 1],
      ['kind', 'vt-d'],
      ['mode', 'VT-d legacy'],
      ['address', '0x2f8f000'],
    ]);
  });

  it('writes a description that opens, and never over a file that is there', async () => {
    const file = path.join(folder, 'found.iopte.json');
    const written = await runCli(['roots', IMAGE, '--write', file]);
    assert.equal(written.exitCode, 0, written.stderr);
    const before = await readFile(file, 'utf8');
    const inspected = await runCli(['inspect', file]);
    assert.equal(inspected.exitCode, 0, inspected.stderr);
    assert.match(inspected.stdout, /dmar0: VT-d legacy/);
    const again = await runCli(['roots', IMAGE, '--write', file]);
    assert.equal(again.exitCode, 1);
    assert.match(again.stderr, /cannot be written/);
    assert.equal(await readFile(file, 'utf8'), before);
  });

  it('says what it looked for where there is nothing, and from where it took bytes without headers', async () => {
    const file = path.join(folder, 'text.raw');
    await writeFile(file, 'nothing but text\n'.repeat(4096));
    const { exitCode, stdout, stderr } = await runCli(['roots', file]);
    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /No root was found\.\nLooked for VT-d root tables/);
    assert.match(stderr, /taken from physical address 0 on/);
    const name = path.join(folder, 'text.iopte.json');
    const writing = await runCli(['roots', file, '--write', name]);
    assert.equal(writing.exitCode, 1);
    assert.match(writing.stderr, /is not written: no root was found/);
    assert.equal((await runCli(['roots', file, '--write', 'text.json'])).exitCode, 2);
  });
});
