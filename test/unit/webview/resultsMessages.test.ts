import assert from 'node:assert/strict';
import {
  readFromResultsView,
  readResultsState,
  readToResultsView,
  RESULTS_VERSION,
} from '../../../src/webview/messages/resultsMessages';
import { forPage } from '../../../src/webview/messages/resultsModel';
import { strings } from '../../web/results/strings';
import { halvingRounds, migrationOf, runOf } from './migrations';

const v = RESULTS_VERSION;
const runs = [runOf('a', migrationOf(halvingRounds(4))), runOf('b', null)];
const state = { v, results: { runs }, notice: null, strings, picked: 0, axis: null, cursors: { 0: 2 } };

describe('messages of Scenario Results', () => {
  it('carry results there and back as they are', () => {
    const show = { v, type: 'show', generation: 3, results: { runs }, notice: null, strings };
    assert.deepEqual(readToResultsView(JSON.parse(JSON.stringify(show))), show);
    assert.deepEqual(readResultsState(JSON.parse(JSON.stringify(state))), state);
  });

  it('are refused of another version or shape', () => {
    const [run] = runs;
    for (const wrong of [
      ...[null, undefined, 'text', 5, {}, { ...state, v: v + 1 }, { ...state, picked: -1 }],
      { ...state, results: { runs: [{ ...run, uri: 5 }] } },
      { ...state, results: { runs: [{ ...run, requests: Infinity }] } },
      { ...state, axis: 'sideways' },
    ])
      assert.equal(readResultsState(wrong), undefined, JSON.stringify(wrong));
    for (const wrong of [
      { v, type: 'picture', request: 1, png: 'text' },
      { v, type: 'export', format: 'exe' },
      { v, type: 'reveal', generation: 1, run: -1, failure: 0 },
      { v: v + 1, type: 'ready' },
    ])
      assert.equal(readFromResultsView(wrong), undefined, JSON.stringify(wrong));
    const picture = { v, type: 'picture', request: 1, png: new Uint8Array(3) };
    assert.deepEqual(readFromResultsView(picture), picture);
  });

  it('stay small: of many rounds the first and the last ones go over', () => {
    const [round] = halvingRounds(1);
    assert.ok(round);
    const long = migrationOf(Array.from({ length: 10_000 }, (_, index) => ({ ...round, round: index + 1 })));
    const run = runOf('a', long);
    const sent = forPage({ runs: Array.from({ length: 256 }, () => run) });
    assert.ok(JSON.stringify(sent).length < 2 ** 20, `${JSON.stringify(sent).length} bytes`);
    const [{ migration } = { migration: null }] = forPage({ runs: [run] }).runs;
    assert.equal((migration?.rounds.length ?? 0) + (migration?.leftOut ?? 0), 10_000);
    assert.deepEqual([migration?.rounds.at(0)?.round, migration?.rounds.at(-1)?.round], [1, 10_000]);
  });
});
