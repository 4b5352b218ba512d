// `npm run docs:scenarios`: makes docs/scenarios/reference.md and schemas/scenario.schema.json from the language's schema.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import prettier from 'prettier';
import { root } from './lib/paths.mjs';
import { scenarioReference } from './lib/scenarioReference.mjs';

const require = createRequire(import.meta.url);
require('tsx/cjs');
const language = (name) => require(path.join(root, 'src/scenario/language', `${name}.ts`));

const page = path.join(root, 'docs/scenarios/reference.md');
mkdirSync(path.dirname(page), { recursive: true });
const markdown = scenarioReference({
  ...language('shape'),
  examples: language('examples').STEP_EXAMPLES,
  actions: language('schema/steps').ACTIONS,
});
const options = await prettier.resolveConfig(page);
writeFileSync(page, await prettier.format(markdown, { ...options, parser: 'markdown' }));

const schema = path.join(root, 'schemas/scenario.schema.json');
mkdirSync(path.dirname(schema), { recursive: true });
writeFileSync(schema, `${JSON.stringify(language('jsonSchema').scenarioJsonSchema(), undefined, 1)}\n`);
console.log(`${path.relative(root, page)}, ${path.relative(root, schema)}`);
