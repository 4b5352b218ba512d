/** The images of samples/, as far as no conformance suite of a guest holds them already. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describeSample, elfOf, nestedSample } from '../builders/nestedSample';
import { requireAnswers } from './builtImages';

const ROOT = path.join(__dirname, '..', '..');
const sample = (name: string): Buffer => readFileSync(path.join(ROOT, 'samples', name));

describe('samples', () => {
  it('have a nested image that answers as its builder expects', () => {
    requireAnswers(nestedSample());
  });

  it('have the nested image as its builder writes it', () => {
    const image = nestedSample();
    assert.equal(sample('smmuv3-nested.iopte.json').toString(), describeSample(image));
    assert.ok(gunzipSync(sample('smmuv3-nested.elf.gz')).equals(elfOf(image)));
  });

  it('are each listed in their README', () => {
    const readme = sample('README.md').toString();
    const described = readdirSync(path.join(ROOT, 'samples')).filter((name) => name.endsWith('.iopte.json'));
    assert.ok(described.length >= 9);
    for (const name of described) assert.ok(readme.includes(`\`${name}\``), name);
  });
});
