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

  it('count lines and columns from 1', () => {
    assert.deepEqual(positionOf('ab\ncd', 0), { line: 1, column: 1 });
    assert.deepEqual(positionOf('ab\ncd', 4), { line: 2, column: 2 });
  });
});
