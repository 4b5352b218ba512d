import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { FAULTS } from '../../../src/inspection/protocol';

describe('docs/faults.md', () => {
  const text = readFileSync(path.join(__dirname, '..', '..', '..', 'docs', 'faults.md'), 'utf8');
  const sections = text.split(/^## /m).slice(1);

  it('has a section for every fault, in the order of the protocol, and for nothing else', () => {
    assert.deepEqual(
      sections.map((section) => section.split('\n', 1)[0]),
      [...FAULTS],
    );
  });

  it('lists every fault in its table, with a link to its section', () => {
    const rows = [...text.matchAll(/^\| \[`([^`]+)`\]\(#([^)]+)\)/gm)];
    assert.deepEqual(
      rows.map(([, name, anchor]) => [name, anchor]),
      FAULTS.map((fault) => [fault, fault]),
    );
  });

  it('says meaning, cause, code and what to check next of each', () => {
    for (const section of sections) {
      for (const part of ['Meaning', 'Cause', 'Code', 'Check next']) {
        assert.match(section, new RegExp(`^\\*\\*${part}\\.\\*\\* \\S`, 'm'), section.split('\n', 1)[0]);
      }
    }
  });
});
