/**
 * Rubbish as scenarios. FUZZ_SECONDS (default 3) is the budget of all of them, FUZZ_SEED the seed; fast-check prints the seed of a
 * failure.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { completeScenario } from '../../../../src/scenario/language/help/complete';
import { hoverScenario } from '../../../../src/scenario/language/help/hover';
import { readScenario } from '../../../../src/scenario/language/read';
import { TEMPLATES } from '../../../../src/scenario/templates/index';
import { scenarioText } from './support';

const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 3);
const SEED = process.env['FUZZ_SEED'];
const budget = {
  numRuns: Infinity,
  interruptAfterTimeLimit: (1000 * SECONDS) / 4,
  markInterruptAsFailure: false,
  ...(SEED !== undefined && { seed: Number(SEED) }),
};
const TIMEOUT = 1000 * SECONDS + 20_000;

/** Reads a text in every way, and holds what comes to what is promised. */
function readAll(text: string, at: number): void {
  const begun = performance.now();
  const inside = ({ start, end }: { readonly start: number; readonly end: number }): void => {
    assert.ok(0 <= start && start <= end && end <= text.length, `${start}-${end} of ${text.length}`);
  };
  const { problems, outline, variant } = readScenario(text);
  assert.ok(problems.length <= 200);
  for (const problem of problems) {
    inside(problem);
    assert.ok(problem.message.length > 0 && problem.message.length < 2000, problem.message);
    assert.doesNotMatch(problem.message, /undefined|\[object|Invalid input|expected one of/);
  }
  if (outline) [outline, ...outline.variants].forEach(inside);
  const isRight = !problems.some(({ severity }) => severity === 'error');
  const names = outline && outline.variants.length > 0 ? outline.variants.map(({ name }) => name) : [null];
  for (const name of [...names.slice(0, 3), 'no such']) {
    const one = variant(name, { 'machine.memory': '2G', 'steps[0].dma.iova': '0x1000' });
    one.problems.forEach(inside);
    inside(one.places.of(['steps', 3, 'dma', 0, 'iova']));
    assert.ok(one.scenario === undefined || !one.problems.some(({ severity }) => severity === 'error'));
    if (isRight && name !== 'no such') assert.ok(variant(name).scenario);
  }
  const offset = Math.min(at, text.length);
  completeScenario(text, offset).items.forEach((item) => {
    inside(item);
    assert.ok(item.start <= offset && offset <= item.end);
  });
  const hover = hoverScenario(text, offset);
  if (hover) inside(hover);
  assert.ok(performance.now() - begun < 10_000, 'takes too long');
}

const VALID = [
  ...TEMPLATES.map(({ text }) => text),
  scenarioText({
    steps:
      '{ during: { step: { split: { size: 4K } }, moments: [{ every: 1, steps: [{ dma: [{ iova: 0 }, { iova: 4K }] }] }] } }',
    rest: 'parameters: { a: 3 }\nvariants: { a: { parameters: { a: 4 } }, b: { machine: { memory: 2G } } }\n',
  }),
];

/** Pieces that mean something in YAML or in scenarios. */
const PIECES = [
  ...[
    '{',
    '}',
    '[',
    ']',
    ':',
    ': ',
    '- ',
    '\n',
    '\n  ',
    '\n    ',
    ',',
    '#',
    ' #',
    '"',
    "'",
    '&a ',
    '*a',
    '!t ',
    '|\n',
    '>',
    '?',
    '%',
    '---\n',
  ],
  ...[
    '$page',
    '$',
    '0x',
    '64G',
    '-1',
    '1e400',
    '.nan',
    '~',
    'null',
    'true',
    '__proto__',
    'constructor',
    'toString',
    '<<',
    '\t',
    '\r\n',
    '\0',
  ],
  ...[
    'steps',
    'dma',
    'iova',
    'repeat',
    'times',
    'during',
    'moments',
    'variants',
    'parameters',
    'version',
    'expect',
    'devices',
    'kind',
  ],
];

const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 40 })),
  insert: fc.oneof(fc.constantFrom(...PIECES), fc.constant(''), fc.string({ maxLength: 8 })),
});

const value: fc.Memo<string> = fc.memo((depth) =>
  depth <= 1
    ? fc.oneof(
        fc.constantFrom('4K', '0x1000', 'nic', 'one', 'true', '$a', '[]', '{}', '-3', '100Gbps'),
        fc.string({ maxLength: 6 }),
      )
    : fc.oneof(
        value(1),
        fc.array(value(depth - 1), { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
        fc
          .array(
            fc.tuple(
              fc.constantFrom(...PIECES.slice(-13), 'map', 'size', 'domain', 'split', 'lost', 'pages'),
              value(depth - 1),
            ),
            { maxLength: 3 },
          )
          .map((entries) => `{ ${entries.map(([key, each]) => `${key}: ${each}`).join(', ')} }`),
      ),
);

describe('scenarios that are rubbish', () => {
  it('are read, completed and explained without a throw: valid ones with mistakes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...VALID),
        fc.array(edit, { minLength: 1, maxLength: 5 }),
        (valid, edits) => {
          let text = valid;
          let last = 0;
          for (const { at, remove, insert } of edits) {
            last = Math.floor(at * text.length);
            text = text.slice(0, last) + insert + text.slice(last + remove);
          }
          readAll(text, last);
        },
      ),
      budget,
    );
  }).timeout(TIMEOUT);

  it('are read without a throw: keys of the language with values of any shape', () => {
    const keys = fc.constantFrom(
      'machine',
      'devices',
      'domains',
      'steps',
      'migrate',
      'expect',
      'variants',
      'parameters',
      'source',
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(keys, value(4)), { maxLength: 6 }), fc.nat(400), (entries, at) => {
        readAll(`version: 2\ntitle: x\n${entries.map(([key, each]) => `${key}: ${each}\n`).join('')}`, at);
      }),
      budget,
    );
  }).timeout(TIMEOUT);

  it('are read without a throw: pieces of YAML', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...PIECES, 'a'), { maxLength: 60 }), fc.nat(200), (pieces, at) => {
        readAll(pieces.join(''), at);
      }),
      budget,
    );
  }).timeout(TIMEOUT);

  it('are read in bounded time: pieces that are said again and again', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 3 }),
        fc.nat(1000),
        (pieces, at) => {
          readAll(pieces.join('').repeat(20_000).slice(0, 60_000), at);
        },
      ),
      budget,
    );
  }).timeout(TIMEOUT);

  it('are completed and explained at every place of a valid one', () => {
    const text = VALID.at(-1) ?? '';
    for (let at = 0; at <= text.length; at++) {
      for (const { start, end } of completeScenario(text, at).items)
        assert.ok(start <= at && at <= end && end <= text.length);
      hoverScenario(text.slice(0, at), at);
      completeScenario(text.slice(0, at), at);
    }
  }).timeout(TIMEOUT);
});
