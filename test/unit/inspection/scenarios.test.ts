import assert from 'node:assert/strict';
import { type EngineClient, RequestError } from '../../../src/inspection/protocol';
import { inProcessEngine } from './inProcess';

const SCENARIO = `
version: 2
title: A page that a device writes
machine: { vendor: vt-d, memory: 16M }
devices:
  nic: { requester: 00:02.0 }
domains:
  main: { pages: [4K], dirtyTracking: on, devices: [nic] }
steps:
  - dma: { iova: 0x5000, lands: 0x5000 }
  - readDirty: {}
expect: { clean: true, dirty: { ranges: [{ start: 0x5000, end: 0x6000 }] } }
`;

describe('scenarios through the protocol', () => {
  let engine: EngineClient;
  before(() => {
    engine = inProcessEngine(1).client;
  });
  after(() => engine.dispose());

  const run = (text: string, inspection?: string) =>
    engine.request('runScenario', {
      ...{ text, file: 'a.iopte.yaml', variant: null },
      ...(inspection === undefined ? {} : { inspection }),
    });

  it('runs one, and throws its machine away', async () => {
    const { outcome, record } = await run(SCENARIO);
    assert.equal(record, null);
    const { seconds, ...rest } = outcome;
    assert.ok(seconds >= 0);
    assert.deepEqual(rest, {
      ...{ file: 'a.iopte.yaml', variant: null, title: 'A page that a device writes' },
      ...{ passed: true, failures: [], requests: 1, faults: 0, migration: null },
      dirty: { written: 4096, reported: 4096, lost: 0, over: 0 },
    });
  });

  it('opens the machine that it leaves, as its record opens', async () => {
    const { record } = await run(SCENARIO, 'ran');
    assert.ok(record);
    assert.deepEqual(
      record.operations.map(({ kind }) => kind),
      ['dma', 'readDirty'],
    );
    await engine.request('open', { inspection: 'again', machine: record });
    for (const method of ['machine', 'summary'] as const) {
      const [ran, again] = await Promise.all([
        engine.request(method, { inspection: 'ran' }),
        engine.request(method, { inspection: 'again' }),
      ]);
      assert.deepEqual({ ...ran, inspection: '' }, { ...again, inspection: '' });
    }
    const page = { limit: 100 };
    const [ran, again] = await Promise.all([
      engine.request('caches', { inspection: 'ran', page }),
      engine.request('caches', { inspection: 'again', page }),
    ]);
    assert.deepEqual(ran, again);
    // It goes on from there, and back.
    const { operations } = await engine.request('undo', { inspection: 'ran' });
    assert.equal(operations, 1);
  });

  it('refuses a text with errors, with the first one and its line', async () => {
    await assert.rejects(run(SCENARIO.replace('vt-d', 'vt-e')), (error: unknown) => {
      assert.ok(error instanceof RequestError);
      assert.equal(error.failure.code, 'scenario/problem');
      assert.match(error.failure.message, /^a\.iopte\.yaml:4: /);
      return true;
    });
  });
});
