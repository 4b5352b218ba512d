import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { readScenario } from '../../../../src/scenario/language/read';

interface Snippet {
  readonly prefix: string | readonly string[];
  readonly description: string;
  readonly body: readonly string[];
}

const file = path.join(__dirname, '../../../../snippets/scenario.code-snippets');
const snippets = Object.entries(parse(readFileSync(file, 'utf8')) as Readonly<Record<string, Snippet>>);

/** The text as it is when someone takes each placeholder as it comes, or one of its choices. */
function filledIn({ body }: Snippet, choice: number): string {
  return body
    .join('\n')
    .replace(/\$\{\d+\|([^|]*)\|\}/g, (_, choices: string) => {
      const all = choices.split(',');
      return all[choice % all.length] ?? '';
    })
    .replace(/\$\{\d+:((?:\\.|[^}\\])*)\}/g, (_, text: string) => text.replaceAll('\\', ''))
    .replace(/\$\{\d+\}|\$\d+/g, '');
}

const indented = (text: string, spaces: number): string => text.replace(/^/gm, ' '.repeat(spaces));

/** A scenario with the snippet where it belongs. */
function scenarioWith(text: string): string {
  if (text.startsWith('version:')) return text;
  const [step, traffic] = [text.startsWith('- '), text.startsWith('traffic:')];
  return `version: 2
title: A snippet in its place
machine: { vendor: vt-d, memory: 1G }
devices:
  nic:
    requester: 00:02.0
${traffic ? indented(text, 4) : ''}
domains:
  guest: { maps: guest, pages: [4K, 2M], dirtyTracking: on, devices: [nic] }
steps:
${step ? indented(text, 2) : '  - readDirty: {}'}
${step || traffic ? '' : text}`;
}

describe('snippets of scenarios', () => {
  for (const [name, snippet] of snippets) {
    it(`${name}: right as it comes, with any of its choices`, () => {
      for (let choice = 0; choice < 4; choice++) {
        const text = scenarioWith(filledIn(snippet, choice));
        const { problems } = readScenario(text);
        assert.deepEqual(problems, [], text);
      }
    });
  }
});
