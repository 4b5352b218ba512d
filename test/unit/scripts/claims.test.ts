import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.join(__dirname, '../../..');
const rows = readFileSync(path.join(root, 'docs/claims.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| ---') && !/^\| claim +\|/.test(line));

const PATH =
  /(?:src|test|docs|scripts|media|bench|samples|schemas|snippets|l10n)\/[\w./-]*\w|\.ci\/run|\.(?:c8rc\.json|dependency-cruiser\.cjs)|\b(?:README\.md|LICENSE|package(?:\.nls)?\.json)/g;

describe('docs/claims.md', () => {
  it('names only files that are there', () => {
    const missing = rows.flatMap((row) =>
      (row.match(PATH) ?? []).filter((file) => !existsSync(path.join(root, file))),
    );
    assert.deepEqual(missing, []);
  });

  it('quotes only tests that are there, in a file it names', () => {
    for (const row of rows) {
      const [, , shown = ''] = row.split('|');
      const files = (shown.match(PATH) ?? []).filter((file) => file.endsWith('.ts'));
      const text = files.map((file) => readFileSync(path.join(root, file), 'utf8')).join('\n');
      for (const [, name = ''] of shown.matchAll(/"([^"]+)"/g)) {
        assert.ok(text.includes(name), `${name} is in none of ${files.join(', ')}`);
      }
    }
  });

  it('shows something for every claim', () => {
    assert.ok(rows.length > 50);
    for (const row of rows) assert.match(row, /\|[^|]+\| +[^|]*(?:\/|`|\.md)[^|]* \|$/, row);
  });
});
