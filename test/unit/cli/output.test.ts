import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { OutputClosed } from '../../../src/cli/errors';
import { Output } from '../../../src/cli/output';
import { ProgressLine, type OutputStream } from '../../../src/cli/progress';

interface Recorded {
  readonly stream: OutputStream;
  readonly text: () => string;
}

function record(terminal: { readonly isTTY: true; readonly columns?: number } | object = {}): Recorded {
  const stream = Object.assign(new PassThrough(), terminal);
  return { stream, text: () => (stream.read() as Buffer | null)?.toString('utf8') ?? '' };
}

describe('output of the command line', () => {
  const silent = new ProgressLine(record().stream);

  it('has no colour unless it goes to a terminal and NO_COLOR is not set', () => {
    const terminal = { isTTY: true, columns: 80 } as const;
    assert.equal(new Output(record(terminal).stream, silent, {}).bold('x'), '\u{1b}[1mx\u{1b}[22m');
    assert.equal(
      new Output(record(terminal).stream, silent, { NO_COLOR: '' }).red('x'),
      '\u{1b}[31mx\u{1b}[39m',
    );
    assert.equal(new Output(record(terminal).stream, silent, { NO_COLOR: '1' }).bold('x'), 'x');
    assert.equal(new Output(record().stream, silent, {}).bold('x'), 'x');
  });

  it('wraps tables at the width of a terminal only', async () => {
    const rows = [['1', 'one two three four five six']];
    const columns = [{ title: 'N' }, { title: 'SAYS', wrap: true }] as const;
    for (const [terminal, lines] of [
      [{ isTTY: true, columns: 22 }, 3],
      [{ isTTY: true, columns: 0 }, 2],
      [{}, 2],
    ] as const) {
      const { stream, text } = record(terminal);
      await new Output(stream, silent, { NO_COLOR: '1' }).table(columns, rows);
      assert.equal(text().trimEnd().split('\n').length, lines);
    }
  });

  it('writes JSON with every bigint as a hex string', async () => {
    const { stream, text } = record();
    await new Output(stream, silent, {}).json([{ a: 2n ** 64n - 1n, b: [0n], c: 5, d: null }, {}]);
    assert.equal(text(), '{"a":"0xffffffffffffffff","b":["0x0"],"c":5,"d":null}\n{}\n');
  });

  it('ends with OutputClosed when nobody reads any more', async () => {
    const { stream } = record();
    (stream as PassThrough).destroy();
    await assert.rejects(new Output(stream, silent, {}).lines(['x']), OutputClosed);
  });
});

describe('progress of the command line', () => {
  it('is silent when standard error is no terminal', () => {
    const { stream, text } = record();
    const line = new ProgressLine(stream);
    line.show({ message: 'Inflating', fraction: 0.5 });
    line.clear();
    assert.equal(text(), '');
  });

  it('rewrites one line, at most ten times a second, no wider than the terminal', () => {
    const { stream, text } = record({ isTTY: true, columns: 16 });
    const line = new ProgressLine(stream);
    line.show({ message: 'Inflating', fraction: 0.291 }, 1000);
    assert.equal(text(), '\r\u{1b}[KInflating 29%');
    line.show({ message: 'Inflating', fraction: 0.3 }, 1099);
    assert.equal(text(), '');
    line.show({ message: 'Inflating a long name', fraction: 0.3 }, 1100);
    assert.equal(text(), '\r\u{1b}[KInflating a lon');
    line.clear();
    assert.equal(text(), '\r\u{1b}[K');
    line.clear();
    assert.equal(text(), '');
  });
});
