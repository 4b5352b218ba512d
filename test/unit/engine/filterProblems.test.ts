import assert from 'node:assert/strict';

import * as fc from 'fast-check';

import { compileFilter, completeFilter, compileRowFilter } from '../../../src/engine/filter/filter';
import { leafVocabulary } from '../../../src/engine/filter/leafVocabulary';
import { type Vocabulary } from '../../../src/engine/filter/vocabulary';

const seed = process.env['FUZZ_SEED'];
const parameters = seed === undefined ? {} : { seed: Number(seed) };
const fuzzMilliseconds = 1000 * Number(process.env['FUZZ_SECONDS'] ?? 3);

/** Each problem as `code: the text it marks`. */
function problems(text: string): string[] {
  const compilation = compileFilter(text);
  assert.ok(!compilation.ok, `${text} was accepted`);
  return compilation.problems.map(({ code, start, end }) => `${code}: ${text.slice(start, end)}`);
}

function hints(text: string): string {
  const compilation = compileFilter(text);
  assert.ok(!compilation.ok, `${text} was accepted`);
  return compilation.problems.map(({ message, hint }) => `${message} ${hint ?? ''}`).join(' ');
}

const offered = (text: string, offset = text.length): string[] =>
  completeFilter(text, offset).map((completion) => completion.text);

describe('filter problems', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['prem = rw', ['filter/unknown-field: prem']],
    ['perm = rx', ['filter/value: rx']],
    ['perm = 3', ['filter/value: 3']],
    ['perm > r', ['filter/operator: >']],
    ['perm in r..w', ['filter/value: r..w']],
    ['size has 4K', ['filter/operator: has']],
    ['size = rw', ['filter/value: rw']],
    ['size', ['filter/incomplete: size']],
    ['entry', ['filter/incomplete: entry']],
    ['size =', ['filter/unexpected: ']],
    ['size = and dirty', ['filter/unexpected: and']],
    ['size & 3 = 1', ['filter/mask: size & 3']],
    ['entry & rw', ['filter/unexpected: ']],
    ['dirty = 2', ['filter/value: 2']],
    ['dirty < 1', ['filter/operator: <']],
    ['dirty in (1, 0)', ['filter/operator: dirty']],
    ['dirty accessed', ['filter/unexpected: accessed']],
    ['dirty and', ['filter/unexpected: ']],
    ['and dirty', ['filter/unexpected: and']],
    ['iova = 0x1000..0x2000', ['filter/operator: =']],
    ['iova in 0x1000', ['filter/unexpected: 0x1000']],
    ['iova in 0x2000..0x1000', ['filter/range: 0x2000..0x1000']],
    ['iova in 0x1000..0x1000', ['filter/range: 0x1000..0x1000']],
    ['iova in ..', ['filter/unexpected: ']],
    ['iova in (0x1000', ['filter/unexpected: ']],
    ['iova = 0x12g4', ['filter/number: 0x12g4']],
    ['iova = 0x1_0000_0000_0000_0000', ['filter/number: 0x1_0000_0000_0000_0000']],
    ['size = 16384P', ['filter/number: 16384P']],
    ['size = 1.5M', ['filter/number: 1.5M']],
    ['size = -1', ['filter/character: -']],
    ['perm = "rw', ['filter/text: "rw']],
    ['(dirty', ['filter/unexpected: (']],
    ['dirty)', ['filter/unexpected: )']],
    ['dirty § and accessed', ['filter/character: §']],
    ['dirty not accessed', ['filter/unexpected: accessed']],
    [`dirty ")" accessed`, ['filter/unexpected: ")"']],
  ];
  for (const [text, expected] of cases) {
    it(`marks the place in ${text}`, () => {
      assert.deepEqual(problems(text), expected);
    });
  }

  it('are collected over the whole text, in its order', () => {
    assert.deepEqual(problems('prem = rw and (size = rw or dirty) and foo < 1 and iova = 0xzz'), [
      'filter/unknown-field: prem',
      'filter/value: rw',
      'filter/unknown-field: foo',
      'filter/number: 0xzz',
    ]);
    assert.deepEqual(problems('(dirty x and sise = 1) and level = one'), [
      'filter/unexpected: x',
      'filter/value: one',
    ]);
  });

  it('say what to write instead', () => {
    assert.match(hints('prem = rw'), /no field 'prem'.*Did you mean 'perm'/);
    assert.match(hints('acessed'), /Did you mean 'accessed'/);
    assert.match(hints('writ'), /Did you mean 'writ(able|e)'/);
    assert.match(hints('colour = red'), /Fields are iova, paddr, size/);
    assert.match(hints('perm = x'), /Values are rw, r, w, none/);
    assert.match(hints('iova = 1..2'), /Write 'in' instead of '='/);
    assert.match(hints('iova in 5'), /in \(5\)/);
  });

  it('bound length and depth', () => {
    const nested = (depth: number): string => '('.repeat(depth) + 'dirty' + ')'.repeat(depth);
    assert.ok(compileFilter(nested(64)).ok);
    assert.deepEqual(problems(nested(65)), ['filter/too-deep: (']);
    assert.deepEqual(problems('not '.repeat(2000) + 'dirty'), ['filter/too-deep: not']);
    assert.deepEqual(problems('(not '.repeat(1500) + 'dirty'), ['filter/too-deep: (']);
    const long = compileFilter('dirty or '.repeat(2000) + 'dirty');
    assert.ok(!long.ok && long.problems[0]?.code === 'filter/too-long' && long.problems.length === 1);
    const many = compileFilter('foo or '.repeat(500) + 'foo');
    assert.ok(!many.ok && many.problems.length === 20);
  });
});

describe('filter completion', () => {
  it('offers what may follow', () => {
    assert.deepEqual(offered('pe'), ['perm']);
    assert.ok(offered('').includes('iova') && offered('').includes('not'));
    assert.deepEqual(offered('perm '), ['=', '!=', 'has', 'in']);
    assert.deepEqual(offered('perm = '), ['rw', 'r', 'w', 'none']);
    assert.deepEqual(offered('perm in (r, '), ['rw', 'r', 'w', 'none']);
    assert.deepEqual(offered('perm in (r '), [')']);
    assert.deepEqual(offered('size >= '), ['4K', '2M', '1G']);
    assert.deepEqual(offered('size in '), ['(4K, 2M, 1G)']);
    assert.deepEqual(offered('iova in '), ['0x1000..0x2000']);
    assert.deepEqual(offered('dirty '), ['and', 'or', '=', '!=']);
    assert.deepEqual(offered('perm = rw '), ['and', 'or']);
    assert.deepEqual(offered('perm = rw and d'), ['dirty']);
    assert.deepEqual(offered('entry & 0x800 ').slice(0, 2), ['=', '!=']);
  });

  it('replaces the word at the offset', () => {
    assert.deepEqual(completeFilter('not dirt and accessed', 8)[0], {
      text: 'dirty',
      detail: leafVocabulary.fields.find(({ name }) => name === 'dirty')?.doc,
      start: 4,
      end: 8,
    });
    assert.deepEqual(offered('perm = rw', 1), ['paddr', 'perm']);
    assert.deepEqual(offered('"a text"', 3), []);
  });

  it('gives at every offset only what lies in the text', () => {
    const text =
      "(perm = rw or size in (4K, 2M)) and not iova in 0x1000..0x2000 and entry & 0x800 != 0 and 'x";
    for (let offset = -1; offset <= text.length + 1; offset++) {
      for (const { start, end } of completeFilter(text, offset)) {
        assert.ok(start >= 0 && start <= end && end <= text.length);
      }
    }
    assert.ok(completeFilter(text, Number.NaN).length > 0);
  });

  it('offers only what makes a beginning that can be finished', () => {
    const endings = [
      '',
      ' = 4K',
      ' = rw',
      ' in 0x1000..0x2000',
      '4K',
      'rw',
      '0x1000',
      ' (rw)',
      ' (4K)',
      ' 0x1000..',
      '1',
      ' dirty',
    ];
    for (const beginning of [
      '',
      'dirty and ',
      'perm ',
      'size ',
      'iova ',
      'entry ',
      'perm = ',
      'size in ',
      'dirty ',
    ]) {
      for (const { text } of completeFilter(beginning, beginning.length)) {
        const whole = beginning + text;
        const finished = endings.some(
          (ending) => compileFilter(whole + ending).ok || compileFilter(`${whole} ${ending.trim()}`).ok,
        );
        assert.ok(finished, whole);
      }
    }
  });
});

/** Rows of another grid, with the types that leaves do not have. */
interface FaultRow {
  reason: string;
  time: number;
}
const faultVocabulary: Vocabulary<FaultRow> = {
  fields: [
    { name: 'reason', type: 'text', doc: 'why', read: (row) => row.reason },
    { name: 'time', type: 'integer', shift: 0, doc: 'ns', read: (row) => row.time },
  ],
};

describe('filter over another vocabulary', () => {
  const asks = (text: string, row: FaultRow): boolean => {
    const compilation = compileRowFilter(text, faultVocabulary);
    assert.ok(compilation.ok, text);
    return compilation.filter.matches(row);
  };
  const row = { reason: 'Not-Present', time: 2 ** 52 + 1 };

  it('compares texts without regard to case', () => {
    assert.ok(asks('reason = not-present', row));
    assert.ok(asks("reason = 'NOT-present'", row));
    assert.ok(asks('reason has "t-pres"', row));
    assert.ok(asks('reason in (blocked, not-present)', row));
    assert.ok(!asks('reason != not-present', row));
  });

  it('compares integers up to 2^53 exactly', () => {
    assert.ok(asks('time = 4503599627370497', row));
    assert.ok(!asks('time = 4503599627370496', row));
    assert.ok(asks('time < 0xffff_ffff_ffff_ffff', row));
  });

  it('knows only its own fields', () => {
    const compilation = compileRowFilter('perm = rw', faultVocabulary);
    assert.ok(!compilation.ok && compilation.problems[0]?.hint === 'Fields are reason, time.');
  });
});

describe('filter fuzz', () => {
  it('never throws, and marks problems inside the text', function () {
    this.timeout(fuzzMilliseconds + 20_000);
    const words =
      'iova paddr size perm entry dirty and or not in has ( ) , .. & = != < >= rw 4K 0x1000 2M "a" - \' £ 1e 0x '.split(
        ' ',
      );
    const soup = fc.array(fc.constantFrom(...words), { maxLength: 40 }).map((list) => list.join(' '));
    const glued = fc.array(fc.constantFrom(...words), { maxLength: 40 }).map((list) => list.join(''));
    const text = fc.oneof(
      soup,
      glued,
      fc.string({ maxLength: 60 }),
      fc.string({ unit: 'binary', maxLength: 60 }),
    );
    const property = fc.property(text, fc.nat({ max: 200 }), (filter, offset) => {
      const compilation = compileFilter(filter);
      if (!compilation.ok) {
        assert.ok(compilation.problems.length > 0);
        for (const { start, end, message } of compilation.problems) {
          assert.ok(start >= 0 && start <= end && end <= filter.length && message !== '');
        }
      }
      for (const { start, end } of completeFilter(filter, offset))
        assert.ok(start <= end && end <= filter.length);
    });
    fc.assert(property, {
      ...parameters,
      numRuns: Number.MAX_SAFE_INTEGER,
      interruptAfterTimeLimit: fuzzMilliseconds,
      markInterruptAsFailure: false,
    });
  });
});
