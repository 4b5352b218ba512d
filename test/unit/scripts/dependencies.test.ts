import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.join(__dirname, '../../..');

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

describe('docs/dependencies.md', () => {
  it('lists every package with its version, and no other', () => {
    const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Manifest;
    const packages = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    const [listed = ''] = readFileSync(path.join(root, 'docs/dependencies.md'), 'utf8').split(
      '## Not packages',
    );
    const rows = listed
      .split('\n')
      .filter((line) => /^\| [@a-z]/.test(line) && !line.startsWith('| package '))
      .flatMap((line) => {
        const [, names = '', versions = ''] = line.split('|').map((cell) => cell.trim());
        const version = versions.split(', ');
        return names.split(', ').map((name, index) => [name, version[index] ?? version[0] ?? '']);
      });
    assert.deepEqual(rows.sort(), packages.sort());
  });

  it('pins every version exactly', () => {
    const { dependencies, devDependencies } = JSON.parse(
      readFileSync(path.join(root, 'package.json'), 'utf8'),
    ) as Manifest;
    for (const version of Object.values({ ...dependencies, ...devDependencies }))
      assert.match(version, /^\d+\.\d+\.\d+$/);
  });
});
