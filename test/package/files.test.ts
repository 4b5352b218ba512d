import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { vsixFile } from '../../scripts/lib/packaging.mjs';
import { zipEntries, type ZipEntry } from './zip';

const KIB = 1024;

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

  it('is smaller than 1 MB', () => {
    assert.ok(bytes.length < 1_000_000, `${String(bytes.length)} bytes`);
  });

  it('has at most 100 KB of samples', () => {
    const size = sizeOf(({ name }) => name.startsWith('extension/samples/'));
    assert.ok(size > 0 && size <= 100 * KIB, `${String(size)} bytes`);
  });

  it('keeps its bundles small', () => {
    const limits = {
      'extension/dist/extension.js': 300,
      'extension/dist/web/extension.js': 400, // holds the engine too, for hosts that refuse a worker
      'extension/dist/engineWorker.js': 400,
      'extension/dist/web/engineWorker.js': 400,
      'extension/dist/cli.js': 300,
      'extension/dist/webview/entry.js': 200,
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
      const source = readFileSync(path.join(__dirname, '../..', name.slice('extension/'.length)), 'utf8');
      assert.doesNotMatch(source, /sourceMappingURL/, name);
    }
  });

  it('can run its command line', () => {
    for (const name of ['extension/media/bin/iopte', 'extension/dist/cli.js']) {
      const mode = entries.find((entry) => entry.name === name)?.mode ?? 0;
      assert.equal(mode & 0o111, 0o111, `${name} is not executable: mode ${mode.toString(8)}`);
    }
  });
});
