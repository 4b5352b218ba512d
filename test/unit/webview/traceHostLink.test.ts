import assert from 'node:assert/strict';
import { type FromTraceView } from '../../../src/webview/messages/traceMessages';
import { HostLink } from '../../../src/webview/trace/hostLink';

describe('questions of the trace page', () => {
  let posted: FromTraceView[];
  let link: HostLink;
  beforeEach(() => {
    posted = [];
    link = new HostLink((message) => posted.push(message));
  });

  it('ends what the filter before had asked, and drops what still comes of it', () => {
    const answers: unknown[] = [];
    const id = link.ask({ type: 'density', buckets: 4 }, 'density', (answer) => answers.push(answer));
    link.nextGen();
    assert.deepEqual(posted.at(-1), { v: 1, type: 'cancel', id, gen: 0 });
    const none = { total: 0, maps: [], unmaps: [], faults: [], others: [] };
    link.receive({ v: 1, type: 'density', id, gen: 0, ...none });
    assert.deepEqual(answers, []);
  });

  it('has a question fail whose answer cannot be read', () => {
    const failures: (string | undefined)[] = [];
    const id = link.ask({ type: 'rows', first: 0, count: 200 }, 'rows', (_, failure) =>
      failures.push(failure?.message),
    );
    link.fail({ id: id + 1, gen: 0 }, 'of nobody');
    link.fail({ id, gen: 0 }, 'not read');
    assert.deepEqual(failures, ['not read']);
  });
});
