import assert from 'node:assert/strict';
import { bytesSource } from '../../../../src/bytes/byteSource';
import { type Failure } from '../../../../src/engine/result';
import { traceNames } from '../../../../src/trace/model/dictionary';
import { openTrace } from '../../../../src/trace/readers/index';
import { GUESTS, guestTrace } from '../../../builders/traceRows';

function open(content: string | Uint8Array): { format: string } | { failure: Failure } {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
  const opened = openTrace(bytesSource('file.txt', new Uint8Array(bytes)), traceNames());
  return opened.ok ? { format: opened.value.format } : { failure: opened.failure };
}

describe('opening a trace', () => {
  it('recognises the format by what stands in the file', () => {
    for (const guest of GUESTS) {
      for (const file of ['ftrace_boot.head.txt', 'ftrace_sample_latfmt.txt', 'ftrace_sample_noctx.txt']) {
        const text = guestTrace(guest, file);
        assert.deepEqual(open(text), { format: 'ftrace' }, `${guest} ${file}`);
        // Without the header, as trace_pipe gives it, and without a tail.
        const rows = text.replace(/^#.*\n/gm, '').slice(0, 2000);
        if (rows !== '') assert.deepEqual(open(rows), { format: 'ftrace' }, `rows of ${guest} ${file}`);
      }
      const reported = guestTrace(guest, 'trace-cmd-report.txt');
      if (reported.includes(': ')) assert.deepEqual(open(reported), { format: 'trace-cmd' }, guest);
    }
  });

  it('says of other files what they are, and what can be opened', () => {
    const cases: [string | Uint8Array, code: string, message: RegExp][] = [
      ['', 'trace/empty', /file\.txt is empty/],
      [
        Buffer.from('# tracer: nop\n', 'utf16le').subarray(0),
        'trace/unrecognised',
        /no trace of a known format/,
      ],
      [Buffer.from('\ufeff# tracer: nop\n', 'utf16le'), 'trace/utf-16', /UTF-16/],
      ['Dear reader,\nthis is a letter.\n', 'trace/unrecognised', /no trace of a known format/],
      [
        Uint8Array.from({ length: 100_000 }, (_, at) => (at * 2_654_435_761) >>> 11),
        'trace/unrecognised',
        /no trace/,
      ],
      ['x'.repeat(200_000), 'trace/unrecognised', /no trace/],
    ];
    for (const [content, code, message] of cases) {
      const opened = open(content);
      assert.ok('failure' in opened);
      assert.equal(opened.failure.code, code);
      assert.match(opened.failure.message, message);
      assert.ok(opened.failure.hint);
    }
  });
});
