import assert from 'node:assert/strict';
import { CommanderError } from 'commander';
import {
  badInput,
  badUsage,
  endingOf,
  errorText,
  OutputClosed,
  pointAt,
  positionOf,
} from '../../../src/cli/errors';
import { CANCELLED, RequestError } from '../../../src/inspection/protocol';

describe('errors of the command line', () => {
  it('end the program with the documented exit codes', () => {
    assert.equal(endingOf(badInput('x')).exitCode, 1);
    assert.equal(endingOf(badUsage('x')).exitCode, 2);
    assert.equal(endingOf(new RequestError({ code: 'image/truncated', message: 'x' })).exitCode, 1);
    assert.equal(endingOf(new RequestError({ code: CANCELLED, message: 'x' })).exitCode, 130);
    assert.equal(endingOf(new CommanderError(1, 'commander.unknownOption', 'x')).exitCode, 2);
    assert.equal(endingOf(new CommanderError(0, 'commander.helpDisplayed', 'x')).exitCode, 0);
    assert.deepEqual(endingOf(new OutputClosed()), { exitCode: 0, text: '' });
    assert.equal(endingOf(new TypeError('x')).exitCode, 1);
  });

  it('say what is wrong and what to do next', () => {
    assert.equal(errorText('no such file', 'try\nthis'), 'iopte: no such file\nhint: try\n      this\n');
    assert.equal(
      endingOf(new RequestError({ code: 'a/b', message: 'It is cut.', hint: 'Dump again.' })).text,
      'iopte: It is cut.\nhint: Dump again.\n',
    );
    assert.match(endingOf(new TypeError('oops')).text, /internal error: TypeError: oops[^]*bug in iopte/);
  });

  it('point at the place of a problem', () => {
    const problem = { code: 'x', message: 'x', severity: 'error' } as const;
    assert.equal(pointAt('perm = rv', { ...problem, start: 7, end: 9 }), '  perm = rv\n         ^^');
    assert.equal(pointAt('a\n\tb c\nd', { ...problem, start: 5, end: 6 }), '  \tb c\n  \t  ^');
    assert.equal(pointAt('perm =', { ...problem, start: 6, end: 6 }), '  perm =\n        ^');
    assert.equal(pointAt('ab', { ...problem, start: 1, end: 99 }), '  ab\n   ^');
  });

  it('show of a long line only what is around the place', () => {
    const problem = { code: 'x', message: 'x', severity: 'error' } as const;
    const long = `${'a'.repeat(5000)}sise${'b'.repeat(5000)}`;
    const [line = '', caret = ''] = pointAt(long, { ...problem, start: 5000, end: 5004 }).split('\n');
    assert.match(line, /^ {2}\.\.\.a{50}siseb{46}\.\.\.$/);
    assert.equal(caret, `${' '.repeat(line.indexOf('sise'))}^^^^`);
    const [first = ''] = pointAt(long, { ...problem, start: 2, end: 4 }).split('\n');
    assert.match(first, /^ {2}a{100}\.\.\.$/);
    const [end = '', under = ''] = pointAt(long, { ...problem, start: 10_004, end: 10_004 }).split('\n');
    assert.match(end, /^ {2}\.\.\.b{100}$/);
    assert.equal(under, `${' '.repeat(105)}^`);
    const [, wide = ''] = pointAt(long, { ...problem, start: 0, end: 9000 }).split('\n');
    assert.equal(wide, `  ${'^'.repeat(100)}`);
  });

  it('count lines and columns from 1', () => {
    assert.deepEqual(positionOf('ab\ncd', 0), { line: 1, column: 1 });
    assert.deepEqual(positionOf('ab\ncd', 4), { line: 2, column: 2 });
  });
});
