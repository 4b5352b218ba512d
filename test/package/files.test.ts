import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { vsixFile } from '../../scripts/lib/packaging.mjs';
import { zipEntries, type ZipEntry } from './zip';

const KIB = 1024;
const root = path.join(__dirname, '../..');

interface Manifest {
  readonly publisher: string;
  readonly icon: string;
  readonly categories: readonly string[];
  readonly keywords: readonly string[];
  readonly repository: { readonly url: string };
}

describe('package', () => {
  const bytes = readFileSync(vsixFile());
  const entries = zipEntries(bytes);
  const sizeOf = (belongs: (entry: ZipEntry) => boolean): number =>
    entries.filter(belongs).reduce((sum, { size }) => sum + size, 0);

  it('holds the files of test/package/files.txt and no other', () => {
    const expected = new Set(readFileSync(path.join(__dirname, 'files.txt'), 'utf8').trim().split('\n'));
    const packed = new Set(entries.map(({ name }) => name));
    const missing = [...expected].filter((name) => !packed.has(name));
    const surplus = [...packed].filter((name) => !expected.has(name));
    assert.deepEqual({ missing, surplus }, { missing: [], surplus: [] });
  });

  it('is smaller than 1.2 MB, of which the engine is the half', () => {
    assert.ok(bytes.length < 1_200_000, `${String(bytes.length)} bytes`);
  });

  it('has at most 100 KB of sample images, 120 KB of traces, and 200 KB of scenarios, which pack to less than half', () => {
    const kindOf = (name: string): string =>
      name.endsWith('.iopte.yaml') ? 'scenario' : name.includes('/traces/') ? 'trace' : 'image';
    const limits = { image: 100, trace: 120, scenario: 200 };
    for (const [kind, limit] of Object.entries(limits)) {
      const bytes = sizeOf(({ name }) => name.startsWith('extension/samples/') && kindOf(name) === kind);
      assert.ok(bytes > 0 && bytes <= limit * KIB, `${kind}: ${String(bytes)} bytes`);
    }
  });

  it('keeps its bundles small', () => {
    const limits = {
      'extension/dist/extension.js': 400,
      'extension/dist/web/extension.js': 400, // the engine is in no other file, also for hosts that refuse a worker
      // A quarter is what each field of four vendors' entries and registers means, in words; a quarter is the emulated machine:
      // four vendors' hardware and drivers; a fifth is scenarios: their language, YAML that keeps places and 64 bits, their runs; a seventh is
      // traces: their formats, questions and replay.
      'extension/dist/engineWorker.js': 1420,
      'extension/dist/cli.js': 330,
      'extension/dist/webview/entry.js': 200,
      'extension/dist/webview/results.js': 200,
      'extension/dist/webview/trace.js': 200,
    };
    for (const [name, limit] of Object.entries(limits)) {
      const size = sizeOf((entry) => entry.name === name);
      assert.ok(size > 0 && size < limit * KIB, `${name}: ${String(size)} bytes, limit ${String(limit)} KiB`);
    }
  });

  it('has no source maps, no packages, no sources', () => {
    const unwanted = entries.filter(({ name }) =>
      /\.map$|node_modules|\.ts$|^extension\/(src|test|scripts)\//.test(name),
    );
    assert.deepEqual(unwanted, []);
    for (const { name } of entries.filter((entry) => entry.name.startsWith('extension/dist/'))) {
      const source = readFileSync(path.join(root, name.slice('extension/'.length)), 'utf8');
      assert.doesNotMatch(source, /sourceMappingURL/, name);
    }
  });

  it('says on the Marketplace whose it is and what it is for', () => {
    const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
    const manifest = JSON.parse(read('package.json')) as Manifest;
    assert.match(manifest.publisher, /^[\w-]+$/);
    assert.match(manifest.repository.url, /^https:.*\.git$/);
    assert.ok(manifest.categories.length > 0);
    assert.ok(manifest.keywords.length > 0 && manifest.keywords.length <= 30); // the Marketplace takes no more
    for (const file of [manifest.icon, 'readme.md', 'changelog.md', 'LICENSE.txt'])
      assert.ok(
        entries.some(({ name }) => name === `extension/${file}`),
        file,
      );
  });

  it('shows pictures on the Marketplace page', () => {
    const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
    const pictures = [...readme.matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map(([, file = '']) => file);
    assert.ok(pictures.length > 1);
    for (const file of pictures) {
      assert.match(file, /^docs\/images\/[\w-]+\.png$/); // the packer turns these into addresses of the repository
      const { length } = readFileSync(path.join(root, file));
      assert.ok(length < 350 * KIB, `${file}: ${String(length)} bytes`);
    }
  });

  it('can run its command line', () => {
    for (const name of ['extension/media/bin/iopte', 'extension/dist/cli.js']) {
      const mode = entries.find((entry) => entry.name === name)?.mode ?? 0;
      assert.equal(mode & 0o111, 0o111, `${name} is not executable: mode ${mode.toString(8)}`);
    }
  });
});
