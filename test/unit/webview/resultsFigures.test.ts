import assert from 'node:assert/strict';
import { bestOf, FIGURES, figuresOf, runNames } from '../../../src/webview/messages/resultsFigures';
import { type RunModel } from '../../../src/webview/messages/resultsMessages';
import { comparisonMarkdown, roundsCsv } from '../../../src/webview/messages/resultsTables';
import { strings } from '../../web/results/strings';
import { halvingRounds, migrationOf, runOf } from './migrations';

const quick = runOf('quick', migrationOf(halvingRounds(4), { total: 10, preparation: 2 }));
const slow = runOf('slow', migrationOf(halvingRounds(5), { total: 20 }));
const endless = runOf('endless', migrationOf(halvingRounds(4).slice(0, 2), { total: 1 }));

const best = (key: string, runs: readonly RunModel[]): readonly number[] => {
  const figure = FIGURES.find((each) => each.key === key);
  assert.ok(figure, key);
  return [...bestOf(figure, runs)];
};

describe('a comparison of runs', () => {
  it('marks the best values', () => {
    assert.deepEqual(best('total', [quick, slow]), [0]);
    assert.deepEqual(best('blackout', [quick, slow]), [1]);
    assert.deepEqual(best('preparation', [quick, slow]), [1]);
  });

  it('marks nothing where all are alike, where none is better, and of a single run', () => {
    assert.deepEqual(best('sent', [quick, slow]), []);
    assert.deepEqual(best('rounds', [quick, slow]), []);
    assert.deepEqual(best('total', [quick]), []);
  });

  it('gives a migration that was given up no credit for ending early', () => {
    assert.deepEqual(best('total', [quick, endless]), [0]);
    assert.deepEqual(best('preparation', [quick, endless]), [1]);
  });

  it('leaves out figures that no run has', () => {
    const keys = figuresOf([runOf(null, null)]).map(({ key }) => key);
    assert.deepEqual(keys, ['written', 'reported', 'over', 'lost', 'requests']);
  });

  it('names runs by what tells them apart', () => {
    const swept = { ...quick, set: { 'migrate.link': '10Gbps' } };
    assert.deepEqual(runNames([quick, swept]), ['quick', 'quick · migrate.link=10Gbps']);
    assert.deepEqual(runNames([runOf(null, null)]), ['moves']);
    assert.deepEqual(runNames([quick, { ...slow, uri: 'file:///other', file: 'other' }]), [
      ...['moves · quick', 'other · slow'],
    ]);
  });

  it('is a table in Markdown, in which no name can end a cell', () => {
    const table = comparisonMarkdown({ runs: [{ ...quick, variant: 'a|b' }, slow] }, strings);
    const lines = table.trimEnd().split('\n');
    assert.equal(lines[0], '| Figure | a\\|b | slow |');
    assert.equal(lines[1], '| --- | ---: | ---: |');
    assert.ok(lines.includes('| Total time | **10 s** | 20 s |'), table);
  });
});

describe('the rounds as CSV', () => {
  it('have a heading with units, and a row each', () => {
    const lines = roundsCsv({ runs: [quick, slow] })
      .trimEnd()
      .split('\n');
    assert.equal(
      lines[0],
      'file,variant,round,blackout,start (s),duration (s),pending (bytes),sent (bytes),written (bytes),reported (bytes),splits,estimated downtime (s),downtime limit (s)',
    );
    assert.equal(lines.length, 1 + 4 + 5);
    assert.equal(lines[1], 'moves,quick,1,false,0,8,1073741824,1073741824,268435456,536870912,0,4,0.3');
    assert.match(lines[4] ?? '', /^moves,quick,4,true,/);
  });

  it('cannot be a formula, nor end a field early', () => {
    const named = { ...quick, variant: '=1+1', file: 'a,"b"' };
    const [, line = ''] = roundsCsv({ runs: [named] }).split('\n');
    assert.ok(line.startsWith(`"a,""b""",'=1+1,1,`), line);
  });

  it('have a column for each setting of a sweep', () => {
    const [head = '', line = ''] = roundsCsv({ runs: [{ ...quick, set: { 'machine.seed': '2' } }] }).split(
      '\n',
    );
    assert.ok(head.startsWith('file,variant,machine.seed,round,'));
    assert.ok(line.startsWith('moves,quick,2,1,'));
  });
});
