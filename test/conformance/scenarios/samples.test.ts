/** Every sample scenario beside those of bugs: each variant comes out as it says. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { SAMPLES, ScenarioRuns, SUFFIX } from './scenarioRuns';

interface Sample {
  readonly title: string;
  readonly about: string;
  readonly source?: string | readonly string[];
  readonly variants?: Readonly<Record<string, unknown>>;
}

const VENDORS = ['amd', 'riscv', 'smmuv3', 'vtd'];
const files = readdirSync(SAMPLES).filter((file) => file.endsWith(SUFFIX));

describe('Sample scenarios', () => {
  const runs = new ScenarioRuns();
  after(() => runs.dispose());

  it('begin with one for each vendor', () => {
    const first = files.filter((file) => file.startsWith('first-'));
    assert.deepEqual(
      first,
      VENDORS.map((vendor) => `first-${vendor}${SUFFIX}`),
    );
  });

  it('are listed in the README, which names no others', () => {
    const readme = readFileSync(path.join(SAMPLES, 'README.md'), 'utf8');
    const listed = [...readme.matchAll(/^\| `([\w-]+\.iopte\.yaml)` /gm)].map(([, file]) => file);
    assert.deepEqual(listed.sort(), files);
  });

  for (const file of files) {
    const text = readFileSync(path.join(SAMPLES, file), 'utf8');
    const { title, about, source = '', variants = {} } = parse(text, { intAsBigInt: true }) as Sample;

    it(`${file}: says what it is, and where it is from`, async () => {
      assert.match(file, /^[a-z0-9-]+\.iopte\.yaml$/);
      assert.deepEqual((await runs.check(text)).problems, []);
      assert.doesNotMatch(title, /\n/);
      assert.ok(source.length > 0);
      const sentences = about.split(/[.?!](?:\s|$)/).length - 1;
      assert.ok(sentences >= 2 && sentences <= 6, `${sentences} sentences`);
    });

    for (const variant of Object.keys(variants)) {
      it(`${file}: ${variant}`, async () => {
        const { failures, passed } = await runs.run(text, file, variant);
        assert.deepEqual(failures, []);
        assert.ok(passed);
      });
    }
  }
});
