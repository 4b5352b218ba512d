import assert from 'node:assert/strict';
import { Machine } from '../../../../src/engine/machine/machine';
import { frameNumber } from '../../../../src/engine/values';
import { runSteps } from '../../../../src/engine/steps';
import { readScenario } from '../../../../src/scenario/language/read';
import { TEMPLATES } from '../../../../src/scenario/templates/index';
import { MOST_SINGLE_REQUESTS } from '../../../../src/scenario/run/bounds';
import { failuresOf, fails, FIRST_LINE, passes, runText, withSteps } from './bench';

const LONG = withSteps(
  'steps:\n- dma: { iova: 0x5000 }\n- traffic: { requests: 200000, traffic: { kind: rx-ring } }\n- dma: { iova: 0x6000 }\nexpect: { requests: 1 }',
);

describe('running scenarios', () => {
  it('gives the same outcome and the same operations twice', () => {
    for (const { text } of TEMPLATES) {
      const variant = readScenario(text).outline?.variants[0]?.name ?? null;
      const [one, other] = [runText(text, { variant }), runText(text, { variant })];
      assert.deepEqual(one.outcome, other.outcome);
      assert.deepEqual(one.operations, other.operations);
      assert.deepEqual(one.machine?.ledgerTotals, other.machine?.ledgerTotals);
    }
  });

  it('leaves the machine that its specification and its operations make', () => {
    const { spec, operations, machine } = passes(
      withSteps(
        'steps:\n- traffic: { requests: 300, traffic: { kind: nvme } }\n- split: { size: 4K }\n- readDirty: {}',
        'pages: [4K, 2M], dirtyTracking: on',
      ),
    );
    const made = Machine.create(spec);
    assert.ok(made.ok && machine);
    const again = made.value;
    assert.ok(runSteps(again.setUp()).ok);
    for (const operation of operations) runSteps(again.perform(operation));
    assert.deepEqual(again.ledgerTotals, machine.ledgerTotals);
    assert.deepEqual([...again.cached()], [...machine.cached()]);
    assert.equal(again.ledger.step, machine.ledger.step);
    const frames = [...machine.memory.heldFrames()].sort((one, other) => one - other);
    assert.deepEqual(
      [...again.memory.heldFrames()].sort((one, other) => one - other),
      frames,
    );
    for (const frame of frames)
      assert.deepEqual(
        again.memory.readFrame(frameNumber(frame)),
        machine.memory.readFrame(frameNumber(frame)),
      );
  });

  it('runs the variant that is named, as it changes the base', () => {
    const text = withSteps(
      'steps:\n- dma: { iova: 0x5000 }\nexpect: { requests: 1 }\nvariants:\n  same: {}\n  more:\n    steps: [{ dma: { iova: 0x5000, count: 2 } }]\n    expect: { requests: 3 }',
    );
    assert.equal(passes(text, { variant: 'same' }).outcome.variant, 'same');
    const { outcome } = runText(text, { variant: 'more' });
    assert.deepEqual(failuresOf(outcome), [
      { line: FIRST_LINE + 7, what: 'requests', expected: '3 requests', actual: '2 requests' },
    ]);
  });

  it('runs with what is set over the text', () => {
    const text = withSteps('steps:\n- dma: { iova: 0x5000 }\nexpect: { requests: 1 }');
    const { spec } = passes(text, { set: { 'machine.memory': '32M' } });
    assert.equal(spec.memory, '32M');
  });

  it('tells all that is not as expected, in the order of the text', () => {
    const { outcome } = runText(
      withSteps(
        'steps:\n- dma: { iova: 0x5000 }\n- expect: { requests: 7 }\nexpect:\n  requests: 8\n  faults: 9\n  entries: [{ iova: 0x5000, dirty: false }]\n  written: 8K',
      ),
    );
    assert.deepEqual(
      outcome.failures.map(({ line, what }) => ({ line, what })),
      [
        { line: 10, what: 'requests' },
        { line: 12, what: 'requests' },
        { line: 13, what: 'faults' },
        { line: 14, what: 'entries[0].dirty' },
        { line: 15, what: 'written' },
      ],
    );
    assert.equal(outcome.requests, 1);
  });

  it('ends after a hundred failures', () => {
    const { outcome } = runText(
      withSteps('steps:\n- repeat: { times: 500, steps: [{ expect: { requests: 7 } }] }'),
    );
    assert.equal(outcome.failures.length, 100);
  });

  it('says why a machine cannot be made', () => {
    const { machine, operations } = fails(
      withSteps('steps: []', 'pages: [2M]'),
      3,
      'machine',
      'a machine that can be made',
      'EINVAL: pages of the IOMMU (2097152 bytes) are larger than those of the CPU.',
    );
    assert.equal(machine, undefined);
    assert.deepEqual(operations, []);
  });

  it('does not begin what is too much once its files are read', () => {
    const line = '{"iova": "0x5000", "sid": "00:02.0"}\n';
    const files = new Map([['long.jsonl', new Uint8Array(Buffer.from(line.repeat(20_000)))]]);
    const text = (times: number) =>
      withSteps(`steps:\n- repeat: { times: ${times}, steps: [{ replay: { file: long.jsonl } }] }`);
    const told: string[] = [];
    const { outcome, operations } = runText(text(101), {
      files,
      onProgress: (message) => told.push(message),
    });
    assert.deepEqual(failuresOf(outcome), [
      {
        line: FIRST_LINE + 1,
        what: 'steps[0].repeat.steps[0]',
        expected: `at most ${MOST_SINGLE_REQUESTS.toLocaleString('en')} single requests`,
        actual: '2,020,000 single requests',
      },
    ]);
    assert.deepEqual(operations, []);
    // It is read once, and gives way meanwhile.
    assert.deepEqual(told.slice(0, 2), ['Reading requests: 1,000 lines', 'Reading requests: 2,000 lines']);
    assert.equal(told.length, 20);
    assert.equal(runText(text(2), { files }).outcome.requests, 40_000);
  });

  it('tells how far it is, and gives way often', () => {
    const told: { message: string; fraction: number | undefined }[] = [];
    runText(LONG, { onProgress: (message, fraction) => told.push({ message, fraction }) });
    assert.ok(told.length > 20, String(told.length));
    const fractions = told.flatMap(({ fraction }) => fraction ?? []);
    assert.deepEqual(
      fractions,
      [...fractions].sort((one, other) => one - other),
    );
    assert.ok(told.some(({ message }) => /^[\d,]+ of 200,002 requests$/.test(message)));
  });

  it('keeps what there is when it is cancelled: whole operations, and no verdict', () => {
    let isCancelled = false;
    const { outcome, operations, machine, isTorn } = runText(LONG, {
      isCancelled: () => isCancelled,
      onProgress: (_, fraction = 0) => {
        isCancelled ||= fraction > 0.3;
      },
    });
    assert.equal(outcome.cancelled, true);
    assert.equal(outcome.passed, false);
    assert.deepEqual(outcome.failures, []);
    assert.ok(outcome.requests > 50_000 && outcome.requests < 150_000, String(outcome.requests));
    assert.equal(isTorn, false);
    const done = operations.reduce(
      (sum, each) => sum + (each.kind === 'traffic' ? each.requests : each.kind === 'dma' ? 1 : 0),
      0,
    );
    assert.equal(done, outcome.requests);
    assert.equal(machine?.units[0]?.iommu.counters.requests, outcome.requests);
  });

  it('is given up before there is a machine', () => {
    const { outcome, machine } = runText(withSteps('steps: []', 'pages: [4K]', '').replace('16M', '256G'), {
      isCancelled: () => true,
    });
    assert.equal(outcome.cancelled, true);
    assert.equal(machine, undefined);
  });

  it('makes the other domains, processes and tracking before the first step', () => {
    const text = `version: 2
title: Two domains
machine: { vendor: vt-d, memory: 16M }
devices:
  nic: { requester: 00:02.0 }
  gpu: { requester: 00:03.0 }
domains:
  vm: { pages: [4K], devices: [nic, { device: gpu, pasid: 5 }] }
  other: { pages: [4K, 2M], dirtyTracking: on, devices: [gpu] }
steps:
  - dma: [{ device: gpu, iova: 0x200000 }, { device: gpu, pasid: 5, iova: 0x3000 }, { device: nic, iova: 0x4000 }]
  - readDirty: { domain: other }
expect:
  dirty: { ranges: [{ start: 0x200000, end: 0x400000 }] }
  entries: [{ domain: other, iova: 0x200000, size: 2M }, { iova: 0x200000, size: 4K }]
  lostAt: [0x3000, 0x4000]
`;
    const { spec, operations } = passes(text);
    assert.deepEqual(
      spec.devices.map(({ attached }) => attached),
      [undefined, false],
    );
    assert.deepEqual(
      operations.map(({ kind }) => kind),
      ['attach', 'createDomain', 'attach', 'map', 'setDirtyTracking', 'dma', 'readDirty'],
    );
  });

  for (const { id, text } of TEMPLATES) {
    it(`template ${id}: has no problems, and comes true in each variant`, () => {
      const { problems, outline } = readScenario(text);
      assert.deepEqual(problems, []);
      const variants = outline?.variants.map(({ name }) => name) ?? [];
      for (const variant of variants.length > 0 ? variants : [null]) passes(text, { variant });
    });
  }
});
