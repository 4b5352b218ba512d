import assert from 'node:assert/strict';
import { ProgressLine } from '../../../src/cli/progress';
import { Session } from '../../../src/cli/session';
import { resolveSource } from '../../../src/cli/source';
import { RequestError } from '../../../src/inspection/protocol';
import { inProcessEngine } from '../inspection/inProcess';

describe('a session of the command line', () => {
  it('has the engine close its files at the end, also after a cancel', async () => {
    const { client } = inProcessEngine();
    const cancel = new AbortController();
    const session = new Session(client, cancel.signal, new ProgressLine(process.stderr));
    await session.open(await resolveSource('samples/vtd-4level.iopte.json', {}));
    cancel.abort();
    await session.close();
    await assert.rejects(
      client.request('devices', { inspection: session.inspection, page: { limit: 1 } }),
      (error) => error instanceof RequestError && error.failure.code === 'inspection/closed',
    );
    await client.dispose();
    await session.close();
  });
});
