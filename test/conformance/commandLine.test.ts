/** The whole chain, from a file on disk to lines on standard output, by the built command line. */
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ensureBuilt, jsonLines, runCli } from '../built';
import {
  CORPUS,
  NAMES,
  descriptionOf,
  formsOf,
  readManifest,
  type ImageForm,
  type Manifest,
} from './manifest';

describe('the command line on real guests', function () {
  this.timeout(120_000);
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'iopte-corpus-'));
    ensureBuilt();
  });
  after(() => rm(folder, { recursive: true }));

  for (const name of NAMES) {
    const manifest = readManifest(name);
    const [form] = formsOf(name);
    assert.ok(form);
    it(`answers all translations of ${name} as its emulator did`, () => testTranslations(manifest, form));
  }

  async function testTranslations(manifest: Manifest, form: ImageForm): Promise<void> {
    const image = path.join(folder, form.file);
    await copyFile(path.join(CORPUS, form.file), image);
    await writeFile(path.join(folder, `${manifest.name}.iopte.json`), descriptionOf(manifest, form));
    const { translations, faults } = manifest.oracle;
    const requests = [
      ...translations.map(({ sid, iova, perm }) => ({ sid, iova, access: perm === 'W' ? 'write' : 'read' })),
      // Decimal, as the emulator logged them.
      ...faults.map(([sid, iova, , write]) => ({ sid, iova, access: write === '1' ? 'write' : 'read' })),
    ];
    const input = requests.map((request) => `${JSON.stringify({ pasid: null, ...request })}\n`).join('');
    const { exitCode, stdout, stderr } = await runCli(['translate', image, '--requests', '-', '--json'], {
      input,
    });
    assert.equal(stderr, '');
    assert.equal(exitCode, 0);
    const answers = jsonLines(stdout);
    assert.deepEqual(
      answers.slice(0, translations.length),
      translations.map(({ paddr, size, perm, level, pte }) => ({
        ok: true,
        paddr,
        size,
        perm,
        level,
        entry: pte,
      })),
    );
    const refused = answers.slice(translations.length) as readonly { readonly ok: boolean }[];
    assert.equal(refused.length, faults.length);
    assert.ok(refused.every(({ ok }) => !ok));
  }
});
