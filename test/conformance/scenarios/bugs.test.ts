/** Every sample of a bug, broken and fixed: each variant runs as it says, and not as the other says. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { SAMPLES, ScenarioRuns } from './scenarioRuns';

const folder = path.join(SAMPLES, 'bugs');
const VARIANTS = ['broken', 'fixed'] as const;

interface Sample {
  readonly about: string;
  readonly source: string | readonly string[];
  readonly variants: Readonly<Record<string, { readonly expect: object } | undefined>>;
}

/** The same scenario, with what `broken` and `fixed` expect at the end changed for one another. */
function swapped(text: string): string {
  const sample = parse(text, { intAsBigInt: true }) as Sample;
  const { broken, fixed } = sample.variants;
  assert.ok(broken && fixed);
  const variants = {
    broken: { ...broken, expect: fixed.expect },
    fixed: { ...fixed, expect: broken.expect },
  };
  return stringify({ ...sample, variants });
}

describe('Samples of bugs', () => {
  const runs = new ScenarioRuns();
  after(() => runs.dispose());

  it('are more than thirty', () => {
    assert.ok(readdirSync(folder).length > 30);
  });

  for (const file of readdirSync(folder)) {
    const text = readFileSync(path.join(folder, file), 'utf8');

    it(`${file}: says what it is, and where it is from`, async () => {
      assert.match(file, /^[a-z0-9-]+\.iopte\.yaml$/);
      const { problems } = await runs.check(text);
      assert.deepEqual(problems, []);
      const { about, source, variants } = parse(text, { intAsBigInt: true }) as Sample;
      assert.ok(source.length > 0);
      assert.ok(about.split(/[.?!](?:\s|$)/).length > 2, about);
      assert.deepEqual(Object.keys(variants), VARIANTS);
    });

    for (const variant of VARIANTS) {
      it(`${file}: ${variant}`, async () => {
        const { failures, passed } = await runs.run(text, file, variant);
        assert.deepEqual(failures, []);
        assert.ok(passed);
      });

      it(`${file}: ${variant} fails what the other one expects`, async () => {
        const { failures, passed } = await runs.run(swapped(text), file, variant);
        assert.equal(passed, false);
        assert.ok(failures.length > 0);
      });
    }
  }
});
