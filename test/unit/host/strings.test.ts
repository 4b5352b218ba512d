import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { getL10nJson } from '@vscode/l10n-dev';

const root = path.resolve(__dirname, '../../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

function sources(folder: string): readonly string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((each) => {
    const name = path.posix.join(folder, each.name);
    if (each.isDirectory()) return sources(name);
    return each.name.endsWith('.ts') ? [name] : [];
  });
}

describe('strings that can be translated', () => {
  it('are all in l10n/bundle.l10n.json, and nothing else is', async function () {
    this.timeout(90_000);
    // A few texts: a parser for each file takes longer, and so does a text of all.
    const texts = sources('src/host')
      .map(read)
      .filter((text) => text.includes('l10n.t('));
    const found: Record<string, unknown> = {};
    const part = Math.ceil(texts.length / 4);
    for (let from = 0; from < texts.length; from += part) {
      const contents = texts.slice(from, from + part).join('\n');
      Object.assign(found, await getL10nJson([{ extension: '.ts', contents }]));
    }
    const kept = JSON.parse(read('l10n/bundle.l10n.json')) as Record<string, unknown>;
    const hint = 'run: npx @vscode/l10n-dev export --outDir ./l10n ./src/host';
    assert.deepEqual(Object.keys(kept).sort(), Object.keys(found).sort(), hint);
  });

  it('of package.json are all in package.nls.json, and nothing else is', () => {
    const used = [...read('package.json').matchAll(/"%([\w.]+)%"/g)].map(([, key = '']) => key);
    const kept = Object.keys(JSON.parse(read('package.nls.json')) as object);
    assert.deepEqual(kept.sort(), [...new Set(used)].sort());
  });

  it('leave no text of package.json that a person reads outside package.nls.json', () => {
    const { contributes } = JSON.parse(read('package.json')) as { contributes: unknown };
    const readByPeople = new Set([
      'title',
      'name',
      'contents',
      'markdownDescription',
      'contextualTitle',
      'shortTitle',
    ]);
    const plain: string[] = [];
    const visit = (value: unknown, key: string): void => {
      if (typeof value === 'string' && readByPeople.has(key) && !/^%[\w.]+%$/.test(value)) plain.push(value);
      if (typeof value === 'object' && value !== null) {
        for (const [name, each] of Object.entries(value)) visit(each, name);
      }
    };
    visit(contributes, '');
    // Names are not translated.
    assert.deepEqual(plain, ['IOPTE', 'IOPTE Inspector', 'iopte']);
  });
});
