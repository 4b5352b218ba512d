import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import prettier from 'prettier';
import { scenarioReference } from '../../../../scripts/lib/scenarioReference.mjs';
import { STEP_EXAMPLES } from '../../../../src/scenario/language/examples';
import { scenarioJsonSchema } from '../../../../src/scenario/language/jsonSchema';
import { ACTIONS } from '../../../../src/scenario/language/schema/steps';
import * as shape from '../../../../src/scenario/language/shape';

const root = path.join(__dirname, '../../../..');
const kept = (name: string): string => readFileSync(path.join(root, name), 'utf8');

describe('what is made from the schema of scenarios', () => {
  it('is current: schemas/scenario.schema.json (npm run docs:scenarios)', () => {
    assert.deepEqual(
      JSON.parse(kept('schemas/scenario.schema.json')),
      JSON.parse(JSON.stringify(scenarioJsonSchema())),
    );
  });

  it('is current: docs/scenarios/reference.md (npm run docs:scenarios)', async () => {
    const markdown = scenarioReference({ ...shape, examples: STEP_EXAMPLES, actions: ACTIONS });
    const file = path.join(root, 'docs/scenarios/reference.md');
    const options = await prettier.resolveConfig(file);
    assert.equal(
      kept('docs/scenarios/reference.md'),
      await prettier.format(markdown, { ...options, parser: 'markdown' }),
    );
  });

  it('describes every key', () => {
    const missing: string[] = [];
    const visit = (of: shape.Shape, at: string): void => {
      if (of.$ref !== undefined) return;
      for (const [key, each] of Object.entries(of.properties ?? {})) {
        const alternatives = shape.alternativesOf(each);
        const bounds = key === 'atLeast' || key === 'atMost';
        if (!bounds && !alternatives.some(({ description }) => description)) missing.push(`${at}.${key}`);
        for (const one of alternatives.filter((each) => each !== of)) {
          if (at.split('.').length < 6) visit(one, `${at}.${key}`);
        }
      }
      for (const inside of [of.items, of.additionalProperties]) {
        if (typeof inside === 'object')
          for (const one of shape.alternativesOf(inside)) if (at.split('.').length < 6) visit(one, `${at}.*`);
      }
    };
    visit(shape.fileShape(), '');
    assert.deepEqual([...new Set(missing.map((name) => name.split('.').at(-1)))], []);
  });

  it('says what the JSON schema of other editors needs: types, no names of our own, parameters', () => {
    const text = JSON.stringify(scenarioJsonSchema());
    assert.ok(!text.includes('"refers"') && !text.includes('"what"'));
    assert.ok(text.includes('#/definitions/parameter'));
    assert.ok(text.includes('http://json-schema.org/draft-07/schema#'));
  });
});
