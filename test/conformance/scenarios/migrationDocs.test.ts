/** What docs/scenarios/migration.md shows is what comes out. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { DEFAULT_MIGRATION } from '../../../src/engine/migration/defaults';
import { ZERO_PAGE_BYTES } from '../../../src/engine/migration/result';
import { SAMPLES, ScenarioRuns } from './scenarioRuns';

const doc = readFileSync(path.join(__dirname, '../../../docs/scenarios/migration.md'), 'utf8');
const FILE = 'migrate-1tb.iopte.yaml';

/** Cells of a row of the page by what its first cell says. */
function cellsOf(first: string): readonly string[] {
  const line = doc.split('\n').find((each) => each.startsWith(`| ${first} `));
  assert.ok(line, `no row of ${first}`);
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

describe('docs/scenarios/migration.md', () => {
  const runs = new ScenarioRuns();
  after(() => runs.dispose());

  it('begins with a scenario that converges', async () => {
    const [, text = ''] = /```yaml\n([\s\S]*?)```/.exec(doc) ?? [];
    assert.deepEqual((await runs.check(text)).problems, []);
    const { migration } = await runs.run(text, 'doc.iopte.yaml', null);
    assert.equal(migration?.converged, true);
  });

  it('has the defaults of the product', () => {
    const { downtimeLimit, rule, mostRounds, costs } = DEFAULT_MIGRATION;
    assert.equal(cellsOf('`downtimeLimit`')[1], `\`${downtimeLimit * 1000}ms\``);
    assert.equal(cellsOf('`rule`')[1], `\`${rule}\``);
    assert.equal(cellsOf('`mostRounds`')[1], `\`${mostRounds}\``);
    assert.equal(cellsOf('`costs.split`')[1], `\`${Math.round(costs.split * 1e9)}ns\``);
    assert.deepEqual([costs.scan, costs.flush, costs.collapse], [0, 0, 0]);
    assert.equal(cellsOf('a page of zeros')[1], `${ZERO_PAGE_BYTES} bytes`);
  });

  const text = readFileSync(path.join(SAMPLES, FILE), 'utf8');
  const { variants } = parse(text, { intAsBigInt: true }) as { readonly variants: object };

  it('has a row for each variant of the machine of 1 TB', () => {
    const named = [...doc.matchAll(/^\| `([a-z0-9-]+)` +\| (?:yes|no) /gm)].map(([, name]) => name);
    assert.deepEqual(named, Object.keys(variants));
  });

  for (const variant of ['as-is-in-order', 'populated-only']) {
    it(`has what comes of ${variant}`, async () => {
      const { migration } = await runs.run(text, FILE, variant);
      assert.ok(migration);
      const { converged, rounds, total, blackout, bytes, amplification } = migration;
      const [, ends, , count, seconds, stood, sent, times] = cellsOf(`\`${variant}\``);
      assert.deepEqual(
        [ends, count, seconds, stood, sent, times],
        [
          converged ? 'yes' : 'no',
          String(rounds.length),
          `${total.toFixed(1)} s`,
          `${((blackout ?? 0) * 1000).toFixed(0)} ms`,
          `${Math.round(bytes.sent / 1e9).toLocaleString('en')} GB`,
          amplification.toPrecision(3),
        ],
      );
    });
  }
});
