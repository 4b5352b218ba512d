import assert from 'node:assert/strict';
import fc from 'fast-check';
import { junitXml, type JUnitCase } from '../../../../src/cli/scenarios/junit';
import { type ScenarioOutcome } from '../../../../src/inspection/protocol';
import { parseXml } from './xml';

const outcome = (more: Partial<ScenarioOutcome>): ScenarioOutcome => ({
  ...{ file: 'a.iopte.yaml', variant: null, title: 'A', passed: true, failures: [], requests: 1 },
  ...{ dirty: { written: 0, reported: 0, lost: 0, over: 0 }, faults: 0, seconds: 0.25, migration: null },
  ...more,
});
const ran = (file: string, variant: string | null, more: Partial<ScenarioOutcome> = {}): JUnitCase => ({
  ...{ file, variant },
  came: { kind: 'outcome', outcome: outcome({ file, variant, ...more }), text: 'one\ntwo: 3\n' },
});
const failure = { line: 2, start: 9, end: 10, what: 'lost', expected: '0', actual: '3' };

describe('JUnit XML', () => {
  it('has a suite for each file and a case for each variant', () => {
    const xml = junitXml([
      ran('a.iopte.yaml', 'broken', { passed: false, failures: [failure] }),
      ran('a.iopte.yaml', 'fixed'),
      ran('b.iopte.yaml', null),
      { file: 'c.iopte.yaml', variant: null, came: { kind: 'error', message: 'c:1:1: error: no\n  more' } },
      { file: 'd.iopte.yaml', variant: 'x', came: { kind: 'skipped' } },
    ]);
    const root = parseXml(xml);
    assert.equal(root.name, 'testsuites');
    const counts = { tests: '5', failures: '1', errors: '1', skipped: '1', time: '0.750' };
    assert.deepEqual(root.attributes, { name: 'iopte', ...counts });
    assert.deepEqual(
      root.elements.map(({ attributes }) => [
        attributes['name'],
        attributes['tests'],
        attributes['failures'],
      ]),
      [
        ['a.iopte.yaml', '2', '1'],
        ['b.iopte.yaml', '1', '0'],
        ['c.iopte.yaml', '1', '0'],
        ['d.iopte.yaml', '1', '0'],
      ],
    );
    const [broken, fixed] = root.elements[0]?.elements ?? [];
    assert.deepEqual([broken?.attributes['name'], fixed?.attributes['name']], ['broken', 'fixed']);
    assert.equal(broken?.attributes['classname'], 'a.iopte.yaml');
    const [said] = broken.elements;
    assert.equal(said?.name, 'failure');
    assert.equal(said.attributes['message'], 'lost: expected 0, got 3');
    assert.equal(said.text, 'a.iopte.yaml:2:6: error: lost: expected 0, got 3');
    assert.equal(root.elements[2]?.elements[0]?.elements[0]?.name, 'error');
    assert.equal(root.elements[3]?.elements[0]?.elements[0]?.name, 'skipped');
  });

  it('is well-formed whatever files, variants and failures are called', () => {
    const text = fc.string({ unit: 'binary', maxLength: 30 });
    fc.assert(
      fc.property(text, text, text, (file, title, actual) => {
        const one = ran(file, null, { title, passed: false, failures: [{ ...failure, actual }] });
        const suite = parseXml(junitXml([one])).elements[0];
        assert.equal(suite?.elements[0]?.elements.length, 1);
      }),
    );
    const [suite] = parseXml(junitXml([ran('a<b>&"\u0000\u001b[31m\ud800.yaml', null)])).elements;
    assert.equal(suite?.attributes['name'], 'a<b>&"[31m.yaml');
  });
});
