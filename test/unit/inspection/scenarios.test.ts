import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { CANCELLED, type EngineClient, RequestError } from '../../../src/inspection/protocol';
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

  const LONG = `
version: 2
title: Long
machine: { vendor: smmuv3, memory: 64M }
devices:
  nic: { requester: 00:02.0 }
domains:
  main: { dirtyTracking: on, devices: [nic] }
steps:
  - traffic: { requests: 2000000, traffic: { kind: rx-ring } }
expect: { requests: 1 }
`;

  it('tells how far it is; cancelled, it keeps what it has, and the machine is open', async () => {
    const cancel = new AbortController();
    const told: string[] = [];
    const { outcome, record, opened } = await engine.request(
      'runScenario',
      { text: LONG, file: 'long.iopte.yaml', variant: null, inspection: 'long' },
      {
        signal: cancel.signal,
        onProgress: ({ message, fraction = 0 }) => {
          told.push(message);
          if (fraction > 0.02) cancel.abort();
        },
      },
    );
    assert.equal(outcome.cancelled, true);
    assert.equal(outcome.passed, false);
    assert.ok(outcome.requests > 0 && outcome.requests < 1_000_000, String(outcome.requests));
    assert.match(told.at(-1) ?? '', /^[\d,]+ of 2,000,000 requests$/);
    assert.equal(opened, true);
    const state = await engine.request('machine', { inspection: 'long' });
    assert.equal(state.operations, record?.operations.length);
    assert.equal(state.iommus[0]?.counters['requests'], outcome.requests);
  });

  it('leaves a machine that a cancel found within an operation to whoever opens it, who can cancel that', async () => {
    const text = SCENARIO.replace('memory: 16M', 'memory: 256M')
      .replace('dirtyTracking: on', 'dirtyTracking: off')
      .replace('requester: 00:02.0', 'requester: 00:02.0, traffic: { kind: rx-ring, rate: 1Gbps }')
      .replace(/steps:[^]*/, 'migrate: { link: 2Gbps, downtimeLimit: 1ms, by: machine }\n');
    const cancel = new AbortController();
    const { outcome, record, opened } = await engine.request(
      'runScenario',
      { text, file: 'moves.iopte.yaml', variant: null, inspection: 'moves' },
      {
        signal: cancel.signal,
        onProgress: () => {
          cancel.abort();
        },
      },
    );
    assert.equal(outcome.cancelled, true);
    assert.equal(opened, false);
    assert.ok(record);
    const open = { inspection: 'moves', machine: record };
    await assert.rejects(engine.request('machine', { inspection: 'moves' }));
    const again = new AbortController();
    const opening = engine.request('open', open, { signal: again.signal });
    again.abort();
    await assert.rejects(
      opening,
      (error: unknown) => error instanceof RequestError && error.failure.code === CANCELLED,
    );
    await engine.request('open', open);
    const state = await engine.request('machine', { inspection: 'moves' });
    assert.equal(state.operations, record.operations.length);
  }).timeout(60_000);

  it('answers other requests while it runs', async () => {
    const cancel = new AbortController();
    const running = engine.request(
      'runScenario',
      { text: LONG, file: 'long.iopte.yaml', variant: null },
      { signal: cancel.signal },
    );
    const { problems } = await engine.request('checkScenario', { text: SCENARIO });
    assert.deepEqual(problems, []);
    cancel.abort();
    assert.equal((await running).outcome.cancelled, true);
  });

  it('takes the files that the outline names, packed or not', async () => {
    const line = JSON.stringify({ sid: '00:02.0', iova: '0x9000', length: 64, access: 'write' });
    const text = SCENARIO.replace(
      '- dma: { iova: 0x5000, lands: 0x5000 }',
      '- replay: { file: a.jsonl.gz }',
    ).replace('{ start: 0x5000, end: 0x6000 }', '{ start: 0x9000, end: 0xa000 }');
    const { outline } = await engine.request('checkScenario', { text });
    assert.deepEqual(outline?.files, ['a.jsonl.gz']);
    for (const bytes of [gzipSync(line), Buffer.from(line)]) {
      const files = { 'a.jsonl.gz': new Uint8Array(bytes) };
      const { outcome } = await engine.request('runScenario', { text, file: 'a', variant: null, files });
      assert.deepEqual(outcome.failures, []);
    }
    const { outcome } = await engine.request('runScenario', { text, file: 'a', variant: null });
    assert.deepEqual(
      outcome.failures.map(({ line: number, what, actual }) => ({ number, what, actual })),
      [{ number: 10, what: 'replay.file', actual: 'it was not found' }],
    );
  });

  it('refuses a packed file that is cut short', async () => {
    const text = SCENARIO.replace('- dma: { iova: 0x5000, lands: 0x5000 }', '- replay: { file: a.gz }');
    const files = { 'a.gz': new Uint8Array(gzipSync('x'.repeat(5000)).subarray(0, 25)) };
    await assert.rejects(
      engine.request('runScenario', { text, file: 'a', variant: null, files }),
      (error: unknown) => error instanceof RequestError && error.failure.message.includes('a.gz'),
    );
  });

  it('replaces what was open under the id', async () => {
    await run(SCENARIO, 'twice');
    await run(SCENARIO.replace('0x5000, lands: 0x5000', '0x5000, count: 2'), 'twice');
    const { iommus } = await engine.request('machine', { inspection: 'twice' });
    assert.equal(iommus[0]?.counters['requests'], 2);
  });

  it('gives no machine where none can be made', async () => {
    const { outcome, record } = await run(SCENARIO.replace('pages: [4K]', 'pages: [2M]'), 'none');
    assert.equal(record, null);
    assert.equal(outcome.failures[0]?.what, 'machine');
    await assert.rejects(engine.request('machine', { inspection: 'none' }));
  });

  it('saves a machine as a scenario that makes it again', async () => {
    await run(SCENARIO, 'saved');
    const { text, files } = await engine.request('machineAsScenario', {
      inspection: 'saved',
      title: 'Saved',
    });
    const { outcome, record } = await engine.request('runScenario', {
      ...{ text, files, file: 'saved.iopte.yaml', variant: null, inspection: 'again' },
    });
    assert.deepEqual(outcome.failures, []);
    assert.equal(record?.operations.length, 2);
    const [one, other] = await Promise.all([
      engine.request('machine', { inspection: 'saved' }),
      engine.request('machine', { inspection: 'again' }),
    ]);
    assert.deepEqual(one.iommus, other.iommus);
    assert.deepEqual(one.bytes, other.bytes);
    const requests = Array.from({ length: 80 }, (_, index) => ({
      ...{
        sid: index % 3 === 0 ? '00:02.0' : '00:09.0',
        pasid: null,
        iova: `0x${(index * 0x1230).toString(16)}`,
      },
      ...{ length: 1 + index, access: 'write' as const },
    }));
    await engine.request('operate', { inspection: 'saved', operation: { kind: 'dma', requests } });
    for (const stem of ['kept', undefined]) {
      const traced = await engine.request('machineAsScenario', {
        ...{ inspection: 'saved', title: 'Saved' },
        ...(stem !== undefined && { stem }),
      });
      const [name = ''] = Object.keys(traced.files);
      assert.match(name, new RegExp(`^${stem ?? 'saved'}-[0-9a-f]{16}\\.jsonl$`));
      assert.match(traced.text, /title: Saved\n/);
    }
    await assert.rejects(
      engine.request('machineAsScenario', { inspection: 'saved', title: '' }),
      (error: unknown) => error instanceof RequestError && error.failure.code === 'scenario/title',
    );
  });

  it('helps while one is written', async () => {
    const text = 'version: 2\ntitle: Help\nmachine: { vendor: ';
    const { items } = await engine.request('completeScenario', { text, offset: text.length });
    assert.ok(items.some(({ label }) => label === 'smmuv3'));
    const hover = await engine.request('hoverScenario', { text, offset: text.indexOf('vendor') + 1 });
    assert.match(hover?.markdown ?? '', /IOMMU/);
    const { schema } = await engine.request('scenarioSchema', {});
    assert.ok(JSON.stringify(schema).length > 10_000);
    const templates = await engine.request('scenarioTemplates', {});
    for (const { text: each } of templates) {
      const { problems } = await engine.request('checkScenario', { text: each });
      assert.deepEqual(problems, []);
    }
  });
});
