import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type MigrationResult } from '../../../src/engine/migration/result';
import { type Axis } from '../../../src/webview/messages/resultsMessages';
import { domainOf, suitingAxis } from '../../../src/webview/results/chart/domain';
import { layout } from '../../../src/webview/results/chart/layout';
import { linearScale, logScale } from '../../../src/webview/results/chart/scales';
import { slotAt, type Mark, type Scene } from '../../../src/webview/results/chart/scene';
import { strings } from '../../web/results/strings';
import { halvingRounds, migrationOf, runOf } from './migrations';

function chart(migration: MigrationResult, axis: Axis, width = 800, cursor?: number): Scene {
  const model = runOf(null, migration).migration;
  assert.ok(model);
  return layout({ migration: model, domain: domainOf([model]), axis, width, strings, cursor });
}

type Box = Extract<Mark, { kind: 'box' }>;
const boxes = ({ marks }: Scene, paint: Mark['paint'], fill: Box['fill']): Box[] =>
  marks
    .filter((mark): mark is Box => mark.kind === 'box' && mark.paint === paint && mark.fill === fill)
    .slice(1);
const texts = ({ marks }: Scene): string[] =>
  marks.flatMap((mark) => (mark.kind === 'text' ? [mark.text] : []));

describe('scales', () => {
  it('mark round values that are apart', () => {
    const { ticks, at } = linearScale(-1, 88, { from: 0, to: 900 }, 70);
    assert.deepEqual(ticks, [0, 10, 20, 30, 40, 50, 60, 70, 80]);
    assert.equal(at(-1), 0);
    assert.equal(at(88), 900);
  });

  it('of bytes go by powers of two, and put nothing at their beginning', () => {
    const { ticks, at } = logScale({ low: 5000, high: 3e10 }, 2, [1, 2, 5, 10, 20], { from: 200, to: 0 }, 30);
    assert.deepEqual(ticks, [2 ** 15, 2 ** 20, 2 ** 25, 2 ** 30, 2 ** 35]);
    assert.equal(at(0), 200);
    assert.ok(at(2 ** 20) > at(2 ** 21));
  });

  it('never place a value outside, and never mark too much', () => {
    const value = fc.double({ min: 1e-9, max: 1e18, noNaN: true });
    fc.assert(
      fc.property(value, value, value, (one, other, at) => {
        const range = { low: Math.min(one, other), high: Math.max(one, other) };
        const scale = logScale(range, 10, [1, 2, 3, 6], { from: 100, to: 0 }, 24);
        assert.ok(scale.at(at) >= 0 && scale.at(at) <= 100);
        assert.ok(scale.ticks.length <= 100);
      }),
    );
  });
});

describe('the chart of a migration', () => {
  it('gives a round on an axis of time the width that it lasted', () => {
    const { slots } = chart(migrationOf(halvingRounds(4)), 'time');
    const widths = slots.map(({ from, to }) => to - from);
    assert.equal(slots.length, 4);
    for (const [index, width] of widths.entries())
      assert.ok(Math.abs(width - (widths[0] ?? 0) * 0.5 ** index) < 1e-6, String(width));
  });

  it('gives all rounds one width otherwise', () => {
    const { slots } = chart(migrationOf(halvingRounds(4)), 'rounds');
    const widths = slots.map(({ from, to }) => Math.round((to - from) * 1000));
    assert.equal(new Set(widths).size, 1);
  });

  it('draws boxes by bytes: sent, reported, and written within that', () => {
    const scene = chart(migrationOf(halvingRounds(4)), 'rounds');
    const [sent, reported, written] = [
      boxes(scene, 'sent', 'solid'),
      boxes(scene, 'reported', 'open'),
      boxes(scene, 'written', 'hatched'),
    ];
    assert.deepEqual([sent.length, reported.length, written.length], [4, 4, 4]);
    for (const index of [0, 1, 2, 3]) {
      const [s, r, w] = [sent[index], reported[index], written[index]];
      assert.ok(s && r && w);
      // Each is half of the one before on an axis of powers of two: one step less.
      assert.ok(Math.abs(s.height - r.height - (r.height - w.height)) < 1e-6);
      assert.ok(s.height > r.height && r.height > w.height);
      assert.equal(Math.round(s.y + s.height), Math.round(r.y + r.height));
    }
  });

  it('says the limit, the blackout and what came before', () => {
    const scene = chart(migrationOf(halvingRounds(4), { preparation: 2 }), 'time');
    for (const text of ['limit 300 ms', 'blackout 1 s', 'preparation 2 s'])
      assert.ok(texts(scene).includes(text), `${text} in ${texts(scene).join('; ')}`);
    const [first] = scene.slots;
    assert.ok(first && first.from > 62, 'the first round begins after the preparation');
  });

  it('has the blackout where the last round is, and none in a migration that was given up', () => {
    const scene = chart(migrationOf(halvingRounds(4)), 'rounds');
    const [band] = boxes(scene, 'blackout', 'hatched');
    const last = scene.slots.at(-1);
    assert.deepEqual([band?.x, band && band.x + band.width], [last?.from, last?.to]);
    const endless = chart(migrationOf(halvingRounds(4).slice(0, 3)), 'rounds');
    assert.equal(boxes(endless, 'blackout', 'hatched').length, 0);
  });

  it('stays within its width at 300 pixels, whatever the rounds are', () => {
    const amount = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e15, noNaN: true }));
    const round = fc.record({
      ...{ seconds: fc.double({ min: 0, max: 1e5, noNaN: true }), estimatedDowntime: amount },
      ...{ sent: amount, pending: amount, written: amount, reported: amount },
    });
    const axis = fc.constantFrom<Axis>('time', 'rounds');
    fc.assert(
      fc.property(fc.array(round, { minLength: 1, maxLength: 40 }), axis, (made, kind) => {
        let start = 0;
        const rounds = made.map((each, index) => {
          const whole = { ...each, start, round: index + 1, splits: 0, blackout: index === made.length - 1 };
          start += each.seconds;
          return whole;
        });
        const scene = chart(migrationOf(rounds), kind, 300, 0);
        for (const mark of scene.marks) {
          if (mark.kind === 'text' || mark.kind === 'line') continue;
          assert.ok(Number.isFinite(mark.x) && Number.isFinite(mark.y), JSON.stringify(mark));
          assert.ok(mark.y >= -1 && mark.y <= scene.height, JSON.stringify(mark));
          if (mark.kind === 'box') assert.ok(mark.x + mark.width <= 304, JSON.stringify(mark));
        }
        assert.equal(scene.slots.length, rounds.length);
      }),
      { numRuns: 200 },
    );
  });

  it('shows rounds over time while most of them would be seen, else one by one', () => {
    const model = (count: number) => {
      const { migration } = runOf(null, migrationOf(halvingRounds(count)));
      assert.ok(migration);
      return [migration];
    };
    assert.equal(suitingAxis(model(4), 600), 'time');
    assert.equal(suitingAxis(model(20), 600), 'rounds');
  });

  it('leads the pointer to the nearest round', () => {
    const slots = [
      { from: 10, to: 20 },
      { from: 20, to: 22 },
      { from: 40, to: 50 },
    ];
    assert.deepEqual(
      [0, 15, 21, 29, 35, 99].map((x) => slotAt(slots, x)),
      [0, 0, 1, 1, 2, 2],
    );
  });
});
